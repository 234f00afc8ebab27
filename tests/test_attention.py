"""Attention, embeddings, bilinear products and unpooling against torch.nn.functional."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as tf

import raygrad as rg
from raygrad.client import functions as f
from raygrad.client.statistics import RunningStatistics
from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.errors import (
    ConfigurationError,
    MissingTensorError,
    RaygradError,
    SizeError,
    TypeMismatchError,
)
from raygrad.proto.value import Value
from raygrad.workers.kernels.base import Backend
from tests.backends import every_backend
from tests.comparing import NUMPY, compare
from tests.evaluate import Array, evaluate

RNG = np.random.default_rng(0)
Q, K, V = (RNG.standard_normal(s) for s in ((2, 4, 5, 6), (2, 4, 3, 6), (2, 4, 3, 7)))
SEEN = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1]], dtype=bool)
BIAS = RNG.standard_normal((5, 3))
theirs = tf.scaled_dot_product_attention


def with_mask(mask: Array, ours: Callable[..., Value], torch_: Callable[..., Any]) -> tuple[Any, Any]:
    return (
        lambda q, k, v: ours(q, k, v, q.builder.constant(mask)),
        lambda q, k, v: torch_(q, k, v, torch.tensor(mask)),
    )


@pytest.mark.parametrize(
    ("ours", "torch_", "arrays"),
    [
        (f.scaled_dot_product_attention, theirs, (Q, K, V)),
        (f.scaled_dot_product_attention, theirs, (Q[0, 0], K[0, 0], V[0, 0])),
        (
            lambda q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3),
            lambda q, k, v: theirs(q, k, v, is_causal=True, scale=0.3),
            (Q, K, V),
        ),
        (*with_mask(SEEN, f.scaled_dot_product_attention, theirs), (Q, K, V)),
        (*with_mask(BIAS, f.scaled_dot_product_attention, theirs), (Q, K, V)),
        (*with_mask(np.where(SEEN, 0.0, -math.inf), f.scaled_dot_product_attention, theirs), (Q, K, V)),
        (
            lambda q, k, v: f.scaled_dot_product_attention(q, k, v, enable_gqa=True),
            lambda q, k, v: theirs(q, k, v, enable_gqa=True),
            (Q, K[:, :2], V[:, :2]),
        ),
        (
            lambda q, k, v: f.multi_head_attention(q, k, v, 3, is_causal=True),
            lambda q, k, v: (
                theirs(*(t.unflatten(-1, (3, 2)).transpose(-2, -3) for t in (q, k, v)), is_causal=True)
                .transpose(-2, -3)
                .flatten(-2)
            ),
            (Q[0], K[0], V[0, :, :, :6]),
        ),
    ],
)
@every_backend
def test_attention(ours: Any, torch_: Any, arrays: tuple[Array, ...], backend: Backend) -> None:
    compare(ours, torch_, arrays, backend)


def test_attention_of_named_lengths_and_with_dropout() -> None:
    builder = Builder()
    q, k = builder.input("q", ("N", 2, "L", 8)), builder.input("k", ("N", 2, "S", 8))
    y = f.scaled_dot_product_attention(q, k, k, dropout_p=0.5, is_causal=True)
    assert y.shape == ("N", 2, "L", 8)
    attend, ones = f.scaled_dot_product_attention, f.ones_like(k)
    builder.output("kept", attend(q, k, ones, dropout_p=0.5))
    builder.output("sure", attend(q, k, ones, dropout_p=0.5, training=False))
    feeds = {"q": np.ones((1, 2, 3, 8), np.float32), "k": np.ones((1, 2, 5, 8), np.float32)}
    with rg.local(builder.graph()) as session:
        found = session.forward(feeds, keep=True).outputs
    assert set(np.round(found["kept"].ravel() * 2.5, 4)) <= {0, 1, 2, 3, 4, 5}
    assert len(set(found["kept"].ravel())) > 1
    np.testing.assert_allclose(found["sure"], 1.0, rtol=1e-6)


@pytest.mark.parametrize("is_causal", [True, False])
def test_no_keys_give_zero(is_causal: bool) -> None:
    compare(
        lambda q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=is_causal),
        lambda q, k, v: tf.scaled_dot_product_attention(q, k, v, is_causal=is_causal),
        (np.ones((2, 3)), np.ones((0, 3)), np.ones((0, 4))),
    )


def test_a_row_of_padding_gets_no_gradient() -> None:
    table, places = RNG.standard_normal((4, 3)), np.array([[0, 3], [2, 3]])
    for index in (3, -1):
        compare(
            lambda t, index=index: f.embedding(t.builder.constant(places), t, index),  # type: ignore[misc]
            lambda t, index=index: tf.embedding(torch.tensor(places), t, index),  # type: ignore[misc]
            (table,),
        )


def test_bilinear() -> None:
    a, b = RNG.standard_normal((2, 5, 3)), RNG.standard_normal((2, 5, 4))
    w, bias = RNG.standard_normal((6, 3, 4)), RNG.standard_normal(6)
    compare(f.bilinear, tf.bilinear, (a, b, w, bias))
    compare(f.bilinear, tf.bilinear, (a[0, 0], b[0, 0], w))


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_unpooling(axes: int) -> None:
    pool = (tf.max_pool1d, tf.max_pool2d, tf.max_pool3d)[axes - 1]
    unpool = (tf.max_unpool1d, tf.max_unpool2d, tf.max_unpool3d)[axes - 1]
    x = RNG.standard_normal((2, 3, *(7, 6, 4)[:axes]))

    def ours(v: Value) -> Value:
        y, indices = f.max_pool_with_indices(v, 2)
        return f.max_unpool(y, indices, 2, sizes=x.shape[2:])

    def torch_(t: torch.Tensor) -> Any:
        y, indices = pool(t, 2, return_indices=True)
        return unpool(y, indices, 2, output_size=x.shape[2:])

    compare(ours, torch_, (x,))
    compare(
        lambda v: f.max_unpool(*f.max_pool_with_indices(v, 3, 3, 1), 3, 3, 1),
        lambda t: unpool(*pool(t, 3, 3, 1, return_indices=True), 3, 3, 1),
        (RNG.standard_normal((2, 3, *(7, 7, 4)[:axes])),),
    )


def test_unpooling_of_overlapping_windows_writes_and_does_not_add() -> None:
    x = np.array([[[1.0, 5.0, 2.0]]])
    builder = Builder()
    v = builder.input("x", x.shape, "float64")
    builder.output("y", f.max_unpool(*f.max_pool_with_indices(v, 2, 1), 2, 1))
    assert evaluate(builder.graph(), {"x": x}, NUMPY)["y"].tolist() == [[[0.0, 5.0, 0.0]]]


def test_second_derivatives_of_max_pooling_with_named_sizes() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 2, "H", "W"), "float64")
    y = f.max_pool(x.square(), 3, 1, 1).square().sum()
    (first,) = gradients([y], [x])
    assert first is not None
    (second,) = gradients([first.square().sum()], [x])
    assert second is not None
    builder.output("d", second)
    feeds = RNG.standard_normal((1, 2, 4, 5))
    bound = builder.graph().bind({"N": 1, "H": 4, "W": 5})
    t = torch.tensor(feeds, requires_grad=True)
    g = torch.autograd.grad(tf.max_pool2d(t.square(), 3, 1, 1).square().sum(), t, create_graph=True)[0]
    wanted = torch.autograd.grad(g.square().sum(), t)[0]
    np.testing.assert_allclose(evaluate(bound, {"x": feeds}, NUMPY)["d"], wanted.numpy(), rtol=1e-10)


@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
def test_running_statistics_are_those_of_pytorch(momentum: float | None) -> None:
    batches = [RNG.standard_normal((6 - i, 3, 2, 2)) * (i + 1) for i in range(3)]
    module = torch.nn.BatchNorm2d(3, momentum=momentum, dtype=torch.float64)
    running = RunningStatistics(["bn"], momentum)
    for x in batches:
        module(torch.tensor(x))
        axes = (0, 2, 3)
        running.fold({"bn.mean": x.mean(axes), "bn.variance": x.var(axes)}, x.size // 3)
    found = running.arrays()
    np.testing.assert_allclose(found["bn.running_mean"], module.running_mean.numpy())  # type: ignore[union-attr]
    np.testing.assert_allclose(found["bn.running_var"], module.running_var.numpy())  # type: ignore[union-attr]


def test_statistics_that_are_missing_are_named() -> None:
    running = RunningStatistics(["bn"])
    with pytest.raises(MissingTensorError, match=r"bn\.variance"):
        running.fold({"bn.mean": np.zeros(3)}, 4)
    complete = {"bn.mean": np.zeros(3), "bn.variance": np.ones(3)}
    with pytest.raises(MissingTensorError, match=r"elements lack \['bn'\]"):
        running.fold(complete, {"other": 4})
    assert (running.folds, running.arrays()) == (0, {})
    running.fold(complete, np.prod((2, 2)))
    assert running.folds == 1
    with pytest.raises(ConfigurationError, match="momentum"):
        RunningStatistics([], 2.0)


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x: f.scaled_dot_product_attention(x[0, 0], x, x), TypeMismatchError, "matrices"),
        (lambda x: f.scaled_dot_product_attention(x.T, x.T, x.T), SizeError, "scale"),
        (lambda x: f.multi_head_attention(x, x, x, 3), TypeMismatchError, "3 heads"),
        (
            lambda x: f.scaled_dot_product_attention(x[:, None], x[:, None], x, enable_gqa=True),
            TypeMismatchError,
            "share",
        ),
        (lambda x: f.bilinear(x, x, x[0]), TypeMismatchError, "bilinear"),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], Any], error: type[RaygradError], match: str) -> None:
    x = Builder().input("x", (2, "T", 4))
    with pytest.raises(error, match=match):
        write(x)
