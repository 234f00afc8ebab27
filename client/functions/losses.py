"""Losses: how far an output is from its target."""

from __future__ import annotations

from typing import Literal

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.operators import loss
from raygrad.proto.value import Operand, Value

from .node import node

Reduction = Literal["mean", "sum", "none"]
"""What becomes of the losses of the rows."""


def cross_entropy(logits: Value, labels: Value, reduction: Reduction = "mean") -> Value:
    """−log softmax(logits)[label]: logits (*rows, classes), integer labels (*rows), in nats."""
    return _reduced(node(loss.CrossEntropy(), logits, labels), reduction)


def mse_loss(x: Value, target: Operand, reduction: Reduction = "mean") -> Value:
    """(x − target)²."""
    return _reduced((x - target).square(), reduction)


def _reduced(losses: Value, reduction: Reduction) -> Value:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ConfigurationError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return losses.mean() if reduction == "mean" else losses.sum()
