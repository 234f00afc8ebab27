"""What a session does when a worker is lost: fence, reconcile, run again what is missing.

Declaring a worker lost kills it, so that its pending results become errors and the survivors' queues
drain. Each survivor of the replica is then fenced, in order behind what is queued: it drops the dead
attempts and returns its ledger. Only after that is it known which contributions stand in no live
ledger and no snapshot; those mini-batches run again, on any replica.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from raygrad.proto.errors import WorkerLostError

from .batch import Batch, State
from .events import Fence, Fenced, Kill, Release, Restore, SnapshotTaken, WorkerGone, WorkerJoined, WorkerLost
from .replica import Health, Replica, Slot

if TYPE_CHECKING:
    from .machine import Machine


class Recovery:
    """The part of the machine that deals with losses."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._why_gone = ""

    def worker_lost(self, event: WorkerLost) -> None:
        """Forget what the worker knew, and fence what is left of its replicas."""
        for replica, slot in self._slots_on(event.worker):
            if not slot.alive:
                continue
            machine = self.machine
            machine.forget_calls(slot)
            slot.reset()
            machine.contributions.reconcile(slot.stage, replica.number, slot.safe)
            self.fence(replica)

    def worker_joined(self, event: WorkerJoined) -> None:
        """A replacement is there: give it the session's stage, and what a snapshot saved."""
        machine = self.machine
        for replica, slot in self._slots_on(event.worker):
            if slot.alive:  # the session began after the loss: what it sent so far went nowhere
                self.worker_lost(WorkerLost(event.worker, "lost before the session began"))
            slot.alive = True
            machine.open(slot)
            self._restore(slot)
            if replica.epoch:
                self._send_fence(replica, slot)
            replica.settle()

    def worker_gone(self, event: WorkerGone) -> None:
        """No replacement: the replica takes nothing new, and what the survivors hold is merged at the end."""
        for replica, slot in self._slots_on(event.worker):
            if slot.alive:
                self.worker_lost(WorkerLost(event.worker, event.reason))
            replica.health = Health.GONE
            self._why_gone = event.reason
        if self.machine.deserted:
            self._give_up()

    def _give_up(self) -> None:
        """No replica is left: what waits ends with an error that says so.

        A mini-batch that was acknowledged stays in the step, which cannot be completed then: leaving it
        out would give gradients that nobody asked for.
        """
        machine = self.machine
        while batch := next((b for b in machine.waiting if not b.acknowledged), None):
            machine.fail(batch, self.no_worker_left())
        if machine.waiting:
            machine.requests.fail_pending(self.no_worker_left())

    def no_worker_left(self) -> WorkerLostError:
        """What is said when all replicas are gone."""
        return WorkerLostError(
            f"the session has no worker left: close it and create another ({self._why_gone})"
        )

    def fence(self, replica: Replica, discard: Collection[int] = ()) -> None:
        """A new epoch: give up the attempts under way, and ask every survivor what it holds."""
        replica.epoch += 1
        self._requeue(replica)
        for slot in replica.slots:
            slot.forget_arrived()
            if slot.alive:
                self._send_fence(replica, slot, discard=slot.stage in discard)
        if replica.settle():
            self._run_missing()

    def _send_fence(self, replica: Replica, slot: Slot, *, discard: bool = False) -> None:
        machine = self.machine
        slot.fenced, slot.asked = False, machine.now
        if discard and slot.snapshot is not None:
            self._restore(slot)
            discard = False
        machine.out.append(Fence(slot.worker, machine.layout.session, replica.epoch, machine.step, discard))

    def _restore(self, slot: Slot) -> None:
        if slot.snapshot is not None:
            machine = self.machine
            machine.out.append(Restore(slot.worker, machine.layout.session, machine.step, slot.snapshot))

    def discard(self, replica: Replica, stages: Collection[int]) -> None:
        """Take a failed mini-batch out again: the stages go back to their snapshots; the rest runs again.

        Rare (a kernel that fails on one stage after another stage has added), so it reuses what losses need.
        """
        for stage in stages:
            self.machine.contributions.reconcile(stage, replica.number, replica.slots[stage].safe)
        self.fence(replica, stages)

    def fenced(self, event: Fenced) -> None:
        """A survivor has drained, and says what its accumulator holds."""
        machine = self.machine
        for replica, slot in self._slots_on(event.worker):
            if event.epoch != replica.epoch or slot.fenced:
                continue
            slot.fenced, slot.asked = True, None
            machine.forget_calls(slot)  # what was queued before the fence has drained
            machine.contributions.reconcile(slot.stage, replica.number, event.ledger)
            if replica.settle():
                self._run_missing()

    def snapshot_taken(self, event: SnapshotTaken) -> None:
        """What a snapshot holds is safe once all of it is committed. One that comes late holds less."""
        for replica, slot in self._slots_on(event.worker):
            current = event.epoch == replica.epoch and event.step == self.machine.step
            if current and slot.snapshotting and event.snapshot.ledger >= slot.safe:
                slot.arrived, slot.asked = event.snapshot, None
        self.machine.snapshots.adopt()
        self.machine.snapshots.press_for_room()

    def _requeue(self, replica: Replica) -> None:
        """Attempts under way on the replica, and activations held there, are lost."""
        machine = self.machine
        held = [b for b in machine.batches.values() if b.state is State.HELD and b.replica == replica.number]
        lost = [*replica.active.values(), *held]
        replica.active.clear()
        self._abandon(replica, lost)

    def _run_missing(self) -> None:
        """Committed mini-batches of which a contribution was lost run again, once all fences are answered."""
        machine = self.machine
        if not machine.all_fenced:
            return
        committed = [b for b in machine.batches.values() if b.state is State.COMMITTED]
        self.wait(
            [
                b
                for b in committed
                if machine.contributions.holders(b.index, b.stages_adding) != b.stages_adding
            ]
        )
        if machine.deserted:
            self._give_up()

    def wait(self, batches: list[Batch]) -> None:
        """Back to the front of the queue, in their order."""
        for batch in reversed(batches):
            batch.wait()
            self.machine.waiting.appendleft(batch)

    def restart(self, batch: Batch) -> None:
        """Give up a running attempt that adds nothing, and begin another."""
        replica = self.machine.replicas[batch.replica]
        del replica.active[batch.index]
        self._abandon(replica, [batch])

    def _abandon(self, replica: Replica, batches: list[Batch]) -> None:
        """Begin other attempts; what these left on workers, and on the way between them, is freed."""
        self.machine.out.extend(
            Release(slot.worker, batch.run) for batch in batches for slot in replica.slots
        )
        self.wait(batches)

    def check_calls(self) -> None:
        """A worker that is silent for too long is declared lost."""
        machine = self.machine
        limit = machine.layout.call_timeout
        for worker in sorted({worker for worker, at in machine.due() if machine.now >= at}):
            self.declare_lost(worker, f"worker {worker} has not answered for {limit:g} s")

    def declare_lost(self, worker: int, reason: str) -> None:
        """Kill a worker, and go on as if the loss had been reported: the report will change nothing."""
        self.machine.out.append(Kill(worker, reason))
        self.worker_lost(WorkerLost(worker, reason))

    def _slots_on(self, worker: int) -> list[tuple[Replica, Slot]]:
        return [(r, s) for r in self.machine.replicas for s in r.slots if s.worker == worker]
