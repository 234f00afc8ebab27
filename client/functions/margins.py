"""Losses that want a margin between what belongs together and what does not, as in `torch.nn.functional`."""

from __future__ import annotations

from raygrad.proto.value import Operand, Value, lift

from .activations import log_sigmoid, softplus
from .elementwise import clip, minimum, sqrt, where
from .losses import Reduction, reduced
from .similarity import pairwise_distance


def hinge_loss(x: Value, target: Operand, margin: float = 1.0, reduction: Reduction = "mean") -> Value:
    """max(0, margin − target · x), with targets 1 and −1."""
    return reduced(clip(margin - target * x, 0.0), reduction)


def hinge_embedding_loss(
    x: Value, target: Value, margin: float = 1.0, reduction: Reduction = "mean"
) -> Value:
    """x where the target is 1, and max(0, margin − x) where it is −1: x is a distance."""
    like, unlike = target.differs(-1), target.differs(1)
    return reduced(where(unlike, clip(margin - x, 0.0), 0.0) + where(like, x, 0.0), reduction)


def margin_ranking_loss(
    a: Value, b: Value, target: Operand, margin: float = 0.0, reduction: Reduction = "mean"
) -> Value:
    """max(0, margin − target · (a − b)): a should be the larger where the target is 1, b where it is −1."""
    return reduced(clip(margin - target * (a - b), 0.0), reduction)


def soft_margin_loss(x: Value, target: Operand, reduction: Reduction = "mean") -> Value:
    """log(1 + exp(−target · x)), with targets 1 and −1."""
    return reduced(softplus(-(target * x)), reduction)


def multilabel_soft_margin_loss(
    x: Value, target: Operand, weight: Operand | None = None, reduction: Reduction = "mean"
) -> Value:
    """The binary cross-entropy of σ(x) (*, classes) with targets 0 and 1, averaged over the classes."""
    share = lift(target, x)
    losses = -(share * log_sigmoid(x) + (1.0 - share) * log_sigmoid(-x))
    return reduced((losses if weight is None else losses * weight).mean(-1), reduction)


def cosine_embedding_loss(
    a: Value, b: Value, target: Value, margin: float = 0.0, reduction: Reduction = "mean"
) -> Value:
    """1 − cos(a, b) where the target is 1, and max(0, cos(a, b) − margin) where it is −1.

    a and b are (*rows, size), the target is (*rows).
    """
    lengths = [value.square().sum(-1) + 1e-12 for value in (a, b)]
    cosine = (a * b).sum(-1) / sqrt(lengths[0] * lengths[1])
    like = where(target.equals(1), 1.0 - cosine, 0.0)
    return reduced(like + where(target.equals(-1), clip(cosine - margin, 0.0), 0.0), reduction)


def triplet_margin_loss(
    anchor: Value,
    positive: Value,
    negative: Value,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Value:
    """max(0, margin + ‖anchor − positive‖ₚ − ‖anchor − negative‖ₚ) of the rows (*rows, size).

    With `swap` the negative's distance is the smaller of those to the anchor and to the positive.
    """
    near, far = (pairwise_distance(anchor, other, p, eps) for other in (positive, negative))
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced(clip(margin + near - far, 0.0), reduction)
