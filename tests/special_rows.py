"""What is compared with PyTorch at special points: each function, its twin, and the arrays that it is given.

A row that `departs` says why its results are not PyTorch's there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as tf

import raygrad as rg

f = rg.functions
Function = Callable[..., Any]
nan, inf = math.nan, math.inf

POINTS = np.array(
    [
        nan,
        inf,
        -inf,
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.0,
        -2.0,
        3.0,
        -3.0,
        6.0,
        1e-9,
        -1e-9,
        1e9,
        -1e9,
        800.0,
        -800.0,
    ]
)
"""For functions of one number: no number, no end, both zeros, borders, kinks, almost nothing, very much."""

FEW = np.array([nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0])
A, B = (grid.ravel().copy() for grid in np.meshgrid(FEW, FEW, indexing="ij"))
"""All pairs, for functions of two."""

LINES = np.array(
    [
        [1.0, 2.0, 3.0, 4.0],
        [1.0, 1.0, 1.0, 1.0],
        [0.0, 0.0, 0.0, 0.0],
        [-0.0, 0.0, -0.0, 0.0],
        [0.0, 2.0, 0.0, 3.0],
        [0.0, 2.0, 5.0, 3.0],
        [nan, 1.0, 2.0, 2.0],
        [1.0, nan, nan, 3.0],
        [inf, 1.0, 2.0, inf],
        [-inf, 1.0, 2.0, 3.0],
        [-inf, -inf, -inf, -inf],
        [inf, -inf, 1.0, 2.0],
        [800.0, -800.0, 700.0, 0.0],
        [-2.0, 2.0, -2.0, 2.0],
    ]
)
"""For what looks along an axis."""

SIGNS = np.where(np.arange(A.size) % 2 == 0, 1.0, -1.0)
PROBABILITIES = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 1e-9, 1.0 - 1e-9, 0.25])
TARGETS = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.25])
ONES = np.ones_like(LINES)
LABELS = np.arange(len(LINES)) % 4
POOLED = LINES[:, None, :]


@dataclass(frozen=True)
class Row:
    """A function of ours and PyTorch's, of arrays that are differentiated by."""

    ours: Function
    theirs: Function
    arrays: tuple[np.ndarray[Any, Any], ...]
    each: bool = False  # whether it is a function of each element
    departs: str = ""


def unary(ours: Function, theirs: Function | None = None, departs: str = "") -> Row:
    return Row(ours, theirs or getattr(torch, ours.__name__), (POINTS,), True, departs)


def binary(ours: Function, theirs: Function | None = None, departs: str = "") -> Row:
    return Row(ours, theirs or getattr(torch, ours.__name__), (A, B), True, departs)


def lines(ours: Function, theirs: Function, departs: str = "") -> Row:
    return Row(ours, theirs, (LINES,), False, departs)


def pooled(ours: Function, theirs: Function, departs: str = "") -> Row:
    return Row(ours, theirs, (POOLED,), False, departs)


def loss(ours: Function, theirs: Function, *arrays: np.ndarray[Any, Any], departs: str = "") -> Row:
    return Row(ours, theirs, arrays or (A, B), not arrays, departs)


def fixed(x: Any, array: np.ndarray[Any, Any]) -> Any:
    """A constant beside x."""
    return x.builder.constant(array)


def none(function: Function, *extra: Any, **options: Any) -> Function:
    """Without a reduction: what each element gives shows."""
    return lambda *xs: function(*xs, *extra, reduction="none", **options)


