"""A model of a cluster for dialogues with the machine, and the machine's invariants.

A modelled worker computes nothing: its ledger maps each index to the content that it added, so that a
contribution of the wrong attempt, or one counted twice, is seen. The test decides which worker goes on,
which reply arrives when, and who dies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from raygrad.proto.builder import Builder
from raygrad.proto.errors import KernelError, RaygradError
from raygrad.proto.graph import Graph
from raygrad.proto.messages import SessionOptions
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey
from raygrad.proto.tensor import Array
from raygrad.scheduler.batch import Batch, State
from raygrad.scheduler.dispatcher import CALLS_AHEAD, GROUP, in_flight
from raygrad.scheduler.events import (
    Answer,
    BackwardRequested,
    Command,
    Deliver,
    EndStep,
    Event,
    Fence,
    Fenced,
    GradientsRequested,
    Kill,
    Place,
    Received,
    Release,
    ReleaseRequested,
    Restore,
    Run,
    SegmentDone,
    SegmentFailed,
    SnapshotTaken,
    TakeSnapshot,
    TensorsPut,
    WorkerCommand,
    WorkerGone,
    WorkerJoined,
    WorkerLost,
)
from raygrad.scheduler.machine import Layout, Machine
from raygrad.scheduler.planner import make_plan, owners
from raygrad.scheduler.replica import Health
from raygrad.workers.accumulator import Snapshot
from raygrad.workers.calls import Reply

SIZES = (("N", 2),)
LEASE_SECONDS = 60.0
CALL_TIMEOUT = 600.0


def chain(stages: int) -> tuple[Graph, Placement]:
    """A graph of one product per stage, each with its parameter, and the placement that says so."""
    g = Builder()
    h = g.input("x", ("N", 3), "float64")
    stage_of: dict[int, int] = {}
    for stage in range(stages):
        h = (h @ g.parameter(f"w{stage}", (3, 3), "float64")) * h
        stage_of |= {n.id: stage for n in g.graph() if not n.operator.source and n.id not in stage_of}
    g.output("y", h)
    g.output("loss", h.mean())
    graph = g.graph()
    rest = {n.id: stages - 1 for n in graph if not n.operator.source and n.id not in stage_of}
    return graph, Placement(stage_of | rest, stages)


@dataclass
class Worker:
    """What one worker holds: commands not yet carried out, a ledger of contents, runs with activations."""

    queue: deque[WorkerCommand] = field(default_factory=deque)
    ledger: dict[int, bytes] = field(default_factory=dict)
    activations: set[Any] = field(default_factory=set)
    epoch: int = 0
    alive: bool = True


class Dialogue:
    """A machine, its modelled workers, and everything that was said. `say` checks the invariants."""

    def __init__(self, stages: int = 1, replicas: int = 1, put: bool = True, **options: Any) -> None:
        self.graph, self.placement = chain(stages)
        budget = options.pop("feed_budget", 1 << 30)
        rows = tuple(tuple(range(r * stages, (r + 1) * stages)) for r in range(replicas))
        owner = owners(self.graph, self.placement)
        owned = tuple(
            {name: n.types[0] for name, n in self.graph.parameters.items() if owner[name] == stage}
            for stage in range(stages)
        )
        chosen = SessionOptions(lease_seconds=LEASE_SECONDS, **options)
        self.machine = Machine(Layout("s", rows, owned, {"loss": np.ones(())}, chosen, budget, CALL_TIMEOUT))
        self.workers = {w: Worker() for row in rows for w in row}
        self.answers: dict[int, Answer] = {}
        self.delivered: dict[int, Deliver] = {}
        self.commands: list[Command] = []
        self.produced: set[Any] = set()  # calls whose results exist
        self.lost: set[Any] = set()  # calls that will have no results
        self.killed: list[int] = []
        self.now = 0.0
        self._tokens = 0
        self._plans: dict[PlanKey, Plan] = {}
        if put:
            self.put()

    # -- what the client says -----------------------------------------------------------------

    def plan(self, mode: Mode, seeded: tuple[str, ...] = ()) -> Plan:
        """The plan of a mode for two rows."""
        key = PlanKey(mode, SIZES, seeded)
        if key not in self._plans:
            self._plans[key] = make_plan(self.graph, self.placement, key)
        return self._plans[key]

    def token(self) -> int:
        """A token that no request had."""
        self._tokens += 1
        return self._tokens

    def put(self) -> int:
        """Parameters."""
        token = self.token()
        self.say(TensorsPut(token, {name: np.zeros((3, 3)) for name in self.graph.parameters}))
        return token

    def send(self, index: int | None = None, content: float = 0.0, step: int | None = None) -> int:
        """A mini-batch."""
        plan = self.plan(Mode.STEP, ("loss",))
        return self._received(plan, index, content, step)

    def evaluate(self) -> int:
        """An evaluation."""
        return self._received(self.plan(Mode.EVALUATE), None, 0.0, None)

    def forward(self, index: int | None = None, content: float = 0.0) -> int:
        """A forward pass that keeps its activations."""
        return self._received(self.plan(Mode.FORWARD), index, content, None)

    def _received(self, plan: Plan, index: int | None, content: float, step: int | None) -> int:
        token = self.token()
        self.say(Received(token, plan, {"x": feed(index or 0, content)}, index, step))
        return token

    def backward(self, lease: str) -> int:
        """The backward pass of a lease."""
        token = self.token()
        cotangents = {"loss": np.ones(())}
        self.say(BackwardRequested(token, lease, self.plan(Mode.BACKWARD, ("loss",)), cotangents))
        return token

    def gradients(self, **wanted: Any) -> int:
        """The gradients."""
        token = self.token()
        self.say(GradientsRequested(token, **wanted))
        return token

    def held(self, index: int) -> str:
        """The lease of a forward pass that ended."""
        token = self.forward(index)
        self.finish()
        return self.lease(token)

    def say_release(self, lease: str) -> int:
        """The lease is given up."""
        token = self.token()
        self.say(ReleaseRequested(token, lease))
        return token

    def lease(self, token: int) -> str:
        """The lease that a forward pass was answered with."""
        lease: str = self.answers[token].result.lease
        return lease

    def error(self, token: int) -> type[RaygradError] | None:
        """What kind of error a request was answered with."""
        error = self.answers[token].error
        return None if error is None else type(error)

    # -- what the cluster says ----------------------------------------------------------------

    def say(self, event: Event) -> list[Command]:
        """An event for the machine; its commands reach the workers' queues, its answers the clients."""
        commands = self.machine.handle(event, self.now)
        check(self.machine)
        self.commands += commands
        for command in commands:
            if isinstance(command, Answer):
                assert command.token not in self.answers, "answered twice"
                self.answers[command.token] = command
            elif isinstance(command, Deliver):
                self.delivered[command.token] = command
            elif isinstance(command, Kill):
                self.kill(command.worker)
            else:
                self._queue(command)
        return commands

    def _queue(self, command: WorkerCommand) -> None:
        """As a cluster does: what is for a dead worker is dropped, and what waits for its results too."""
        worker = self.workers[command.worker]
        if worker.alive and not (isinstance(command, Run) and self.lost & set(command.needs)):
            worker.queue.append(command)
            return
        heard = all(not s.alive for s in self.machine.slots() if s.worker == command.worker)
        # A release is also about what is on the way between workers, whoever of them is left.
        assert not heard or isinstance(command, Release), "a command for a worker that is known to be dead"
        if isinstance(command, Run):
            self.lost.add(command.key)

    def runs(self) -> list[str]:
        """The calls that are queued, by worker: "0: F0#3" is mini-batch 3's forward pass on worker 0."""
        return [
            f"{w}: {c.title}#{c.key.run.index}"
            for w, worker in self.workers.items()
            for c in worker.queue
            if isinstance(c, Run)
        ]

    def ready(self) -> list[int]:
        """The workers that can carry something out."""
        return [w for w, worker in self.workers.items() if worker.queue and self._can_run(worker.queue[0])]

    def _can_run(self, command: WorkerCommand) -> bool:
        return not isinstance(command, Run) or all(key in self.produced for key in command.needs)

    def work(self, worker: int, error: RaygradError | None = None) -> Event | None:
        """Carry out what is next on a worker; what it answers is returned, and not yet said."""
        state = self.workers[worker]
        command = state.queue.popleft()
        match command:
            case Run():
                return self._run(state, command, error)
            case Fence(epoch=epoch, discard=discard):
                assert epoch > state.epoch
                state.epoch = epoch
                state.activations.clear()
                if discard:
                    state.ledger.clear()
                return Fenced(worker, epoch, frozenset(state.ledger))
            case TakeSnapshot(epoch=epoch, step=step):
                return SnapshotTaken(worker, epoch, step, snapshot_of(state.ledger))
            case Restore(snapshot=snapshot):
                state.ledger = contents(snapshot)
            case EndStep():
                state.ledger.clear()
            case Release(run=run):
                state.activations.discard(run)
            case Place():
                assert not state.ledger
        return None

    def _run(self, state: Worker, command: Run, error: RaygradError | None) -> Event:
        assert self._can_run(command)
        call, run = command.call, command.key.run
        if error is not None:
            return SegmentFailed(command.worker, command.key, error)
        self.produced.add(command.key)
        last = next(
            s for p in self._plans.values() if p.id == call.plan for s in p.segments if s.id == call.segment
        )
        state.activations.add(run)
        if last.last and call.plan != self.plan(Mode.FORWARD).id:
            state.activations.discard(run)
        if call.add:
            assert run.index not in state.ledger, "a contribution would count twice"
            state.ledger[run.index] = self._content(run.index)
        snapshot = snapshot_of(state.ledger) if call.snapshot else None
        return SegmentDone(
            command.worker, command.key, Reply({"y": np.zeros(1)}, {}, call.add, 0.0, snapshot)
        )

    def _content(self, index: int) -> bytes:
        batch = self.machine.batches.get(index)
        return batch.digest() if batch else b"given up"

    def step(self, worker: int) -> None:
        """Carry out what is next on a worker, and say what it answers."""
        if (event := self.work(worker)) is not None:
            self.say(event)

    def finish(self, only: Iterable[int] | None = None) -> None:
        """Let the workers (or some of them) work until nothing is left to do."""
        while ready := [w for w in self.ready() if only is None or w in only]:
            self.step(ready[0])

    def run_until(self, title: str) -> int:
        """Work until a call is next on some worker: "B1#3" is mini-batch 3 on stage 1. The worker."""
        for _ in range(1000):
            for w in self.ready():
                head = self.workers[w].queue[0]
                if isinstance(head, Run) and f"{head.title}#{head.key.run.index}" == title:
                    return w
            self.step(self.ready()[0])
        raise AssertionError(f"{title} was not submitted")

    # -- losses -------------------------------------------------------------------------------

    def kill(self, worker: int) -> list[Event]:
        """A worker dies: what it held is gone. Returns what others will say of it, the loss last."""
        state = self.workers[worker]
        if not state.alive:
            return []
        lost = [c.key for c in state.queue if isinstance(c, Run)]
        self.workers[worker] = Worker(alive=False)
        self.killed.append(worker)
        failed: list[Event] = [SegmentFailed(worker, key, None) for key in lost]
        return [*failed, *self._drain(set(lost)), WorkerLost(worker, "died")]

    def _drain(self, lost: set[Any]) -> list[Event]:
        """Calls queued elsewhere that wait for a lost result fail."""
        self.lost |= lost
        failed: list[Event] = []
        for w, other in self.workers.items():
            for command in [c for c in other.queue if isinstance(c, Run) and lost & set(c.needs)]:
                if command in other.queue:
                    other.queue.remove(command)
                    failed += [SegmentFailed(w, command.key, None), *self._drain({command.key})]
        return failed

    def lose(self, worker: int) -> None:
        """A worker dies, and everybody hears of it."""
        for event in self.kill(worker):
            self.say(event)

    def gone(self, worker: int) -> None:
        """There is no replacement."""
        self.say(WorkerGone(worker, "no room"))

    def fail_call(self, title: str) -> Event:
        """A call that is submitted fails, whatever stands before it."""
        for w, worker in self.workers.items():
            for command in worker.queue:
                if isinstance(command, Run) and f"{command.title}#{command.key.run.index}" == title:
                    worker.queue.remove(command)
                    return SegmentFailed(w, command.key, KernelError("fails"))
        raise AssertionError(f"{title} was not submitted")

    def join(self, worker: int) -> None:
        """The replacement is there."""
        self.workers[worker] = Worker()
        self.say(WorkerJoined(worker))

    # -- the end ------------------------------------------------------------------------------

    def require_complete(self, token: int, indices: Iterable[int]) -> None:
        """The delivered parts hold each of `indices` exactly once per stage."""
        delivered = self.delivered[token]
        assert delivered.indices == tuple(sorted(indices))
        for stage, expected in delivered.expected.items():
            held = [i for part in delivered.parts[stage] for i in part.ledger]
            assert sorted(held) == sorted(expected) == list(delivered.indices), f"stage {stage}"


