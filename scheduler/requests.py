"""What clients may ask of a session, when, and what they are told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from raygrad.proto.errors import (
    ConflictError,
    IncompleteStepError,
    LeaseError,
    LeaseExpiredError,
    ParametersFixedError,
    ParametersMissingError,
    RaygradError,
    StepClosedError,
    StepError,
)
from raygrad.proto.messages import ForwardResult, StepResult
from raygrad.proto.plan import Mode, Plan
from raygrad.workers.accumulator import Snapshot
from raygrad.workers.store import RunKey

from .admission import admit_lease
from .batch import Batch, State
from .events import (
    Answer,
    BackwardRequested,
    Cancelled,
    Deliver,
    GradientsRequested,
    Received,
    ReleaseRequested,
    TensorsPut,
    Token,
)

if TYPE_CHECKING:
    from .machine import Machine


@dataclass
class Pending:
    """A request for the gradients, waiting until all mini-batches are committed and in snapshots."""

    token: Token
    keep_open: bool
    expect: frozenset[int] | int | None


class Requests:
    """The part of the machine that talks to clients. Errors that it raises are answers."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._evaluations = 0
        self._leases = 0

    # -- mini-batches -------------------------------------------------------------------------

    def received(self, event: Received) -> None:
        """A mini-batch: new, or the same again."""
        machine = self.machine
        if machine.deserted:
            raise machine.recovery.no_worker_left()
        self._require_tensors(event.plan)
        if event.plan.key.mode is Mode.EVALUATE:
            self._evaluations -= 1
            batch = self._batch(event, self._evaluations)
            machine.evaluations[batch.index] = batch
            machine.waiting.append(batch)
            return
        self._require_step(event.step)
        index = self._next_index() if event.index is None else event.index
        if known := machine.batches.get(index):
            self._again(known, event)
            return
        if machine.closed:
            raise StepClosedError(
                f"step {machine.step} is closed: mini-batch {index} came after its gradients were asked"
            )
        if event.plan.key.mode is Mode.FORWARD:
            stages = range(event.plan.stages)
            held = [self._leased_bytes(stage) for stage in stages]
            others = [self._leased_elsewhere(stage) for stage in stages]
            admit_lease(event.plan, held, others, machine.layout.worker_memory)
        batch = machine.batches[index] = self._batch(event, index)
        machine.feed_bytes += batch.feed_bytes
        if event.plan.key.mode is Mode.FORWARD:
            self._leases += 1
            machine.leases[f"{machine.layout.session}/{machine.step}/{index}/{self._leases}"] = index
        machine.waiting.append(batch)
        machine.snapshots.press_for_room()

    def _leased_bytes(self, stage: int) -> int:
        """What the leases keep on a stage, if one replica held them all."""
        plans = [self.machine.batches[index].forward for index in self.machine.leases.values()]
        return sum(plan.saved_bytes[stage] for plan in plans)

    def _leased_elsewhere(self, stage: int) -> int:
        """What the leases of other sessions keep on the fullest of the stage's workers."""
        elsewhere = self.machine.layout.leased_elsewhere
        return max(elsewhere(slot.worker) for slot in self.machine.slots() if slot.stage == stage)

    def leased_on(self, worker: int) -> int:
        """What the leases of this session keep on a worker."""
        return sum(self._leased_bytes(slot.stage) for slot in self.machine.slots() if slot.worker == worker)

    def _batch(self, event: Received, index: int) -> Batch:
        run = RunKey(self.machine.layout.session, self.machine.step, index, -1)
        return Batch(run, event.feeds, event.plan, event.weight, [event.token])

    def _next_index(self) -> int:
        batches = self.machine.batches
        return (
            next(i for i in range(len(batches) + 1) if i not in batches)
            if len(batches) in batches
            else len(batches)
        )

    def _again(self, known: Batch, event: Received) -> None:
        """The same (step, index): the stored answer if the content is the same."""
        if known.forward.key != event.plan.key or not known.same_content(event.feeds, event.weight):
            raise ConflictError(
                f"mini-batch {known.index} of step {self.machine.step} came before with other content"
            )
        mode = known.forward.key.mode
        if (
            known.state in (State.WAITING, State.RUNNING)
            and known.backward is None
            and not self._was_answered(known)
        ):
            known.tokens.append(event.token)
        elif mode is Mode.STEP:
            result = StepResult(self.machine.step, known.index, known.outputs)
            self.machine.out.append(Answer(event.token, result))
        else:
            lease = next((n for n, i in self.machine.leases.items() if i == known.index), "")
            known.told.add(event.token)
            result_ = ForwardResult(known.outputs, lease, self.machine.step, known.index)
            self.machine.out.append(Answer(event.token, result_))

    def _was_answered(self, batch: Batch) -> bool:
        """Whether this batch only runs again for what a loss took: its answer is known."""
        return batch.acknowledged or batch.expires > 0.0

    def _require_tensors(self, plan: Plan) -> None:
        needed = {*plan.graph.parameters, *plan.graph.buffers}
        if missing := sorted(needed - self.machine.tensors.keys()):
            raise ParametersMissingError(
                f"put {', '.join(missing[:5])} first: {len(missing)} of {len(needed)} are missing"
            )

    # -- leases -------------------------------------------------------------------------------

    def backward(self, event: BackwardRequested) -> None:
        """Run the rest of a leased mini-batch."""
        machine = self.machine
        batch = self._leased(event.lease)
        if batch.backward is not None:
            raise LeaseError(f"lease {event.lease} already had its backward pass")
        batch.backward, batch.cotangents = event.plan, event.cotangents
        batch.tokens.append(event.token)
        adding = batch.stages_adding
        batch.adds = adding - machine.contributions.holders(batch.index, adding)
        if batch.state is State.HELD:
            batch.state = State.RUNNING
            machine.replicas[batch.replica].active[batch.index] = batch
        machine.end_lease(event.lease, "had its backward pass")
        if batch.state is State.RUNNING:
            machine.complete_if_finished(batch)

    def release(self, event: ReleaseRequested) -> None:
        """Give a lease up; its mini-batch leaves the step."""
        machine = self.machine
        batch = self._leased(event.lease)
        machine.end_lease(event.lease, "was released")
        machine.remove(batch)
        machine.out.append(Answer(event.token))

    def _leased(self, lease: str) -> Batch:
        machine = self.machine
        if (how := machine.ended_leases.get(lease)) is not None:
            kind = LeaseExpiredError if how == "expired" else LeaseError
            raise kind(f"lease {lease} {how}")
        if lease not in machine.leases:
            raise LeaseError(f"there is no lease {lease}: backward needs a forward pass with keep")
        return machine.batches[machine.leases[lease]]

    def expire_leases(self) -> None:
        """Free what nobody came back for."""
        machine = self.machine
        for lease, index in list(machine.leases.items()):
            batch = machine.batches[index]
            if batch.state is State.HELD and machine.now >= batch.expires:
                machine.end_lease(lease, "expired")
                machine.remove(batch)

    # -- parameters ---------------------------------------------------------------------------

    def put(self, event: TensorsPut) -> None:
        """New parameters: only between steps. Workers get them before their next call."""
        machine = self.machine
        if machine.batches:
            raise ParametersFixedError(
                f"step {machine.step} holds {len(machine.batches)} mini-batches: "
                "take its gradients before putting parameters"
            )
        machine.adopt(event.tensors)
        # An evaluation under way would compute its stages with different parameters.
        for batch in [b for b in machine.evaluations.values() if b.state is State.RUNNING]:
            machine.recovery.restart(batch)
        machine.out.append(Answer(event.token))

    # -- gradients ----------------------------------------------------------------------------

    def gradients(self, event: GradientsRequested) -> None:
        """Close the step (unless asked not to) and answer when all of it is committed."""
        machine = self.machine
        if not machine.tensors and machine.layout.has_parameters:
            raise ParametersMissingError("put the parameters, then send mini-batches, then ask for gradients")
        self._require_step(event.step)
        closing = any(not request.keep_open for request in machine.pending)
        if closing and not event.keep_open and event.step is None:  # with a step, it is the request repeated
            raise StepClosedError(f"the gradients of step {machine.step} were already asked for")
        self._require_expected(event.expect)
        if machine.leases:
            lease, index = next(iter(machine.leases.items()))
            raise IncompleteStepError(
                f"mini-batch {index} is under the lease {lease}: run its backward or release it"
            )
        if machine.deserted and machine.waiting:
            raise machine.recovery.no_worker_left()
        if event.mean and sum(Fraction(b.weight) for b in machine.batches.values()) == 0:
            raise StepError("there is no mean: the weights of the step's mini-batches sum to 0")
        machine.closed = machine.closed or not event.keep_open
        machine.pending.append(Pending(event.token, event.keep_open, event.expect))

    def _require_step(self, step: int | None) -> None:
        if step is not None and step != self.machine.step:
            raise StepClosedError(f"step {step} is not open; step {self.machine.step} is")

    def _require_expected(self, expect: frozenset[int] | int | None) -> None:
        have = self.machine.batches
        if not have:
            raise IncompleteStepError(f"step {self.machine.step} holds no mini-batch")
        if isinstance(expect, int) and expect != len(have):
            raise IncompleteStepError(f"expected {expect} mini-batches, the step holds {len(have)}")
        if isinstance(expect, frozenset) and expect != have.keys():
            missing, surplus = sorted(expect - have.keys()), sorted(have.keys() - expect)
            raise IncompleteStepError(f"mini-batches missing: {missing[:10]}, not expected: {surplus[:10]}")

    def deliver(self) -> None:
        """If all is committed: get what is not yet in a snapshot, then hand the parts out."""
        machine = self.machine
        if not machine.pending or any(b.state is not State.COMMITTED for b in machine.batches.values()):
            return
        if not machine.all_fenced:
            return
        self._refuse_incomplete()
        if not machine.pending:
            return
        stale = [s for s in machine.slots() if machine.contributions.held(s.stage, s.replica) != s.safe]
        for slot in stale:
            machine.snapshots.ask(slot)
        if not stale:
            self._hand_out()

    def _refuse_incomplete(self) -> None:
        """A mini-batch that failed since the gradients were asked may be one that they were to include."""
        machine = self.machine
        pending, machine.pending = machine.pending, []
        for request in pending:
            try:
                self._require_expected(request.expect)
                machine.pending.append(request)
            except IncompleteStepError as error:
                machine.closed = machine.closed and request.keep_open
                machine.out.append(Answer(request.token, error=error))
                machine.snapshots.adopt()  # the step goes on
                machine.snapshots.press_for_room()

    def _hand_out(self) -> None:
        machine = self.machine
        parts: dict[int, list[Snapshot]] = {}
        expected: dict[int, set[int]] = {}
        for slot in machine.slots():
            if slot.snapshot is not None:
                parts.setdefault(slot.stage, []).append(slot.snapshot)
        for batch in machine.batches.values():
            for stage in batch.stages_adding:
                expected.setdefault(stage, set()).add(batch.index)
        frozen = {s: frozenset(i) for s, i in expected.items()}
        pending, machine.pending = machine.pending, []
        for request in pending:
            weights = tuple(b.weight for b in machine.batches.values())
            indices = tuple(sorted(machine.batches))
            machine.out.append(
                Deliver(request.token, machine.step, indices, parts, frozen, weights, request.keep_open)
            )
        if not all(request.keep_open for request in pending):
            machine.begin_next_step()

    def fail_pending(self, error: RaygradError) -> None:
        """Nothing will come any more."""
        pending, self.machine.pending = self.machine.pending, []
        self.machine.out.extend(Answer(request.token, error=error) for request in pending)

    def cancelled(self, event: Cancelled) -> None:
        """Nobody waits for an answer any more.

        An evaluation that has not started is dropped, and so is a forward pass whose lease nobody will know.
        What else belongs to the step stays in it: its client may come back.
        """
        machine = self.machine
        machine.pending = [p for p in machine.pending if p.token != event.token]
        for batch in [*machine.evaluations.values(), *machine.batches.values()]:
            if event.token in batch.tokens or event.token in batch.told:
                batch.tokens = [token for token in batch.tokens if token != event.token]
                batch.told.discard(event.token)
                if self._is_for_nobody(batch):
                    machine.remove(batch)

    @staticmethod
    def _is_for_nobody(batch: Batch) -> bool:
        if batch.tokens or batch.told:
            return False
        return not batch.contributes if batch.in_step else batch.state is State.WAITING
