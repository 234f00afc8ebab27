"""The cluster on Ray: commands become actor calls, their results events.

Values travel between actors as the results and arguments of calls, never through here. What needs no
answer travels with a worker's next call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError, RayTaskError

from raygrad.proto.errors import RaygradError, ResourceError
from raygrad.workers.actor import PreparationError, Step
from raygrad.workers.calls import Reply, WorkerInfo
from raygrad.workers.executor import Executor
from raygrad.workers.kernels.base import Backend
from raygrad.workers.store import RunKey

from .cluster import Post, ends_with
from .cost import DeviceRates, LinkRates, measure
from .events import (
    CallKey,
    Close,
    EndStep,
    Fence,
    Fenced,
    Kill,
    Load,
    Place,
    Put,
    Release,
    Restore,
    Run,
    SegmentDone,
    SegmentFailed,
    SnapshotTaken,
    TakeSnapshot,
    Unload,
    WorkerCommand,
)
from .ray_workers import Actor, RayWorkers, cause, root

MEASURE_SECONDS = 60.0

LOSSES = (ActorDiedError, ActorUnavailableError, PreparationError)
"""What says that a worker is lost, or must be taken for lost."""

Then = Callable[[Any], None]


class RayCluster:
    """Actors on a Ray that is already started (`ray_workers.start_ray`)."""

    inline = False
    link = LinkRates()

    def __init__(
        self,
        workers: int = 2,
        backend: str = "auto",
        *,
        cpus_per_worker: float = 1.0,
        gpus_per_worker: float | None = None,
        join_timeout: float = 60.0,
        executor: Callable[[Backend], Executor] = Executor,
    ) -> None:
        """Start `workers` actors. `ResourceError` if they are not all there after `join_timeout` seconds."""
        if not ray.is_initialized():
            raise ResourceError("Ray is not started here: call start_ray first")
        self._post: Post = lambda session, event: None
        self._bundles: dict[RunKey, dict[tuple[CallKey, int], Any]] = {}  # references to edges under way
        self._groups: dict[int, list[Run]] = {}  # to be submitted together, by worker
        self._ordered: dict[int, list[Step]] = {}  # to go with each worker's next call
        self._rates: DeviceRates | None = None
        self._workers = RayWorkers(
            workers,
            backend,
            cpus_per_worker=cpus_per_worker,
            gpus_per_worker=gpus_per_worker,
            join_timeout=join_timeout,
            executor=executor,
        )

    def start(self, post: Post) -> None:
        self._post = self._workers.post = post

    def clock(self) -> float:
        return time.monotonic()

    @property
    def workers(self) -> tuple[int, ...]:
        return self._workers.numbers

    def info(self, worker: int) -> WorkerInfo:
        return self._workers.infos[worker]

    def rates(self) -> DeviceRates:
        if self._rates is None:
            actor = self._workers[self.workers[0]]  # number 0 may be gone
            measured: DeviceRates = ray.get(actor.measure.remote(measure), timeout=MEASURE_SECONDS)
            self._rates = measured
        return self._rates

    def pump(self) -> bool:
        return False

    def close(self) -> None:
        self._workers.close()
        self._bundles.clear()

    def admit(self, worker: int) -> None:
        self._groups.pop(worker, None)
        self._ordered.pop(worker, None)
        self._workers.admit(worker)

    # -- commands -----------------------------------------------------------------------------

    def execute(self, command: WorkerCommand) -> None:
        worker = command.worker
        self._forget_what_ends_with(command)
        if self._workers.is_absent(worker):
            return  # lost: whoever sent this will hear of it
        if isinstance(command, Run) and not (command.needs or command.sends):
            self._groups.setdefault(worker, []).append(command)
            return
        self._submit_group(worker)
        match command:
            case Kill(reason=reason):
                self._workers.lose(worker, self._workers[worker], reason)
            case Run():
                self._run(worker, command)
            case Place(setup=setup):
                self._later(worker, "open", setup)
            case Load(session=session, plan=plan):
                self._later(worker, "load", session, plan)
            case Unload(session=session, plan=plan):
                self._later(worker, "unload", session, plan)
            case Put(session=session, tensors=tensors):
                self._later(worker, "put", session, tensors)
            case Restore(session=session, step=step, snapshot=snapshot):
                self._later(worker, "restore", session, step, snapshot)
            case Fence():
                self._fence(command)
            case TakeSnapshot():
                self._snapshot(command)
            case EndStep(session=session, step=step):
                self._later(worker, "end_step", session, step)
            case Release(run=run):
                self._do(worker, None, "release", run)
            case Close(session=session):
                self._do(worker, None, "close", session)

    def _fence(self, command: Fence) -> None:
        def then(ledger: frozenset[int]) -> None:
            self._post(command.session, Fenced(command.worker, command.epoch, ledger))

        self._do(command.worker, then, "fence", command.session, command.epoch, command.step, command.discard)

    def _snapshot(self, command: TakeSnapshot) -> None:
        def then(snapshot: Any) -> None:
            self._post(command.session, SnapshotTaken(command.worker, command.epoch, command.step, snapshot))

        self._do(command.worker, then, "snapshot", command.session, command.step)

    def _run(self, worker: int, command: Run) -> None:
        """Submit a call with the results of other calls as arguments; keep references to its own."""
        actor, run, key = self._workers[worker], command.key.run, command.key
        held = self._bundles.get(run, {})
        if any((need, key.segment) not in held for need in command.needs):
            # A call that this one needs was dropped with its worker; nothing will come of either.
            self._post(run.session, SegmentFailed(worker, key, None))
            return
        needed = [held.pop((need, key.segment)) for need in command.needs]
        if needed and worker in self._ordered:
            # Ray fails a call whose arguments are lost without running it: orders must not be lost with it.
            self._did_later(worker, actor, "prepare", actor.prepare.remote(self._before(worker)))
        call = actor.run.options(num_returns=1 + len(command.sends))
        refs: Any = call.remote(self._before(worker), command.call, *needed)
        reply, *sent = refs if command.sends else (refs,)
        if sent:
            edges = zip(command.sends, sent, strict=True)
            self._bundles.setdefault(run, {}).update({(key, target): ref for target, ref in edges})
        elif not held:
            self._bundles.pop(run, None)
        reply.future().add_done_callback(partial(self._ran, worker, actor, key))

    def flush(self) -> None:
        for worker in list(self._groups):
            self._submit_group(worker)

    def _submit_group(self, worker: int) -> None:
        """Calls that came together travel as one: a call of Ray's costs as much as a small segment."""
        group = self._groups.pop(worker, [])
        if not group or self._workers.is_absent(worker):
            return
        actor = self._workers[worker]
        ref: Any = actor.run_all.remote(self._before(worker), [command.call for command in group])
        keys = [command.key for command in group]
        ref.future().add_done_callback(partial(self._ran_all, worker, actor, keys))

    def _do(self, worker: int, then: Then | None, method: str, *arguments: object) -> None:
        actor = self._workers[worker]
        self._did_later(
            worker, actor, method, actor.do.remote(self._before(worker), method, *arguments), then
        )

    def _did_later(
        self, worker: int, actor: Actor, method: str, result: Any, then: Then | None = None
    ) -> None:
        result.future().add_done_callback(partial(self._did, worker, actor, method, then))

    def _later(self, worker: int, method: str, *arguments: object) -> None:
        """What needs no answer travels with the worker's next call: the call costs more than the work."""
        self._ordered.setdefault(worker, []).append((method, arguments))

    def _before(self, worker: int) -> Sequence[Step]:
        return self._ordered.pop(worker, ())

    def _forget_what_ends_with(self, command: WorkerCommand) -> None:
        """Drop references to edges that nobody will read, so that Ray frees them."""
        for run in [r for r in self._bundles if ends_with(command, r)]:
            del self._bundles[run]

    # -- results, on Ray's threads ------------------------------------------------------------

    def _ran(self, worker: int, actor: Actor, key: CallKey, done: Future[Any]) -> None:
        error = done.exception()
        self._tell(worker, key, done.result() if error is None else self._explain(worker, actor, error))

    def _ran_all(self, worker: int, actor: Actor, keys: Sequence[CallKey], done: Future[Any]) -> None:
        error = done.exception()
        outcomes: Sequence[Reply | RaygradError | None]
        outcomes = done.result() if error is None else [self._explain(worker, actor, error)] * len(keys)
        for key, outcome in zip(keys, outcomes, strict=True):
            self._tell(worker, key, outcome)

    def _tell(self, worker: int, key: CallKey, outcome: Reply | RaygradError | None) -> None:
        if isinstance(outcome, Reply):
            self._post(key.run.session, SegmentDone(worker, key, outcome))
        else:
            self._post(key.run.session, SegmentFailed(worker, key, outcome))

    def _did(self, worker: int, actor: Actor, method: str, then: Then | None, done: Future[Any]) -> None:
        error = done.exception()
        if error is None:
            if then:
                then(done.result())
        elif (found := self._explain(worker, actor, error)) is not None:
            # Otherwise the stage would go on in a state that nobody knows.
            self._workers.lose(worker, actor, f"{method} failed: {found}")

    def _explain(self, worker: int, actor: Actor, error: BaseException) -> RaygradError | None:
        """The call's own error; None for a loss (dealt with here) and for what a loss drags along."""
        what = cause(error) if isinstance(error, RayTaskError) else error
        if isinstance(what, LOSSES) and _is_about(what, actor):
            reason = str(what) if isinstance(what, PreparationError) else type(what).__name__
            self._workers.lose(worker, actor, reason)
        return root(error)


def _is_about(error: RayActorError | PreparationError, actor: Actor) -> bool:
    """Whether the error speaks of this actor, rather than of one whose result was an argument."""
    about = error.actor_id
    return about is None or bool(about == actor._actor_id.hex())
