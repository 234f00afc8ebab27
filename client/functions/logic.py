"""Questions about elements, logic on the answers, and the same on the bits of integers."""

from __future__ import annotations

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import logic
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import DType
from raygrad.proto.value import Operand, Value, binary, lift

from .elementwise import abs
from .node import node


def equal(a: Operand, b: Operand) -> Value:
    """a = b."""
    return binary(ew.Equal(), a, b)


def not_equal(a: Operand, b: Operand) -> Value:
    """a ≠ b."""
    return binary(ew.NotEqual(), a, b)


def isnan(x: Value) -> Value:
    """Whether x is no number."""
    return x.differs(x)


def isinf(x: Value) -> Value:
    """Whether x is infinite."""
    return abs(x).equals(float("inf")) if x.dtype.is_floating else x.differs(x)


def isfinite(x: Value) -> Value:
    """Whether x is neither infinite nor NaN."""
    return abs(x) < float("inf") if x.dtype.is_floating else x.equals(x)


def logical_and(a: Operand, b: Operand) -> Value:
    """Whether both are true; a number is if it is not 0."""
    return _logical(logic.And(), a, b)


def logical_or(a: Operand, b: Operand) -> Value:
    """Whether one is true, or both; a number is if it is not 0."""
    return _logical(logic.Or(), a, b)


def logical_xor(a: Operand, b: Operand) -> Value:
    """Whether just one is true; a number is if it is not 0."""
    return _logical(logic.Xor(), a, b)


def logical_not(x: Value) -> Value:
    """Whether x is false; a number is if it is 0."""
    return node(ew.Not(), truth(x))


def truth(x: Value) -> Value:
    """x as bool: whether a number is not 0 (NaN is not)."""
    return x if x.dtype is DType.bool else x.differs(0)


def bitwise_and(a: Operand, b: Operand) -> Value:
    """The bits that are set in both (integers or bool)."""
    return binary(logic.And(), a, b)


def bitwise_or(a: Operand, b: Operand) -> Value:
    """The bits that are set in one or both (integers or bool)."""
    return binary(logic.Or(), a, b)


def bitwise_xor(a: Operand, b: Operand) -> Value:
    """The bits that are set in just one (integers or bool)."""
    return binary(logic.Xor(), a, b)


def bitwise_not(x: Value) -> Value:
    """All bits turned (integers or bool)."""
    return node(ew.Not(), x)


def bitwise_left_shift(a: Operand, b: Operand) -> Value:
    """a · 2ᵇ of integers, without the bits that leave the dtype."""
    return binary(logic.ShiftLeft(), a, b)


def bitwise_right_shift(a: Operand, b: Operand) -> Value:
    """⌊a / 2ᵇ⌋ of integers."""
    return binary(logic.ShiftRight(), a, b)


def _logical(operator: Operator, a: Operand, b: Operand) -> Value:
    like = a if isinstance(a, Value) else b
    if not isinstance(like, Value):
        raise TypeMismatchError("none of the operands is a value of a graph")
    return binary(operator, *(_truth_of(v, like) for v in (a, b)))


def _truth_of(operand: Operand, like: Value) -> Operand:
    return bool(operand) if isinstance(operand, (bool, int, float)) else truth(lift(operand, like))
