"""ATen operators that take axes away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from .registry import Call, aten

Axes = int | Sequence[int] | None


def over(axes: Axes) -> Axes:
    """Torch's axes, of which none means all."""
    return None if axes is None or (isinstance(axes, Sequence) and not axes) else axes


@aten("sum.default", "sum.dim_IntList")
def sum_(call: Call, x: Value, axes: Axes = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    return call.operands(x)[0].sum(over(axes), keepdim)


@aten("mean.default", "mean.dim")
def mean(call: Call, x: Value, axes: Axes = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    return call.operands(x)[0].mean(over(axes), keepdim)


def _extremum(name: str, function: Callable[[Value, Axes, bool], Value]) -> None:
    @aten(f"{name}.default")
    def translation(call: Call, x: Value, axes: Axes = None, keepdim: bool = False) -> Value:
        return function(x, over(axes), keepdim)


_extremum("amax", Value.max)
_extremum("amin", Value.min)
_extremum("max", Value.max)
_extremum("min", Value.min)
