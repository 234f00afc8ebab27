"""What takes axes away, runs along one, or sorts it."""

from __future__ import annotations

from typing import Any

import torch

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter, Dim, axes_of, axis_of, cast


def reduction(name: str) -> Adapter:
    def reduce(
        x: Value, dim: Dim = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
    ) -> Value:
        return getattr(f, name)(cast(x, dtype), axes_of(x, dim), keepdim)

    return reduce


def extreme(name: str) -> Adapter:
    """With an axis, also the indices."""

    def reduce(x: Value, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return getattr(f, name)(x)
        axis = axis_of(x, dim)
        return getattr(f, name)(x, axis, keepdim), getattr(f, f"arg{name}")(x, axis, keepdim)

    return reduce


def index_of(name: str) -> Adapter:
    def reduce(x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
        return getattr(f, name)(x, None if x.rank == 0 else dim, keepdim)

    return reduce


def spread(name: str) -> Adapter:
    """Variance and deviation."""

    def reduce(
        x: Value,
        dim: Dim | bool = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: float | None = None,
    ) -> Value:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        taken = (1 if unbiased in (None, True) else 0) if correction is None else correction
        return getattr(f, name)(x, axes_of(x, dim), keepdims=keepdim, correction=taken)

    return reduce


def cumulative(name: str) -> Adapter:
    def scan(x: Value, dim: int, *, dtype: torch.dtype | None = None) -> Value:
        return getattr(f, name)(cast(x, dtype), axis_of(x, dim))

    return scan


def prod(
    x: Value, dim: int | None = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Value:
    return f.prod(cast(x, dtype), axes_of(x, dim), keepdim)


def norm(x: Value, p: Any = 2, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    if p in ("fro", None):
        p = 2
    if isinstance(p, str):
        raise Declined("norms by singular values")
    return f.norm(cast(x, dtype), axes_of(x, dim), keepdim, p)


def vector_norm(
    x: Value, ord: float = 2, dim: Dim = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Value:
    return f.norm(cast(x, dtype), axes_of(x, dim), keepdim, ord)


def sort(x: Value, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
    return f.sort(x, axis_of(x, dim), descending)


def argsort(x: Value, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Value:
    return f.argsort(x, axis_of(x, dim), descending)


def topk(x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return f.topk(x, k, axis_of(x, dim), largest)


ADAPTERS: dict[str, Adapter] = {
    "sum": reduction("sum"),
    "mean": reduction("mean"),
    "prod": prod,
    "all": reduction("all"),
    "any": reduction("any"),
    "amax": reduction("max"),
    "amin": reduction("min"),
    "logsumexp": reduction("logsumexp"),
    "max/reduction_no_dim": extreme("max"),
    "max/reduction_with_dim": extreme("max"),
    "min/reduction_no_dim": extreme("min"),
    "min/reduction_with_dim": extreme("min"),
    "argmax": index_of("argmax"),
    "argmin": index_of("argmin"),
    "var": spread("var"),
    "var/unbiased": spread("var"),
    "std": spread("std"),
    "std/unbiased": spread("std"),
    "cumsum": cumulative("cumsum"),
    "cumprod": cumulative("cumprod"),
    "norm": norm,
    "norm/fro": norm,
    "norm/inf": norm,
    "linalg.vector_norm": vector_norm,
    "sort": sort,
    "argsort": argsort,
    "topk": topk,
    "count_nonzero": reduction("count_nonzero"),
}
