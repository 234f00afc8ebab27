"""Products, convolutions, pooling, normalizations and losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from raygrad.proto.errors import UnsupportedOperatorError
from raygrad.proto.operators import convolution, layer_norm, linear, loss, normalization, pooling, resampling
from raygrad.proto.operators.window import Padding
from raygrad.proto.tensor import DType, TensorType

from .table import exports
from .writer import Use, Writer

# -- products -----------------------------------------------------------------------------------------


@exports(linear.MatMul)
def matmul(writer: Writer, op: linear.MatMul, use: Use) -> str:
    flags = (op.transpose_a, op.transpose_b)
    matrices = [
        _transposed(writer, x, t.rank) if flag else x
        for x, t, flag in zip(use.inputs, use.types, flags, strict=True)
    ]
    return writer.add("MatMul", *matrices)


@exports(linear.MatMulSum)
def matmul_sum(writer: Writer, op: linear.MatMulSum, use: Use) -> str:
    a, b = (_rows(writer, x, t) for x, t in zip(use.inputs, use.types, strict=True))
    return writer.add("MatMul", _transposed(writer, a, 2), b)


def _rows(writer: Writer, x: str, of: TensorType) -> str:
    """x as a matrix: all its axes but the last as one. Of a matrix without columns, -1 would say nothing."""
    return x if of.rank == 2 else writer.add("Flatten", x, axis=of.rank - 1)


def _transposed(writer: Writer, x: str, rank: int) -> str:
    return writer.transpose(x, [*range(rank - 2), rank - 1, rank - 2])


# -- windows ------------------------------------------------------------------------------------------


def _pads(padding: Padding) -> list[int]:
    return [before for before, _ in padding] + [after for _, after in padding]


def _convolution(op: convolution.Convolution) -> dict[str, Any]:
    return {"strides": list(op.stride), "dilations": list(op.dilation), "group": op.groups}


@exports(convolution.Conv)
def conv(writer: Writer, op: convolution.Conv, use: Use) -> str:
    return writer.add("Conv", *use.inputs, pads=_pads(op.padding), **_convolution(op))


@exports(convolution.ConvInputGrad)
def conv_transpose(writer: Writer, op: convolution.ConvInputGrad, use: Use) -> str:
    """What programs call a transposed convolution; the output's size is completed at its end."""
    g, w = (t.of_shape(t.shape[2:]).static for t in use.types)
    sizes = TensorType(op.spatial, DType.int64).static
    axes = zip(g, w, op.stride, op.dilation, op.padding, sizes, strict=True)
    more = [
        size - ((windows - 1) * step + (kernel - 1) * space + 1 - sum(pads))
        for windows, kernel, step, space, pads, size in axes
    ]
    return writer.add(
        "ConvTranspose", *use.inputs, pads=_pads(op.padding), output_padding=more, **_convolution(op)
    )


@exports(pooling.MaxPool)
def max_pool(writer: Writer, op: pooling.MaxPool, use: Use) -> tuple[str, ...]:
    attributes: dict[str, Any] = {
        "kernel_shape": list(op.kernel),
        "strides": list(op.stride),
        "dilations": list(op.dilation),
        "pads": _pads(op.padding),
    }
    if 1 not in use.used:
        return (writer.add("MaxPool", *use.inputs, **attributes),)
    y, places = writer.add_many("MaxPool", 2, *use.inputs, **attributes)
    plane = writer.add("ReduceProd", writer.shape(use.x.shape[2:]), keepdims=0)
    return y, writer.add("Mod", places, plane)  # ONNX counts places over the whole tensor


@exports(pooling.AvgPool)
def avg_pool(writer: Writer, op: pooling.AvgPool, use: Use) -> str:
    return writer.add(
        "AveragePool",
        *use.inputs,
        kernel_shape=list(op.kernel),
        strides=list(op.stride),
        pads=_pads(op.padding),
        count_include_pad=int(op.count_include_pad),
    )


# -- normalizations -----------------------------------------------------------------------------------


@exports(normalization.BatchNormInference)
def batch_norm_inference(writer: Writer, op: normalization.BatchNormInference, use: Use) -> str:
    return writer.add("BatchNormalization", *use.inputs, epsilon=op.eps)


@exports(normalization.BatchNorm)
def batch_norm(writer: Writer, op: normalization.BatchNorm, use: Use) -> tuple[str, ...]:
    """The statistics of the mini-batch, and the normalization with them."""
    x, weight, bias = use.inputs
    axes = (0, *range(2, use.x.rank))
    kept = _mean(writer, x, axes)
    centred = writer.add("Sub", x, kept)
    mean = writer.reshape(kept, (use.x.shape[1],))
    variance = writer.reshape(_mean(writer, writer.add("Mul", centred, centred), axes), (use.x.shape[1],))
    y = writer.add("BatchNormalization", x, weight, bias, mean, variance, epsilon=op.eps)
    return y, mean, variance


def _mean(writer: Writer, x: str, axes: Sequence[int]) -> str:
    return writer.add("ReduceMean", x, writer.ints(axes), keepdims=1)


@exports(layer_norm.LayerNorm)
def layer_normalization(writer: Writer, op: layer_norm.LayerNorm, use: Use) -> str:
    x, *scale = use.inputs
    first = use.x.rank - op.axes
    if not scale:
        scale = [writer.add("Expand", writer.number(1, use.x), writer.shape(use.x.shape[first:]))]
    return writer.add("LayerNormalization", x, *scale, axis=first, epsilon=op.eps)


# -- losses -------------------------------------------------------------------------------------------


@exports(loss.LogSoftmax)
def log_softmax(writer: Writer, op: loss.LogSoftmax, use: Use) -> str:
    return writer.add("LogSoftmax", *use.inputs, axis=op.axis)


@exports(loss.CrossEntropy)
def cross_entropy(writer: Writer, op: loss.CrossEntropy, use: Use) -> str:
    logits, labels = use.inputs
    axis = use.x.rank - 1
    column = writer.add("Unsqueeze", writer.cast(labels, DType.int64), writer.ints([axis]))
    chosen = writer.add("GatherElements", writer.add("LogSoftmax", logits, axis=axis), column, axis=axis)
    return writer.add("Neg", writer.add("Squeeze", chosen, writer.ints([axis])))


# -- resizing -----------------------------------------------------------------------------------------


@exports(resampling.Resample)
def resample(writer: Writer, op: resampling.Resample, use: Use) -> str:
    """By its scale, if the size follows from that, or else by its size."""
    old = use.x.shape[op.axis]
    follows = isinstance(old, int) and math.floor(old * op.scale) == op.size
    extrapolates = op.coordinates == "tf_crop_and_resize"
    if op.kernel == "area" or op.zero_outside != extrapolates or (op.scale and not follows):
        raise UnsupportedOperatorError(f"{op!r} of {use.x} has no form in ONNX")
    roi, scale = (writer.constant(np.asarray(n, np.float32)) for n in ((op.begin, op.end), (op.scale,)))
    extent = [scale] if op.scale else ["", writer.length(op.size)]
    return writer.add(
        "Resize",
        use.inputs[0],
        roi,
        *extent,
        axes=[op.axis],
        mode=op.kernel,
        coordinate_transformation_mode=op.coordinates,
        nearest_mode=op.rounding,
        cubic_coeff_a=op.coefficient,
        antialias=int(op.antialias),
        exclude_outside=int(op.exclude_outside),
    )
