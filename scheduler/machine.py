"""The state of one session: events in, commands out. Pure: no I/O, no clock, no threads.

Mini-batches wait, run on a replica, and are committed when every stage has acknowledged its
addition. What a failure takes away is known from ledgers and snapshots, and only that runs again.
The rules are those of `docs/architecture.md`, sections 7 to 9; requests of clients are answered in
`requests.py`, calls are submitted in `dispatcher.py`, contributions made safe in `snapshots.py`, and losses
dealt with in `recovery.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from raygrad.proto.errors import RaygradError
from raygrad.proto.messages import ForwardResult, SessionOptions, StepResult
from raygrad.proto.plan import Plan
from raygrad.proto.tensor import Array, TensorType
from raygrad.workers.calls import Setup

from .batch import Batch, State
from .contributions import Contributions
from .dispatcher import Dispatcher
from .events import (
    Answer,
    BackwardRequested,
    CallKey,
    Cancelled,
    Close,
    Command,
    DeadlinePassed,
    EndStep,
    Event,
    Fenced,
    GradientsRequested,
    Place,
    Received,
    Release,
    ReleaseRequested,
    Request,
    SegmentDone,
    SegmentFailed,
    SnapshotTaken,
    TensorsPut,
    WorkerCommand,
    WorkerGone,
    WorkerJoined,
    WorkerLost,
)
from .recovery import Recovery
from .replica import Asked, Health, Replica, Slot
from .requests import Pending, Requests
from .snapshots import Snapshots

REMEMBERED_LEASES = 4096
"""How many ended leases are remembered, so that the error can say how they ended."""


@dataclass(frozen=True)
class Layout:
    """Where a session lives: workers by [replica][stage], and what each stage accumulates."""

    session: str
    workers: tuple[tuple[int, ...], ...]
    owned: tuple[Mapping[str, TensorType], ...]  # by stage
    loss_cotangent: Mapping[str, Array]
    options: SessionOptions
    feed_budget: int = 1 << 30  # bytes of feeds kept until their contributions are safe
    call_timeout: float = 600.0  # seconds until a silent worker is declared lost
    worker_memory: int = 1 << 40  # bytes that each worker may use
    leased_elsewhere: Callable[[int], int] = lambda worker: 0  # bytes that other sessions' leases keep there

    @property
    def has_parameters(self) -> bool:
        """Whether anything is differentiated at all."""
        return any(self.owned)


@dataclass
class Machine:
    """All state of a session.

    Invariants (checked by `check` in tests): a batch is in `waiting` exactly if its state is WAITING,
    in its replica's `active` exactly if RUNNING; the calls in `calls` are those counted in their
    slots' `outstanding`; no index has two holders on a stage.
    """

    layout: Layout
    replicas: tuple[Replica, ...] = ()
    step: int = 0
    closed: bool = False  # the step takes no further index
    batches: dict[int, Batch] = field(default_factory=dict)  # of the step, by index
    last_size: int = 0  # how many mini-batches the step before held
    evaluations: dict[int, Batch] = field(default_factory=dict)
    leases: dict[str, int] = field(default_factory=dict)  # lease → index
    ended_leases: dict[str, str] = field(default_factory=dict)  # lease → how it ended
    waiting: deque[Batch] = field(default_factory=deque)
    contributions: Contributions = field(default_factory=Contributions)
    calls: dict[CallKey, Asked] = field(default_factory=dict)
    tensors: dict[str, Array] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)  # of each tensor: which put it came with
    version: int = 0  # puts so far
    pending: list[Pending] = field(default_factory=list)
    feed_bytes: int = 0
    attempts: int = 0  # so far, of all mini-batches: no two attempts share a number
    reruns: int = 0  # attempts after the first: what recovery cost
    now: float = 0.0
    out: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.requests = Requests(self)
        self.dispatcher = Dispatcher(self)
        self.recovery = Recovery(self)
        self.snapshots = Snapshots(self)
        self.replicas = tuple(
            Replica(r, tuple(Slot(r, s, w) for s, w in enumerate(row)))
            for r, row in enumerate(self.layout.workers)
        )
        for slot in self.slots():
            self.open(slot)

    def slots(self) -> Iterator[Slot]:
        """All slots of all replicas."""
        return (slot for replica in self.replicas for slot in replica.slots)

    @property
    def deserted(self) -> bool:
        """Whether no replica is left: nothing will run any more."""
        return all(replica.health is Health.GONE for replica in self.replicas)

    @property
    def all_fenced(self) -> bool:
        """Whether every live worker has said what it holds since the last loss."""
        return all(slot.fenced for slot in self.slots())

    def handle(self, event: Event, now: float = 0.0) -> list[Command]:
        """What is to be done about an event, in order. Errors of a request are its answer."""
        self.now = max(self.now, now)
        try:
            self._handlers[type(event)](event)
        except RaygradError as error:
            if not isinstance(event, Request):
                raise
            self.out.append(Answer(event.token, error=error))
        self.dispatcher.dispatch()
        self.requests.deliver()
        self.snapshots.use_idle_time()
        taken, self.out = self.out, []
        return taken

    @cached_property
    def _handlers(self) -> Mapping[type, Callable[[Any], None]]:
        return {
            Received: self.requests.received,
            BackwardRequested: self.requests.backward,
            ReleaseRequested: self.requests.release,
            TensorsPut: self.requests.put,
            GradientsRequested: self.requests.gradients,
            Cancelled: self.requests.cancelled,
            DeadlinePassed: self._deadline_passed,
            SegmentDone: self.segment_done,
            SegmentFailed: self.segment_failed,
            Fenced: self.recovery.fenced,
            SnapshotTaken: self.recovery.snapshot_taken,
            WorkerLost: self.recovery.worker_lost,
            WorkerJoined: self.recovery.worker_joined,
            WorkerGone: self.recovery.worker_gone,
        }

    def _deadline_passed(self, event: DeadlinePassed) -> None:
        self.requests.expire_leases()
        self.recovery.check_calls()

    @property
    def next_deadline(self) -> float | None:
        """When `DeadlinePassed` should come, on the machine's clock."""
        leases = [b.expires for b in (self.batches[i] for i in self.leases.values()) if b.state is State.HELD]
        return min((*leases, *(at for _, at in self.due())), default=None)

    @property
    def has_room(self) -> bool:
        """Whether the feeds of another mini-batch fit the budget."""
        return self.feed_bytes < self.layout.feed_budget

    # -- placing ------------------------------------------------------------------------------

    def open(self, slot: Slot) -> None:
        """Open the session's stage on the slot's worker."""
        options = self.layout.options
        owned = self.layout.owned[slot.stage]
        setup = Setup(
            self.layout.session,
            slot.stage,
            owned,
            options.accumulation == "exact",
            options.check == "finite",
            options.seed,
        )
        self.out.append(Place(slot.worker, setup))

    def adopt(self, tensors: Mapping[str, Array]) -> None:
        """New values of tensors: workers get them before their next call."""
        self.version += 1
        self.tensors.update(tensors)
        self.versions.update(dict.fromkeys(tensors, self.version))
        for slot in self.slots():
            slot.ready.clear()

    def close(self) -> list[WorkerCommand]:
        """Free everything on the workers, and on the way between them: also if they are away just now."""
        return [Close(s.worker, self.layout.session) for s in self.slots()]

    # -- results of calls ---------------------------------------------------------------------

    def segment_done(self, event: SegmentDone) -> None:
        """A call returned. Late and repeated replies change nothing."""
        call = self._answered(event.key)
        if call is None:
            return
        batch, replica = self.current(event.key)
        if batch is None or replica is None:
            return
        segment = next(
            s for p in batch.plans if p.id == event.key.plan for s in p.segments if s.id == event.key.segment
        )
        batch.done.add(event.key)
        replica.slots[segment.stage].seconds = event.reply.seconds
        batch.outputs.update(event.reply.outputs)
        batch.input_gradients.update(event.reply.input_gradients)
        if event.reply.added:
            self.contributions.add(segment.stage, batch.index, replica.number)
            self.snapshots.count_addition(replica.slots[segment.stage])
        if event.reply.snapshot is not None:
            self.snapshots.came_along(call.slot, event.reply.snapshot)
        self.complete_if_finished(batch)

    def _answered(self, key: CallKey) -> Asked | None:
        """The call, which is no longer owed an answer; None if it was answered before, or given up."""
        call = self.calls.pop(key, None)
        if call is None:
            return None
        call.slot.outstanding -= 1
        if call.slot.asked is not None:
            call.slot.asked = self.now
        for other in self.calls.values():
            if other.slot is call.slot or key in other.needs:
                other.since = self.now
        return call

    def due(self) -> Iterator[tuple[int, float]]:
        """For everything that a worker owes us: the worker, and when it is too late.

        It owes nothing that waits, in its queue, for the result of another worker.
        """
        blocked: set[int] = set()  # workers
        for call in self.calls.values():  # in the order of the workers' queues
            if any(need in self.calls for need in call.needs):
                blocked.add(call.slot.worker)
            if call.slot.worker not in blocked:
                yield call.slot.worker, call.since + self.layout.call_timeout
        for slot in self.slots():
            if slot.asked is not None and slot.worker not in blocked:
                yield slot.worker, slot.asked + self.layout.call_timeout

    def forget_calls(self, slot: Slot) -> None:
        """Nothing that the slot was asked will be answered any more."""
        self.calls = {key: call for key, call in self.calls.items() if call.slot is not slot}
        slot.outstanding = 0

    def current(self, key: CallKey) -> tuple[Batch | None, Replica | None]:
        """The batch whose latest attempt this call belongs to, and its replica."""
        batch = self.batches.get(key.run.index) or self.evaluations.get(key.run.index)
        if batch is None or batch.run != key.run or batch.state is not State.RUNNING:
            return None, None
        return batch, self.replicas[batch.replica]

    def complete_if_finished(self, batch: Batch) -> None:
        """When all segments are done (backward there may be none): answer, and keep what the step needs."""
        if not batch.finished():
            return
        del self.replicas[batch.replica].active[batch.index]
        if not batch.in_step:
            del self.evaluations[batch.index]
            self.answer(batch, ForwardResult(batch.outputs))
        elif batch.contributes:
            self._commit(batch)
        else:
            self._hold(batch)

    def _commit(self, batch: Batch) -> None:
        if self.contributions.holders(batch.index, batch.stages_adding) != batch.stages_adding:
            # A stage that needed not add, since another replica held its part, has lost it meanwhile.
            self.recovery.wait([batch])
            return
        batch.state, batch.acknowledged = State.COMMITTED, True
        if batch.backward is not None:
            self._release_rest(batch, batch.backward)
            self.answer(batch, dict(batch.input_gradients))
        else:
            self.answer(batch, StepResult(self.step, batch.index, batch.outputs))
        self.snapshots.adopt()
        self.snapshots.press_for_room()

    def _release_rest(self, batch: Batch, backward: Plan) -> None:
        """Stages where nothing ran backward still keep activations."""
        ran = {segment.stage for segment in backward.segments}
        slots = self.replicas[batch.replica].slots
        self.out.extend(Release(s.worker, batch.run) for s in slots if s.stage not in ran)

    def _hold(self, batch: Batch) -> None:
        batch.state = State.HELD
        batch.expires = batch.expires or self.now + self.layout.options.lease_seconds
        lease = next(name for name, index in self.leases.items() if index == batch.index)
        batch.told.update(batch.tokens)
        self.answer(batch, ForwardResult(batch.outputs, lease, self.step, batch.index))

    def answer(self, batch: Batch, result: object = None, error: RaygradError | None = None) -> None:
        """Answer everybody who asked for this batch."""
        tokens, batch.tokens = batch.tokens, []
        self.out.extend(Answer(token, result, error) for token in tokens)

    def segment_failed(self, event: SegmentFailed) -> None:
        """A call raised: that ends its batch.

        A consequence of a loss changes nothing: the loss is on its way, and if it is not, the call counts
        as unanswered until its time is up.
        """
        if event.error is None or self._answered(event.key) is None:
            return
        batch, _ = self.current(event.key)
        if batch is not None and batch.acknowledged:
            # It worked before, and the client counts on it: what fails now is the worker.
            self.recovery.declare_lost(
                event.worker, f"a mini-batch that was computed before fails: {event.error}"
            )
        elif batch is not None:
            self.fail(batch, event.error)

    def fail(self, batch: Batch, error: RaygradError) -> None:
        """End a batch with an error; what it added, or is about to add, is taken out again."""
        adding = batch.adding if batch.state is State.RUNNING else frozenset[int]()
        self.remove(batch)
        self.answer(batch, error=error)
        for replica in self.replicas:
            held = {
                s.stage
                for s in replica.slots
                if batch.index in self.contributions.held(s.stage, replica.number)
            }
            if tainted := held | adding if replica.number == batch.replica else held:
                self.recovery.discard(replica, tainted)

    def end_lease(self, lease: str, how: str) -> None:
        """A lease is over; remember how, for who comes back too late."""
        del self.leases[lease]
        self.ended_leases[lease] = how
        while len(self.ended_leases) > REMEMBERED_LEASES:
            del self.ended_leases[next(iter(self.ended_leases))]

    def remove(self, batch: Batch) -> None:
        """Forget a batch, wherever it is, and free its activations."""
        if batch.state is State.WAITING:
            self.waiting.remove(batch)
        if batch.replica >= 0:
            replica = self.replicas[batch.replica]
            replica.active.pop(batch.index, None)
            self.out.extend(Release(s.worker, batch.run) for s in replica.slots)
        if batch.in_step:
            del self.batches[batch.index]
            self.feed_bytes -= batch.feed_bytes
            for lease in [name for name, index in self.leases.items() if index == batch.index]:
                self.end_lease(lease, "ended with its mini-batch, which failed")
        else:
            del self.evaluations[batch.index]

    # -- the end of a step --------------------------------------------------------------------

    def begin_next_step(self) -> None:
        """The gradients are out: fresh accumulators, no indices, parameters may change."""
        self.out.extend(EndStep(s.worker, self.layout.session, self.step) for s in self.slots() if s.alive)
        self.step += 1
        self.closed = False
        self.last_size = len(self.batches)
        self.batches.clear()
        self.feed_bytes = 0
        self.contributions.clear()
        for slot in self.slots():
            slot.snapshot, slot.since_snapshot = None, 0
            slot.forget_arrived()
