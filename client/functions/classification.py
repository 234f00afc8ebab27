"""Losses of classification: likelihoods and margins of labels, as in `torch.nn.functional`.

Classes lie along `axis`, the last one by default; PyTorch's images (N, C, *spatial) are `axis=1`.
"""

from __future__ import annotations

import numpy as np

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.operators.elementwise import zero_where
from raygrad.proto.operators.indexing import Gather, Take
from raygrad.proto.operators.loss import CrossEntropy
from raygrad.proto.value import Value

from .activations import log_softmax
from .elementwise import where
from .indexing import one_hot
from .losses import Reduction, reduced, total
from .node import node
from .shapes import moveaxis


def cross_entropy(
    logits: Value,
    target: Value,
    reduction: Reduction = "mean",
    weight: Value | None = None,
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Value:
    """−log softmax(logits)[label] for integer labels of the shape of the logits without `axis`, in nats.

    A floating-point target of the logits' shape holds probabilities of the classes instead. `weight`
    (classes,) multiplies the losses by class, and a mean over labels divides by the weights' sum. Rows
    labelled `ignore_index` do not count. Smoothing mixes the target with the uniform distribution: Szegedy
    et al., "Rethinking the Inception Architecture for Computer Vision" (2016), section 7.
    """
    if not 0 <= label_smoothing <= 1:
        raise ConfigurationError(f"label_smoothing must be 0 to 1, got {label_smoothing}")
    rows = moveaxis(logits, axis, -1)
    if target.dtype.is_floating:
        if ignore_index is not None:
            raise ConfigurationError("a target of probabilities has no labels to ignore")
        return _of_probabilities(rows, moveaxis(target, axis, -1), reduction, weight, label_smoothing)
    labels, counted = _labels(target, ignore_index)
    losses = node(CrossEntropy(), rows, labels)
    factors = _factors(labels, counted, weight, rows)
    losses = losses if factors is None else losses * factors
    if label_smoothing:
        even = -_weighted(log_softmax(rows), weight).mean(-1)
        losses = (1.0 - label_smoothing) * losses + label_smoothing * even
    losses = losses if counted is None else zero_where(~counted, losses)
    return reduced(losses, reduction, None if factors is None else total(factors))


def nll_loss(
    log_probabilities: Value,
    target: Value,
    reduction: Reduction = "mean",
    weight: Value | None = None,
    ignore_index: int | None = None,
    axis: int = -1,
) -> Value:
    """−x[label] for integer labels of the shape of x without `axis`; weights as in `cross_entropy`."""
    rows = moveaxis(log_probabilities, axis, -1)
    labels, counted = _labels(target, ignore_index)
    if rows.shape[:-1] != labels.shape:
        raise TypeMismatchError(f"nll_loss needs one label for each row of {rows.type}, got {target.type}")
    chosen = node(Gather(rows.rank - 1), rows, labels.reshape((*labels.shape, 1)))
    losses = -chosen.reshape(labels.shape)
    factors = _factors(labels, counted, weight, rows)
    if factors is None:
        return reduced(losses, reduction)
    return reduced(zero_where(factors.equals(0.0), losses * factors), reduction, total(factors))


def multi_margin_loss(
    x: Value,
    target: Value,
    p: int = 1,
    margin: float = 1.0,
    weight: Value | None = None,
    reduction: Reduction = "mean",
) -> Value:
    """Σ max(0, margin − x[label] + x[class])ᵖ over the other classes, by their number; p is 1 or 2.

    x is (N, classes) and the target (N,); `weight` (classes,) multiplies the margins by their label.
    """
    if p not in (1, 2):
        raise ConfigurationError(f"p of multi_margin_loss must be 1 or 2, got {p}")
    at = target.reshape((*target.shape, 1))
    lack = margin - node(Gather(x.rank - 1), x, at) + x
    short = zero_where(~(lack > 0.0), lack)
    losses = short.square() if p == 2 else short
    losses = losses if weight is None else losses * node(Take(0), weight, at)
    others = ~one_hot(target, x.shape[-1]).astype("bool")
    return reduced(where(others, losses, 0.0).mean(-1), reduction)


def _labels(target: Value, ignore_index: int | None) -> tuple[Value, Value | None]:
    """Labels of which the ignored are 0, and which count."""
    if ignore_index is None or not target.dtype.is_integer:
        return target, None
    info = np.iinfo(target.dtype.value)
    if not info.min <= ignore_index <= info.max:  # no label is
        return target, None
    counted = target.differs(ignore_index)
    return where(counted, target, 0), counted


def _factors(labels: Value, counted: Value | None, weight: Value | None, rows: Value) -> Value | None:
    """What each row's loss is multiplied by, if not by 1."""
    if weight is None:
        return None if counted is None else counted.astype(rows.dtype)
    factors = node(Take(0), weight, labels)
    return factors if counted is None else zero_where(~counted, factors)


def _weighted(rows: Value, weight: Value | None) -> Value:
    return rows if weight is None else rows * weight


def _of_probabilities(
    rows: Value, target: Value, reduction: Reduction, weight: Value | None, smoothing: float
) -> Value:
    """−Σ target · weight · log softmax over the classes; a mean is over the rows, whatever their weights."""
    if target.shape != rows.shape:
        raise TypeMismatchError(f"probabilities {target.type} do not fit the logits {rows.type}")
    if smoothing:
        classes = rows.builder.size_of(rows.shape[-1:], rows.dtype)
        target = target * (1.0 - smoothing) + smoothing / classes
    return reduced(-(target * _weighted(log_softmax(rows), weight)).sum(-1), reduction)
