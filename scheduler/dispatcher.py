"""Dispatching: which mini-batch starts on which replica, and which segment is submitted next.

A plan's schedule is a priority and a bound on what is in flight, not a list to wait for. No deadlock,
by construction: one submitter; a call is submitted after the calls that produce its arguments; workers
run their calls in order; nothing blocks inside a worker.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from raygrad.proto.plan import PLANS_KEPT, Mode, Plan, Segment
from raygrad.workers.calls import Call

from .batch import Batch
from .events import Load, Put, Run, Unload
from .replica import Asked, Health, Replica, Slot

if TYPE_CHECKING:
    from .machine import Machine

CALLS_AHEAD = 2
"""Calls submitted to a worker before the first is answered: hides the round trip."""

GROUP = 2
GROUP_SECONDS = 0.03
"""On a replica of one stage, calls shorter than this are submitted in groups, since a call has a price."""


class Dispatcher:
    """The part of the machine that submits."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def dispatch(self) -> None:
        """Start what can start, submit what can be submitted. Never waits for what has not arrived."""
        while self._start_one():
            pass
        for replica in self.machine.replicas:
            if replica.health is Health.LIVE:
                limits = [_limit(replica, slot) for slot in replica.slots]
                while self._submit_one(replica, limits):
                    pass

    def _start_one(self) -> bool:
        if not self.machine.waiting:
            return False
        candidates = [r for r in self.machine.replicas if r.health is Health.LIVE]
        replica = min(candidates, key=lambda r: len(r.active), default=None)
        batch = self.machine.waiting[0]
        if replica is None or len(replica.active) >= in_flight(batch.forward.stages):
            return False
        if batch.started and not self.machine.all_fenced:
            return False  # it is not yet known which of its contributions stand
        self.machine.waiting.popleft()
        adding = batch.stages_adding
        self.machine.reruns += batch.started
        adds = adding - self.machine.contributions.holders(batch.index, adding)
        batch.start(self.machine.attempts, replica.number, adds)
        self.machine.attempts += 1
        replica.active[batch.index] = batch
        if not any(plan.segments for plan in batch.plans):
            self.machine.complete_if_finished(batch)  # nothing to compute: no reply will come to say so
        return True

    def _submit_one(self, replica: Replica, limits: Sequence[int]) -> bool:
        """Submit the most urgent ready segment."""
        ready = [
            (urgency(segment, order, plan.stages), plan, segment, batch)
            for order, batch in enumerate(replica.active.values())
            for plan, segment in ready_segments(batch)
            if self._may_submit(replica, batch, plan, segment, limits[segment.stage])
        ]
        if not ready:
            return False
        _, plan, segment, batch = min(ready, key=lambda r: r[0])
        self._submit(replica, batch, plan, segment)
        return True

    def _may_submit(self, replica: Replica, batch: Batch, plan: Plan, segment: Segment, limit: int) -> bool:
        """An idle worker gets what it can get; one that is busy, only calls that need not wait there.

        A call whose arguments are still being computed would hold up, in the worker's queue, what may come
        meanwhile and could run at once. And no more forward passes run ahead of their backward passes than
        1F1B needs: each keeps its activations.
        """
        if segment.phase == "F" and _ahead(replica, batch, segment.stage) >= plan.stages - segment.stage:
            return False
        outstanding = replica.slots[segment.stage].outstanding
        return not outstanding or (
            outstanding < limit and all(batch.key(plan, source) in batch.done for source in segment.after)
        )

    def _submit(self, replica: Replica, batch: Batch, plan: Plan, segment: Segment) -> None:
        slot = replica.slots[segment.stage]
        self._prepare(slot, plan)
        key = batch.key(plan, segment.id)
        batch.submitted.add(key)
        needs = tuple(batch.key(plan, e.source) for e in segment.receives)
        adds = segment.last and segment.stage in batch.adds and plan is batch.plans[-1]
        snapshot = adds and self.machine.snapshots.ask_along(replica, slot)
        self.machine.calls[key] = Asked(slot, self.machine.now, needs)
        slot.outstanding += 1
        sends = tuple(e.target for e in segment.sends)
        call = self._call(replica, batch, plan, segment, adds, snapshot)
        self.machine.out.append(Run(slot.worker, call, key, needs, sends, segment.title))

    def _call(
        self, replica: Replica, batch: Batch, plan: Plan, segment: Segment, add: bool, snapshot: bool
    ) -> Call:
        given = self.machine.layout.loss_cotangent if plan.key.mode is Mode.STEP else batch.cotangents
        return Call(
            run=batch.run,
            epoch=replica.epoch,
            plan=plan.id,
            segment=segment.id,
            feeds={name: batch.feeds[name] for name in segment.feeds},
            cotangents={name: given[name] for name in segment.cotangents},
            weight=batch.weight,
            add=add,
            snapshot=snapshot,
        )

    def _prepare(self, slot: Slot, plan: Plan) -> None:
        """What must be on the worker before a call of this plan; sent ahead of it, in order."""
        machine = self.machine
        if plan.id not in slot.loaded:
            self._load(slot, plan)
        slot.loaded.move_to_end(plan.id)
        if plan.id in slot.ready:
            return
        slot.ready.add(plan.id)
        read = slot.loaded[plan.id]
        wanted = [name for name in read if slot.tensors.get(name) != machine.versions[name]]
        if wanted:
            slot.tensors.update({name: machine.versions[name] for name in wanted})
            machine.out.append(
                Put(slot.worker, machine.layout.session, {name: machine.tensors[name] for name in wanted})
            )

    def _load(self, slot: Slot, plan: Plan) -> None:
        """Send the stage's part of a plan; what was not used for longest makes room."""
        machine = self.machine
        stage = plan.stage_plan(slot.stage)
        slot.loaded[plan.id] = stage.parameters
        machine.out.append(Load(slot.worker, machine.layout.session, stage))
        if len(slot.loaded) > PLANS_KEPT:
            oldest, _ = slot.loaded.popitem(last=False)
            slot.ready.discard(oldest)
            machine.out.append(Unload(slot.worker, machine.layout.session, oldest))


