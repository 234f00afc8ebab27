"""ATen's normalizations.

A batch norm in training returns the new running statistics: the old ones moved toward the mini-batch's, of
which the variance is the unbiased one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes

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


# -- per sample -----------------------------------------------------------------------------------


@aten("layer_norm.default")
def layer_norm(
    call: Call,
    x: Value,
    shape: Sequence[int],
    weight: Optional = None,
    bias: Optional = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Value:
    return f.layer_norm(x, len(shape), weight, bias, eps)


@aten("native_layer_norm.default")
def native_layer_norm(
    call: Call, x: Value, shape: Sequence[int], weight: Optional, bias: Optional, eps: float
) -> tuple[Value | None, ...]:
    return f.layer_norm(x, len(shape), weight, bias, eps), None, None


@aten("group_norm.default")
def group_norm(
    call: Call,
    x: Value,
    groups: int,
    weight: Optional = None,
    bias: Optional = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Value:
    return f.group_norm(x, groups, weight, bias, eps)


@aten("native_group_norm.default")
def native_group_norm(
    call: Call,
    x: Value,
    weight: Optional,
    bias: Optional,
    n: Any,
    c: Any,
    hw: Any,
    groups: int,
    eps: float,
) -> tuple[Value | None, ...]:
    return f.group_norm(x, groups, weight, bias, eps), None, None


@aten("rms_norm.default")
def rms_norm(
    call: Call, x: Value, shape: Sequence[int], weight: Optional = None, eps: float | None = None
) -> Value:
    """Without eps, torch takes the distance from 1 to the next number of the dtype."""
    info: Any = ml_dtypes.finfo
    smallest = float(info(x.dtype.numpy).eps) if eps is None else eps
    return f.rms_norm(x, len(shape), weight, smallest)
