"""Exponentials, logarithms and the error functions of each element."""

from __future__ import annotations

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import exponential, special
from raygrad.proto.value import Operand, Value, binary

from .node import node


def exp(x: Value) -> Value:
    """eˣ."""
    return node(ew.Exp(), x)


def exp2(x: Value) -> Value:
    """2ˣ."""
    return node(exponential.Exp2(), x)


def expm1(x: Value) -> Value:
    """eˣ − 1, exact to the last digits near 0."""
    return node(exponential.Expm1(), x)


def log(x: Value) -> Value:
    """The natural logarithm: NaN below 0, −∞ at 0."""
    return node(ew.Log(), x)


def log1p(x: Value) -> Value:
    """log(1 + x), exact to the last digits near 0."""
    return node(exponential.Log1p(), x)


def log2(x: Value) -> Value:
    """The logarithm to base 2."""
    return node(exponential.Log2(), x)


def log10(x: Value) -> Value:
    """The logarithm to base 10."""
    return node(exponential.Log10(), x)


def logaddexp(a: Operand, b: Operand) -> Value:
    """log(eᵃ + eᵇ), without overflow, at least one of them a value."""
    return binary(exponential.LogAddExp(), a, b)


def erf(x: Value) -> Value:
    """The error function 2/√π ∫₀ˣ e^(−t²) dt."""
    return node(special.Erf(), x)


def erfc(x: Value) -> Value:
    """1 − erf x, exact to the last digits where erf x is near 1."""
    return node(special.Erfc(), x)
