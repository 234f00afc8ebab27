"""A client that does what comes to its mind, between any two calls of the workers, and knows what must be.

Mini-batches, leases, evaluations, repetitions, cancellations, gradients read in between, parameters put
between steps. What it expects is computed by a worker of its own, one mini-batch after the other.
"""

from __future__ import annotations

import random
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raygrad.proto.errors import IncompleteStepError, KernelError, LeaseError
from raygrad.proto.messages import ForwardResult, Gradients, MiniBatch
from raygrad.proto.tensor import Array
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler
from raygrad.scheduler.session import Session

from .random_graphs import even_placement
from .steps import DEADLINE, Work, digest

INDICES = range(16)


class Reference:
    """What gradients and outputs must be: on one worker, where nothing fails.

    It takes its steps with the client, since random numbers depend on the step's.
    """

    def __init__(self, work: Work, backend: str) -> None:
        self._work = work
        self._scheduler = Scheduler(LocalCluster(1, backend))
        self._session = work.open(self._scheduler, even_placement(work.graph, 1))
        self._added: set[int] = set()

    def put(self, parameters: dict[str, Array]) -> None:
        self._session.put(parameters).result(0)

    def outputs(self, batch: MiniBatch) -> str:
        return digest_of(self._session.forward(batch.feeds).result(0))

    def read(self, contributions: dict[int, Contribution]) -> str:
        """The gradients of these mini-batches, among them all those of earlier reads."""
        for index in contributions.keys() - self._added:
            self._add(contributions[index])
        return digest(self._session.gradients(keep_open=True, expect=contributions.keys()).result(0))

    def take(self, contributions: dict[int, Contribution], mean: bool) -> str:
        """The same at the end of the step."""
        self.read(contributions)
        self._added.clear()
        return digest(self._session.gradients(mean=mean).result(0))

    def _add(self, each: Contribution) -> None:
        batch = each.batch
        self._added.add(batch.index)
        if each.cotangent is None:
            self._session.step_batch(batch).result(0)
            return
        kept = self._session.forward(batch.feeds, keep=True, index=batch.index, weight=batch.weight)
        self._session.backward(kept.result(0).lease, {"loss": each.cotangent}).result(0)

    def close(self) -> None:
        self._scheduler.close()


@dataclass
class Contribution:
    """A mini-batch of the step; with a cotangent, one whose backward pass was asked for by lease."""

    batch: MiniBatch
    cotangent: Array | None = None


