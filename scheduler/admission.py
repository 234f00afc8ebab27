"""Memory is admitted whole, before anything runs: what a session can need of a worker, against what it has.

Counted per stage: parameters, their accumulators and one snapshot, the activations of the mini-batches
under way, and those that leases keep. What the kernels use in between is left to the tenth that is not
given out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raygrad.proto.errors import ResourceError
from raygrad.proto.plan import Mode, Plan
from raygrad.proto.tensor import TensorType

USABLE = 0.9
"""The share of a worker's memory that is given out."""

EXACT_BYTES = 16
"""Per element of an exact sum: an unevaluated pair of float64 (see `workers/exact_sum.py`)."""


def resident_bytes(owned: Mapping[str, TensorType], exact: bool) -> int:
    """Parameters, accumulators and a snapshot of one stage, whatever runs on it."""
    return sum(
        t.nbytes + 2 * t.elements * (EXACT_BYTES if exact else t.dtype.itemsize) for t in owned.values()
    )


def admit(plan: Plan, owned: Sequence[Mapping[str, TensorType]], exact: bool, memory: int) -> None:
    """Refuse a plan that cannot fit: `ResourceError` names the stage. `memory` is one worker's bytes."""
    usable = int(memory * USABLE)
    for stage in range(plan.stages):
        under_way = 1 if plan.stages == 1 or plan.key.mode is Mode.EVALUATE else plan.stages - stage
        fixed, moving = resident_bytes(owned[stage], exact), under_way * plan.peak_bytes[stage]
        if fixed + moving > usable:
            raise ResourceError(
                f"stage {stage} needs {_mib(fixed)} for parameters and sums, and {_mib(moving)} for "
                f"{under_way} mini-batches of activations; a worker has {_mib(usable)}: "
                f"use smaller mini-batches, or more stages"
            )


def admit_lease(plan: Plan, held: Sequence[int], memory: int) -> None:
    """Refuse to keep more activations than a worker can hold; `held` are the leases' bytes by stage."""
    usable = int(memory * USABLE) // 2
    for stage, saved in enumerate(plan.saved_bytes):
        if held[stage] + saved > usable:
            raise ResourceError(
                f"leases keep {_mib(held[stage])} on stage {stage}, and this one {_mib(saved)} more; "
                f"{_mib(usable)} are for leases: run their backward passes, or release some"
            )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
