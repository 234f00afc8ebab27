"""Losses of ATen that are not written in others: cross-entropy and the negative log-likelihood."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from ...functions.losses import Reduction
from .registry import Call, aten

REDUCTIONS: tuple[Reduction, ...] = ("none", "mean", "sum")
"""In the order of torch's enumeration."""


@aten("cross_entropy_loss.default")
def cross_entropy(
    call: Call,
    logits: Value,
    target: Value,
    weight: Value | None = None,
    reduction: int = 1,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Value:
    """Logits (C,) or (N, C, *places); the target holds classes, without C, or probabilities."""
    ignored = None if target.dtype.is_floating else ignore_index
    axis = min(logits.rank - 1, 1)
    return f.cross_entropy(logits, target, REDUCTIONS[reduction], weight, ignored, label_smoothing, axis)


@aten("nll_loss_nd.default", "nll_loss.default", "nll_loss2d.default")
def nll_loss(
    call: Call,
    x: Value,
    target: Value,
    weight: Value | None = None,
    reduction: int = 1,
    ignore_index: int = -100,
) -> Value:
    """Log-probabilities (C,) or (N, C, *places), classes () or (N, *places)."""
    axis = min(x.rank - 1, 1)
    return f.nll_loss(x, target, REDUCTIONS[reduction], weight, ignore_index, axis)


@aten("nll_loss_forward.default", "nll_loss2d_forward.default")
def nll_loss_forward(
    call: Call, x: Value, target: Value, weight: Value | None, reduction: int, ignore_index: int
) -> tuple[Value, None]:
    return nll_loss(call, x, target, weight, reduction, ignore_index), None
