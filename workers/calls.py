"""What the scheduler sends a worker, and what comes back: frozen values.

A worker does what it is told, in the order in which it is told; it decides nothing. The epoch guards
against calls that a recovery has overtaken: a worker refuses older ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from raygrad.proto.tensor import Array, TensorType

from .accumulator import Snapshot
from .store import RunKey


@dataclass(frozen=True)
class Setup:
    """A session's stage as a worker needs it before the first call."""

    session: str
    stage: int
    owned: Mapping[str, TensorType]  # parameters whose gradients this stage accumulates
    exact: bool = True
    check_finite: bool = False
    seed: int = 0  # of all that is drawn at random


@dataclass(frozen=True)
class Call:
    """Run one segment for one mini-batch."""

    run: RunKey
    epoch: int
    plan: str
    segment: int
    feeds: Mapping[str, Array] = field(default_factory=dict)
    cotangents: Mapping[str, Array] = field(default_factory=dict)
    weight: float = 1.0
    add: bool = False  # the stage's last segment: add the contribution (others compute and drop it)
    snapshot: bool = False  # bring along what the step's accumulator holds after the addition


@dataclass(frozen=True)
class Reply:
    """What a call returns to the scheduler; values for other stages travel beside it."""

    outputs: Mapping[str, Array]
    input_gradients: Mapping[str, Array]
    added: bool
    seconds: float  # inside the call, kernels and accumulation
    snapshot: Snapshot | None = None  # if the call asked for it


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker says of itself when it joins."""

    version: str
    catalogue: str
    backend: str
    fingerprint: str
    pid: int
    memory: int  # bytes that its device has
