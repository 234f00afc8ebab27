"""Reductions, scans and sorts against PyTorch, and where their composites go wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from raygrad.client import functions as f
from raygrad.proto.builder import Builder
from raygrad.proto.value import Value
from tests.comparing import compare
from tests.evaluate import Array
from tests.finite_differences import Differentiable, check_gradient
from tests.test_elementwise_functions import Case, run

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 5))
MATRIX = RNG.standard_normal((4, 6))
ZEROS = np.array([[1.0, 0.0, 2.0, 3.0], [0.0, 4.0, 0.0, 5.0], [1.5, 2.5, -3.5, 0.5]])
INTEGERS = RNG.integers(-3, 4, (3, 4, 5))
INF = float("inf")


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (lambda x: f.prod(x, 1), lambda x: x.prod(1), (ZEROS,)),
        (lambda x: f.prod(x, (0, 2)), lambda x: x.prod(2).prod(0), (X,)),
        (f.prod, torch.prod, (ZEROS,)),
        (lambda x: f.max(x, 1), lambda x: x.amax(1), (X,)),
        (lambda x: f.min(x, (0, 2), keepdims=True), lambda x: x.amin((0, 2), keepdim=True), (X,)),
        (lambda x: f.var(x, 1), lambda x: x.var(1, correction=0), (X,)),
        (lambda x: f.var(x, correction=1), lambda x: x.var(), (X,)),
        (lambda x: f.std(x, (0, 2), True, 1.0), lambda x: x.std((0, 2), keepdim=True), (X,)),
        (lambda x: f.logsumexp(x, (0, 1)), lambda x: x.logsumexp((0, 1)), (X * 300,)),
        *(
            (
                lambda x, p=p: f.norm(x, (0, 2), p=p),
                lambda x, p=p: torch.linalg.vector_norm(x, p, (0, 2)),
                (X,),
            )
            for p in (1.0, 2.0, 3.0, 0.5, -2.0, INF, -INF)
        ),
        (lambda x: f.norm(x, p=3.0), lambda x: torch.linalg.vector_norm(x, 3), (ZEROS,)),
        (lambda x: f.cumsum(x, -1), lambda x: x.cumsum(-1), (X,)),
        (lambda x: f.cumprod(x, 1), lambda x: x.cumprod(1), (ZEROS,)),
        (lambda x: f.topk(x, 2, 1)[0], lambda x: x.topk(2, 1)[0], (X,)),
        (lambda x: f.sort(x, 0, descending=True)[0], lambda x: x.sort(0, descending=True)[0], (X,)),
    ],
)
def test_values_and_gradients(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


VALUES: list[Case] = [
    (lambda x: f.all(x, 1), lambda x: x.all(1), (INTEGERS,)),
    (lambda x: f.any(x, (0, 2)), lambda x: x.any(2).any(0), (INTEGERS > 2,)),
    (lambda x: f.any(x, keepdims=True)[0, 0], lambda x: x.any()[None], (INTEGERS > 9,)),
    (f.count_nonzero, torch.count_nonzero, (INTEGERS,)),
    (f.argmax, torch.argmax, (X,)),
    (lambda x: f.argmax(x, 1), lambda x: x.argmax(1), (INTEGERS,)),
    (lambda x: f.argmin(x, -1, keepdims=True), lambda x: x.argmin(-1, keepdim=True), (INTEGERS,)),
    (lambda x: f.argsort(x, 1), lambda x: x.argsort(stable=True, dim=1), (INTEGERS,)),
    (
        lambda x: f.argsort(x, 1, descending=True),
        lambda x: x.argsort(stable=True, dim=1, descending=True),
        (INTEGERS,),
    ),
    (lambda x: f.norm(x, 1, p=0.0), lambda x: torch.linalg.vector_norm(x, 0, 1), (ZEROS,)),
    (lambda x: f.prod(x, 2), lambda x: x.prod(2), (INTEGERS,)),
    (lambda x: f.cumprod(x, 2), lambda x: x.cumprod(2), (INTEGERS,)),
    (lambda x: f.logsumexp(x, 0), lambda x: x.logsumexp(0), (np.array([[-INF, INF], [-INF, 0.0]]),)),
    (f.sum, torch.sum, (np.zeros((0, 3)),)),
    (lambda x: f.prod(x, 0), lambda x: x.prod(0), (np.zeros((0, 3)),)),
    (lambda x: f.all(x, 0), lambda x: x.all(0), (np.zeros((0, 3)),)),
    (lambda x: f.cumsum(x, 0), lambda x: x.cumsum(0), (np.zeros((0, 3)),)),
    (f.std, lambda x: x.std(correction=0), (np.array(2.0),)),
]


@pytest.mark.parametrize(("ours", "theirs", "arrays"), VALUES)
def test_values(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    np.testing.assert_array_equal(run(ours, *arrays), theirs(*map(torch.tensor, arrays)).numpy())


@pytest.mark.parametrize(
    ("reverse", "exclusive", "expected"),
    [
        (False, False, [1, 3, 6, 10]),
        (True, False, [10, 9, 7, 4]),
        (False, True, [0, 1, 3, 6]),
        (True, True, [9, 7, 4, 0]),
    ],
)
def test_cumsum_either_way(reverse: bool, exclusive: bool, expected: list[int]) -> None:
    found = run(lambda x: f.cumsum(x, 0, reverse, exclusive), np.array([1, 2, 3, 4]))
    assert found.tolist() == expected


def test_a_linear_recurrence() -> None:
    a, b = np.array([9.0, 2.0, 0.5]), np.array([1.0, 3.0, 4.0])
    assert run(lambda a, b: f.linear_recurrence(a, b, 0), a, b).tolist() == [1.0, 5.0, 6.5]
    assert run(lambda a, b: f.linear_recurrence(a, b, 0, reverse=True), a, b).tolist() == [100.0, 11.0, 4.0]


@pytest.mark.parametrize("write", [f.prod, lambda x: f.cumprod(x, 1).sum()])
def test_products_with_zeros_have_derivatives_of_second_order(write: Callable[[Value], Value]) -> None:
    builder, array = Builder(), ZEROS[:1]
    builder.output("y", write(builder.input("x", array.shape, "float64")))
    first = check_gradient(Differentiable(builder.graph(), {"x": array}), RNG, tolerance=1e-7)
    check_gradient(first, RNG, tolerance=1e-6)


def test_order_has_a_place_for_nan() -> None:
    x = np.array([1.0, np.nan, 3.0, np.nan, 2.0])
    assert run(f.argsort, x).tolist() == [0, 4, 2, 1, 3]
    assert run(lambda x: f.argsort(x, descending=True), x).tolist() == [1, 3, 2, 4, 0]
    assert run(f.argmax, x).tolist() == 1


def test_named_sizes_are_carried() -> None:
    x = Builder().input("x", ("N", "T", 3))
    assert f.sort(x, 1)[0].shape == f.cumprod(x, 0).shape == f.roll(f.flip(x), 2, 0).shape == ("N", "T", 3)
    assert f.argmax(x, 1).shape == f.var(x, 1, correction=1).shape == ("N", 3)