ACTIVATIONS: dict[str, Row] = {
    "celu": unary(lambda x: f.celu(x, 0.5), lambda x: tf.celu(x, 0.5)),
    "elu": unary(f.elu, tf.elu),
    "gelu": unary(f.gelu, tf.gelu),
    "gelu, tanh": unary(lambda x: f.gelu(x, "tanh"), lambda x: tf.gelu(x, approximate="tanh")),
    "glu": lines(f.glu, tf.glu),
    "hard_shrink": unary(f.hard_shrink, tf.hardshrink),
    "hard_sigmoid": unary(f.hard_sigmoid, tf.hardsigmoid),
    "hard_swish": unary(f.hard_swish, tf.hardswish),
    "hard_tanh": unary(f.hard_tanh, tf.hardtanh),
    "leaky_relu": unary(f.leaky_relu, tf.leaky_relu),
    "log_sigmoid": unary(f.log_sigmoid, tf.logsigmoid),
    "log_softmax": lines(f.log_softmax, lambda x: tf.log_softmax(x, -1)),
    "mish": unary(f.mish, tf.mish),
    "prelu": binary(f.prelu, lambda x, w: torch.where(x > 0, x, torch.where(x > 0, 0.0, x) * w)),
    "relu": unary(f.relu),
    "relu6": unary(f.relu6, tf.relu6),
    "selu": unary(f.selu, tf.selu),
    "sigmoid": unary(f.sigmoid),
    "silu": unary(f.silu, tf.silu),
    "soft_shrink": unary(f.soft_shrink, tf.softshrink),
    "softmax": lines(f.softmax, lambda x: tf.softmax(x, -1)),
    "softmin": lines(f.softmin, lambda x: tf.softmin(x, -1)),
    "softplus": unary(f.softplus, lambda x: tf.softplus(x, threshold=40.0)),
    "softsign": unary(f.softsign, tf.softsign),
    "tanh_shrink": unary(f.tanh_shrink, tf.tanhshrink),
    "threshold": unary(lambda x: f.threshold(x, 0.5, 9.0), lambda x: tf.threshold(x, 0.5, 9.0)),
    "thresholded_relu": unary(lambda x: f.thresholded_relu(x, 0.5), lambda x: tf.threshold(x, 0.5, 0.0)),
}

ELEMENTWISE: dict[str, Row] = {
    **{name: unary(getattr(f, name)) for name in ("abs", "reciprocal", "rsqrt", "sign", "sqrt", "square")},
    "clip": unary(lambda x: f.clip(x, -1.0, 2.0), lambda x: torch.clamp(x, -1.0, 2.0)),
    "clip, low": binary(f.clip, lambda x, b: torch.clamp(x, min=b)),
    "clip, high": binary(lambda x, b: f.clip(x, None, b), lambda x, b: torch.clamp(x, max=b)),
    "clip, crossed": binary(
        lambda x, b: f.clip(x, b, b - 1.0), lambda x, b: torch.clamp(x, min=b, max=b - 1.0)
    ),
    "clip, both": binary(lambda x, b: f.clip(x, b, b + 1.0), lambda x, b: torch.clamp(x, min=b, max=b + 1.0)),
    "entr": unary(f.entr, torch.special.entr),
    "floor_divide": binary(f.floor_divide, lambda a, b: torch.floor_divide(a.detach(), b.detach())),
    "fmod": binary(f.fmod),
    "lerp": binary(lambda a, b: f.lerp(a, b, 0.25), lambda a, b: a + 0.25 * (b - a)),
    "logit": unary(f.logit, torch.special.logit),
    "logit, eps": unary(lambda x: f.logit(x, 1e-3), lambda x: torch.special.logit(x, 1e-3)),
    "maximum": binary(f.maximum),
    "minimum": binary(f.minimum),
    "pow": binary(f.pow),
    "pow, number": unary(lambda x: f.pow(x, 3.0), lambda x: torch.pow(x, 3.0)),
    "pow, 0": unary(lambda x: f.pow(x, 0.0), lambda x: torch.pow(x, 0.0)),
    "pow of 0": unary(lambda x: f.pow(0.0, x), lambda x: torch.pow(0.0, x)),
    "remainder": binary(f.remainder),
    "where": binary(lambda a, b: f.where(a > b, a, b), lambda a, b: torch.where(a > b, a, b)),
    "xlog1py": binary(f.xlog1py, torch.special.xlog1py),
    "xlogy": binary(f.xlogy),
}

