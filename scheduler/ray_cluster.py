"""The cluster on Ray: one actor per worker; values travel between actors, never through here.

Ray's part is processes, the object store and the network. Deciding, retrying and recovering are
ours: actors have no restarts, calls no retries. A worker that dies, or that Ray cannot reach, is
killed and replaced; its number stays.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import ray
import structlog
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    RayActorError,
    RayError,
    RayTaskError,
)

from raygrad.proto.errors import KernelError, RaygradError, ResourceError
from raygrad.workers.actor import WorkerActor
from raygrad.workers.calls import WorkerInfo
from raygrad.workers.executor import Executor
from raygrad.workers.kernels.base import Backend
from raygrad.workers.store import RunKey

from .cluster import Post
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
    WorkerCommand,
    WorkerGone,
    WorkerJoined,
    WorkerLost,
)

log = structlog.get_logger("raygrad.cluster")

MEASURE_SECONDS = 60.0
MAX_LOSSES = 8
LOSS_WINDOW_SECONDS = 120.0
"""A worker lost more often than this within the window is not replaced again: something kills it."""


class RayCluster:
    """Actors on a Ray that is already running, or that `start_ray` started."""

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
            raise ResourceError("Ray is not started here: call ray.init or start_ray first")
        self._backend = backend
        self._executor = executor
        self._join_timeout = join_timeout
        self._resources = {"num_cpus": cpus_per_worker, "num_gpus": _gpus(gpus_per_worker, workers)}
        self._post: Post = lambda session, event: None
        self._lock = threading.Lock()
        self._supervisor = ThreadPoolExecutor(1, thread_name_prefix="raygrad-supervisor")
        self._closed = False
        self._absent: set[int] = set()  # killed, and the replacement not yet admitted
        self._gone: set[int] = set()  # killed, and not replaced
        self._bundles: dict[RunKey, dict[tuple[CallKey, int], ray.ObjectRef]] = {}
        self._losses: dict[int, list[float]] = {}  # when each worker was lost, lately
        self._rates: DeviceRates | None = None
        self._actors: dict[int, ActorHandle] = {w: self._new_actor() for w in range(workers)}
        self._infos = self._wait_for_all()
        self.pids = {w: info.pid for w, info in self._infos.items()}

    def start(self, post: Post) -> None:
        self._post = post

    def clock(self) -> float:
        return time.monotonic()

    @property
    def workers(self) -> tuple[int, ...]:
        return tuple(w for w in self._actors if w not in self._gone)

    def info(self, worker: int) -> WorkerInfo:
        return self._infos[worker]

    def rates(self) -> DeviceRates:
        if self._rates is None:
            self._rates = ray.get(self._actors[0].measure.remote(measure), timeout=MEASURE_SECONDS)
        return self._rates

    def pump(self) -> bool:
        return False

    def close(self) -> None:
        self._closed = True
        self._supervisor.shutdown(wait=True, cancel_futures=True)
        for actor in self._actors.values():
            ray.kill(actor)
        self._bundles.clear()

    # -- actors -------------------------------------------------------------------------------

    def _new_actor(self) -> ActorHandle:
        return WorkerActor.options(**self._resources).remote(self._backend, self._executor)

    def _wait_for_all(self) -> dict[int, WorkerInfo]:
        asked = {w: a.info.remote() for w, a in self._actors.items()}
        try:
            infos = dict(zip(asked, ray.get(list(asked.values()), timeout=self._join_timeout), strict=True))
        except (GetTimeoutError, RayActorError, RayTaskError) as exc:
            self.close()
            raise _why(exc, len(asked), self._resources) from exc
        _require_equal(infos)
        return infos

    def _lose(self, worker: int, actor: ActorHandle, reason: str) -> None:
        """On the supervisor's thread: kill, tell, replace. Once per actor, however many calls failed."""
        with self._lock:
            if self._closed or self._actors[worker] is not actor or worker in self._absent:
                return
            self._absent.add(worker)
        log.warning("worker lost", worker=worker, reason=reason)
        ray.kill(actor)
        self._post(None, WorkerLost(worker, reason))
        self._replace(worker)

    def _replace(self, worker: int) -> None:
        recent = [t for t in self._losses.get(worker, ()) if time.monotonic() - t < LOSS_WINDOW_SECONDS]
        self._losses[worker] = [*recent, time.monotonic()]
        if len(recent) >= MAX_LOSSES:
            self._give_up(
                worker, f"worker {worker} was lost {len(recent) + 1} times in {LOSS_WINDOW_SECONDS:g} s"
            )
            return
        actor = self._new_actor()
        try:
            info: WorkerInfo = ray.get(actor.info.remote(), timeout=self._join_timeout)
            _require_equal({**self._infos, worker: info})
        except (RayError, RaygradError) as exc:
            ray.kill(actor)
            self._give_up(worker, f"worker {worker} could not be replaced: {exc}")
            return
        self._actors[worker], self._infos[worker], self.pids[worker] = actor, info, info.pid
        log.info("worker replaced", worker=worker, pid=info.pid)
        self._post(None, WorkerJoined(worker))

    def _give_up(self, worker: int, reason: str) -> None:
        self._gone.add(worker)
        log.error("worker not replaced", worker=worker, reason=reason)
        self._post(None, WorkerGone(worker, reason))

    def admit(self, worker: int) -> None:
        self._absent.discard(worker)

    # -- commands -----------------------------------------------------------------------------

    def execute(self, command: WorkerCommand) -> None:
        worker = command.worker
        actor = self._actors[worker]
        if worker in self._absent:
            return  # for a worker that is lost: whoever sent it will hear
        match command:
            case Kill(reason=reason):
                self._supervise(worker, actor, reason)
            case Run():
                self._run(worker, actor, command)
            case Place(setup=setup):
                self._do(worker, actor, "open", setup)
            case Load(session=session, plan=plan):
                self._do(worker, actor, "load", session, plan)
            case Put(session=session, tensors=tensors):
                self._do(worker, actor, "put", session, tensors)
            case Fence(session=session, epoch=epoch, step=step, discard=discard):
                answer = lambda ledger: self._post(session, Fenced(worker, epoch, ledger))  # noqa: E731
                self._do(worker, actor, "fence", session, epoch, step, discard, then=answer)
            case TakeSnapshot(session=session, epoch=epoch, step=step):
                taken = lambda snapshot: self._post(session, SnapshotTaken(worker, epoch, step, snapshot))  # noqa: E731
                self._do(worker, actor, "snapshot", session, step, then=taken)
            case Restore(session=session, step=step, snapshot=snapshot):
                self._do(worker, actor, "restore", session, step, snapshot)
            case EndStep(session=session, step=step):
                self._forget(lambda run: run.session == session and run.step == step and run.index >= 0)
                self._do(worker, actor, "end_step", session, step)
            case Release(run=run):
                self._forget(lambda other: other == run)
                self._do(worker, actor, "release", run)
            case Close(session=session):
                self._forget(lambda run: run.session == session)
                self._do(worker, actor, "close", session)

    def _run(self, worker: int, actor: ActorHandle, command: Run) -> None:
        """Submit a call with the results of other calls as arguments; keep references to its own."""
        run, key = command.key.run, command.key
        held = self._bundles.get(run, {})
        if any((need, key.segment) not in held for need in command.needs):
            # A call that this one needs was dropped with its worker; nothing will come of either.
            self._post(run.session, SegmentFailed(worker, key, None))
            return
        needed = [held.pop((need, key.segment)) for need in command.needs]
        refs = actor.run.options(num_returns=1 + len(command.sends)).remote(command.call, *needed)
        reply, *sent = refs if command.sends else (refs,)
        if sent:
            edges = zip(command.sends, sent, strict=True)
            self._bundles.setdefault(run, {}).update({(key, target): ref for target, ref in edges})
        elif not held:
            self._bundles.pop(run, None)
        reply.future().add_done_callback(partial(self._ran, worker, actor, key))

    def _ran(self, worker: int, actor: ActorHandle, key: CallKey, done: Future[Any]) -> None:
        session = key.run.session
        error = done.exception()
        if error is None:
            self._post(session, SegmentDone(worker, key, done.result()))
            return
        self._post(session, SegmentFailed(worker, key, self._explain(worker, actor, error)))

    def _do(
        self,
        worker: int,
        actor: ActorHandle,
        method: str,
        *arguments: object,
        then: Callable[[Any], None] | None = None,
    ) -> None:
        ref = actor.do.remote(method, *arguments)
        ref.future().add_done_callback(partial(self._did, worker, actor, method, then))

    def _did(
        self,
        worker: int,
        actor: ActorHandle,
        method: str,
        then: Callable[[Any], None] | None,
        done: Future[Any],
    ) -> None:
        error = done.exception()
        if error is None:
            if then:
                then(done.result())
        elif (found := self._explain(worker, actor, error)) is not None:
            # Without this the stage would go on in a state that nobody knows.
            self._supervise(worker, actor, f"{method} failed: {found}")

    def _forget(self, gone: Callable[[RunKey], bool]) -> None:
        """Drop references to edges that nobody will read, so that Ray frees them."""
        for run in [r for r in self._bundles if gone(r)]:
            del self._bundles[run]

    # -- errors -------------------------------------------------------------------------------

    def _explain(self, worker: int, actor: ActorHandle, error: BaseException) -> RaygradError | None:
        """An error of the call itself; None for a loss, which is dealt with, and for what a loss drags along."""
        if isinstance(error, RayTaskError):
            return _root(error)
        if isinstance(error, (ActorDiedError, ActorUnavailableError)) and _is_about(error, actor):
            self._supervise(worker, actor, f"{type(error).__name__} of worker {worker}")
        elif not isinstance(error, RayError):
            return KernelError(f"{type(error).__name__}: {error}")
        return None

    def _supervise(self, worker: int, actor: ActorHandle, reason: str) -> None:
        """Deal with a loss on the supervisor's thread: this may be Ray's own, which must not wait."""
        if not self._closed:
            self._supervisor.submit(self._lose, worker, actor, reason)


