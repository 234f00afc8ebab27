"""The worker processes on Ray: starting them, watching over them, replacing those that are lost.

Ray's part is processes, the object store and the network. Actors have no restarts and calls no
retries: a worker that dies, or that Ray cannot reach, is killed and replaced here. Its number stays.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
import structlog
from ray.exceptions import (
    GetTimeoutError,
    ObjectStoreFullError,
    OutOfDiskError,
    RayActorError,
    RayError,
    RayTaskError,
)

from raygrad.proto.errors import KernelError, RaygradError, ResourceError, words
from raygrad.workers.actor import PreparationError, WorkerActor
from raygrad.workers.calls import WorkerInfo
from raygrad.workers.executor import Executor
from raygrad.workers.kernels.base import Backend

from .cluster import Post
from .events import WorkerGone, WorkerJoined, WorkerLost
from .losses import Losses, not_replaced

log = structlog.get_logger("raygrad.workers")

Actor = Any
"""A handle of `WorkerActor`; Ray does not type its methods."""

DIRECT_BYTES = 4 << 20
"""Arguments up to this size travel inside the call, on a Ray of our own: the object store costs more CPU."""

_DIRECT = "RAY_max_direct_call_object_size"

# Results keep Ray's own limit: what is larger goes from worker to worker, not through the scheduler.
_WORKER_ENVIRONMENT = {"env_vars": {_DIRECT: str(100 << 10)}}

EXHAUSTED = (ObjectStoreFullError, OutOfDiskError)
"""Ray's errors that say something about the call's own result, rather than about a worker."""


class RayWorkers:
    """The actors, by worker number. Losses are dealt with on a thread of their own; others wait for Ray."""

    def __init__(
        self,
        count: int,
        backend: str,
        *,
        cpus_per_worker: float,
        gpus_per_worker: float | None,
        join_timeout: float,
        executor: Callable[[Backend], Executor],
    ) -> None:
        self.post: Post = lambda session, event: None
        self._backend = backend
        self._executor = executor
        self._join_timeout = join_timeout
        self._resources = {"num_cpus": cpus_per_worker, "num_gpus": _gpus(gpus_per_worker, count)}
        self._lock = threading.Lock()
        self._supervisor = ThreadPoolExecutor(1, thread_name_prefix="raygrad-supervisor")
        # One each: a node may take all of its workers along, and nobody is to wait for another's process.
        self._replacing = ThreadPoolExecutor(count, thread_name_prefix="raygrad-replacing")
        self._closed = False
        self._absent: set[int] = set()  # killed, and the replacement not yet admitted
        self._gone: set[int] = set()  # killed, and not replaced
        self._coming: dict[int, Actor] = {}  # replacements that have not yet said that they are there
        self._losses = Losses()
        self._actors: dict[int, Actor] = {worker: self._new_actor() for worker in range(count)}
        self.infos = self._wait_for_all()

    def __getitem__(self, worker: int) -> Actor:
        return self._actors[worker]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The workers that are there, or on their way back."""
        return tuple(w for w in self._actors if w not in self._gone)

    def is_absent(self, worker: int) -> bool:
        """Whether the worker is lost and its replacement not admitted yet."""
        return worker in self._absent

    def admit(self, worker: int) -> None:
        """The replacement is used from here on."""
        self._absent.discard(worker)

    def lose(self, worker: int, actor: Actor, reason: str) -> None:
        """Declare a worker lost: it is killed and replaced. Does not wait: Ray's threads call it."""
        if not self._closed:
            self._supervisor.submit(self._lose, worker, actor, reason)

    def close(self) -> None:
        """Stop all workers, those too that a thread waits for."""
        with self._lock:
            self._closed = True
            actors = [*self._actors.values(), *self._coming.values()]
        for actor in actors:
            ray.kill(actor)
        for pool in (self._supervisor, self._replacing):
            pool.shutdown(wait=True, cancel_futures=True)

    def _new_actor(self) -> Actor:
        options = {**self._resources, "runtime_env": _WORKER_ENVIRONMENT}
        return WorkerActor.options(**options).remote(  # type: ignore[attr-defined]
            self._backend, self._executor
        )

    def _wait_for_all(self) -> dict[int, WorkerInfo]:
        asked = {worker: actor.info.remote() for worker, actor in self._actors.items()}
        try:
            answers: list[WorkerInfo] = ray.get(list(asked.values()), timeout=self._join_timeout)
            infos = dict(zip(asked, answers, strict=True))
            _require_equal(infos)
        except (GetTimeoutError, RayActorError, RayTaskError, RaygradError) as exc:
            self.close()
            raise self._why(exc) from exc
        return infos

    def _why(self, exc: Exception) -> RaygradError:
        if isinstance(exc, RaygradError):
            return exc
        if isinstance(exc, RayTaskError) and (found := root(exc)) is not None:
            return found
        if isinstance(exc, RayActorError) and exc.actor_init_failed:
            # Ray hands on only the text of the traceback; its last line is the error.
            return ResourceError(f"a worker could not start: {str(exc).strip().splitlines()[-1]}")
        asked = f"{self._resources['num_cpus']:g} CPUs and {self._resources['num_gpus']:g} GPUs"
        count = len(self._actors)
        return ResourceError(
            f"Ray did not start {count} workers with {asked} each in {self._join_timeout:g} s; "
            f"it has {_have()} ({type(exc).__name__})"
        )

    def _lose(self, worker: int, actor: Actor, reason: str) -> None:
        """Kill, tell, replace: once per actor, however many calls failed."""
        with self._lock:
            if self._closed or self._actors[worker] is not actor or worker in self._absent:
                return
            self._absent.add(worker)
        log.warning("worker lost", worker=worker, reason=reason)
        ray.kill(actor)
        self.post(None, WorkerLost(worker, reason))
        self._replacing.submit(self._replace, worker, reason)

    def _replace(self, worker: int, why: str) -> None:
        if reason := self._losses.too_many(worker, time.monotonic(), why):
            self._give_up(worker, reason)
            return
        try:
            info = self._start_again(worker)
        except Exception as exc:  # whatever it is: the sessions wait to hear of it
            if not self._closed:
                self._give_up(worker, str(exc) if isinstance(exc, RaygradError) else words(exc))
            return
        log.info("worker replaced", worker=worker, pid=info.pid)
        self.post(None, WorkerJoined(worker))

    def _start_again(self, worker: int) -> WorkerInfo:
        """Another actor in the worker's place, once it has said what it is."""
        with self._lock:
            if self._closed:
                raise ResourceError("the workers are being stopped")
            actor = self._coming[worker] = self._new_actor()
        try:
            info: WorkerInfo = ray.get(actor.info.remote(), timeout=self._join_timeout)
            _require_equal({**self.infos, worker: info})
            self._actors[worker], self.infos[worker] = actor, info
            return info
        except Exception:
            ray.kill(actor)
            raise
        finally:
            del self._coming[worker]

    def _give_up(self, worker: int, reason: str) -> None:
        self._gone.add(worker)
        log.error("worker not replaced", worker=worker, reason=reason)
        self.post(None, WorkerGone(worker, not_replaced(worker, reason)))


