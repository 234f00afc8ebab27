"""Normalization of values (N, channels, *spatial), and of the last axes of any."""

from __future__ import annotations

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators.layer_norm import LayerNorm
from raygrad.proto.operators.normalization import BatchNorm, BatchNormInference
from raygrad.proto.operators.pooling import AvgPool
from raygrad.proto.tensor import DType, merged
from raygrad.proto.value import Value

from .elementwise import sqrt
from .node import node
from .shapes import flatten


def batch_norm(x: Value, weight: Value, bias: Value, eps: float = 1e-5) -> tuple[Value, Value, Value]:
    """Training: x (N, C, *spatial) normalized per channel with this mini-batch's statistics, and these.

    Returns (y, mean, variance); the variance is the biased one. Running statistics are the client's:
    name mean and variance as outputs, and fold them (`raygrad.client.statistics`).
    """
    y, mean, variance = x.builder.add(BatchNorm(eps), (x, weight, bias))
    return y, mean, variance


def batch_norm_inference(
    x: Value, weight: Value, bias: Value, mean: Value, variance: Value, eps: float = 1e-5
) -> Value:
    """x (N, C, *spatial) normalized per channel with the given statistics."""
    return node(BatchNormInference(eps), x, weight, bias, mean, variance)


def layer_norm(
    x: Value, axes: int = 1, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5
) -> Value:
    """Each sample normalized by its mean and variance over the last `axes` axes, times weight, plus bias.

    Weight and bias have the sizes of these axes; either may be left out.
    """
    _check_weights("layer_norm", x, axes, weight, bias)
    if weight is not None and bias is not None:
        return node(LayerNorm(axes, eps), x, weight, bias)
    y = node(LayerNorm(axes, eps), x)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x: Value, axes: int = 1, weight: Value | None = None, eps: float = 1e-5) -> Value:
    """x / √(mean of x² over the last `axes` axes + eps), times a weight with the sizes of these axes.

    Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019), https://arxiv.org/abs/1910.07467.
    In half precision the mean is taken in float32: the square of 256 is too large for a float16.
    """
    _check_weights("rms_norm", x, axes, weight)
    if x.dtype.is_half:
        wide = None if weight is None else weight.astype(DType.float32)
        return rms_norm(x.astype(DType.float32), axes, wide, eps).astype(x.dtype)
    y = x / sqrt(x.square().mean(range(x.rank - axes, x.rank), keepdims=True) + eps)
    return y if weight is None else y * weight


def _check_weights(name: str, x: Value, axes: int, *weights: Value | None) -> None:
    """The last axes exist, and weights have their sizes."""
    if not 1 <= axes <= x.rank:
        raise TypeMismatchError(f"{name}: {x.type} has no {axes} last axes")
    wanted = x.type.of_shape(x.shape[-axes:])
    for weight in weights:
        if weight is not None and weight.shape != wanted.shape:
            raise TypeMismatchError(f"{name}: a weight or bias for {x.type} is {wanted}, got {weight.type}")


def group_norm(
    x: Value, groups: int, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5
) -> Value:
    """x (N, C, *spatial) normalized per sample and group of C/groups channels; weight and bias are (C,).

    Wu and He, "Group Normalization" (2018), https://arxiv.org/abs/1803.08494.
    """
    if x.rank < 2:
        raise TypeMismatchError(f"group_norm needs (N, C, *spatial), got {x.type}")
    (channels,) = x.type.of_shape(x.shape[1:2]).static
    if groups < 1 or channels % groups:
        raise TypeMismatchError(f"group_norm: the channels of {x.type} do not make {groups} groups")
    within = (channels // groups, *x.shape[2:])
    # As one axis, where its size can be written: a backend may lay four and five axes channels-last.
    whole = merged(within)
    inner = within if whole is None else (whole,)
    grouped = x.reshape((x.shape[0], groups, *inner))
    normal = node(LayerNorm(len(inner), eps), grouped).reshape(x.shape)
    return _per_channel(normal, weight, bias)


def instance_norm(
    x: Value, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5
) -> Value:
    """x (N, C, *spatial) normalized per sample and channel; weight and bias are (C,).

    Ulyanov, Vedaldi and Lempitsky, "Instance Normalization" (2016), https://arxiv.org/abs/1607.08022.
    """
    if x.rank < 3:
        raise TypeMismatchError(f"instance_norm needs (N, C, *spatial), got {x.type}")
    return _per_channel(node(LayerNorm(x.rank - 2, eps), x), weight, bias)


def _per_channel(x: Value, weight: Value | None, bias: Value | None) -> Value:
    """x (N, C, *spatial) times weight (C,), plus bias (C,)."""
    for given in (weight, bias):
        if given is not None and given.shape != x.shape[1:2]:
            raise TypeMismatchError(
                f"a weight or bias of {x.type} has one element per channel, got {given.type}"
            )
    ones = [1] * (x.rank - 2)
    y = x if weight is None else x * weight.reshape((*weight.shape, *ones))
    return y if bias is None else y + bias.reshape((*bias.shape, *ones))


def local_response_norm(
    x: Value, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Value:
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta, for x (N, C, *spatial).

    The window of a channel begins ⌊size/2⌋ channels before it; channels that do not exist count as zeros.
    Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep CNNs" (2012), section 3.3.
    """
    if x.rank < 3 or size < 1:
        raise TypeMismatchError(
            f"local_response_norm: {x.type} is not (N, C, *spatial), or the size {size} below 1"
        )
    squares = x.square() if x.rank < 5 else flatten(x.square(), 3)
    planes = squares.reshape((x.shape[0], 1, *squares.shape[1:]))
    still = [(0, 0)] * (squares.rank - 2)
    ones = [1] * (squares.rank - 2)
    window = AvgPool((1, *ones), ((size // 2, (size - 1) // 2), *still), (size, *ones), True)
    mean = node(window, planes).reshape(x.shape)
    return x / (mean * alpha + k) ** beta
