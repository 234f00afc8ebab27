"""Shapes, indices, diagonals and patches against PyTorch and NumPy."""

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
from raygrad.proto.errors import RaygradError, SizeError, TypeMismatchError
from raygrad.proto.value import Value
from tests.comparing import compare
from tests.evaluate import Array, evaluate
from tests.test_elementwise_functions import NUMPY, Case, run

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5))
MATRIX = RNG.standard_normal((4, 6))
IMAGES = RNG.standard_normal((2, 4, 6, 4))
ROWS = np.array([[0, 2, 1], [2, 2, 0]])
ALONG = RNG.integers(0, 4, (3, 6, 5))
FEW = RNG.integers(0, 4, (2, 3, 5))
UPDATES = RNG.standard_normal((3, 6, 5))
WIDE = np.array([2, 0, 1, 2])
SLICES = UPDATES[:2, :4]
UNIQUE = np.argsort(RNG.standard_normal((3, 4, 5)), axis=1)

SHAPES: list[Case] = [
    (lambda x: f.squeeze(x[:, :1]), lambda x: x[:, :1].squeeze(), (X,)),
    (lambda x: f.unsqueeze(f.squeeze(x[:, :1], 1), (0, -1)), lambda x: x[None, :, 0, :, None], (X,)),
    (lambda x: f.expand(x[:, :1], (2, 3, -1, 5)), lambda x: x[:, :1].expand(2, 3, -1, 5), (X,)),
    (lambda x: f.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), (X,)),
    (lambda x: f.moveaxis(x, (0, 1), (-1, 0)), lambda x: x.moveaxis((0, 1), (-1, 0)), (X,)),
    (f.flip, lambda x: x.flip((0, 1, 2)), (X,)),
    (lambda x: f.flip(x, -1), lambda x: x.flip(-1), (X,)),
    (lambda x: f.roll(x, (1, -2), (0, 2)), lambda x: x.roll((1, -2), (0, 2)), (X,)),
    (lambda x: f.roll(x, 7), lambda x: x.roll(7), (X,)),
    (lambda x: f.tile(x, (2, 1, 3)), lambda x: x.tile((2, 1, 3)), (MATRIX,)),
    (lambda x: f.tile(x, (2,)), lambda x: x.tile((2,)), (MATRIX,)),
    (lambda x: f.repeat_interleave(x, 3, 1), lambda x: x.repeat_interleave(3, 1), (X,)),
    (lambda x: f.chunk(x, 3, 1)[1], lambda x: x.chunk(3, 1)[1], (MATRIX,)),
    (lambda x: f.unbind(x, 1)[2], lambda x: x.unbind(1)[2], (X,)),
    (lambda x: x[::-2, 3:0:-1, ..., -1], lambda x: x.flip((0, 1))[::2, :3, -1], (X,)),
    (lambda x: f.tril(x, 1), lambda x: x.tril(1), (X,)),
    (lambda x: f.triu(x, -1), lambda x: x.triu(-1), (X,)),
    *((lambda x, k=k: f.diagonal(x, k), lambda x, k=k: x.diagonal(k), (MATRIX,)) for k in (0, 3, -2, 9)),
    (lambda x: f.diagonal(x, 1, -1, 0), lambda x: x.diagonal(1, -1, 0), (X,)),
    *((lambda x, k=k: f.diag_embed(x, k), lambda x, k=k: x.diag_embed(k), (X[:2],)) for k in (0, 2, -1)),
    (lambda x: f.diag_embed(x, 1, 0, -2), lambda x: x.diag_embed(1, 0, -2), (X[:2],)),
    (lambda x: f.diag(x) + f.diag(f.diag(x))[0], lambda x: x.diag() + x.diag().diag()[0], (MATRIX,)),
    (f.trace, torch.trace, (MATRIX,)),
    (lambda x: f.pixel_shuffle(x, 2), lambda x: tf.pixel_shuffle(x, 2), (IMAGES,)),
    (lambda x: f.pixel_unshuffle(x, 2), lambda x: tf.pixel_unshuffle(x, 2), (IMAGES,)),
    (lambda x: f.channel_shuffle(x, 2), lambda x: tf.channel_shuffle(x, 2), (IMAGES,)),
    (
        lambda x: f.unfold(x, (3, 2), (2, 1), (1, 0), (1, 2)),
        lambda x: tf.unfold(x, (3, 2), (1, 2), (1, 0), (2, 1)),
        (IMAGES,),
    ),
    (
        lambda x: f.fold(f.unfold(x, 3, 1, 1, 2), (6, 4), 3, 1, 1, 2),
        lambda x: tf.fold(tf.unfold(x, 3, 2, 1, 1), (6, 4), 3, 2, 1, 1),
        (IMAGES,),
    ),
    (lambda x: f.sliding_windows(x, 1, 2, 2), lambda x: x.unfold(1, 2, 2), (X,)),
]


