"""A value of a builder: what programs and derivative rules compute with.

Methods add nodes to the value's builder. Arithmetic inserts the `Broadcast` and `Cast` nodes that
the strict operators need.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeGuard, TypeVar, cast

import numpy as np

from .errors import LimitError, TypeMismatchError
from .methods import Methods
from .operators import elementwise as ew
from .operators.base import Operator
from .operators.division import FloorDiv, Remainder
from .operators.logic import And, Or, ShiftLeft, ShiftRight, Xor
from .operators.shape import Broadcast, Cast, Reshape, StopGradient, Transpose, missing_size
from .promotion import broadcast_shapes, promote
from .sizes import listed, refuse_ambiguous
from .tensor import MOST_ELEMENTS, Array, DType, Shape, Size, TensorType

if TYPE_CHECKING:
    from .builder import Builder
    from .graph import Ref
    from .indexing import Item

V = TypeVar("V", bound="Value")
Operand: TypeAlias = "Value | bool | int | float | Array"


@dataclass(frozen=True, slots=True, eq=False)
class Value(Methods):
    """One output of a node of `builder`, with a type. Operators build nodes."""

    builder: Builder
    ref: Ref

    # NumPy arrays on the left of an operator leave it to the value.
    __array_ufunc__: ClassVar[None] = None

    @property
    def type(self) -> TensorType:
        """Shape and dtype."""
        return self.builder.type_of(self.ref)

    @property
    def shape(self) -> Shape:
        """The sizes, numbers or names."""
        return self.type.shape

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.type.dtype

    @property
    def rank(self) -> int:
        """The number of axes."""
        return self.type.rank

    def __repr__(self) -> str:
        return f"Value({self.ref}: {self.type} of {self.builder.node(self.ref.node).title})"

    # -- shape --------------------------------------------------------------------------------

    def astype(self, dtype: DType | str) -> Self:
        """The same values in another dtype."""
        target = DType.of(dtype)
        return self if target is self.dtype else _one(Cast(target)(self))

    def detach(self) -> Self:
        """The same values, as a constant to whoever differentiates."""
        return _one(StopGradient()(self))

    def broadcast_to(self, *shape: Size | Sequence[Size]) -> Self:
        """Repeated along axes of size 1 and along new leading axes, to a shape or to sizes one by one."""
        target = listed(shape)
        return self if target == self.shape else _one(Broadcast(target)(self))

    def reshape(self, *shape: Size | Sequence[Size]) -> Self:
        """The same elements in C order, in a shape or in sizes one by one; one size may be -1."""
        wanted = listed(shape)
        target = missing_size(self.type, wanted) if -1 in wanted else wanted
        return self if target == self.shape else _one(Reshape(target)(self))

    def view(self, *shape: Size | Sequence[Size]) -> Self:
        """`reshape`, under PyTorch's name. Values have no memory to share."""
        return self.reshape(*shape)

    def expand(self, *shape: Size | Sequence[Size]) -> Self:
        """`broadcast_to`, where −1 leaves a size as it is."""
        wanted = listed(shape)
        new = len(wanted) - self.rank
        if new < 0:
            raise TypeMismatchError(f"{self.type} does not expand to {wanted}, which has fewer axes")
        kept = (self.shape[a - new] if s == -1 and a >= new else s for a, s in enumerate(wanted))
        return self.broadcast_to(tuple(kept))

    def permute(self, *axes: int | Sequence[int]) -> Self:
        """The axes in this order."""
        return self.transpose(listed(axes))

    def transpose(self, *axes: int | Sequence[int] | None) -> Self:
        """Axes permuted; reversed by default.

        Raises `TypeMismatchError` for two axes one by one where NumPy and PyTorch mean different things.
        """
        if len(axes) == 2:
            refuse_ambiguous(self.type, axes)
        given = None if not axes or axes[0] is None else listed(axes)
        order = tuple(range(self.rank))[::-1] if given is None else tuple(map(self.type.axis, given))
        return self if order == tuple(range(self.rank)) else _one(Transpose(order)(self))

    @property
    def T(self) -> Self:  # noqa: N802 (the field's own name)
        """The last two axes exchanged. `a.T @ b` copies: prefer `MatMul(transpose_a=True)`."""
        order = list(range(self.rank))
        order[-2:] = reversed(order[-2:])
        return self.transpose(order)

    def __getitem__(self, index: Item | tuple[Item, ...]) -> Self:
        """Indexing with numbers, slices (of any step), `None`, `...`, and values or arrays of integers."""
        from .indexing import index_value

        return _one(index_value(self, index if isinstance(index, tuple) else (index,)))

    def __iter__(self) -> Iterator[Self]:
        """The elements along the first axis, whose size must be a number."""
        if not self.rank or isinstance(self.shape[0], str):
            raise TypeMismatchError(f"cannot iterate over {self!r}: its first axis has no number of elements")
        if self.shape[0] > MOST_ELEMENTS:
            raise LimitError(f"cannot iterate over {self!r}: at most {MOST_ELEMENTS} elements are allowed")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        raise TypeMismatchError(
            f"{self!r} has no truth value while the graph is written: choose between values with "
            "`rg.functions.where`, and tell values apart with `is`"
        )

    # -- arithmetic ---------------------------------------------------------------------------

    def __add__(self, other: Operand) -> Self:
        return binary(ew.Add(), self, other)

    def __radd__(self, other: Operand) -> Self:
        return binary(ew.Add(), other, self)

    def __sub__(self, other: Operand) -> Self:
        return binary(ew.Sub(), self, other)

    def __rsub__(self, other: Operand) -> Self:
        return binary(ew.Sub(), other, self)

    def __mul__(self, other: Operand) -> Self:
        return binary(ew.Mul(), self, other)

    def __rmul__(self, other: Operand) -> Self:
        return binary(ew.Mul(), other, self)

    def __truediv__(self, other: Operand) -> Self:
        return binary(ew.Div(), self, other)

    def __rtruediv__(self, other: Operand) -> Self:
        return binary(ew.Div(), other, self)

    def __pow__(self, other: Operand) -> Self:
        if isinstance(other, (int, float)) and other == 2:
            return self.square()
        return binary(ew.Pow(), self, other)

    def __rpow__(self, other: Operand) -> Self:
        return binary(ew.Pow(), other, self)

    def __floordiv__(self, other: Operand) -> Self:
        return binary(FloorDiv(), self, other)

    def __rfloordiv__(self, other: Operand) -> Self:
        return binary(FloorDiv(), other, self)

    def __mod__(self, other: Operand) -> Self:
        return binary(Remainder(), self, other)

    def __rmod__(self, other: Operand) -> Self:
        return binary(Remainder(), other, self)

    def __matmul__(self, other: Operand) -> Self:
        from .product import matmul

        return _one(matmul(*same_dtype(self, lift(other, self))))

    def __rmatmul__(self, other: Operand) -> Self:
        return _one(lift(other, self) @ self)

    def __neg__(self) -> Self:
        return _one(ew.Neg()(self))

    def __abs__(self) -> Self:
        return _one(ew.Abs()(self))

    def square(self) -> Self:
        """x·x."""
        return self * self

    # -- logic on bool, bits of integers ------------------------------------------------------

    def __and__(self, other: Operand) -> Self:
        return binary(And(), self, other)

    def __or__(self, other: Operand) -> Self:
        return binary(Or(), self, other)

    def __xor__(self, other: Operand) -> Self:
        return binary(Xor(), self, other)

    def __invert__(self) -> Self:
        return _one(ew.Not()(self))

    def __lshift__(self, other: Operand) -> Self:
        return binary(ShiftLeft(), self, other)

    def __rshift__(self, other: Operand) -> Self:
        return binary(ShiftRight(), self, other)

    # -- comparisons (bool values) ------------------------------------------------------------

    def __lt__(self, other: Operand) -> Self:
        return binary(ew.Less(), self, other)

    def __le__(self, other: Operand) -> Self:
        return binary(ew.LessEqual(), self, other)

    def __gt__(self, other: Operand) -> Self:
        return binary(ew.Greater(), self, other)

    def __ge__(self, other: Operand) -> Self:
        return binary(ew.GreaterEqual(), self, other)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        """Elementwise equality. What cannot be an operand (`None`, a string) is not equal as a whole."""
        return self.equals(other) if _is_operand(other) else NotImplemented

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        """Elementwise inequality."""
        return self.differs(other) if _is_operand(other) else NotImplemented

    __hash__ = object.__hash__
    """By identity, so that values can be dictionary keys."""

    def equals(self, other: Operand) -> Self:
        """Elementwise equality."""
        return binary(ew.Equal(), self, other)

    def differs(self, other: Operand) -> Self:
        """Elementwise inequality."""
        return binary(ew.NotEqual(), self, other)


