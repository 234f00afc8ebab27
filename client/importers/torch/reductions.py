"""ATen operators that take axes away, and those that look along one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from ...functions.reductions import extremum
from .registry import Call, aten

Axes = int | Sequence[int] | None


def over(axes: Axes) -> Axes:
    """Torch's axes, of which none means all."""
    return None if axes is None or (isinstance(axes, Sequence) and not axes) else axes


def _scalar_safe(x: Value) -> Value:
    """A scalar as a vector: torch lets axis 0 and −1 of a scalar stand for it."""
    return x.reshape((1,)) if not x.rank else x


@aten("sum.default", "sum.dim_IntList")
def sum_(call: Call, x: Value, axes: Axes = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    return _reduced(Value.sum, call, call.value(x, call.out.dtype), axes, keepdim)


@aten("mean.default", "mean.dim")
def mean(call: Call, x: Value, axes: Axes = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    return _reduced(Value.mean, call, call.value(x, call.out.dtype), axes, keepdim)


@aten("prod.default", "prod.dim_int")
def prod(call: Call, x: Value, axes: Axes = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    return _reduced(f.prod, call, call.value(x, call.out.dtype), axes, keepdim)


def _reduced(
    function: Callable[[Value, Axes, bool], Value], call: Call, x: Value, axes: Axes, keepdim: bool
) -> Value:
    return function(_scalar_safe(x), over(axes), keepdim).reshape(call.shape)


def _plain(function: Callable[[Value, Axes, bool], Value], *overloads: str) -> None:
    @aten(*overloads)
    def translation(call: Call, x: Value, axes: Axes = None, keepdim: bool = False) -> Value:
        return _reduced(function, call, x, axes, keepdim)


_plain(f.max, "amax.default")
_plain(f.min, "amin.default")
_plain(lambda x, *_: extremum(f.max, x), "max.default")
_plain(lambda x, *_: extremum(f.min, x), "min.default")
_plain(f.logsumexp, "logsumexp.default")
_plain(f.any, "any.default", "any.dim", "any.dims")
_plain(f.all, "all.default", "all.dim", "all.dims")
_plain(f.count_nonzero, "count_nonzero.dim_IntList")


@aten("count_nonzero.default")
def count_nonzero(call: Call, x: Value, axis: int | None = None) -> Value:
    return f.count_nonzero(x, axis)


@aten("argmax.default")
def argmax(call: Call, x: Value, axis: int | None = None, keepdim: bool = False) -> Value:
    return f.argmax(_scalar_safe(x), axis, keepdim).reshape(call.shape)


@aten("argmin.default")
def argmin(call: Call, x: Value, axis: int | None = None, keepdim: bool = False) -> Value:
    return f.argmin(_scalar_safe(x), axis, keepdim).reshape(call.shape)


def _extremum(name: str, index: Callable[[Value, int, bool], Value]) -> None:
    """The extreme elements along an axis and their indices; the gradient goes to that one element."""

    @aten(f"{name}.dim")
    def translation(call: Call, x: Value, axis: int, keepdim: bool = False) -> tuple[Value, Value]:
        line = _scalar_safe(x)
        found = index(line, axis, True)
        return f.gather(line, found, axis).reshape(call.shape), found.reshape(call.shape)


_extremum("max", f.argmax)
_extremum("min", f.argmin)


# -- moments and norms ----------------------------------------------------------------------------


@aten("var.correction")
def var(
    call: Call, x: Value, axes: Axes = None, *, correction: float | None = None, keepdim: bool = False
) -> Value:
    return f.var(x, over(axes), keepdim, 1.0 if correction is None else float(correction))


@aten("std.correction")
def std(
    call: Call, x: Value, axes: Axes = None, *, correction: float | None = None, keepdim: bool = False
) -> Value:
    return f.std(x, over(axes), keepdim, 1.0 if correction is None else float(correction))


@aten("var_mean.correction")
def var_mean(
    call: Call, x: Value, axes: Axes = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Value, Value]:
    return var(call, x, axes, correction=correction, keepdim=keepdim), x.mean(over(axes), keepdim)


@aten("std_mean.correction")
def std_mean(
    call: Call, x: Value, axes: Axes = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Value, Value]:
    return std(call, x, axes, correction=correction, keepdim=keepdim), x.mean(over(axes), keepdim)


def _unbiased(name: str, function: Callable[..., object]) -> None:
    """The spellings with `unbiased`, which is a correction of 1."""

    @aten(f"{name}.default")
    def of_all(call: Call, x: Value, unbiased: bool = True) -> object:
        return function(call, x, correction=1.0 if unbiased else 0.0)

    @aten(f"{name}.dim")
    def of_axes(call: Call, x: Value, axes: Axes, unbiased: bool = True, keepdim: bool = False) -> object:
        return function(call, x, axes, correction=1.0 if unbiased else 0.0, keepdim=keepdim)


for _name, _function in {"var": var, "std": std, "var_mean": var_mean, "std_mean": std_mean}.items():
    _unbiased(_name, _function)


@aten("linalg_vector_norm.default")
def vector_norm(
    call: Call,
    x: Value,
    p: float = 2,
    axes: Axes = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Value:
    return f.norm(call.value(x, call.out.dtype), over(axes), keepdim, float(p))


# -- along an axis --------------------------------------------------------------------------------


@aten("cumsum.default")
def cumsum(call: Call, x: Value, axis: int, *, dtype: DType | None = None) -> Value:
    return f.cumsum(_scalar_safe(call.value(x, call.out.dtype)), axis).reshape(call.shape)


@aten("cumprod.default")
def cumprod(call: Call, x: Value, axis: int, *, dtype: DType | None = None) -> Value:
    return f.cumprod(_scalar_safe(call.value(x, call.out.dtype)), axis).reshape(call.shape)


@aten("sort.default")
def sort(call: Call, x: Value, axis: int = -1, descending: bool = False) -> tuple[Value, ...]:
    return _shaped(call, f.sort(_scalar_safe(x), axis, descending))


@aten("sort.stable")
def sort_stable(
    call: Call, x: Value, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[Value, ...]:
    return sort(call, x, dim, descending)


@aten("argsort.default")
def argsort(call: Call, x: Value, axis: int = -1, descending: bool = False) -> Value:
    return sort(call, x, axis, descending)[1]


@aten("topk.default")
def topk(
    call: Call, x: Value, k: int, axis: int = -1, largest: bool = True, in_order: bool = True
) -> tuple[Value, ...]:
    return _shaped(call, f.topk(_scalar_safe(x), k, axis, largest))


def _shaped(call: Call, values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(value.reshape(call.shape) for value in values)
