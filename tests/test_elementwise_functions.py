"""Elementwise functions and activations against PyTorch, and at the places where composites go wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as tf

from raygrad.client import functions as f
from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.value import Value
from raygrad.workers.kernels.numpy import NumpyBackend
from tests.comparing import compare
from tests.evaluate import Array, evaluate

NUMPY = NumpyBackend()
RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 6)) * 2.0
Y = RNG.standard_normal((4, 6)) * 2.0
UNIT = np.tanh(X)
POSITIVE = np.abs(X) + 0.5
INTEGERS = RNG.integers(-9, 10, (4, 6))
NATURALS = RNG.integers(1, 6, (4, 6))
IMAGES = RNG.standard_normal((2, 3, 2, 4))
EXTREMES = np.array([-1e300, -1e4, -40.0, -1e-300, 0.0, 1e-300, 40.0, 1e4, 1e300])


def run(write: Callable[..., Value], *arrays: Array) -> Array:
    """The value of a function of arrays."""
    builder = Builder()
    inputs = [builder.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays)]
    builder.output("y", write(*inputs))
    return evaluate(builder.graph(), {f"x{i}": a for i, a in enumerate(arrays)}, NUMPY)["y"]


def bits(a: Any, b: Any) -> Any:
    """Every operator on bits."""
    return ~(a & b | (a ^ 3)) << 2 >> 1


Case = tuple[Callable[..., Value], Callable[..., Any], tuple[Array, ...]]


def named(names: str, *arrays: Array) -> list[Case]:
    """Functions of the same name here and in PyTorch."""
    return [(getattr(f, name), getattr(torch, name), arrays) for name in names.split()]


SMOOTH: list[Case] = [
    *named("exp exp2 expm1 erf erfc square", X),
    *(
        (getattr(f, n), getattr(torch, n), (POSITIVE,))
        for n in ("log", "log1p", "log2", "log10", "sqrt", "rsqrt")
    ),
    *(
        (getattr(f, n), getattr(torch, n), (X,))
        for n in ("sin", "cos", "tan", "atan", "sinh", "cosh", "asinh")
    ),
    *named("asin acos atanh frac", UNIT),
    *named("atan2 logaddexp remainder fmod", X, Y),
    (f.acosh, torch.acosh, (POSITIVE + 1.0,)),
    (f.reciprocal, torch.reciprocal, (POSITIVE,)),
    (f.pow, torch.pow, (POSITIVE, Y)),
    (f.xlogy, torch.xlogy, (np.maximum(X, 0.0), POSITIVE)),
    (f.lerp, torch.lerp, (X, Y, UNIT)),
    (lambda x: f.clip(x, -0.5), lambda x: torch.clip(x, -0.5), (X,)),
    (lambda x: f.clip(x, -0.5, 1.0), lambda x: torch.clip(x, -0.5, 1.0), (X,)),
    (f.softsign, tf.softsign, (X,)),
    (f.elu, tf.elu, (X,)),
    (lambda x: f.elu(x, 0.3), lambda x: tf.elu(x, 0.3), (X,)),
    (f.selu, tf.selu, (X,)),
    (lambda x: f.celu(x, 0.5), lambda x: tf.celu(x, 0.5), (X,)),
    (f.gelu, tf.gelu, (X,)),
    (lambda x: f.gelu(x, "tanh"), lambda x: tf.gelu(x, approximate="tanh"), (X,)),
    (f.silu, tf.silu, (X,)),
    (f.mish, tf.mish, (X,)),
    (f.glu, tf.glu, (X,)),
    (f.relu6, tf.relu6, (X * 4.0,)),
    (f.hard_tanh, tf.hardtanh, (X,)),
    (f.hard_sigmoid, lambda x: tf.relu6(x + 3.0) / 6.0, (X * 2.0,)),  # PyTorch's own holds 1/6 in float32
    (f.hard_swish, tf.hardswish, (X * 2.0,)),
    (f.hard_shrink, tf.hardshrink, (X,)),
    (f.soft_shrink, tf.softshrink, (X,)),
    (f.tanh_shrink, tf.tanhshrink, (X,)),
    (f.log_sigmoid, tf.logsigmoid, (X,)),
    (lambda x: f.threshold(x, 0.3, -2.0), lambda x: tf.threshold(x, 0.3, -2.0), (X,)),
    (lambda x: f.softplus(x, 1.7), lambda x: tf.softplus(x, 1.7, threshold=100.0), (X,)),
    (f.prelu, tf.prelu, (IMAGES, np.array([0.1, 0.2, 0.3]))),
    (f.prelu, tf.prelu, (X, np.array([0.25]))),
    (f.softmin, lambda x: tf.softmin(x, -1), (X,)),
]


@pytest.mark.parametrize(("ours", "theirs", "arrays"), SMOOTH)
def test_values_and_gradients(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        *named("floor ceil round trunc sign", X),
        (lambda x: f.round(x, 2), lambda x: torch.round(x, decimals=2), (X,)),
        (lambda x: f.round(x, -1), lambda x: torch.round(x, decimals=-1), (X * 9,)),
        (f.floor, torch.floor, (INTEGERS,)),
        (f.equal, torch.eq, (INTEGERS, NATURALS)),
        (f.not_equal, torch.ne, (X, Y)),
        (f.floor_divide, torch.floor_divide, (X, Y)),
        (f.pow, torch.pow, (INTEGERS, NATURALS)),
        *named("floor_divide remainder fmod bitwise_and bitwise_or bitwise_xor", INTEGERS, NATURALS),
        *named("bitwise_left_shift bitwise_right_shift", INTEGERS, NATURALS),
        *named("logical_and logical_or logical_xor", INTEGERS, NATURALS),
        (f.bitwise_not, torch.bitwise_not, (INTEGERS,)),
        (f.logical_not, torch.logical_not, (INTEGERS,)),
        *named("isnan isinf isfinite", np.array([0.0, np.nan, np.inf, -np.inf])),
        (f.isfinite, torch.isfinite, (INTEGERS,)),
        (lambda a, b: a // b, lambda a, b: a // b, (X, Y)),
        (lambda a, b: a % b, lambda a, b: a % b, (X, Y)),
        (bits, bits, (INTEGERS, NATURALS)),
    ],
)
def test_values(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    np.testing.assert_array_equal(run(ours, *arrays), theirs(*map(torch.tensor, arrays)).numpy())


ACTIVATIONS: Sequence[Callable[[Value], Value]] = [
    *(f.elu, f.selu, f.celu, f.gelu, f.silu, f.mish, f.relu6, f.hard_tanh, f.hard_sigmoid, f.hard_swish),
    *(f.softsign, f.hard_shrink, f.soft_shrink, f.tanh_shrink, f.log_sigmoid, f.softplus, f.sigmoid, f.tanh),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_at_extremes_are_those_of_pytorch(activation: Callable[[Value], Value]) -> None:
    """No NaN from the branch that is not chosen, in the value, the gradient and the second gradient."""
    builder = Builder()
    x = builder.input("x", EXTREMES.shape, "float64")
    (first,) = gradients([activation(x).sum()], [x])
    assert first is not None
    (second,) = gradients([first.sum()], [x])
    values = [activation(x), first, *([second] if second is not None else [])]
    for i, value in enumerate(values):
        builder.output(f"y{i}", value)
    found = evaluate(builder.graph(), {"x": EXTREMES}, NUMPY)
    small = np.abs(EXTREMES) < 1e5  # beyond, x³ and x · 0 of a second derivative may overflow in PyTorch too
    for array in found.values():
        assert np.isfinite(array[small]).all()
    nan = evaluate(builder.graph(), {"x": EXTREMES * np.nan}, NUMPY)["y0"]
    assert np.isnan(nan).all()


def test_xlogy_of_zero_is_zero_and_nan_stays() -> None:
    found = run(f.xlogy, np.array([0.0, 0.0, 1.0]), np.array([0.0, np.nan, 0.0]))
    np.testing.assert_array_equal(found, [0.0, np.nan, -np.inf])


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x: f.glu(x[:, :3]), SizeError, "even"),
        (lambda x: f.gelu(x, "erf"), ConfigurationError, "erf"),  # type: ignore[arg-type]
        (lambda x: f.bitwise_and(x, x), TypeMismatchError, "integers"),
        (lambda x: x << x, TypeMismatchError, "integers"),
        (lambda x: x + 1j, TypeMismatchError, "complex"),
        (lambda x: x.astype("complex64"), TypeMismatchError, "complex64"),
        (lambda x: f.maximum(x, np.ones(4, complex)), TypeMismatchError, "complex128"),
        (lambda x: f.sin(x.astype("int32")), TypeMismatchError, "floating-point"),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], Any], error: type[Exception], match: str) -> None:
    x = Builder().input("x", ("N", 4))
    with pytest.raises(error, match=match):
        write(x)


@pytest.mark.parametrize(
    ("write", "match"), [(f.floor_divide, "by zero"), (f.remainder, "by zero"), (f.fmod, "by zero")]
)
def test_integers_are_not_divided_by_zero(write: Callable[..., Value], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        run(write, INTEGERS, NATURALS * 0)


def test_integers_have_no_negative_powers() -> None:
    with pytest.raises(ValueError, match="negative"):
        run(f.pow, INTEGERS, -NATURALS)


def test_methods_are_the_functions() -> None:
    """Each method of one operator writes the node that the function of its name writes."""
    builder = Builder()
    x = builder.input("x", (3, 4), "float64")
    names = "abs sign exp expm1 log log1p sqrt sin cos tanh sigmoid relu erf floor ceil round"
    for name in f"{names} sum prod max min mean logsumexp".split():
        assert getattr(x, name)().ref == getattr(f, name)(x).ref, name
    for name in ["argmax", "argmin", "cumsum", "cumprod"]:
        assert getattr(x, name)(-1).ref == getattr(f, name)(x, -1).ref, name
    for name in ("all", "any"):
        assert getattr(x > 0.0, name)(0).ref == getattr(f, name)(x > 0.0, 0).ref, name