@pytest.mark.parametrize(("ours", "theirs", "arrays"), SHAPES)
def test_shapes(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


REDUCES = [(r, s) for r in ("sum", "prod", "mean", "amax", "amin") for s in (True, False)]

INDEXED: list[Case] = [
    (lambda x, i: f.gather(x, i, 1), lambda x, i: torch.gather(x, 1, i), (X, FEW)),
    (lambda x, i: f.take(x, i - 3, 0), lambda x, i: x[i - 3], (X, ROWS)),
    (lambda x, i: f.take(x, i, -1), lambda x, i: x[..., i], (X, ROWS)),
    (lambda x, i: f.take_along_axis(x, i, 1), lambda x, i: torch.take_along_dim(x, i, 1), (X, ALONG[:1])),
    (lambda x, i: f.index_select(x, 1, i), lambda x, i: x.index_select(1, i), (X, WIDE)),
    (lambda x, i, u: f.scatter(x, i, u, 1), lambda x, i, u: x.scatter(1, i, u), (X, UNIQUE, X + 1.0)),
    (
        lambda x, i, u: f.scatter(x, i[:2], u, 1),
        lambda x, i, u: x.scatter(1, i[:2], u[:2]),
        (X, UNIQUE, X + 1.0),
    ),
    (lambda x, i: f.scatter(x, i, 2.5, 1), lambda x, i: x.scatter(1, i, 2.5), (X, FEW)),
    (lambda x, i, u: f.scatter_add(x, i, u, 1), lambda x, i, u: x.scatter_add(1, i, u), (X, ALONG, UPDATES)),
    *(
        (
            lambda x, i, u, r=r, s=s: f.scatter_reduce(x, i, u, 1, r, s),
            lambda x, i, u, r=r, s=s: x.scatter_reduce(1, i, u, r, include_self=s),
            (X, ALONG, UPDATES),
        )
        for r, s in REDUCES
    ),
    (
        lambda x, i, u: f.index_add(x, 0, i, u),
        lambda x, i, u: x.index_add(0, i, u),
        (X, WIDE[:2], SLICES),
    ),
    (
        lambda x, i, u: f.index_copy(x, 0, i, u),
        lambda x, i, u: x.index_copy(0, i, u),
        (X, WIDE[:2], SLICES),
    ),
    (lambda x, i: f.index_fill(x, 2, i, 0.5), lambda x, i: x.index_fill(2, i, 0.5), (X, WIDE)),
    (lambda x, i: x[1, :, i - 3], lambda x, i: x[1][:, i - 3].moveaxis(0, -1), (X, ROWS)),  # NumPy's axes
    (lambda x, i: x[:, 1::2, i - 2], lambda x, i: x[:, 1::2][:, :, i - 2], (X, ROWS)),
    *(
        (index, index, (X, ROWS))
        for index in (
            lambda x, i: x[:, i, i[0]],
            lambda x, i: x[i, 1],
            lambda x, i: x[i, None, i],
            lambda x, i: x[:, 1:, i, None],
            lambda x, i: x[..., -1, i],
            lambda x, i: x[:, [2, 0], 1:],
            lambda x, i: x[i][..., 0],
        )
    ),
    (lambda x, i: f.index(x, [i, i]), lambda x, i: x[i, i], (X, ROWS)),
    (lambda x, i: f.index(x, [None, i, i[0]]), lambda x, i: x[:, i, i[0]], (X, ROWS)),
    (lambda x, i: f.index(x, [i, None, i - 2]), lambda x, i: x[i, :, i - 2], (X, ROWS)),
    (
        lambda x, i, u: f.index_put(x, [None, i], u[:, :4]),
        lambda x, i, u: x.index_put((torch.arange(3)[:, None], i), u[:, :4]),
        (X, np.array([3, 0, 1, 2]), UPDATES),
    ),
    (
        lambda x, i: f.index_put(x, [i, None, i], 2.0, accumulate=True),
        lambda x, i: x.index_put((i[:, None], torch.arange(4), i[:, None]), torch.tensor(2.0).double(), True),
        (X, WIDE),
    ),
    (
        lambda x: f.index_put(x, [x > 0.0], 2.0),
        lambda x: x.index_put((x > 0.0,), torch.tensor(2.0).double()),
        (X,),
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "arrays"), INDEXED)
def test_indices(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


def test_the_last_writer_wins_and_has_the_gradient() -> None:
    places, updates, weights = np.array([1, 1, 2]), np.array([5.0, 6.0, 7.0]), np.array([2.0, 3.0, 4.0])
    builder = Builder()
    x, u = (builder.input(name, (3,), "float64") for name in "xu")
    written = builder.output("y", f.scatter(x, builder.constant(places), u, 0))
    for name, gradient in zip("ab", gradients({written: builder.constant(weights)}, [x, u]), strict=True):
        assert gradient is not None
        builder.output(name, gradient)
    found = evaluate(builder.graph(), {"x": np.zeros(3), "u": updates}, NUMPY)
    assert [found[name].tolist() for name in "yab"] == [[0.0, 6.0, 7.0], [2.0, 0.0, 0.0], [0.0, 3.0, 4.0]]


@pytest.mark.parametrize(("reduce", "include_self"), REDUCES)
def test_integers_are_scattered(reduce: Any, include_self: bool) -> None:
    x, updates = RNG.integers(-5, 6, (3, 4, 5)), RNG.integers(-5, 6, (3, 6, 5))
    found = run(lambda x, i, u: f.scatter_reduce(x, i, u, 1, reduce, include_self), x, ALONG, updates)
    x, updates, places = map(torch.tensor, (x, updates, ALONG))
    expected = x.scatter_reduce(1, places, updates, reduce, include_self=include_self)
    np.testing.assert_array_equal(found, expected.numpy())


def test_gather_and_scatter_nd() -> None:
    indices = np.array([[[0, 1], [2, -1]]])
    np.testing.assert_array_equal(run(f.gather_nd, X, indices), [[X[0, 1], X[2, -1]]])
    batched = run(lambda x, i: f.gather_nd(x, i, 1), X, np.array([[1], [3], [0]]))
    np.testing.assert_array_equal(batched, [X[0, 1], X[1, 3], X[2, 0]])
    updates = RNG.standard_normal((1, 2, 5))
    for reduction, combine in (
        ("none", lambda a, b: b),
        ("add", np.add),
        ("mul", np.multiply),
        ("max", np.maximum),
    ):
        expected = X.copy()
        expected[[0, 2], [1, 3]] = combine(X[[0, 2], [1, 3]], updates[0])
        found = run(lambda x, i, u, r=reduction: f.scatter_nd(x, i, u, r), X, indices, updates)
        np.testing.assert_array_equal(found, expected)


def test_an_empty_list_takes_nothing() -> None:
    assert run(lambda x: x[:, []], X).shape == X[:, []].shape


def test_an_index_outside_of_one_of_several_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="do not all lie"):
        run(f.gather_nd, X, np.array([[0, 4]]))


def test_one_hot_and_constants() -> None:
    labels = np.array([[1, 0], [2, 1]])
    expected = (labels[..., None] == np.arange(3)).astype(int)
    np.testing.assert_array_equal(run(lambda i: f.one_hot(i, 3), labels), expected)
    np.testing.assert_array_equal(run(lambda i: f.one_hot(i, 3, 0), labels), np.moveaxis(expected, -1, 0))
    with pytest.raises(ValueError, match="do not all lie"):
        run(lambda i: f.one_hot(i, 2), labels)
    narrow = run(lambda i: f.one_hot(i, 300), labels.astype(np.int8))
    np.testing.assert_array_equal(narrow, (labels[..., None] == np.arange(300)).astype(int))
    builder = Builder()
    written: dict[str, tuple[Value, Any]] = {
        "a": (f.arange(builder, 5), np.arange(5)),
        "b": (f.arange(builder, 7, 1, -2), np.arange(7, 1, -2)),
        "c": (f.arange(builder, 0.0, 1.0, 0.25), np.arange(0.0, 1.0, 0.25, dtype=np.float32)),
        "d": (f.linspace(builder, 1, 2, 5, "float64"), np.linspace(1, 2, 5)),
        "whole": (f.linspace(builder, 0, 5, 26, "int64"), np.linspace(0, 5, 26, dtype=np.int64)),
        "end": (f.linspace(builder, 0.1, 0.7, 12, "float64")[-1], np.float64(0.7)),
        "e": (f.eye(builder, 3, 5), np.eye(3, 5, dtype=np.float32)),
        "f": (f.full(builder, (2, 3), 7, "int32"), np.full((2, 3), 7, np.int32)),
        "g": (f.zeros_like(f.ones(builder, (2, 0))), np.zeros((2, 0), np.float32)),
    }
    for name, (value, _) in written.items():
        builder.output(name, value)
    found = evaluate(builder.graph(), {}, NUMPY)
    for name, (_, array) in written.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_named_sizes_are_carried() -> None:
    builder = Builder()
    x = builder.input("x", ("N", "T", 4))
    assert f.tril(f.swapaxes(x, 1, 2)).shape == ("N", 4, "T")
    assert f.tile(x, (1, 1, 2)).shape == ("N", "T", 8)
    assert f.squeeze(f.unsqueeze(x, 1)).shape == ("N", "T", 4)
    assert f.one_hot(builder.input("i", ("N",), "int64"), "T").shape == ("N", "T")
    assert f.unfold(builder.input("y", ("N", 2, 5, 5)), 3).shape == ("N", 18, 9)
    assert f.eye(builder, "T").shape == ("T", "T")


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x: f.tile(x, (2, 1)), SizeError, "'N'"),
        (lambda x: f.roll(x, (1, 2), 0), TypeMismatchError, "as many"),
        (f.diagonal, SizeError, "numbers"),
        (lambda x: f.chunk(x, 2), SizeError, "'N'"),
        (lambda x: f.unsqueeze(x, 4), TypeMismatchError, "axis 4"),
        (lambda x: f.index(x, [x]), TypeMismatchError, "integers"),
        (lambda x: x[x > 0], TypeMismatchError, "mask"),
        (lambda x: x[[[0, 1], [2]]], TypeMismatchError, "no array"),
        (lambda x: f.pixel_shuffle(x, 2), TypeMismatchError, "channels"),
        (lambda x: f.sliding_windows(x, 1, 9, 1), TypeMismatchError, "does not fit"),
        (lambda x: f.sliding_windows(x, 1, 5, 1), TypeMismatchError, "does not fit 4"),
        (lambda x: f.sliding_windows(x, 1, 2, 0), TypeMismatchError, "step 0"),
        (lambda x: f.chunk(x, 0, 1), TypeMismatchError, "at least one piece"),
        (lambda x: f.moveaxis(x, (0, 1), (0, 0)), TypeMismatchError, "one place"),
        (lambda x: f.repeat_interleave(x, -1, 1), SizeError, "size -1"),
        (lambda x: x.reshape(("N", -2, -2)), SizeError, "size -2"),
        (lambda x: f.channel_shuffle(x, 0), TypeMismatchError, "by 0"),
        (lambda x: f.pixel_shuffle(x.reshape(("N", 4, 1, 1)), 0), TypeMismatchError, "by 0"),
        (lambda x: f.pixel_unshuffle(x.reshape(("N", 1, 2, 2)), 0), TypeMismatchError, "by 0"),
        (lambda x: f.one_hot(x, 3), TypeMismatchError, "integer indices"),
        (lambda x: f.embedding(f.arange(x.builder, 3), x[0:3], 4), TypeMismatchError, "no row 4"),
        (lambda x: f.tensordot(x, x, -1), TypeMismatchError, "-1 axes"),
        (lambda x: f.pad(x.astype("int32"), [(0, 0), (1, 0)], float("inf")), TypeMismatchError, "hold inf"),
        (lambda x: f.pad(x, [(0, 0), (1, 0)], 1e39), TypeMismatchError, "hold 1e"),
        (lambda x: f.full_like(x, 300, "uint8"), TypeMismatchError, "uint8 cannot hold 300"),
        (lambda x: f.full_like(x, float("nan"), "int8"), TypeMismatchError, "int8 cannot hold nan"),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], Any], error: type[RaygradError], match: str) -> None:
    x = Builder().input("x", ("N", 4))
    with pytest.raises(error, match=match):
        write(x)