_NAMED = ("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "erf", "erfc")
EXPONENTIALS: dict[str, Row] = {
    **{name: unary(getattr(f, name)) for name in _NAMED},
    "logaddexp": binary(f.logaddexp),
}

ROUNDING: dict[str, Row] = {
    name: unary(getattr(f, name)) for name in ("ceil", "floor", "frac", "round", "trunc")
}

_ANGLES = (
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "cos",
    "cosh",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
)
TRIGONOMETRY: dict[str, Row] = {
    **{name: unary(getattr(f, name)) for name in _ANGLES},
    "atan2": binary(f.atan2),
}

LOGIC: dict[str, Row] = {
    "equal": binary(f.equal, torch.eq),
    "not_equal": binary(f.not_equal, torch.ne),
    **{name: unary(getattr(f, name)) for name in ("isfinite", "isinf", "isnan", "logical_not")},
    **{name: binary(getattr(f, name)) for name in ("logical_and", "logical_or", "logical_xor")},
}

REDUCTIONS: dict[str, Row] = {
    "all": lines(lambda x: f.all(x, -1), lambda x: torch.all(x, -1)),
    "any": lines(lambda x: f.any(x, -1), lambda x: torch.any(x, -1)),
    "argmax": lines(lambda x: f.argmax(x, -1), lambda x: torch.argmax(x, -1)),
    "argmin": lines(lambda x: f.argmin(x, -1), lambda x: torch.argmin(x, -1)),
    "count_nonzero": lines(lambda x: f.count_nonzero(x, -1), lambda x: torch.count_nonzero(x, -1)),
    "logsumexp": lines(lambda x: f.logsumexp(x, -1), lambda x: torch.logsumexp(x, -1)),
    "max": lines(lambda x: f.max(x, -1), lambda x: torch.amax(x, -1)),
    "mean": lines(lambda x: f.mean(x, -1), lambda x: torch.mean(x, -1)),
    "min": lines(lambda x: f.min(x, -1), lambda x: torch.amin(x, -1)),
    **{
        f"norm, {p}": lines(
            lambda x, p=p: f.norm(x, -1, p=p), lambda x, p=p: torch.linalg.vector_norm(x, p, -1)
        )
        for p in (0.0, 1.0, 2.0, 3.0, inf, -inf)
    },
    "prod": lines(lambda x: f.prod(x, -1), lambda x: torch.prod(x, -1)),
    "std": lines(lambda x: f.std(x, -1, correction=1.0), lambda x: torch.std(x, -1)),
    "sum": lines(lambda x: f.sum(x, -1), lambda x: torch.sum(x, -1)),
    "var": lines(
        lambda x: f.var(x, -1),
        lambda x: torch.var(x, -1, correction=0),
        "beside an infinite element PyTorch's gradient leaves out what goes through the mean, which is NaN",
    ),
}

POOLING: dict[str, Row] = {
    "max_pool": pooled(lambda x: f.max_pool(x, 2), lambda x: tf.max_pool1d(x, 2)),
    "max_pool_with_indices": pooled(
        lambda x: f.max_pool_with_indices(x, 2)[0], lambda x: tf.max_pool1d_with_indices(x, 2)[0]
    ),
    "avg_pool": pooled(lambda x: f.avg_pool(x, 2), lambda x: tf.avg_pool1d(x, 2)),
    "lp_pool": pooled(lambda x: f.lp_pool(x, 2.0, 2), lambda x: tf.lp_pool1d(x, 2.0, 2)),
    "global_avg_pool": pooled(f.global_avg_pool, lambda x: tf.adaptive_avg_pool1d(x, 1)),
    "global_max_pool": pooled(f.global_max_pool, lambda x: torch.amax(x, 2, keepdim=True)),
    "global_lp_pool": pooled(f.global_lp_pool, lambda x: torch.linalg.vector_norm(x, 2.0, 2, keepdim=True)),
    "adaptive_avg_pool": pooled(lambda x: f.adaptive_avg_pool(x, 3), lambda x: tf.adaptive_avg_pool1d(x, 3)),
    "adaptive_max_pool": pooled(lambda x: f.adaptive_max_pool(x, 3), lambda x: tf.adaptive_max_pool1d(x, 3)),
    "adaptive_max_pool_with_indices": pooled(
        lambda x: f.adaptive_max_pool_with_indices(x, 2)[0], lambda x: tf.adaptive_max_pool1d(x, 2)
    ),
    "max_unpool": pooled(
        lambda x: f.max_unpool(*f.max_pool_with_indices(x, 2), 2),
        lambda x: tf.max_unpool1d(*tf.max_pool1d_with_indices(x, 2), 2),
    ),
}

_OF_TWO = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
LOSSES: dict[str, Row] = {
    **{name: loss(none(getattr(f, name)), none(getattr(tf, name))) for name in _OF_TWO},
    "binary_cross_entropy": loss(
        none(f.binary_cross_entropy), none(tf.binary_cross_entropy), PROBABILITIES, TARGETS
    ),
    "binary_cross_entropy_with_logits": loss(
        none(f.binary_cross_entropy_with_logits), none(tf.binary_cross_entropy_with_logits)
    ),
    "soft_margin_loss": loss(
        lambda x: f.soft_margin_loss(x, fixed(x, SIGNS), reduction="none"),
        lambda x: tf.soft_margin_loss(x, torch.from_numpy(SIGNS), reduction="none"),
        A,
        departs="far from 0 PyTorch's gradient is the quotient of two overflows, NaN; it is that of softplus",
    ),
    "kl_div": loss(none(f.kl_div), none(tf.kl_div)),
    "poisson_nll_loss": loss(none(f.poisson_nll_loss), none(tf.poisson_nll_loss)),
    "gaussian_nll_loss": loss(
        lambda x, t: f.gaussian_nll_loss(x, t, abs(t).detach(), reduction="none"),
        lambda x, t: tf.gaussian_nll_loss(x, t, torch.abs(t).detach(), reduction="none"),
    ),
    "hinge_loss": loss(
        none(f.hinge_loss),
        lambda x, t: torch.clamp(1.0 - x * t, min=0.0),
        POINTS,
        np.sign(np.arange(POINTS.size) - 9.5),
    ),
    "hinge_embedding_loss": loss(
        lambda x: f.hinge_embedding_loss(x, fixed(x, SIGNS[: POINTS.size]), reduction="none"),
        lambda x: tf.hinge_embedding_loss(x, torch.from_numpy(SIGNS[: POINTS.size]), reduction="none"),
        POINTS,
    ),
    "margin_ranking_loss": loss(
        lambda a, b: f.margin_ranking_loss(a, b, fixed(a, SIGNS), reduction="none"),
        lambda a, b: tf.margin_ranking_loss(a, b, torch.from_numpy(SIGNS), reduction="none"),
        A,
        B,
    ),
    "multilabel_soft_margin_loss": loss(
        lambda x: f.multilabel_soft_margin_loss(x, fixed(x, ONES), reduction="none"),
        lambda x: tf.multilabel_soft_margin_loss(x, torch.from_numpy(ONES), reduction="none"),
        LINES,
    ),
    "cosine_embedding_loss": loss(
        lambda x, y: f.cosine_embedding_loss(x, y, fixed(x, ONES[:, 0]), reduction="none"),
        lambda x, y: tf.cosine_embedding_loss(x, y, torch.ones(len(LINES)), reduction="none"),
        LINES,
        LINES[::-1].copy(),
    ),
    "triplet_margin_loss": loss(
        lambda x, y: f.triplet_margin_loss(x, y, x, reduction="none"),
        lambda x, y: tf.triplet_margin_loss(x, y, x, reduction="none"),
        LINES,
        LINES[::-1].copy(),
    ),
    "cross_entropy": loss(
        lambda x: f.cross_entropy(x, fixed(x, LABELS), reduction="none"),
        lambda x: tf.cross_entropy(x, torch.from_numpy(LABELS), reduction="none"),
        LINES,
    ),
    "nll_loss": loss(
        lambda x: f.nll_loss(x, fixed(x, LABELS), reduction="none"),
        lambda x: tf.nll_loss(x, torch.from_numpy(LABELS), reduction="none"),
        LINES,
    ),
    "multi_margin_loss": loss(
        lambda x: f.multi_margin_loss(x, fixed(x, LABELS), reduction="none"),
        lambda x: tf.multi_margin_loss(x, torch.from_numpy(LABELS), reduction="none"),
        LINES,
    ),
    "normalize": lines(lambda x: f.normalize(x, axis=-1), lambda x: tf.normalize(x, dim=-1)),
    "cosine_similarity": loss(
        lambda x, y: f.cosine_similarity(x, y, -1),
        lambda x, y: tf.cosine_similarity(x, y, -1),
        LINES,
        LINES[::-1].copy(),
        departs="beside an infinite element PyTorch's gradients are NaN, also those of the finite ones",
    ),
    "pairwise_distance": loss(f.pairwise_distance, tf.pairwise_distance, LINES, LINES[::-1].copy()),
}

FUNCTIONS = {
    **ACTIVATIONS,
    **ELEMENTWISE,
    **EXPONENTIALS,
    **ROUNDING,
    **TRIGONOMETRY,
    **LOGIC,
    **REDUCTIONS,
    **POOLING,
    **LOSSES,
}
"""All rows, by the name of the function, and what of it is tried after a comma."""