def feed(index: int, content: float) -> Array:
    """The input of a mini-batch."""
    return np.full((2, 3), index + content)


def snapshot_of(ledger: dict[int, bytes]) -> Snapshot:
    """A snapshot without numbers: in place of sums, what was added."""
    sums: Any = {"contents": dict(ledger)}
    return Snapshot(True, frozenset(ledger), Fraction(len(ledger)), sums)


def contents(snapshot: Snapshot) -> dict[int, bytes]:
    """What the indices of a snapshot are of."""
    found: Any = snapshot.sums
    return dict(found["contents"])


# -- invariants ---------------------------------------------------------------------------------------


def check(machine: Machine) -> None:
    """The invariants that `Machine` names, and those of its parts."""
    batches = [*machine.batches.values(), *machine.evaluations.values()]
    _check_places(machine, batches)
    _check_calls(machine)
    _check_contributions(machine)
    _check_memory(machine)


def _check_places(machine: Machine, batches: Sequence[Batch]) -> None:
    for batch in batches:
        assert (batch.state is State.WAITING) == any(b is batch for b in machine.waiting)
        running = [r.number for r in machine.replicas if r.active.get(batch.index) is batch]
        assert running == ([batch.replica] if batch.state is State.RUNNING else [])
    assert len(machine.waiting) == len({id(b) for b in machine.waiting})
    assert all(any(w is b for b in batches) for w in machine.waiting)
    started = [b.run.attempt for b in batches if b.started]
    assert len(started) == len(set(started))
    for lease, index in machine.leases.items():
        batch = machine.batches[index]
        assert lease not in machine.ended_leases
        assert batch.forward.key.mode is Mode.FORWARD
        assert batch.backward is None


