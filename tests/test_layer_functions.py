"""Layers against torch.nn.functional: transposed convolution, pooling, normalization, padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as tf

from raygrad.client import functions as f
from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, RaygradError, SizeError, TypeMismatchError
from raygrad.proto.value import Value
from raygrad.workers.kernels.base import Backend
from tests.backends import every_backend
from tests.comparing import NUMPY, compare
from tests.evaluate import Array, evaluate

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((3, 5, 6))
IMAGES = RNG.standard_normal((2, 4, 7, 6))
SIGNAL = RNG.standard_normal((2, 4, 9))
VOLUME = RNG.standard_normal((2, 4, 4, 5, 4))
CHANNEL = RNG.uniform(0.5, 2.0, 4)
SHIFT = RNG.standard_normal(4)

Case = tuple[Callable[..., Value], Callable[..., Any], tuple[Array, ...]]
TRANSPOSED = (tf.conv_transpose1d, tf.conv_transpose2d, tf.conv_transpose3d)
MAX = (tf.max_pool1d, tf.max_pool2d, tf.max_pool3d)
AVERAGE = (tf.avg_pool1d, tf.avg_pool2d, tf.avg_pool3d)


def transposed(x: Array, kernel: tuple[int, ...], groups: int = 1, bias: bool = True, **options: Any) -> Case:
    theirs = TRANSPOSED[x.ndim - 3]
    weight = RNG.standard_normal((4, 6 // groups, *kernel))
    arrays = (x, weight, RNG.standard_normal(6)) if bias else (x, weight)
    return (
        lambda *values: f.conv_transpose(*values, groups=groups, **options),
        lambda *tensors: theirs(*tensors, groups=groups, **options),
        arrays,
    )


@pytest.mark.parametrize(
    "case",
    [
        transposed(SIGNAL, (3,)),
        transposed(SIGNAL, (3,), bias=False, stride=2, padding=1, output_padding=1),
        transposed(SIGNAL, (2,), stride=3),
        transposed(SIGNAL, (3,), dilation=3, output_padding=2),
        transposed(SIGNAL, (3,), dilation=4, padding=1, stride=2, output_padding=3),
        transposed(IMAGES, (3, 2), groups=2, stride=(2, 1), padding=(1, 0), output_padding=(1, 0)),
        transposed(IMAGES, (2, 3), stride=2, padding=(0, 2), dilation=(1, 2), output_padding=1),
        transposed(VOLUME, (2, 3, 1), stride=(1, 2, 1), groups=2, padding=(0, 1, 0)),
    ],
)
@every_backend
def test_transposed_convolution(case: Case, backend: Backend) -> None:
    compare(*case, backend)


def pooled(name: str, x: Array, **options: Any) -> Case:
    theirs = (MAX if name == "max_pool" else AVERAGE)[x.ndim - 3]
    return lambda v: getattr(f, name)(v, **options), lambda t: theirs(t, **_renamed(options)), (x,)


def _renamed(options: dict[str, Any]) -> dict[str, Any]:
    names = {"kernel": "kernel_size", "divisor": "divisor_override"}
    return {names.get(name, name): value for name, value in options.items()}


def windowed(t: torch.Tensor, size: int, dilation: int) -> torch.Tensor:
    """The windows along the last axis, at stride 1."""
    return t.unfold(-1, dilation * (size - 1) + 1, 1)[..., ::dilation]


@pytest.mark.parametrize(
    "case",
    [
        pooled("max_pool", SIGNAL, kernel=2, ceil_mode=True),
        pooled("max_pool", IMAGES, kernel=3, stride=2, ceil_mode=True),
        pooled("max_pool", IMAGES, kernel=3, stride=2, padding=1, dilation=(1, 2), ceil_mode=True),
        pooled("max_pool", VOLUME, kernel=2, stride=3, padding=1, ceil_mode=True),
        pooled("avg_pool", SIGNAL, kernel=4, stride=3, ceil_mode=True),
        pooled("avg_pool", SIGNAL, kernel=4, stride=3, padding=2, ceil_mode=True),
        pooled("avg_pool", IMAGES, kernel=3, stride=2, padding=1, ceil_mode=True),
        pooled("avg_pool", IMAGES, kernel=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
        pooled("avg_pool", IMAGES, kernel=(2, 3), stride=4, padding=1, ceil_mode=True, divisor=5),
        pooled("avg_pool", IMAGES, kernel=(2, 3), padding=1, count_include_pad=False, divisor=7),
        pooled("avg_pool", VOLUME, kernel=3, stride=2, padding=1, ceil_mode=True),
        (
            lambda x: f.avg_pool(x, 3, 1, dilation=2),
            lambda t: windowed(t, 3, 2).mean(-1),
            (SIGNAL,),
        ),
        (
            lambda x: f.avg_pool(x, 2, 1, 1, dilation=3),
            lambda t: windowed(tf.pad(t, (1, 1)), 2, 3).mean(-1),
            (SIGNAL,),
        ),
        (
            lambda x: f.avg_pool(x, 2, 1, 1, dilation=3, count_include_pad=False),
            lambda t: (
                windowed(tf.pad(t, (1, 1)), 2, 3).sum(-1)
                / windowed(tf.pad(torch.ones_like(t), (1, 1)), 2, 3).sum(-1)
            ),
            (SIGNAL,),
        ),
        (lambda x: f.lp_pool(x, 2, 3, 2), lambda t: tf.lp_pool2d(t, 2, 3, 2), (IMAGES,)),
        (
            lambda x: f.lp_pool(x, 3, 2, 1, dilation=2),
            lambda t: (windowed(t, 2, 2).abs() ** 3).sum(-1) ** (1 / 3),
            (SIGNAL,),
        ),
        (lambda x: f.lp_pool(x, np.inf, 3), lambda t: tf.max_pool1d(t.abs(), 3), (SIGNAL,)),
        (lambda x: f.lp_pool(x, 1, 3), lambda t: tf.lp_pool1d(t.abs(), 1, 3), (SIGNAL,)),
        (f.global_avg_pool, lambda t: tf.adaptive_avg_pool2d(t, 1), (IMAGES,)),
        (f.global_max_pool, lambda t: tf.adaptive_max_pool3d(t, 1), (VOLUME,)),
        (f.global_lp_pool, lambda t: t.norm(dim=2, keepdim=True), (SIGNAL,)),
    ],
)
@every_backend
def test_pooling(case: Case, backend: Backend) -> None:
    compare(*case, backend)


def test_lp_pooling_of_zeros_has_gradient_zero() -> None:
    compare(
        lambda x: f.lp_pool(x, 2, 2), lambda t: (t * 0).reshape(1, 1, 2, 2).sum(-1), (np.zeros((1, 1, 4)),)
    )


@pytest.mark.parametrize(
    "case",
    [
        (f.layer_norm, lambda t: tf.layer_norm(t, (6,)), (ROWS,)),
        (
            lambda x, w, b: f.layer_norm(x, 2, w, b, eps=0.1),
            lambda t, w, b: tf.layer_norm(t, (5, 6), w, b, eps=0.1),
            (ROWS, ROWS[0] + 2.0, ROWS[1]),
        ),
        (
            lambda x, w: f.layer_norm(x, 1, w),
            lambda t, w: tf.layer_norm(t, (6,), w),
            (ROWS, ROWS[0, 0] + 2.0),
        ),
        (
            lambda x, w: f.rms_norm(x, 2, w, eps=0.1),
            lambda t, w: tf.rms_norm(t, (5, 6), w, eps=0.1),
            (ROWS, ROWS[0]),
        ),
        (
            lambda x, w, b: f.group_norm(x, 2, w, b),
            lambda t, w, b: tf.group_norm(t, 2, w, b),
            (IMAGES, CHANNEL, SHIFT),
        ),
        (lambda x: f.group_norm(x, 4), lambda t: tf.group_norm(t, 4), (VOLUME,)),
        (
            f.instance_norm,
            lambda t, w, b: tf.instance_norm(t, None, None, w, b),
            (IMAGES, CHANNEL, SHIFT),
        ),
        (f.instance_norm, tf.instance_norm, (SIGNAL,)),
        *(
            (
                lambda x, size=size: f.local_response_norm(x, size, 0.5, 0.6, 2.0),
                lambda t, size=size: tf.local_response_norm(t, size, 0.5, 0.6, 2.0),
                (array,),
            )
            for size in (1, 2, 3, 7)
            for array in (SIGNAL, IMAGES, VOLUME)
        ),
    ],
)
@every_backend
def test_normalization(case: Case, backend: Backend) -> None:
    compare(*case, backend)


@pytest.mark.parametrize(
    "case",
    [
        *(
            (
                lambda x, mode=mode: f.pad(x, [(0, 0), (0, 0), (2, 3), (4, 1)], mode=mode),
                lambda t, mode=mode: tf.pad(t, (4, 1, 2, 3), mode=mode),
                (IMAGES,),
            )
            for mode in ("constant", "reflect", "replicate", "circular")
        ),
        (
            lambda x: f.pad(x, [(0, 0), (4, -6), (-1, 3)], mode="replicate"),
            lambda t: tf.pad(t, (-1, 3, 4, -6), mode="replicate"),
            (ROWS,),
        ),
        (
            lambda x: f.pad(x, [(0, 0), (1, -2), (-1, 3)], 1.5),
            lambda t: tf.pad(t, (-1, 3, 1, -2), value=1.5),
            (ROWS,),
        ),
    ],
)
@every_backend
def test_padding(case: Case, backend: Backend) -> None:
    compare(*case, backend)


@pytest.mark.parametrize(
    ("mode", "theirs"), [("reflect", "reflect"), ("circular", "wrap"), ("replicate", "edge")]
)
@pytest.mark.parametrize("widths", [(0, 7), (5, 1), (9, 8), (0, 0)])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_padding_wider_than_the_axis_goes_on_like_numpy(
    mode: Any, theirs: Any, widths: tuple[int, int], size: int
) -> None:
    builder, x = Builder(), np.arange(float(size))
    builder.output("y", f.pad(builder.input("x", x.shape, "float64"), [widths], mode=mode))
    found = evaluate(builder.graph(), {"x": x}, NUMPY)["y"]
    np.testing.assert_array_equal(found, np.pad(x, widths, mode=theirs))


def test_named_sizes_stay() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 4, "H", "W"))
    w, b = builder.parameter("w", (4,)), builder.parameter("b", (4,))
    weight = builder.parameter("k", (4, 4, 3, 3))
    assert f.max_pool(x, 3, 1, 1, ceil_mode=True).shape == x.shape
    assert f.conv_transpose(x, weight, padding=1).shape == x.shape
    assert f.group_norm(x, 2, w, b).shape == x.shape
    assert f.instance_norm(x, w, b).shape == x.shape
    assert f.local_response_norm(x, 3).shape == x.shape
    assert f.global_lp_pool(x, 3.0).shape == ("N", 4, 1, 1)
    assert f.layer_norm(f.flatten(f.global_max_pool(x)), 1, w, b).shape == ("N", 4)


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x: f.max_pool(x, 2, ceil_mode=True), SizeError, "ceil_mode"),
        (
            lambda x: f.avg_pool(x[:, :, 0:4], (2, 2), ceil_mode=True),
            TypeMismatchError,
            "2 spatial|do not fit",
        ),
        (lambda x: f.group_norm(x, 3), TypeMismatchError, "3 groups"),
        (lambda x: f.group_norm(x[0, 0], 1), TypeMismatchError, "group_norm"),
        (lambda x: f.instance_norm(x[0, 0]), TypeMismatchError, "instance_norm"),
        (lambda x: f.local_response_norm(x, 0), TypeMismatchError, "size 0"),
        (lambda x: f.layer_norm(x, 4), TypeMismatchError, "last axes"),
        (lambda x: f.pad(x, [(0, 0)]), TypeMismatchError, "pairs"),
        (lambda x: f.pad(x, [(1, 0), (0, 0), (0, 0)], mode="reflect"), SizeError, "'N'"),
        (lambda x: f.pad(x, [(-1, 0), (0, 0), (0, 0)]), SizeError, "'N'"),
        (lambda x: f.pad(x, [(0, 0)] * 3, mode="mirror"), ConfigurationError, "mirror"),  # type: ignore[arg-type]
        (lambda x: f.conv_transpose(x, x[:, :, 0:3]), SizeError, "'T'"),
        (
            lambda x: f.conv_transpose(x, x.builder.parameter("w", (4, 2, 3)), output_padding=1),
            ConfigurationError,
            "output_padding 1",
        ),
        (
            lambda x: f.conv_transpose(x, x.builder.parameter("w", (4, 2, 3))),
            SizeError,
            "transposed convolution",
        ),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], Any], error: type[RaygradError], match: str) -> None:
    x = Builder().input("x", ("N", 4, "T"))
    with pytest.raises(error, match=match):
        write(x)
