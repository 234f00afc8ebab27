"""Normalizations and dropout. Each function names the page of its operator."""

from __future__ import annotations

import numpy as np

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import Result, converts


@converts("BatchNormalization")
def batch_normalization(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__BatchNormalization.html

    Training gives the running statistics as they are after this mini-batch, of which the variance is biased.
    """
    x, weight, bias = call.value(0), call.value(1), call.value(2)
    mean, variance = call.constant(3), call.constant(4)
    eps = call.attribute("epsilon", 1e-5)
    if not call.attribute("training_mode", 0):
        return f.batch_norm_inference(x, weight, bias, mean, variance, eps)
    y, batch_mean, batch_variance = f.batch_norm(x, weight, bias, eps)
    momentum = call.attribute("momentum", 0.9)
    return y, _folded(mean, batch_mean, momentum), _folded(variance, batch_variance, momentum)


def _folded(running: Value, batch: Value, momentum: float) -> Value:
    return running * momentum + batch * (1 - momentum)


@converts("Dropout", static=(1, 2))
def dropout(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__Dropout.html, as at inference: nothing is dropped."""
    x = call.value(0)
    if call.has(2) and call.number(2) and (not call.has(1) or call.number(1)):
        raise call.unsupported("training_mode: its random numbers are not those of another runtime")
    return x, call.builder.constant(np.True_).broadcast_to(x.shape)


@converts("LRN")
def local_response(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__LRN.html"""
    x, size = call.value(0), call.attribute("size")
    rows = x.square().reshape((x.shape[0], 1, x.shape[1], -1))
    sides = (((size - 1) // 2, size // 2), (0, 0))
    total = f.avg_pool(rows, (size, 1), stride=1, padding=sides).reshape(x.shape)
    scale = total * float(call.attribute("alpha", 1e-4)) + float(call.attribute("bias", 1.0))
    return x / scale ** float(call.attribute("beta", 0.75))


@converts("InstanceNormalization")
def instance_normalization(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html"""
    return f.instance_norm(call.value(0), call.value(1), call.value(2), call.attribute("epsilon", 1e-5))


@converts("GroupNormalization", since=21)
def group_normalization(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__GroupNormalization.html; before opset 21 by its function."""
    groups, eps = call.attribute("num_groups"), call.attribute("epsilon", 1e-5)
    return f.group_norm(call.value(0), groups, call.value(1), call.value(2), eps)


@converts("LayerNormalization")
def layer_normalization(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__LayerNormalization.html"""
    x = call.value(0)
    axes = tuple(range(x.type.axis(call.attribute("axis", -1)), x.rank))
    eps = call.attribute("epsilon", 1e-5)
    shape = x.shape[axes[0] :]
    weight = call.value(1).broadcast_to(shape)
    bias = call.value(2).broadcast_to(shape) if call.has(2) else None
    y = f.layer_norm(x, len(axes), weight, bias, eps)
    if len(call.node.outputs) == 1:
        return y
    wide = x if x.dtype is DType.float64 else x.astype(DType.float32)
    return y, wide.mean(axes, True), 1 / f.sqrt(f.var(wide, axes, True) + eps)


@converts("LpNormalization")
def lp_normalization(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__LpNormalization.html; 0 where the norm is 0."""
    x, axis = call.value(0), call.attribute("axis", -1)
    l1 = call.attribute("p", 2) == 1
    length = abs(x).sum(axis, keepdims=True) if l1 else f.norm(x, axis, keepdims=True)
    zero = length.equals(0)
    return f.where(zero, x, x / f.where(zero, 1, length))
