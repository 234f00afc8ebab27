"""Activations: the nonlinearities of networks, and probabilities."""

from __future__ import annotations

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import loss
from raygrad.proto.value import Value

from .elementwise import exp
from .node import node


def relu(x: Value) -> Value:
    """max(x, 0), with derivative 0 at 0."""
    return node(ew.Relu(), x)


def leaky_relu(x: Value, slope: float = 0.01) -> Value:
    """x where x > 0, else slope · x."""
    return node(ew.LeakyRelu(slope), x)


def sigmoid(x: Value) -> Value:
    """1 / (1 + e⁻ˣ)."""
    return node(ew.Sigmoid(), x)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent."""
    return node(ew.Tanh(), x)


def softplus(x: Value) -> Value:
    """log(1 + eˣ), without overflow."""
    return node(ew.Softplus(), x)


def log_softmax(x: Value, axis: int = -1) -> Value:
    """x − log Σ eˣ along `axis`, without overflow."""
    return node(loss.LogSoftmax(x.type.axis(axis)), x)


def softmax(x: Value, axis: int = -1) -> Value:
    """eˣ / Σ eˣ along `axis`, without overflow."""
    return exp(log_softmax(x, axis))
