"""Snapshots: when an accumulator's contents are copied to the scheduler, and what may be forgotten then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .batch import State
from .events import TakeSnapshot
from .replica import Slot

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

    def ask(self, slot: Slot) -> None:
        """Ask for a snapshot, unless one is on its way."""
        if slot.alive and slot.fenced and not slot.snapshotting:
            slot.snapshotting, slot.since_snapshot, slot.asked = True, 0, self.machine.now
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
        """When feeds fill half their budget, make contributions safe so that feeds can go."""
        if self.machine.feed_bytes * 2 > self.machine.layout.feed_budget:
            for slot in self.machine.slots():
                if slot.since_snapshot:
                    self.ask(slot)

    def adopt(self) -> None:
        """A snapshot counts once all that it holds is committed: until then, a failure may taint it."""
        for slot in self.machine.slots():
            if slot.arrived is not None and all(
                self.machine.batches[i].state is State.COMMITTED for i in slot.arrived.ledger
            ):
                slot.snapshot = slot.arrived
                slot.forget_arrived()
        if not self.machine.closed:  # else the step ends here, and all its feeds with it
            self._forget_safe_feeds()

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
