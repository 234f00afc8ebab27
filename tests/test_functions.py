"""The functions that programs write graphs with, against NumPy and PyTorch."""

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
from raygrad.proto.errors import ConfigurationError, RaygradError, SizeError, TypeMismatchError
from raygrad.proto.value import Value
from tests.comparing import NUMPY, compare
from tests.evaluate import Array, evaluate

RNG = np.random.default_rng(0)

X = RNG.standard_normal((4, 6))
Y = RNG.standard_normal((4, 6))
POSITIVE = np.abs(X) + 0.5
LABELS = np.array([0, 5, 2, 2])
IMAGES = RNG.standard_normal((2, 4, 7, 6))
KERNEL = RNG.standard_normal((6, 2, 3, 3))
SIGNAL = RNG.standard_normal((2, 4, 9))
VOLUME = RNG.standard_normal((2, 2, 4, 5, 4))
CHANNEL = RNG.uniform(0.5, 2.0, 4)
SHIFT = RNG.standard_normal(4)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (f.exp, torch.exp, (X,)),
        (f.log, torch.log, (POSITIVE,)),
        (f.sqrt, torch.sqrt, (POSITIVE,)),
        (f.abs, torch.abs, (X,)),
        (f.relu, torch.relu, (X,)),
        (f.leaky_relu, tf.leaky_relu, (X,)),
        (lambda x: f.leaky_relu(x, 0.2), lambda x: tf.leaky_relu(x, 0.2), (X,)),
        (f.sigmoid, torch.sigmoid, (X,)),
        (f.tanh, torch.tanh, (X,)),
        (f.softplus, tf.softplus, (X,)),
        (f.maximum, torch.maximum, (X, Y)),
        (f.minimum, torch.minimum, (X, Y)),
        (lambda x: f.maximum(0.5, x), lambda x: torch.clamp(x, min=0.5), (X,)),
        (lambda a, b: f.where(a < b, a, b * b), lambda a, b: torch.where(a < b, a, b * b), (X, Y)),
        (lambda b: f.where(b[:, :1] < 0, b, 2.0), lambda b: torch.where(b[:, :1] < 0, b, 2.0), (Y,)),
    ],
)
def test_elementwise(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (f.sum, torch.sum, (X,)),
        (lambda x: f.sum(x, -1, keepdims=True), lambda x: x.sum(-1, keepdim=True), (X,)),
        (lambda x: f.mean(x, 0), lambda x: x.mean(0), (X,)),
        (lambda x: f.norm(x, 1), lambda x: torch.linalg.vector_norm(x, dim=1), (X,)),
        (lambda a, b: f.dot(a[0], b[1]), lambda a, b: torch.dot(a[0], b[1]), (X, Y)),
        (lambda x, w, b: f.linear(x, w.T, b), tf.linear, (X, RNG.standard_normal((3, 6)), SHIFT[:3])),
        (lambda x, w: f.linear(x, w.T), tf.linear, (IMAGES, RNG.standard_normal((3, 6)))),
    ],
)
def test_reductions_and_products(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (f.flatten, lambda x: torch.flatten(x, 1), (IMAGES,)),
        (lambda x: f.flatten(x, -2), lambda x: torch.flatten(x, -2), (IMAGES,)),
        (f.flatten, lambda x: torch.flatten(x, 1), (IMAGES[:0],)),
        (lambda a, b: f.concatenate([a, b, a], -1), lambda a, b: torch.cat([a, b, a], -1), (X, Y)),
        (lambda a, b: f.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1), (X, Y)),
        (lambda a, b: f.stack([a, b], -1), lambda a, b: torch.stack([a, b], -1), (X, Y)),
        (lambda x: f.split(x, [1, 5], -1)[1], lambda x: torch.split(x, [1, 5], -1)[1], (X,)),
        (lambda x: f.pad(x, [(1, 0), (2, 3)], 1.5), lambda x: tf.pad(x, (2, 3, 1, 0), value=1.5), (X,)),
        (lambda x, i: f.gather(x, i, -1), lambda x, i: torch.gather(x, -1, i), (X, LABELS[:, None])),
        (f.embedding, tf.embedding, (np.array([[0, 3], [3, 1]]), X)),
    ],
)
def test_shape_and_indexing(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (f.softmax, lambda x: torch.softmax(x, -1), (X,)),
        (lambda x: f.softmax(x, 1), lambda x: torch.softmax(x, 1), (IMAGES,)),
        (lambda x: f.log_softmax(x, 0), lambda x: torch.log_softmax(x, 0), (X,)),
        (f.cross_entropy, tf.cross_entropy, (X, LABELS)),
        (
            lambda x, n: f.cross_entropy(x, n, reduction="sum"),
            lambda x, n: tf.cross_entropy(x, n, reduction="sum"),
            (X, LABELS),
        ),
        (
            lambda x, n: f.cross_entropy(x, n, reduction="none"),
            lambda x, n: tf.cross_entropy(x, n, reduction="none"),
            (X, LABELS),
        ),
        (f.mse_loss, tf.mse_loss, (X, Y)),
    ],
)
def test_probabilities_and_losses(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (
            lambda x, w, b: f.conv(x, w, b, stride=2, padding=(1, 0), groups=2),
            lambda x, w, b: tf.conv2d(x, w, b, stride=2, padding=(1, 0), groups=2),
            (IMAGES, KERNEL, RNG.standard_normal(6)),
        ),
        (
            lambda x, w: f.conv(x, w, padding="same", dilation=2),
            lambda x, w: tf.conv1d(x, w, padding="same", dilation=2),
            (SIGNAL, RNG.standard_normal((3, 4, 4))),
        ),
        (
            lambda x, w: f.conv(x, w, padding="valid"),
            lambda x, w: tf.conv3d(x, w, padding="valid"),
            (VOLUME, RNG.standard_normal((3, 2, 2, 3, 2))),
        ),
        (
            lambda x, w: f.conv(x, w, padding=[(2, 0)]),
            lambda x, w: tf.conv1d(tf.pad(x, (2, 0)), w),
            (SIGNAL, RNG.standard_normal((3, 4, 3))),
        ),
        (lambda x: f.max_pool(x, 2), lambda x: tf.max_pool2d(x, 2), (IMAGES,)),
        (
            lambda x: f.max_pool(x, (3, 2), stride=1, padding=1, dilation=(2, 1)),
            lambda x: tf.max_pool2d(x, (3, 2), stride=1, padding=1, dilation=(2, 1)),
            (IMAGES,),
        ),
        (
            lambda x: f.avg_pool(x, 3, 2, 1, count_include_pad=False),
            lambda x: tf.avg_pool1d(x, 3, 2, 1, count_include_pad=False),
            (SIGNAL,),
        ),
        (lambda x: f.avg_pool(x, (2, 3, 2)), lambda x: tf.avg_pool3d(x, (2, 3, 2)), (VOLUME,)),
        (
            lambda x, w, b: f.batch_norm(x, w, b)[0],
            lambda x, w, b: tf.batch_norm(x, None, None, w, b, training=True),
            (IMAGES, CHANNEL, SHIFT),
        ),
        (
            lambda x, w, b: f.batch_norm_inference(x, w, b, w * w, w + 1.0, eps=0.1),
            lambda x, w, b: (
                (x - (w * w)[:, None, None]) / torch.sqrt(w + 1.1)[:, None, None] * w[:, None, None]
                + b[:, None, None]
            ),
            (IMAGES, CHANNEL, SHIFT),
        ),
    ],
)
def test_layers(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


def test_batch_norm_returns_its_statistics() -> None:
    builder = Builder()
    x = builder.input("x", IMAGES.shape, "float64")
    w, b = (builder.input(name, (4,), "float64") for name in "wb")
    _, mean, variance = f.batch_norm(x, w, b)
    builder.output("mean", mean)
    builder.output("variance", variance)
    found = evaluate(builder.graph(), {"x": IMAGES, "w": CHANNEL, "b": SHIFT}, NUMPY)
    np.testing.assert_allclose(found["mean"], IMAGES.mean((0, 2, 3)))
    np.testing.assert_allclose(found["variance"], IMAGES.var((0, 2, 3)))


def test_the_norm_of_zero_has_gradient_zero() -> None:
    builder = Builder()
    x = builder.input("x", (3,), "float64")
    (gradient,) = gradients([f.norm(x)], [x])
    assert gradient is not None
    builder.output("d", gradient)
    assert evaluate(builder.graph(), {"x": np.zeros(3)}, NUMPY)["d"].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_softmax_in_half_precision_is_rounded_once(dtype: str) -> None:
    """Not twice: a logarithm of -30 in bfloat16 is wrong by a tenth, and so would its number be."""
    builder = Builder()
    x = builder.input("x", (4, 6))
    builder.output("y", f.softmax((x * 8.0).astype(dtype)).astype("float32"))
    halves = torch.tensor(X.astype(np.float32) * 8.0).to(getattr(torch, dtype))
    expected = torch.softmax(halves.double(), -1).numpy()
    found = evaluate(builder.graph(), {"x": X.astype(np.float32)}, NUMPY)["y"]
    np.testing.assert_allclose(found, expected, rtol=2e-3 if dtype == "float16" else 5e-3, atol=1e-7)


def test_named_batches_go_through_a_network() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 1, 8, 8))
    h = f.max_pool(f.relu(f.conv(x, builder.parameter("w", (2, 1, 3, 3)), padding=1)), 2)
    logits = f.linear(f.flatten(h), builder.parameter("v", (32, 10)))
    assert f.softmax(logits).shape == ("N", 10)
    assert f.cross_entropy(logits, builder.input("labels", ("N",), "int64")).shape == ()


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x: f.dot(x, x), TypeMismatchError, "two vectors"),
        (lambda x: f.stack([]), TypeMismatchError, "one shape"),
        (lambda x: f.stack([x, x[0]]), TypeMismatchError, "one shape"),
        (lambda x: f.stack([x, x], 3), TypeMismatchError, "axis 3"),
        (lambda x: f.concatenate([]), TypeMismatchError, "nothing"),
        (lambda x: f.split(x, [1, 1]), SizeError, "'N'"),
        (lambda x: f.conv(x, x), TypeMismatchError, "spatial"),
        (lambda x: f.max_pool(x[:, None, :], 2, padding="around"), ConfigurationError, "around"),
        (lambda x: f.max_pool(x[:, None, :], 2, padding="same"), ConfigurationError, "stride 1"),
        (lambda x: f.mse_loss(x, x, reduction="max"), ConfigurationError, "max"),  # type: ignore[arg-type]
        (lambda x: f.flatten(x[0], 1), TypeMismatchError, "axis 1"),
        (lambda x: f.gather(x, x, 0), TypeMismatchError, "integer"),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], Any], error: type[RaygradError], match: str) -> None:
    x = Builder().input("x", ("N", 4))
    with pytest.raises(error, match=match):
        write(x)