def _check_calls(machine: Machine) -> None:
    for slot in machine.slots():
        outstanding = sum(call.slot is slot for call in machine.calls.values())
        alone = len(machine.layout.workers[slot.replica]) == 1
        assert slot.outstanding == outstanding <= (2 * GROUP if alone else CALLS_AHEAD)
        assert slot.alive or not outstanding
        waits = not slot.fenced or (slot.snapshotting and slot.arrived is None)
        assert waits == (slot.asked is not None), "a worker may be silent for ever"
    for replica in machine.replicas:
        pipelined = [b for b in replica.active.values() if b.backward is None]
        assert len(pipelined) <= in_flight(len(replica.slots))
        if replica.health is Health.LIVE:
            assert all(slot.alive and slot.fenced for slot in replica.slots)


def _check_contributions(machine: Machine) -> None:
    for batch in machine.batches.values():
        if batch.state is State.COMMITTED and machine.all_fenced:
            assert machine.contributions.holders(batch.index, batch.stages_adding) == batch.stages_adding
    for slot in machine.slots():
        held = machine.contributions.held(slot.stage, slot.replica)
        assert held <= machine.batches.keys()
        assert slot.safe <= held
        assert all(machine.batches[i].acknowledged for i in slot.safe)


def _check_memory(machine: Machine) -> None:
    assert machine.feed_bytes == sum(b.feed_bytes for b in machine.batches.values())
    safe: dict[int, set[int]] = {}
    for slot in machine.slots():
        safe.setdefault(slot.stage, set()).update(slot.safe)
    for batch in machine.batches.values():
        if not batch.feeds:
            assert all(batch.index in safe[stage] for stage in batch.stages_adding), "feeds dropped too early"
