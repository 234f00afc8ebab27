"""Activations: the nonlinearities of networks, and probabilities."""

from __future__ import annotations

import math
from typing import Literal

from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import loss
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from .elementwise import abs, sign, where
from .exponentials import erfc, exp, expm1
from .node import is_number, node
from .shapes import split
from .trigonometry import tanh


def relu(x: Value) -> Value:
    """max(x, 0), with derivative 0 at 0."""
    return node(ew.Relu(), x)


def leaky_relu(x: Value, slope: float = 0.01) -> Value:
    """x where x > 0, else slope · x."""
    return node(ew.LeakyRelu(slope), x)


def sigmoid(x: Value) -> Value:
    """1 / (1 + e⁻ˣ)."""
    return node(ew.Sigmoid(), x)


def softplus(x: Value, beta: float = 1.0) -> Value:
    """log(1 + e^(beta · x)) / beta, without overflow; beta is not 0."""
    if is_number(beta, 0.0):
        raise ConfigurationError("beta of softplus cannot be 0")
    return node(ew.Softplus(), x) if is_number(beta, 1.0) else node(ew.Softplus(), x * beta) / beta


def log_sigmoid(x: Value) -> Value:
    """log(1 / (1 + e⁻ˣ)), without overflow."""
    return -softplus(-x)


def softsign(x: Value) -> Value:
    """x / (1 + |x|)."""
    return x / (abs(x) + 1.0)


def threshold(x: Value, above: float, otherwise: float) -> Value:
    """x where x > above (or NaN), else the number `otherwise`."""
    return where(x <= above, otherwise, x)


def thresholded_relu(x: Value, alpha: float = 1.0) -> Value:
    """x where x > alpha, else 0."""
    return threshold(x, alpha, 0.0)


def hard_tanh(x: Value, low: float = -1.0, high: float = 1.0) -> Value:
    """x between `low` and `high`, which it does not leave; the derivative on the border is 0."""
    if low > high:
        raise ConfigurationError(f"hard_tanh needs a low that is not above high, got {low} and {high}")
    return where(x <= low, low, where(x >= high, high, x))


def relu6(x: Value) -> Value:
    """max(x, 0), at most 6."""
    return hard_tanh(x, 0.0, 6.0)


def hard_sigmoid(x: Value, alpha: float = 1 / 6, beta: float = 0.5) -> Value:
    """alpha · x + beta between 0 and 1, by default as in PyTorch; ONNX has alpha = 0.2."""
    line = x * alpha + beta
    return where((line > 0.0) & (line < 1.0), line, hard_tanh(line.detach(), 0.0, 1.0))


def hard_swish(x: Value) -> Value:
    """x · hard_sigmoid(x)."""
    inside = (x > -3.0) & (x < 3.0)
    bend = ew.zero_where(~inside, x)
    return where(inside, bend * (bend * (1 / 6) + 0.5), where(x <= -3.0, x.detach() * 0.0, x))


def elu(x: Value, alpha: float = 1.0) -> Value:
    """x where x > 0, else alpha · (eˣ − 1)."""
    return _scaled_elu(x, 1.0, alpha, 1.0)


def selu(x: Value) -> Value:
    """scale · elu(x, alpha), with the numbers of Klambauer et al., Self-Normalizing Neural Networks, 2017."""
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return _scaled_elu(x, scale, scale * alpha, 1.0)


def celu(x: Value, alpha: float = 1.0) -> Value:
    """x where x > 0, else alpha · (e^(x/alpha) − 1)."""
    if alpha == 0:
        raise ConfigurationError("alpha of celu cannot be 0")
    return _scaled_elu(x, 1.0, alpha, alpha)


def _scaled_elu(x: Value, scale: float, alpha: float, width: float) -> Value:
    """scale · x where x > 0, else alpha · (e^(x/width) − 1), not overflowing where it is not chosen."""
    bends = x <= 0.0
    below = ew.zero_where(~bends, x)
    curve = expm1(below if is_number(width, 1.0) else below / width)
    curve = curve if is_number(alpha, 1.0) else curve * alpha
    return where(bends, curve, x if is_number(scale, 1.0) else x * scale)


def prelu(x: Value, weight: Value) -> Value:
    """x where x > 0, else weight · x; the weight broadcasts, or is a vector over the channels (axis 1)."""
    per_channel = weight.rank == 1 and x.rank > 2
    slope = weight.reshape((*weight.shape, *(1,) * (x.rank - 2))) if per_channel else weight
    if broadcast_shapes(x.shape, slope.shape) != x.shape:
        raise TypeMismatchError(f"the weight {weight.type} of prelu does not broadcast to {x.type}")
    above = x > 0.0
    return where(above, x, ew.zero_where(above, x) * slope)


def silu(x: Value) -> Value:
    """x · sigmoid(x), also called swish."""
    return x * sigmoid(x)


def mish(x: Value) -> Value:
    """x · tanh(softplus(x))."""
    return x * tanh(softplus(x))


def gelu(x: Value, approximate: Literal["none", "tanh"] = "none") -> Value:
    """x · Φ(x), with the normal distribution Φ or its approximation by tanh (Hendrycks and Gimpel, 2016)."""
    if approximate == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2.0 / math.pi)
        return x * 0.5 * (tanh(inner) + 1.0)
    if approximate != "none":
        raise ConfigurationError(f"approximate must be 'none' or 'tanh', got {approximate!r}")
    return x * 0.5 * erfc(x * -math.sqrt(0.5))


def hard_shrink(x: Value, lambd: float = 0.5) -> Value:
    """0 where |x| ≤ lambd, else x."""
    return ew.zero_where(abs(x) <= lambd, x)


def soft_shrink(x: Value, lambd: float = 0.5, bias: float | None = None) -> Value:
    """x moved toward 0 by `bias` (by lambd, if none is given) where |x| > lambd, else 0."""
    if lambd < 0:
        raise ConfigurationError(f"lambd of soft_shrink cannot be negative, got {lambd}")
    width = lambd if bias is None else bias
    return ew.zero_where(abs(x) <= lambd, x - sign(x) * width)


def tanh_shrink(x: Value) -> Value:
    """x − tanh x."""
    return x - tanh(x)


def glu(x: Value, axis: int = -1) -> Value:
    """The first half of x along `axis`, whose size is an even number, times the sigmoid of the second."""
    size = x.shape[x.type.axis(axis)]
    if isinstance(size, str) or size % 2:
        raise SizeError(f"glu halves axis {axis} of {x.type}: it needs an even number of elements")
    first, second = split(x, (size // 2, size // 2), axis)
    return first * sigmoid(second)


def log_softmax(x: Value, axis: int = -1) -> Value:
    """x − log Σ eˣ along `axis`, without overflow."""
    return node(loss.LogSoftmax(x.type.axis(axis)), x)


def softmax(x: Value, axis: int = -1) -> Value:
    """eˣ / Σ eˣ along `axis`, without overflow.

    In half precision it is taken in float32: rounding a logarithm of −10 to bfloat16 costs 3 % of its number.
    """
    if x.dtype.is_half:
        return softmax(x.astype(DType.float32), axis).astype(x.dtype)
    return exp(log_softmax(x, axis))


def softmin(x: Value, axis: int = -1) -> Value:
    """e⁻ˣ / Σ e⁻ˣ along `axis`, without overflow."""
    return softmax(-x, axis)
