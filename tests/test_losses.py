"""Losses and similarities against torch.nn.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as tf

from raygrad.client import functions as f
from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, RaygradError, TypeMismatchError
from raygrad.proto.value import Value
from tests.comparing import NUMPY, compare
from tests.evaluate import Array, evaluate

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((5, 4)), RNG.standard_normal((5, 4))
P, Q = RNG.uniform(0.05, 0.95, (5, 4)), RNG.uniform(0.0, 1.0, (5, 4))
LABELS = np.array([0, 3, 2, 2, 1])
SOME = np.array([0, -100, 2, -100, 1])
MAPS, PLACES = RNG.standard_normal((2, 4, 3, 2)), RNG.integers(0, 4, (2, 3, 2))
WEIGHT = RNG.uniform(0.5, 2.0, 4)
SIGNS = RNG.choice([-1.0, 1.0], (5, 4))
SIGN = RNG.choice([-1.0, 1.0], 5)
COUNTS = np.array([[0.0, 1.0, 2.0, 7.0]] * 5)

Ours = Callable[..., Value]
Theirs = Callable[..., Any]
Arrays = tuple[Array, ...]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "inputs", "constants", "options"),
    [
        ("mse_loss", (X, Y), (), {}),
        ("l1_loss", (X, Y), (), {}),
        ("smooth_l1_loss", (X, Y), (), {"beta": 0.7}),
        ("smooth_l1_loss", (X, Y), (), {"beta": 0.0}),
        ("huber_loss", (X, Y), (), {"delta": 0.7}),
        ("binary_cross_entropy", (P,), (Q,), {}),
        ("binary_cross_entropy_with_logits", (X * 20, Q), (), {}),
        ("kl_div", (np.log(P),), (Q,), {}),
        ("kl_div", (np.log(P),), (np.log(Q),), {"log_target": True}),
        ("poisson_nll_loss", (X,), (COUNTS,), {"full": True}),
        ("poisson_nll_loss", (P,), (COUNTS,), {"log_input": False}),
        ("gaussian_nll_loss", (X, Y, P), (), {"full": True}),
        ("gaussian_nll_loss", (X, Y, P[:, 0]), (), {}),
        ("hinge_embedding_loss", (X,), (SIGNS,), {"margin": 0.4}),
        ("soft_margin_loss", (X,), (SIGNS,), {}),
        ("multilabel_soft_margin_loss", (X, Q), (), {}),
        ("cosine_embedding_loss", (X, Y), (SIGN,), {"margin": 0.1}),
        ("margin_ranking_loss", (X, Y, SIGNS), (), {"margin": 0.3}),
        ("triplet_margin_loss", (X, Y, P), (), {"swap": True, "p": 3.0}),
        ("triplet_margin_loss", (X, Y, P), (), {"margin": 0.3}),
        ("cross_entropy", (X,), (LABELS,), {}),
        ("cross_entropy", (X,), (LABELS,), {"label_smoothing": 0.2}),
        ("cross_entropy", (X,), (SOME,), {"ignore_index": -100}),
        ("cross_entropy", (X,), (SOME,), {"ignore_index": -100, "label_smoothing": 0.2}),
        ("cross_entropy", (X, Q), (), {}),
        ("cross_entropy", (X, Q), (), {"label_smoothing": 0.3}),
        ("nll_loss", (X,), (LABELS,), {}),
        ("nll_loss", (X,), (SOME,), {"ignore_index": -100}),
        ("multi_margin_loss", (X,), (LABELS,), {"margin": 0.7}),
        ("multi_margin_loss", (X,), (LABELS,), {"p": 2}),
    ],
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_losses(
    name: str, inputs: Arrays, constants: Arrays, options: dict[str, Any], reduction: str
) -> None:
    ours, theirs = getattr(f, name), getattr(tf, name)
    fixed = [torch.tensor(c) for c in constants]
    compare(
        lambda *xs: ours(*xs, *map(xs[0].builder.constant, constants), reduction=reduction, **options),
        lambda *ts: theirs(*ts, *fixed, reduction=reduction, **options),
        inputs,
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (
            lambda x, n, w, r: f.cross_entropy(x, n, r, w),
            lambda x, n, w, r: tf.cross_entropy(x, n, w, reduction=r),
            (X, LABELS),
        ),
        (
            lambda x, n, w, r: f.cross_entropy(x, n, r, w, -100, 0.3),
            lambda x, n, w, r: tf.cross_entropy(x, n, w, reduction=r, label_smoothing=0.3),
            (X, SOME),
        ),
        (
            lambda x, n, w, r: f.cross_entropy(x, n, r, w, 2, 0.3, axis=1),
            lambda x, n, w, r: tf.cross_entropy(x, n, w, ignore_index=2, reduction=r, label_smoothing=0.3),
            (MAPS, PLACES),
        ),
        (
            lambda x, q, w, r: f.cross_entropy(x, q, r, w, axis=1, label_smoothing=0.1),
            lambda x, q, w, r: tf.cross_entropy(x, q, w, reduction=r, label_smoothing=0.1),
            (MAPS, RNG.uniform(0, 1, MAPS.shape)),
        ),
        (
            lambda x, n, w, r: f.nll_loss(x, n, r, w, axis=1),
            lambda x, n, w, r: tf.nll_loss(x, n, w, reduction=r),
            (MAPS, PLACES),
        ),
        (
            lambda x, n, w, r: f.multi_margin_loss(x, n, 2, 0.6, w, r),
            lambda x, n, w, r: tf.multi_margin_loss(x, n, 2, 0.6, w, reduction=r),
            (X, LABELS),
        ),
        (
            lambda x, q, w, r: f.binary_cross_entropy_with_logits(x, q, w, r, 1.0 / w),
            lambda x, q, w, r: tf.binary_cross_entropy_with_logits(x, q, w, reduction=r, pos_weight=1 / w),
            (X, Q),
        ),
        (
            lambda x, q, w, r: f.binary_cross_entropy(f.sigmoid(x), q, w, r),
            lambda x, q, w, r: tf.binary_cross_entropy(torch.sigmoid(x), q, w, reduction=r),
            (X, Q),
        ),
        (
            f.multilabel_soft_margin_loss,
            lambda x, q, w, r: tf.multilabel_soft_margin_loss(x, q, w, reduction=r),
            (X, Q),
        ),
    ],
)
def test_weights(ours: Ours, theirs: Theirs, arrays: Arrays, reduction: str) -> None:
    constants = (*arrays[1:], WEIGHT)
    compare(
        lambda x: ours(x, *map(x.builder.constant, constants), reduction),
        lambda t: theirs(t, *map(torch.tensor, constants), reduction),
        arrays[:1],
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (f.cosine_similarity, tf.cosine_similarity, (X, Y)),
        (
            lambda a, b: f.cosine_similarity(a, b, 0, eps=0.1),
            lambda a, b: tf.cosine_similarity(a, b, 0, eps=0.1),
            (X, Y),
        ),
        (f.cosine_similarity, tf.cosine_similarity, (X, Y[:1])),
        (
            lambda a, b: f.cosine_similarity(a, b, 0),
            lambda a, b: tf.cosine_similarity(a, b, 0),
            (X, Y[:, :1]),
        ),
        (f.pairwise_distance, tf.pairwise_distance, (X, Y)),
        (
            lambda a, b: f.pairwise_distance(a, b, 1.0, keepdims=True),
            lambda a, b: tf.pairwise_distance(a, b, 1.0, keepdim=True),
            (X, Y),
        ),
        (f.normalize, tf.normalize, (X,)),
        (lambda x: f.normalize(x, 1.0, 0), lambda t: tf.normalize(t, 1.0, 0), (X,)),
        (f.hinge_loss, lambda x, y: (1 - x * y).clamp(min=0).mean(), (X, SIGNS)),
        (
            lambda x: f.kl_div(x, x.builder.constant(Q), "batchmean"),
            lambda t: tf.kl_div(t, torch.tensor(Q), reduction="batchmean"),
            (X,),
        ),
    ],
)
def test_similarities(ours: Ours, theirs: Theirs, arrays: Arrays) -> None:
    compare(ours, theirs, arrays)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": WEIGHT}], ids=str)
def test_an_ignored_row_may_hold_what_is_not_finite(options: dict[str, Any]) -> None:
    """As of masked logits: 0 times an infinite loss would be NaN."""
    rows = np.array([[-np.inf, 0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0]])
    compare(
        lambda x, n: f.cross_entropy(x, n, ignore_index=-100, **_lifted(x, options)),
        lambda x, n: tf.cross_entropy(
            x,
            n,
            ignore_index=-100,
            **{k: torch.tensor(v) if k == "weight" else v for k, v in options.items()},
        ),
        (rows, np.array([-100, 1])),
    )


def _lifted(x: Value, options: dict[str, Any]) -> dict[str, Any]:
    return {k: x.builder.constant(v) if k == "weight" else v for k, v in options.items()}


def test_binary_cross_entropy_at_certainty_is_bounded_and_has_a_finite_gradient() -> None:
    p, target = np.array([0.0, 1.0, 0.0, 1.0, 1e-60]), np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    builder = Builder()
    x = builder.input("x", p.shape, "float64")
    losses = f.binary_cross_entropy(x, builder.constant(target), reduction="none")
    (gradient,) = gradients([losses.sum()], [x])
    assert gradient is not None
    builder.output("y", losses)
    builder.output("g", gradient)
    found = evaluate(builder.graph(), {"x": p}, NUMPY)
    expected = tf.binary_cross_entropy(torch.tensor(p), torch.tensor(target), reduction="none")
    np.testing.assert_allclose(found["y"], expected.numpy())
    assert np.isfinite(found["g"]).all()


def test_named_sizes() -> None:
    builder = Builder()
    x = builder.input("x", ("N", "T", 4))
    labels = builder.input("labels", ("N", "T"), "int64")
    weight = builder.parameter("w", (4,))
    for loss in (
        f.cross_entropy(x, labels, weight=weight, ignore_index=-100, label_smoothing=0.1),
        f.nll_loss(x, labels, weight=weight),
        f.kl_div(x, x, "batchmean"),
        f.huber_loss(x, 0.0),
        f.multi_margin_loss(x, labels),
        f.triplet_margin_loss(x, x, x),
    ):
        assert loss.shape == ()
        assert gradients([loss], [x])[0] is not None


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x, n: f.cross_entropy(x, n, label_smoothing=1.5), ConfigurationError, "label_smoothing"),
        (lambda x, n: f.cross_entropy(x, x, ignore_index=0), ConfigurationError, "ignore"),
        (lambda x, n: f.cross_entropy(x, x[:, :2]), TypeMismatchError, "probabilities"),
        (lambda x, n: f.nll_loss(x, n[:1]), TypeMismatchError, "one label"),
        (lambda x, n: f.smooth_l1_loss(x, x, beta=-1.0), ConfigurationError, "beta"),
        (lambda x, n: f.huber_loss(x, x, delta=0.0), ConfigurationError, "delta"),
        (lambda x, n: f.gaussian_nll_loss(x, x, x, eps=0.0), ConfigurationError, "eps"),
        (lambda x, n: f.multi_margin_loss(x, n, p=3), ConfigurationError, "p of"),
        (lambda x, n: f.kl_div(x, x, "most"), ConfigurationError, "'most'"),  # type: ignore[arg-type]
    ],
)
def test_what_does_not_fit(write: Callable[..., Any], error: type[RaygradError], match: str) -> None:
    builder = Builder()
    with pytest.raises(error, match=match):
        write(builder.input("x", (5, 4)), builder.input("n", (5,), "int64"))
