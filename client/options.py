"""The options of a session as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class Options(TypedDict, total=False):
    """The fields of `SessionOptions`, which has their defaults and checks them."""

    loss: str  # the scalar output whose cotangent is 1 in a step
    stages: int | None  # cut the graph into this many; the scheduler chooses when `None`
    replicas: int | None  # this many share the mini-batches; the scheduler chooses when `None`
    accumulation: str  # "exact", or "fast": in the gradient's dtype, with less memory
    check: str  # "finite" names the first node that produces a NaN or an infinity
    lease_seconds: float  # how long `forward(keep=True)` keeps activations
    snapshot_every: int  # mini-batches between snapshots; 0: when feeds need the memory
    placement: Mapping[int, int] | None  # forward node → stage
    seed: int  # of all that is drawn at random (dropout)