def _limit(replica: Replica, slot: Slot) -> int:
    """How many calls the slot's worker may have submitted.

    A worker that has a group to do waits for a whole one; with less than that, it gets what there is.
    """
    if len(replica.slots) > 1 or slot.seconds > GROUP_SECONDS:
        return CALLS_AHEAD
    left = sum(batch.has_calls_left(slot.stage) for batch in replica.active.values())
    waits = slot.outstanding > GROUP or (slot.outstanding == GROUP and left < GROUP)
    return slot.outstanding if waits else 2 * GROUP


def _ahead(replica: Replica, batch: Batch, stage: int) -> int:
    """How many mini-batches before this one have calls on the stage that are not yet submitted."""
    before = itertools.takewhile(lambda other: other is not batch, replica.active.values())
    return sum(other.has_calls_left(stage) for other in before)


def in_flight(stages: int) -> int:
    """How many mini-batches a replica has under way: one per stage (1F1B), and one to hide round trips.

    With one stage, none of them keeps activations while another runs: two groups.
    """
    return stages + 1 if stages > 1 else 2 * GROUP


def urgency(segment: Segment, order: int, stages: int) -> float:
    """Where a segment of the `order`-th mini-batch under way stands in its stage's calls; less is sooner.

    One forward, one backward (1F1B; Narayanan et al., "PipeDream", 2019, section 3.2): a stage runs as
    many forward passes as there are stages from it to the end before its first backward pass, and then
    alternates. A backward pass submitted sooner would stand in the worker's queue before forward passes
    that could run while it waits for its cotangents.
    """
    return order if segment.phase == "F" else order + (stages - segment.stage) - 0.5


def ready_segments(batch: Batch) -> Iterator[tuple[Plan, Segment]]:
    """The next unsubmitted segment of each stage, where the calls it needs are submitted."""
    blocked: set[int] = set()
    for plan, segment in batch.work:
        if segment.stage in blocked or batch.key(plan, segment.id) in batch.submitted:
            continue
        blocked.add(segment.stage)
        if all(batch.key(plan, source) in batch.submitted for source in segment.after):
            yield plan, segment
