"""Softmax and losses of ATen."""

from __future__ import annotations

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten


@aten("softmax.int")
def softmax(call: Call, x: Value, axis: int, dtype: DType | None = None) -> Value:
    return f.softmax(call.value(x, call.out.dtype), axis)


@aten("_softmax.default")
def softmax_(call: Call, x: Value, axis: int, half_to_float: bool) -> Value:
    return f.softmax(call.value(x, call.out.dtype), axis)


@aten("log_softmax.int")
def log_softmax(call: Call, x: Value, axis: int, dtype: DType | None = None) -> Value:
    return f.log_softmax(call.value(x, call.out.dtype), axis)


@aten("_log_softmax.default")
def log_softmax_(call: Call, x: Value, axis: int, half_to_float: bool) -> Value:
    return f.log_softmax(call.value(x, call.out.dtype), axis)


REDUCTIONS: tuple[f.losses.Reduction, ...] = ("none", "mean", "sum")
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
    """Logits (C,) or (N, C, *places), integer targets without C."""
    if weight is not None or label_smoothing or target.dtype.is_floating:
        raise TypeMismatchError("weights, smoothing and probabilities of cross-entropy are not supported")
    last = (*range(1), *range(2, logits.rank), 1) if logits.rank > 1 else (0,)
    return f.cross_entropy(logits.transpose(last), target, REDUCTIONS[reduction])
