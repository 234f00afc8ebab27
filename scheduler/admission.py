"""Memory is admitted whole, before anything runs: what a session can need of a worker, against what it has.

Counted per stage: parameters and buffers, accumulators and one snapshot, the activations of the mini-batches
under way, and those that leases keep. Workspace that kernels take while they run is in no figure: it is left
to the tenth that is not given out. `reservations.py` adds the sessions up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raygrad.proto.errors import ResourceError
from raygrad.proto.plan import Mode, Plan
from raygrad.proto.tensor import TensorType

USABLE = 0.9
"""The share of a worker's memory that is given out."""

EXACT_BYTES = 16
"""Per element of an exact sum: an unevaluated pair of float64 (see `workers/exact_sum.py`)."""


@dataclass(frozen=True)
class Need:
    """Bytes that a stage needs of its worker at most."""

    fixed: int  # parameters, buffers, sums and a snapshot, whatever runs
    moving: int  # activations of the mini-batches under way

    @property
    def total(self) -> int:
        """All of it."""
        return self.fixed + self.moving

    def at_least(self, other: Need | None) -> Need:
        """What is enough for both of two plans of a session, of which one runs at a time."""
        if other is None:
            return self
        return Need(max(self.fixed, other.fixed), max(self.moving, other.moving))


def sum_bytes(owned: Mapping[str, TensorType], exact: bool) -> int:
    """The accumulators of one stage, and a snapshot of them."""
    return sum(2 * t.elements * (EXACT_BYTES if exact else t.dtype.itemsize) for t in owned.values())


def needs(plan: Plan, owned: Sequence[Mapping[str, TensorType]], exact: bool) -> tuple[Need, ...]:
    """What a plan needs, by stage; `owned` are the parameters that each accumulates."""
    return tuple(
        Need(_tensor_bytes(plan, stage) + sum_bytes(owned[stage], exact), _under_way(plan, stage) * peak)
        for stage, peak in enumerate(plan.peak_bytes)
    )


def _under_way(plan: Plan, stage: int) -> int:
    """How many mini-batches have activations on the stage at once."""
    return 1 if plan.stages == 1 or plan.key.mode is Mode.EVALUATE else plan.stages - stage


def _tensor_bytes(plan: Plan, stage: int) -> int:
    sources = {**plan.graph.parameters, **plan.graph.buffers}
    return sum(sources[name].types[0].nbytes for name in plan.stage_plan(stage).parameters)


def admit(
    plan: Plan, owned: Sequence[Mapping[str, TensorType]], exact: bool, memory: int
) -> tuple[Need, ...]:
    """What a plan needs; `ResourceError` names the stage that cannot fit a worker of `memory` bytes."""
    usable = int(memory * USABLE)
    found = needs(plan, owned, exact)
    for stage, need in enumerate(found):
        if need.total > usable:
            raise ResourceError(
                f"stage {stage} needs {mib(need.fixed)} for parameters and sums, and {mib(need.moving)} for "
                f"{_under_way(plan, stage)} mini-batches of activations; a worker has {mib(usable)}: "
                f"use smaller mini-batches, or more stages"
            )
    return found


def admit_lease(plan: Plan, held: Sequence[int], others: Sequence[int], memory: int) -> None:
    """Refuse to keep more activations than a worker can hold.

    `held` are the leases' bytes by stage, `others` those of other sessions' leases on the same workers.
    """
    usable = int(memory * USABLE) // 2
    for stage, saved in enumerate(plan.saved_bytes):
        if held[stage] + others[stage] + saved > usable:
            raise ResourceError(
                f"leases keep {mib(held[stage])} on stage {stage}, those of other sessions "
                f"{mib(others[stage])} on its workers, and this one {mib(saved)} more; "
                f"{mib(usable)} are for leases: run their backward passes, or release some"
            )


def mib(count: int) -> str:
    """A number of bytes as one reads it."""
    return f"{count / (1 << 20):.1f} MiB"
