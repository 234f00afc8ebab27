"""ATen's normalizations.

A batch norm in training returns the new running statistics: the old ones moved toward the mini-batch's, of
which the variance is the unbiased one.
"""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten

Optional = Value | None


@aten("_native_batch_norm_legit_functional.default")
def batch_norm_with_state(
    call: Call,
    x: Value,
    weight: Optional,
    bias: Optional,
    running_mean: Value,
    running_var: Value,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Value | None, ...]:
    """(y, mean, 1/√(variance + eps), new running mean, new running variance)"""
    if not training:
        y = _with_given(call, x, weight, bias, running_mean, running_var, eps)
        return y, None, None, running_mean, running_var
    y, mean, variance = f.batch_norm(x, *_affine(call, x, weight, bias), eps)
    count = call.builder.size_of((x.shape[0], *x.shape[2:]), variance.dtype)
    unbiased = variance * (count / (count - 1))
    return y, mean, None, _moved(running_mean, mean, momentum), _moved(running_var, unbiased, momentum)


@aten("_native_batch_norm_legit.no_stats")
def batch_norm_without_state(
    call: Call, x: Value, weight: Optional, bias: Optional, training: bool, momentum: float, eps: float
) -> tuple[Value | None, ...]:
    y, mean, _ = f.batch_norm(x, *_affine(call, x, weight, bias), eps)
    return y, mean, None


@aten("_native_batch_norm_legit_no_training.default")
def batch_norm_inference(
    call: Call,
    x: Value,
    weight: Optional,
    bias: Optional,
    running_mean: Value,
    running_var: Value,
    momentum: float,
    eps: float,
) -> tuple[Value | None, ...]:
    return _with_given(call, x, weight, bias, running_mean, running_var, eps), None, None


def _with_given(
    call: Call, x: Value, weight: Optional, bias: Optional, mean: Value, variance: Value, eps: float
) -> Value:
    return f.batch_norm_inference(x, *_affine(call, x, weight, bias), mean, variance, eps)


def _affine(call: Call, x: Value, weight: Optional, bias: Optional) -> tuple[Value, Value]:
    """Weight and bias per channel; 1 and 0 where there is none."""
    channel = (x.shape[1],)
    one, zero = (call.full(number, channel, x.dtype) for number in (1, 0))
    return one if weight is None else weight, zero if bias is None else bias


def _moved(old: Value, new: Value, momentum: float) -> Value:
    return old * (1 - momentum) + new.astype(old.dtype) * momentum
