"""Losses."""

from __future__ import annotations

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter


def mse_loss(x: Value, target: Value, reduction: str = "mean") -> Value:
    return f.mse_loss(x, target, reduction)


def l1_loss(x: Value, target: Value, reduction: str = "mean") -> Value:
    return f.l1_loss(x, target, reduction)


def smooth_l1_loss(x: Value, target: Value, reduction: str = "mean", beta: float = 1.0) -> Value:
    return f.smooth_l1_loss(x, target, beta, reduction=reduction)


def huber_loss(x: Value, target: Value, reduction: str = "mean", delta: float = 1.0) -> Value:
    return f.huber_loss(x, target, delta, reduction=reduction)


def cross_entropy(
    x: Value,
    target: Value,
    weight: Value | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Value:
    """PyTorch's classes are axis 1."""
    if target.dtype.is_floating:
        raise Declined("cross-entropy of class probabilities")
    logits = x.transpose((0, *range(2, x.rank), 1)) if x.rank > 2 else x
    return f.cross_entropy(
        logits,
        target,
        reduction,
        weight=weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )


def nll_loss(
    x: Value, target: Value, weight: Value | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Value:
    scores = x.transpose((0, *range(2, x.rank), 1)) if x.rank > 2 else x
    return f.nll_loss(scores, target, reduction, weight=weight, ignore_index=ignore_index)


def binary_cross_entropy_with_logits(
    x: Value,
    target: Value,
    weight: Value | None = None,
    reduction: str = "mean",
    pos_weight: Value | None = None,
) -> Value:
    return f.binary_cross_entropy_with_logits(x, target, reduction, weight=weight, pos_weight=pos_weight)


def kl_div(x: Value, target: Value, reduction: str = "mean", log_target: bool = False) -> Value:
    return f.kl_div(x, target, reduction, log_target=log_target)


def hinge_embedding_loss(x: Value, target: Value, margin: float = 1.0, reduction: str = "mean") -> Value:
    return f.hinge_embedding_loss(x, target, margin, reduction=reduction)


def cosine_embedding_loss(
    a: Value, b: Value, target: Value, margin: float = 0.0, reduction: str = "mean"
) -> Value:
    return f.cosine_embedding_loss(a, b, target, margin, reduction=reduction)


def cosine_similarity(a: Value, b: Value, dim: int = 1, eps: float = 1e-8) -> Value:
    return f.cosine_similarity(a, b, dim, eps)


NAMED = (
    mse_loss,
    l1_loss,
    smooth_l1_loss,
    huber_loss,
    cross_entropy,
    nll_loss,
    binary_cross_entropy_with_logits,
    kl_div,
    hinge_embedding_loss,
    cosine_embedding_loss,
    cosine_similarity,
)
ADAPTERS: dict[str, Adapter] = {f"nn.functional.{function.__name__}": function for function in NAMED}
