"""Losses and similarities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter, axis_of


def of_two(name: str) -> Adapter:
    """A loss of x and a target, with options that have the same names here."""

    def call(x: Value, target: Value, reduction: str = "mean", **options: Any) -> Value:
        return getattr(f, name)(x, target, reduction=reduction, **options)

    return call


def of_three(name: str) -> Adapter:
    def call(a: Value, b: Value, c: Value, reduction: str = "mean", **options: Any) -> Value:
        return getattr(f, name)(a, b, c, reduction=reduction, **options)

    return call


def cross_entropy(
    x: Value,
    target: Value,
    weight: Value | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Value:
    """PyTorch's classes are axis 1, or the only one."""
    ignored = None if target.dtype.is_floating else ignore_index
    return f.cross_entropy(x, target, reduction, weight, ignored, label_smoothing, min(1, x.rank - 1))


def nll_loss(
    x: Value, target: Value, weight: Value | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Value:
    return f.nll_loss(x, target, reduction, weight, ignore_index, min(1, x.rank - 1))


def gaussian_nll_loss(
    x: Value, target: Value, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Value:
    if not isinstance(var, Value):
        raise Declined("a variance that is one number")
    if var.shape != x.shape and var.shape == x.shape[:-1]:
        var = f.unsqueeze(var, -1)
    return f.gaussian_nll_loss(x, target, var, full, eps, reduction)


def cosine_similarity(a: Value, b: Value, dim: int = 1, eps: float = 1e-8) -> Value:
    return f.cosine_similarity(a, b, axis_of(a, dim), eps)


def pairwise_distance(a: Value, b: Value, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Value:
    return f.pairwise_distance(a, b, p, eps, keepdim)


OF_TWO = """
    mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
    hinge_embedding_loss soft_margin_loss multilabel_soft_margin_loss poisson_nll_loss
"""
OF_THREE = "cosine_embedding_loss margin_ranking_loss triplet_margin_loss"
OWN: tuple[Callable[..., Value], ...] = (
    cross_entropy,
    nll_loss,
    gaussian_nll_loss,
    cosine_similarity,
    pairwise_distance,
)
ADAPTERS: dict[str, Adapter] = {
    **{f"nn.functional.{name}": of_two(name) for name in OF_TWO.split()},
    **{f"nn.functional.{name}": of_three(name) for name in OF_THREE.split()},
    **{f"nn.functional.{function.__name__}": function for function in OWN},
}