@dataclass
class Client:
    """One session, and everything that was asked of it in the open step."""

    session: Session
    work: Work
    reference: Reference
    rng: random.Random
    sent: dict[int, Contribution] = field(default_factory=dict)
    asked: dict[int, Future[Any]] = field(default_factory=dict)  # whether they are in the step
    forwards: dict[int, Future[ForwardResult]] = field(default_factory=dict)  # under a lease
    evaluations: list[tuple[MiniBatch, Future[ForwardResult]]] = field(default_factory=list)
    reads: list[Future[Gradients]] = field(default_factory=list)
    reserved: set[int] = field(default_factory=set)
    ending: bool = False

    def __post_init__(self) -> None:
        self.parameters = self.work.parameters

    def act(self) -> None:
        """One request, or one change of mind."""
        if self.ending:
            return
        actions = [(6, self.send), (2, self.repeat), (3, self.forward), (4, self.backward), (1, self.release)]
        actions += [(2, self.evaluate), (1, self.read), (2, self.cancel), (1, self.put_too_late)]
        weights, choices = zip(*actions, strict=True)
        self.rng.choices(choices, weights)[0]()

    def _new_index(self) -> int | None:
        free = [
            i for i in INDICES if i not in self.sent and i not in self.forwards and i not in self.reserved
        ]
        return self.rng.choice(free) if free else None

    def _batch(self, index: int) -> MiniBatch:
        like = self.work.batches[index % len(self.work.batches)]
        return MiniBatch(like.feeds, index, like.weight)

    def send(self) -> None:
        if (index := self._new_index()) is not None:
            self.sent[index] = Contribution(self._batch(index))
            self.asked[index] = self.session.step_batch(self._batch(index))

    def repeat(self) -> None:
        steps = [i for i, c in self.sent.items() if c.cotangent is None]
        if steps:
            index = self.rng.choice(steps)
            self.asked[index] = self.session.step_batch(self._batch(index))

    def forward(self) -> None:
        if (index := self._new_index()) is not None:
            self._forward(index)

    def _forward(self, index: int) -> None:
        batch = self._batch(index)
        self.reserved.add(index)  # the call may do its work, and come back here, before it returns
        self.forwards[index] = self.session.forward(
            batch.feeds, keep=True, index=index, weight=batch.weight, step=None
        )
        self.reserved.discard(index)

    def backward(self) -> None:
        held = [i for i, f in self.forwards.items() if f.done() and not f.cancelled() and not f.exception()]
        if held:
            index = self.rng.choice(held)
            self._backward(index, self.forwards.pop(index).result(0).lease)

    def _backward(self, index: int, lease: str) -> None:
        cotangent = np.asarray(self.rng.choice([1.0, -0.5, 3.0]))
        self.sent[index] = Contribution(self._batch(index), cotangent)
        self.asked[index] = self.session.backward(lease, {"loss": cotangent})

    def release(self) -> None:
        held = [i for i, f in self.forwards.items() if f.done() and not f.cancelled() and not f.exception()]
        if held:
            self.session.release(self.forwards.pop(self.rng.choice(held)).result(0).lease)

    def evaluate(self) -> None:
        batch = self._batch(self.rng.choice(INDICES))
        self.evaluations.append((batch, self.session.forward(batch.feeds)))

    def read(self) -> None:
        self.reads.append(self.session.gradients(keep_open=True))

    def cancel(self) -> None:
        """Of a lease that nobody got nothing stays; of what is in the step everything."""
        waiting = [f for f in (*self.asked.values(), *self.forwards.values()) if not f.done()]
        waiting += [f for _, f in self.evaluations if not f.done()] + [f for f in self.reads if not f.done()]
        if waiting:
            self.rng.choice(waiting).cancel()
        for index in [i for i, f in self.forwards.items() if f.cancelled()]:
            del self.forwards[index]

    def put_too_late(self) -> None:
        """Within a step nothing changes; between steps the evaluations under way would not know which."""
        if self.sent or self.forwards:
            self.session.put(self.parameters)  # the same as before, if nothing is left of the step

    # -- the end of a step --------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing is owed, and nothing runs for nobody."""
        machine = self.session._machine
        return not self.session._promises.owed and not (machine and (machine.evaluations or machine.calls))

    def complete(self) -> bool:
        """Ask again for what was cancelled or failed; whether there was anything."""
        self.ending = True
        missing = False
        for index, future in list(self.asked.items()):
            if _succeeded(future):
                continue
            missing = True
            if self.sent[index].cotangent is None:
                self.asked[index] = self.session.step_batch(self._batch(index))
            elif not future.cancelled():  # a backward pass that failed took its mini-batch along
                del self.sent[index], self.asked[index]
            else:
                del self.asked[index]  # it is in the step, unless its kernels failed, unheard
        for index, future in list(self.forwards.items()):
            missing = True
            del self.forwards[index]
            if _succeeded(future):
                self._backward(index, future.result(0).lease)
        return missing

    def check(self) -> None:
        """The answers so far: outputs are right, and what was read in between is of the step."""
        for batch, future in self.evaluations:
            if _succeeded(future):
                assert digest_of(future.result(0)) == self.reference.outputs(batch)
        self.evaluations.clear()

    def take(self) -> Future[Gradients]:
        """Ask for the gradients of the step."""
        machine = self.session._machine
        for index in [i for i in self.sent if i not in self.asked]:  # cancelled: it may have failed unheard
            if machine is None or index not in machine.batches:
                del self.sent[index]
        return self.session.gradients(expect=frozenset(self.sent), mean=self._mean)

    @property
    def _mean(self) -> bool:
        return len(self.sent) % 2 == 1 and sum(c.batch.weight for c in self.sent.values()) > 0.1

    def begin(self, taken: Future[Gradients] | None) -> None:
        """The step is over: its bits are right; the next one has other parameters."""
        reads = [future.result(0) for future in self.reads if _succeeded(future)]
        for found in sorted(reads, key=lambda found: len(found.indices)):  # what is committed only grows
            assert digest(found) == self.reference.read({i: self.sent[i] for i in found.indices})
        if taken is not None:
            assert digest(taken.result(0)) == self.reference.take(self.sent, self._mean)
        for kept in (self.sent, self.asked, self.forwards, self.reads):
            kept.clear()
        new = {name: a * self.rng.choice([1.0, -1.0, 0.5]) for name, a in self.work.parameters.items()}
        self.parameters = new
        self.session.put(new).result(DEADLINE)
        self.reference.put(new)
        self.ending = False


ALLOWED = (KernelError, LeaseError, IncompleteStepError)
"""What may be answered: kernels fail, a lease ends with its mini-batch, gradients are asked too early."""


def _succeeded(future: Future[Any]) -> bool:
    """Whether there is a result; an error must be one that can be."""
    assert future.done()
    if future.cancelled():
        return False
    error = future.exception()
    if isinstance(error, CancelledError):
        return False
    assert error is None or isinstance(error, ALLOWED)
    return error is None


def digest_of(found: ForwardResult) -> str:
    """The bits of the outputs, which come in any order."""
    return digest(dict(sorted(found.outputs.items())))