def cause(error: RayTaskError) -> BaseException | None:
    """What a task raised, here or in a task whose result it needed."""
    found: BaseException | None = error
    while isinstance(found, RayTaskError):
        found = found.cause
    return found


def root(error: BaseException) -> RaygradError | None:
    """Our error at the bottom of a call's; None if another worker's loss is what lies there."""
    found = cause(error) if isinstance(error, RayTaskError) else error
    if isinstance(found, RaygradError):
        return found
    if isinstance(found, EXHAUSTED):
        return ResourceError(f"Ray has no room for a result: {words(found)}")
    if isinstance(found, (RayError, PreparationError)):
        log.info("a call went with its worker", error=type(found).__name__)
        return None
    return KernelError(words(found))


def _have() -> dict[str, float]:
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return {name: amount for name, amount in resources.items() if name in ("CPU", "GPU")}


def _gpus(asked: float | None, workers: int) -> float:
    """GPUs per worker: one each if Ray has that many and nothing else was asked."""
    if asked is not None:
        return asked
    return 1.0 if _have().get("GPU", 0.0) >= workers else 0.0


def _require_equal(infos: dict[int, WorkerInfo]) -> None:
    """All workers speak one catalogue of one version, and give one worker's bits."""
    first = next(iter(infos.values()))
    for worker, info in infos.items():
        for what in ("version", "catalogue", "fingerprint"):
            mine, other = getattr(info, what), getattr(first, what)
            if mine != other:
                raise ResourceError(
                    f"worker {worker} has another {what} than the others: {mine!r}, not {other!r}"
                )


def start_ray(
    address: str = "local", *, cpus: int | None = None, object_store_bytes: int | None = None
) -> None:
    """Start a Ray of our own ("local"), or join a running one ("auto", or its address)."""
    os.environ.setdefault(
        "RAY_IGNORE_UNHANDLED_ERRORS", "1"
    )  # results lost with a worker are dealt with here
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address != "local":
        ray.init(address=address, **quiet)
        return
    # By the environment: what is given as `_system_config` would hold for the workers' results too.
    os.environ.setdefault(_DIRECT, str(DIRECT_BYTES))
    ray.init(
        address="local",
        num_cpus=cpus,
        object_store_memory=object_store_bytes,
        include_dashboard=False,
        **quiet,
    )


def stop_ray() -> None:
    """Leave Ray; one that `start_ray` started ends with it."""
    ray.shutdown()