def _is_about(error: RayActorError, actor: ActorHandle) -> bool:
    """Whether the error speaks of this actor, rather than of one whose result was an argument."""
    about = error.actor_id
    return about is None or about == actor._actor_id.hex()


def _root(error: RayTaskError) -> RaygradError | None:
    """Our error at the bottom of a task's; None if another worker's loss is what lies there."""
    cause: BaseException | None = error
    while isinstance(cause, RayTaskError):
        cause = cause.cause
    if isinstance(cause, RaygradError):
        return cause
    if isinstance(cause, RayError):
        return None
    return KernelError(f"{type(cause).__name__}: {cause}")


def _gpus(asked: float | None, workers: int) -> float:
    """GPUs per worker: one each if Ray has that many and nothing else was asked."""
    if asked is not None:
        return asked
    return 1.0 if ray.cluster_resources().get("GPU", 0.0) >= workers else 0.0


def _why(exc: Exception, workers: int, resources: dict[str, float]) -> RaygradError:
    if isinstance(exc, RayTaskError) and (found := _root(exc)) is not None:
        return found
    have = {k: v for k, v in ray.cluster_resources().items() if k in ("CPU", "GPU")}
    asked = f"{workers} workers with {resources['num_cpus']:g} CPUs and {resources['num_gpus']:g} GPUs each"
    return ResourceError(f"Ray did not start {asked}; it has {have}: {type(exc).__name__}")


def _require_equal(infos: dict[int, WorkerInfo]) -> None:
    """All workers speak one catalogue of one version, and give one worker's bits."""
    first = next(iter(infos.values()))
    for worker, info in infos.items():
        for what in ("version", "catalogue", "fingerprint"):
            if getattr(info, what) != getattr(first, what):
                raise ResourceError(
                    f"worker {worker} has another {what} than the others: {getattr(info, what)!r}, "
                    f"not {getattr(first, what)!r}"
                )


def start_ray(
    address: str = "local", *, cpus: int | None = None, object_store_bytes: int | None = None
) -> None:
    """Start a Ray of our own ("local"), or join a running one ("auto", or its address)."""
    os.environ.setdefault(
        "RAY_IGNORE_UNHANDLED_ERRORS", "1"
    )  # results lost with a worker are dealt with here
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        ray.init(address="local", num_cpus=cpus, object_store_memory=object_store_bytes, **quiet)
    else:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")


def stop_ray() -> None:
    """Leave Ray; one that `start_ray` started ends with it."""
    ray.shutdown()
