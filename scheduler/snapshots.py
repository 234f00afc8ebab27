"""Snapshots: when an accumulator's contents are copied to the scheduler, and what may be forgotten then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raygrad.workers.accumulator import Snapshot

from .batch import State
from .events import TakeSnapshot
from .replica import Replica, Slot

if TYPE_CHECKING:
    from .machine import Machine


WORTH_A_SNAPSHOT = 4
"""Additions since the last snapshot that an idle worker takes one for, unasked."""


class Snapshots:
    """The part of the machine that makes contributions safe."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def count_addition(self, slot: Slot) -> None:
        """A contribution was added; the session may want a snapshot after every so many."""
        slot.since_snapshot += 1
        every = self.machine.layout.options.snapshot_every
        if every and slot.since_snapshot >= every:
            self.ask(slot)

    def ask_along(self, replica: Replica, slot: Slot) -> bool:
        """Ask for a snapshot with an addition about to be submitted, if it is worth it; whether it is.

        It is if the worker has nothing more to do afterwards and the step is as large as the one before:
        then it is probably over, and a snapshot that is there already saves a round trip.
        """
        machine = self.machine
        if not machine.last_size or len(machine.batches) < machine.last_size or machine.waiting:
            return False
        if any(batch.has_calls_left(slot.stage) for batch in replica.active.values()):
            return False
        return self._expect(slot)

    def came_along(self, slot: Slot, snapshot: Snapshot) -> None:
        """A reply brought a snapshot, which holds all that the slot has acknowledged."""
        if slot.snapshotting:  # else a loss has made it worthless
            slot.arrived, slot.asked, slot.since_snapshot = snapshot, None, 0

    def _expect(self, slot: Slot) -> bool:
        """Wait for a snapshot, unless one is on its way; whether it is to be asked for."""
        if not slot.alive or not slot.fenced or slot.snapshotting:
            return False
        slot.snapshotting, slot.since_snapshot, slot.asked = True, 0, self.machine.now
        return True

    def ask(self, slot: Slot) -> None:
        """Ask for a snapshot, unless one is on its way."""
        if self._expect(slot):
            epoch = self.machine.replicas[slot.replica].epoch
            self.machine.out.append(
                TakeSnapshot(slot.worker, self.machine.layout.session, epoch, self.machine.step)
            )

    def use_idle_time(self) -> None:
        """A worker with nothing to do says what it holds before anybody asks: the step may be over."""
        if self.machine.waiting:
            return
        for slot in self.machine.slots():
            if not slot.outstanding and slot.since_snapshot >= WORTH_A_SNAPSHOT:
                self.ask(slot)

    def press_for_room(self) -> None:
        """When feeds fill half their budget, drop those that are safe; if more must go, make more safe.

        Until then, reading feeds once more for a digest would cost more than keeping them. A closed step ends
        here, and all its feeds with it.
        """
        if self._crowded and not self.machine.closed:
            self._forget_safe_feeds()
        if self._crowded:
            for slot in self.machine.slots():
                if slot.since_snapshot:
                    self.ask(slot)

    @property
    def _crowded(self) -> bool:
        return self.machine.feed_bytes * 2 > self.machine.layout.feed_budget

    def adopt(self) -> None:
        """A snapshot counts once all that it holds is committed: until then, a failure may taint it."""
        for slot in self.machine.slots():
            if slot.arrived is not None and all(
                self.machine.batches[i].state is State.COMMITTED for i in slot.arrived.ledger
            ):
                slot.snapshot = slot.arrived
                slot.forget_arrived()

    def _forget_safe_feeds(self) -> None:
        """Drop the feeds of mini-batches that every stage has in a snapshot."""
        safe: dict[int, frozenset[int]] = {}
        for slot in self.machine.slots():
            safe[slot.stage] = safe.get(slot.stage, frozenset()) | slot.safe
        for batch in self.machine.batches.values():
            done = batch.state is State.COMMITTED and batch.feeds
            if done and all(batch.index in safe[s] for s in batch.stages_adding):
                self.machine.feed_bytes -= batch.feed_bytes
                batch.forget_feeds()
