"""Products of vectors, matrices and more axes against PyTorch and NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from raygrad.client import functions as f
from raygrad.proto.builder import Builder
from raygrad.proto.errors import RaygradError, SizeError, TypeMismatchError
from raygrad.proto.tensor import Shape
from raygrad.proto.value import Value
from tests.comparing import compare
from tests.evaluate import Array, evaluate
from tests.test_elementwise_functions import NUMPY, Case, run

RNG = np.random.default_rng(0)


def real(*shape: int) -> Array:
    return RNG.standard_normal(shape)


EQUATIONS: list[tuple[str, tuple[Array, ...]]] = [
    ("ij,jk->ik", (real(3, 4), real(4, 5))),
    ("ij,kj", (real(3, 4), real(5, 4))),
    ("ij->ji", (real(3, 4),)),
    ("ji", (real(3, 4),)),
    ("ii", (real(4, 4),)),
    ("ii->i", (real(4, 4),)),
    ("iij,jj->ij", (real(3, 3, 2), real(2, 2))),
    ("ij->", (real(3, 4),)),
    ("i,j->ij", (real(3), real(4))),
    ("i,i", (real(3), real(3))),
    ("bqhd,bkhd->bhqk", (real(2, 3, 2, 4), real(2, 5, 2, 4))),
    ("bij,bjk->bik", (real(2, 3, 4), real(2, 4, 5))),
    ("nhwc,co->nhwo", (real(2, 3, 2, 4), real(4, 5))),
    ("abc,cb->a", (real(2, 3, 4), real(4, 3))),
    ("ij,jk,kl->il", (real(2, 3), real(3, 4), real(4, 2))),
    ("i,i,i->", (real(3), real(3), real(3))),
    ("ij,ik->jk", (real(3, 2), real(3, 4))),
    ("ij,kl->jl", (real(3, 2), real(2, 4))),
    ("...ij,...jk->...ik", (real(2, 1, 3, 4), real(5, 4, 2))),
    ("...i,...i", (real(2, 3), real(3))),
    ("i...,ij->j...", (real(3, 2, 2), real(3, 4))),
    ("...ij->...", (real(2, 3, 4),)),
    ("bn,anm,bm->ba", (real(2, 5), real(3, 5, 4), real(2, 4))),
    ("ij,jk->ik", (real(3, 1), real(4, 5))),
    (" i j , j k -> k i ", (real(3, 4), real(4, 5))),
]


@pytest.mark.parametrize(("equation", "arrays"), EQUATIONS, ids=[e for e, _ in EQUATIONS])
def test_einsum(equation: str, arrays: tuple[Array, ...]) -> None:
    compare(lambda *xs: f.einsum(equation, *xs), lambda *xs: torch.einsum(equation, *xs), arrays)


PRODUCTS: list[Case] = [
    (f.matmul, torch.matmul, (real(2, 3, 4), real(4, 5))),
    (f.mv, torch.mv, (real(3, 4), real(4))),
    (f.vecdot, torch.linalg.vecdot, (real(2, 3, 4), real(3, 4))),
    (f.outer, torch.outer, (real(3), real(4))),
    (f.kron, torch.kron, (real(2, 3), real(2, 2))),
    (f.kron, torch.kron, (real(2), real(2, 1, 2))),
    (f.tensordot, torch.tensordot, (real(2, 3, 4), real(3, 4, 5))),
    (lambda a, b: f.tensordot(a, b, 0), lambda a, b: torch.tensordot(a, b, 0), (real(2), real(3))),
    (
        lambda a, b: f.tensordot(a, b, ([0, -1], [1, 0])),
        lambda a, b: torch.tensordot(a, b, ([0, -1], [1, 0])),
        (real(2, 3, 4), real(4, 2, 5)),
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "arrays"), PRODUCTS)
def test_products(
    ours: Callable[..., Value], theirs: Callable[..., torch.Tensor], arrays: tuple[Array, ...]
) -> None:
    compare(ours, theirs, arrays)


def test_products_of_integers() -> None:
    a, b = RNG.integers(-5, 6, (2, 3, 4)), RNG.integers(-5, 6, (4, 5))
    np.testing.assert_array_equal(run(f.matmul, a, b), a @ b)
    np.testing.assert_array_equal(run(lambda a, b: f.einsum("nij,jk->ki", a, b), a, b), (a @ b).sum(0).T)


@pytest.mark.parametrize(
    ("equation", "first", "second"),
    [
        ("ntd,nsd->nts", ("N", "T", 4), ("N", 3, 4)),
        ("nthd,nshd->nhts", ("N", "T", 2, 4), ("N", "T", 2, 4)),
        ("ntd,dk->ntk", ("N", "T", 4), (4, 5)),
        ("dk,ntd->ntk", (4, 5), ("N", "T", 4)),
        ("ntd,ntk->dk", ("N", "T", 4), ("N", "T", 5)),  # two named axes are contracted: no matrix product
        ("nta,ntb->ntab", ("N", "T", 2), ("N", "T", 3)),
    ],
)
def test_einsum_with_named_sizes(equation: str, first: Shape, second: Shape) -> None:
    builder = Builder()
    a, b = builder.input("a", first, "float64"), builder.input("b", second, "float64")
    builder.output("y", f.einsum(equation, a, b))
    sizes = {"N": 2, "T": 3}
    arrays = {n: real(*(sizes.get(str(s), s) for s in v.shape)) for n, v in (("a", a), ("b", b))}  # type: ignore[arg-type]
    found = evaluate(builder.graph().bind(sizes), arrays, NUMPY)["y"]
    np.testing.assert_allclose(found, np.einsum(equation, arrays["a"], arrays["b"]), rtol=1e-12)


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (lambda x: f.einsum("ij,jk", x), TypeMismatchError, "operands"),
        (lambda x: f.einsum("i1", x), TypeMismatchError, "operands"),
        (lambda x: f.einsum("i", x), TypeMismatchError, "label"),
        (lambda x: f.einsum("ij->ik", x), TypeMismatchError, "unknown"),
        (lambda x: f.einsum("ij->ii", x), TypeMismatchError, "repeated"),
        (lambda x: f.einsum("ij,ji", x, x), TypeMismatchError, "differ"),
        (lambda x: f.tensordot(x, x, 1), TypeMismatchError, "differ"),
        (lambda x: f.mv(x, x), TypeMismatchError, "vector"),
        (lambda x: f.outer(x, x), TypeMismatchError, "vectors"),
        (lambda x: f.kron(x, x), SizeError, "'N'"),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], object], error: type[RaygradError], match: str) -> None:
    x = Builder().input("x", ("N", 4))
    with pytest.raises(error, match=match):
        write(x)
