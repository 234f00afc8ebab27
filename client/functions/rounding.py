"""Rounding to whole numbers, without derivatives. Integers are whole already, and come back as they are."""

from __future__ import annotations

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.operators import rounding
from raygrad.proto.value import Value

from .node import node


def floor(x: Value) -> Value:
    """⌊x⌋."""
    return _rounded(rounding.Floor(), x)


def ceil(x: Value) -> Value:
    """⌈x⌉."""
    return _rounded(rounding.Ceil(), x)


def trunc(x: Value) -> Value:
    """x rounded toward 0."""
    return _rounded(rounding.Trunc(), x)


def round(x: Value, decimals: int = 0) -> Value:
    """The nearest multiple of 10^−decimals; of two equally near, the even one."""
    if decimals == 0 or x.dtype.is_integer:
        return _rounded(rounding.Round(), x)
    if abs(decimals) > 300:
        raise ConfigurationError(f"round to 10^{-decimals} is beyond the range of floating-point numbers")
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return _rounded(rounding.Round(), x * scale) / scale
    return _rounded(rounding.Round(), x / scale) * scale


def frac(x: Value) -> Value:
    """x − trunc x, with the sign of x."""
    return x - trunc(x)


def _rounded(operator: rounding.Rounding, x: Value) -> Value:
    return x if x.dtype.is_integer else node(operator, x)
