"""The embedded cluster: workers in this process, without Ray or sockets.

The default for notebooks, small work and tests. Its strict mode is for tests: it freezes arrays,
sends every edge through the codec, and interleaves, delays, repeats and loses what Ray could, by a
seed. Time is an event: the clock moves only when nothing else can happen.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from raygrad.proto.errors import RaygradError, words
from raygrad.proto.tensor import Array, DType
from raygrad.workers.backends import open_backend
from raygrad.workers.calls import WorkerInfo
from raygrad.workers.executor import Bundle, Executor

from .cluster import Post, ends_with
from .cost import DeviceRates, LinkRates, measure
from .events import (
    CallKey,
    Close,
    ClusterEvent,
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
    WorkerGone,
    WorkerJoined,
    WorkerLost,
)
from .losses import Losses, not_replaced


@dataclass(frozen=True)
class Faults:
    """How unkind the strict cluster is: probabilities per reply, drawn from `seed`."""

    seed: int = 0
    delay: float = 0.0
    repeat: float = 0.0
    lose: float = 0.0


class LocalCluster:
    """Workers as objects in this process; `pump` does one piece of work."""

    inline = True
    link = LinkRates(call_seconds=0.0, hop_seconds=0.0, bytes_per_second=float("inf"))

    def __init__(
        self,
        workers: int = 1,
        backend: str = "auto",
        *,
        strict: bool = False,
        faults: Faults | None = None,
        executor: Callable[..., Executor] = Executor,
    ) -> None:
        self.strict = strict
        self._backend = open_backend(backend)
        self._executor = executor
        self._faults = faults or Faults()
        self._random = random.Random(self._faults.seed)
        self.executors: dict[int, Executor] = {w: executor(self._backend) for w in range(workers)}
        self._queues: dict[int, deque[WorkerCommand]] = {w: deque() for w in range(workers)}
        self._bundles: dict[tuple[CallKey, int], Bundle] = {}
        self._absent: set[int] = set()  # killed, and its replacement not yet admitted
        self._gone: set[int] = set()  # killed, and not replaced
        self._losses = Losses()
        self._delayed: list[tuple[str | None, ClusterEvent]] = []
        self._post: Post = lambda session, event: None
        self._rates: DeviceRates | None = None
        self._skipped = 0.0
        self.before_run: Callable[[Run], None] = lambda run: None  # tests look here, and kill

    def start(self, post: Post) -> None:
        self._post = post

    def clock(self) -> float:
        """Real time, plus what `skip` added."""
        return time.monotonic() + self._skipped

    def skip(self, seconds: float) -> None:
        """Let time pass without waiting."""
        self._skipped += seconds

    @property
    def workers(self) -> tuple[int, ...]:
        return tuple(w for w in self.executors if w not in self._gone)

    def info(self, worker: int) -> WorkerInfo:
        return self.executors[worker].info()

    def rates(self) -> DeviceRates:
        if self._rates is None:
            self._rates = measure(self._backend)
        return self._rates

    def close(self) -> None:
        self.executors.clear()
        self._queues.clear()
        self._bundles.clear()

    # -- work ---------------------------------------------------------------------------------

    def execute(self, command: WorkerCommand) -> None:
        if command.worker in self._absent:
            self._forget_what_ends_with(command)
        elif isinstance(command, Kill):
            self.kill(command.worker, command.reason)
        elif isinstance(command, Run) and any(
            self._is_lost(key, command.key.segment) for key in command.needs
        ):
            self._drop(command, None)
        else:
            self._queues[command.worker].append(command)

    def flush(self) -> None:
        """Nothing is held back here."""

    def pump(self) -> bool:
        ready = [w for w, q in self._queues.items() if q and self._can_run(q[0])]
        if self._delayed and (not ready or self._random.random() < 0.5):
            self._post(*self._delayed.pop(self._random.randrange(len(self._delayed))))
            return True
        if not ready:
            return False
        worker = self._random.choice(ready) if self.strict else ready[0]
        command = self._queues[worker].popleft()
        if isinstance(command, Run):
            self.before_run(command)
            if worker in self._absent:
                return True  # a test killed the worker here
        self._work(worker, command)
        return True

    def _work(self, worker: int, command: WorkerCommand) -> None:
        """What fails leaves the worker in a state that nobody knows: it counts as lost, as on Ray."""
        try:
            self._carry_out(worker, command)
        except Exception as exc:
            self.kill(worker, f"{type(command).__name__} failed: {words(exc)}")
        except BaseException as exc:  # Ctrl-C, in whoever asked for something just now
            self.kill(worker, words(exc))
            raise

    def _can_run(self, command: WorkerCommand) -> bool:
        """Like an actor's queue: a call at the head waits for its arguments, and everything behind it too."""
        return not isinstance(command, Run) or all(
            (key, command.key.segment) in self._bundles for key in command.needs
        )

    def _carry_out(self, worker: int, command: WorkerCommand) -> None:
        executor = self.executors[worker]
        self._forget_what_ends_with(command)
        match command:
            case Run():
                self._run(executor, command)
            case Place(setup=setup):
                executor.open(setup)
            case Load(session=session, plan=plan):
                executor.load(session, plan)
            case Unload(session=session, plan=plan):
                executor.unload(session, plan)
            case Put(session=session, tensors=tensors):
                executor.put(session, {name: self._freeze(a) for name, a in tensors.items()})
            case Fence(session=session, epoch=epoch, step=step, discard=discard):
                ledger = executor.fence(session, epoch, step, discard)
                self._report(session, Fenced(worker, epoch, ledger), sure=True)
            case TakeSnapshot(session=session, epoch=epoch, step=step):
                taken = executor.snapshot(session, step)
                self._report(session, SnapshotTaken(worker, epoch, step, taken), sure=True)
            case Restore(session=session, step=step, snapshot=snapshot):
                executor.restore(session, step, snapshot)
            case EndStep(session=session, step=step):
                executor.end_step(session, step)
            case Release(run=run):
                executor.release(run)
            case Close(session=session):
                executor.close(session)

    def _run(self, executor: Executor, command: Run) -> None:
        session = command.key.run.session
        bundles = [self._bundles.pop((key, command.key.segment)) for key in command.needs]
        try:
            reply, sent = executor.run(command.call, [self._through_codec(b) for b in bundles])
        except RaygradError as exc:
            self._report(session, SegmentFailed(command.worker, command.key, exc), sure=True)
            self._fail_stranded(exc)
            return
        for target, bundle in zip(command.sends, sent, strict=True):
            self._bundles[command.key, target] = bundle
        self._report(session, SegmentDone(command.worker, command.key, reply))

    def _forget_what_ends_with(self, command: WorkerCommand) -> None:
        """Edges of attempts that were given up lead nowhere, except to calls that are queued already."""
        ending = [edge for edge in self._bundles if ends_with(command, edge[0].run)]
        if ending:
            awaited = {(key, run.key.segment) for run in self._queued_runs() for key in run.needs}
            for edge in set(ending) - awaited:
                del self._bundles[edge]

    # -- being strict -------------------------------------------------------------------------

    def _report(self, session: str, event: ClusterEvent, *, sure: bool = False) -> None:
        draw = self._random.random() if self.strict else 1.0
        faults = self._faults
        if draw < faults.lose and not sure:
            return
        if draw < faults.lose + faults.repeat:
            self._delayed.append((session, event))
        if draw >= 1.0 - faults.delay and self.strict:
            self._delayed.append((session, event))
        else:
            self._post(session, event)

    def _freeze(self, array: Array) -> Array:
        if self.strict:
            array = array.copy()
            array.flags.writeable = False
        return array

    def _through_codec(self, bundle: Bundle) -> Bundle:
        """As if it had travelled: C order, read-only, elsewhere in memory."""
        return tuple(_travel(a) for a in bundle) if self.strict else bundle

    # -- losing workers -----------------------------------------------------------------------

    def kill(self, worker: int, reason: str = "killed") -> None:
        """Lose a worker with all it holds; a new one takes its number, unless that happened too often."""
        self.executors[worker] = self._executor(self._backend)
        dropped, self._queues[worker] = self._queues[worker], deque()
        self._absent.add(worker)
        self._post(None, WorkerLost(worker, reason))
        self._fail(dropped)
        if too_many := self._losses.too_many(worker, self.clock(), reason):
            self._gone.add(worker)
            self._post(None, WorkerGone(worker, not_replaced(worker, too_many)))
        else:
            self._delayed.append((None, WorkerJoined(worker)))

    def admit(self, worker: int) -> None:
        """From here on, commands to the worker are for the new one."""
        self._absent.discard(worker)

    def _fail(self, dropped: Iterable[WorkerCommand]) -> None:
        """Calls queued on the dead worker end, and those elsewhere that wait for their results."""
        for command in dropped:
            if isinstance(command, Run):
                self._drop(command, None)
            else:
                self._forget_what_ends_with(command)
        self._fail_stranded(None)

    def _drop(self, command: Run, error: RaygradError | None) -> None:
        """A call that will not run, and what was sent to it."""
        for key in command.needs:
            self._bundles.pop((key, command.key.segment), None)
        self._report(command.key.run.session, SegmentFailed(command.worker, command.key, error), sure=True)

    def _fail_stranded(self, error: RaygradError | None) -> None:
        """Queued calls whose arguments will not come fail too, with the error that is to blame, if any."""
        while stranded := self._stranded():
            self._queues[stranded.worker].remove(stranded)
            self._drop(stranded, error)

    def _stranded(self) -> Run | None:
        """A queued call that waits for a result that will not come."""
        runs = self._queued_runs()
        return next((c for c in runs if any(self._is_lost(key, c.key.segment) for key in c.needs)), None)

    def _is_lost(self, key: CallKey, target: int) -> bool:
        """Whether a bundle is neither there nor to come."""
        return (key, target) not in self._bundles and all(run.key != key for run in self._queued_runs())

    def _queued_runs(self) -> Iterator[Run]:
        return (c for queue in self._queues.values() for c in queue if isinstance(c, Run))


def _travel(array: Array) -> Array:
    dtype = DType.of(array.dtype)
    return np.frombuffer(array.tobytes(), dtype=dtype.numpy).reshape(array.shape)
