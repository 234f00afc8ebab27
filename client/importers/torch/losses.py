"""Losses of ATen that torch does not write in others, or not rightly."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from ...functions.creation import places
from ...functions.losses import Reduction, reduced
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


@aten("binary_cross_entropy.default")
def binary_cross_entropy(
    call: Call, x: Value, target: Value, weight: Value | None = None, reduction: int = 1
) -> Value:
    return f.binary_cross_entropy(x, target, weight, REDUCTIONS[reduction])


@aten("smooth_l1_loss.default")
def smooth_l1_loss(call: Call, x: Value, target: Value, reduction: int = 1, beta: float = 1.0) -> Value:
    return f.smooth_l1_loss(x, target, REDUCTIONS[reduction], float(beta))


@aten("huber_loss.default")
def huber_loss(call: Call, x: Value, target: Value, reduction: int = 1, delta: float = 1.0) -> Value:
    return f.huber_loss(x, target, REDUCTIONS[reduction], float(delta))


@aten("multi_margin_loss.default")
def multi_margin_loss(
    call: Call,
    x: Value,
    target: Value,
    p: float = 1,
    margin: float = 1,
    weight: Value | None = None,
    reduction: int = 1,
) -> Value:
    rows, labels = (x, target) if x.rank == 2 else (f.unsqueeze(x, 0), target.reshape((1,)))
    found = f.multi_margin_loss(rows, labels, int(p), float(margin), weight, REDUCTIONS[reduction])
    return found.reshape(call.shape)


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


@aten("multilabel_margin_loss.default")
def multilabel_margin_loss(call: Call, x: Value, target: Value, reduction: int = 1) -> Value:
    """Σ max(0, 1 − x[label] + x[class]) over labels and the classes that are none, by the number of classes.

    x is (C,) or (N, C), and so is the target: labels up to the first −1. Torch writes this in others as if
    the places behind were labels of class 0.
    """
    classes = places(x.builder, x.shape[-1])
    is_label = f.cumsum((target < 0).astype(target.dtype), -1).equals(0)
    labels = f.where(is_label, target, -1)
    is_class = f.any(f.unsqueeze(labels, -1).equals(classes), -2)
    at_label = f.gather(x, f.where(is_label, target, 0), -1)
    short = 1.0 - f.unsqueeze(at_label, -1) + f.unsqueeze(x, -2)
    counted = f.unsqueeze(is_label, -1) & ~f.unsqueeze(is_class, -2) & (short > 0.0)
    losses = f.where(counted, short, 0.0).sum((-2, -1)) / call.value(x.shape[-1], x.dtype)
    return reduced(losses, REDUCTIONS[reduction])