def _is_operand(other: object) -> TypeGuard[Operand]:
    return isinstance(other, (Value, bool, int, float, np.ndarray, np.generic, list, tuple))


# What a tensor is computed with are tensors, and so is the result: type checkers take it from where it goes.


def _one(value: Any) -> V:  # type: ignore[type-var]
    """The value of an operator with one output."""
    assert isinstance(value, Value)
    return cast("V", value)


def binary(operator: Operator, a: Operand, b: Operand) -> V:  # type: ignore[type-var]
    """An elementwise operator of two operands, brought to one shape and dtype."""
    like = a if isinstance(a, Value) else b
    if isinstance(like, Value) and (found := like.builder.binary(operator, a, b)) is not None:
        return cast("V", found)
    return _one(operator(*unify(a, b)))


def unify(*operands: Operand) -> tuple[Value, ...]:
    """Operands as values of one shape and dtype; at least one must be a value already."""
    like = next((o for o in operands if isinstance(o, Value)), None)
    if like is None:
        raise TypeMismatchError("none of the operands is a value of a graph")
    values = same_dtype(*(lift(o, like) for o in operands))
    shape = broadcast_shapes(*(v.shape for v in values))
    return tuple(v.broadcast_to(shape) for v in values)


def same_dtype(*values: Value) -> tuple[Value, ...]:
    """The values cast to the dtype that all of them promote to."""
    dtype = functools.reduce(promote, (v.dtype for v in values))
    return tuple(v.astype(dtype) for v in values)


def lift(operand: Operand, like: Value) -> Value:
    """An operand as a value of `like`'s builder: Python numbers take the dtype of `like`."""
    if isinstance(operand, Value):
        return operand
    if isinstance(operand, (bool, int, float)):
        return like.builder.constant(_scalar(operand, like.dtype))
    return like.builder.constant(operand)


def _scalar(number: float, dtype: DType) -> Array:
    """A Python number as an element of `dtype`, which must hold it (rounding aside)."""
    kinds = (bool,) if dtype is DType.bool else (bool, int, float) if dtype.is_floating else (bool, int)
    try:
        with np.errstate(over="raise"):
            if isinstance(number, kinds):
                return np.asarray(number, dtype=dtype.numpy)
    except (OverflowError, FloatingPointError):
        pass
    raise TypeMismatchError(f"{number!r} does not fit {dtype!r}: cast the value first")
