"""Losses by element: how far an output is from its target. Names and formulas are `torch.nn.functional`'s."""

from __future__ import annotations

import math
from typing import Literal

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.operators.elementwise import zero_where
from raygrad.proto.operators.special import BinaryCrossEntropy
from raygrad.proto.tensor import DType
from raygrad.proto.value import Operand, Value, binary, lift

from .activations import softplus
from .elementwise import maximum, where, xlogy
from .exponentials import exp, log

Reduction = Literal["mean", "sum", "none"]
"""What becomes of the losses of the elements."""


def reduced(losses: Value, reduction: Reduction, count: Value | None = None) -> Value:
    """The losses as the reduction wants them; a mean divides by `count`, which is their number by default."""
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ConfigurationError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if count is None else quotient(losses, count)


def quotient(losses: Value, count: Value) -> Value:
    """The sum by `count`; in half precision both are too large beyond 65,504, and are taken in float32."""
    wide = DType.float32 if losses.dtype.is_half else losses.dtype
    return (losses.astype(wide).sum() / count.astype(wide)).astype(losses.dtype)


def total(factors: Value) -> Value:
    """The sum of factors, which may be many."""
    return (factors.astype(DType.float32) if factors.dtype.is_half else factors).sum()


# -- distances --------------------------------------------------------------------------------------


def mse_loss(x: Value, target: Operand, reduction: Reduction = "mean") -> Value:
    """(x − target)²."""
    return reduced((x - target).square(), reduction)


def l1_loss(x: Value, target: Operand, reduction: Reduction = "mean") -> Value:
    """|x − target|."""
    return reduced(abs(x - target), reduction)


def smooth_l1_loss(x: Value, target: Operand, reduction: Reduction = "mean", beta: float = 1.0) -> Value:
    """(x − target)² / (2 · beta) where |x − target| < beta, else |x − target| − beta / 2."""
    if beta < 0:
        raise ConfigurationError(f"beta of smooth_l1_loss cannot be negative, got {beta}")
    if beta == 0:
        return l1_loss(x, target, reduction)
    return huber_loss(x, target, reduction, beta) / beta


def huber_loss(x: Value, target: Operand, reduction: Reduction = "mean", delta: float = 1.0) -> Value:
    """(x − target)² / 2 where |x − target| ≤ delta, else delta · (|x − target| − delta / 2)."""
    if delta <= 0:
        raise ConfigurationError(f"delta of huber_loss must be above 0, got {delta}")
    return reduced(_huber(x, target, delta), reduction)


def _huber(x: Value, target: Operand, delta: float) -> Value:
    distance = abs(x - target)
    far = distance > delta
    return where(far, delta * (distance - 0.5 * delta), zero_where(far, distance).square() * 0.5)


# -- probabilities ----------------------------------------------------------------------------------


def binary_cross_entropy(
    p: Value, target: Operand, weight: Operand | None = None, reduction: Reduction = "mean"
) -> Value:
    """−(target · log p + (1 − target) · log(1 − p)), in nats; a logarithm is at least −100."""
    losses: Value = binary(BinaryCrossEntropy(), p, target)
    return reduced(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    x: Value,
    target: Operand,
    weight: Operand | None = None,
    reduction: Reduction = "mean",
    pos_weight: Operand | None = None,
) -> Value:
    """The binary cross-entropy of σ(x), without overflow; `pos_weight` multiplies the part of target 1."""
    share, rest = lift(target, x), softplus(-x)
    if pos_weight is not None:
        rest = rest * ((lift(pos_weight, x) - 1.0) * share + 1.0)
    losses = (1.0 - share) * x + rest
    return reduced(losses if weight is None else losses * weight, reduction)


def kl_div(
    x: Value,
    target: Value,
    reduction: Reduction | Literal["batchmean"] = "mean",
    log_target: bool = False,
) -> Value:
    """target · (log target − x), the divergence of log-probabilities x from probabilities.

    With `log_target` these are given by their logarithms. "batchmean" is the sum by the first axis's size:
    the divergence as it is defined.
    """
    losses = exp(target) * (target - x) if log_target else xlogy(target, target) - target * x
    if reduction != "batchmean":
        return reduced(losses, reduction)
    rows = losses.builder.size_of(losses.shape[:1], DType.float32 if losses.dtype.is_half else losses.dtype)
    return quotient(losses, rows)


def poisson_nll_loss(
    x: Value,
    target: Value,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Value:
    """The negative log-likelihood of counts under a Poisson distribution of rate eˣ (x without `log_input`).

    `full` adds Stirling's approximation of the term that does not depend on x, for counts above 1.
    """
    losses = exp(x) - target * x if log_input else x - target * log(x + eps)
    if full:
        many = target > 1.0
        count = where(many, target, 1.0)
        stirling = count * log(count) - count + 0.5 * log(count * (2.0 * math.pi))
        losses = losses + where(many, stirling, 0.0)
    return reduced(losses, reduction)


def gaussian_nll_loss(
    x: Value,
    target: Operand,
    variance: Value,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Value:
    """The negative log-likelihood of the target under normal distributions; variances are at least `eps`.

    The variances have the shape of x, or that without its last axis. `full` adds the constant log(2π) / 2.
    """
    if eps <= 0:
        raise ConfigurationError(f"eps of gaussian_nll_loss must be above 0, got {eps}")
    per_row = variance.shape == x.shape[:-1] and x.rank > 0
    bounded = maximum(variance.reshape((*variance.shape, 1)) if per_row else variance, eps)
    losses = 0.5 * (log(bounded) + (x - target).square() / bounded)
    return reduced(losses + 0.5 * math.log(2.0 * math.pi) if full else losses, reduction)
