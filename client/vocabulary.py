"""What is recorded again and again, under numbers: a structure is then a row of numbers, quick to compare.

Equal operators have one number, equal types one object, and what an operator makes of types is inferred once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from raygrad.proto.builder import canonical
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.shape import Broadcast
from raygrad.proto.tensor import Array, DType, Shape, TensorType

MOST = 20_000
"""Operators, and results of inference, that are remembered; then it begins anew, with other numbers."""

Types = tuple[TensorType, ...]


class Vocabulary:
    """The operators and types of one tape. Thread-safe: a number that is lost is only never used."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._simple: dict[type[Operator], int] = {}  # operators without attributes
        self._operators: dict[tuple[type[Operator], bytes], int] = {}
        self._types: dict[TensorType, TensorType] = {}
        self._of_arrays: dict[tuple[object, ...], TensorType] = {}
        self._broadcasts: dict[Shape, tuple[Operator, int]] = {}
        self._inferred: dict[tuple[int, ...], Types] = {}

    def number(self, operator: Operator) -> int:
        """The same for equal operators: 0.0 and −0.0 are not equal, nor are 1 and True."""
        kind = type(operator)
        found = self._simple.get(kind)
        if found is not None:
            return found
        if not vars(operator):
            return self._simple.setdefault(kind, next(self._numbers))
        key = kind, canonical(operator)
        found = self._operators.get(key)
        if found is None:
            if len(self._operators) > MOST:
                self._operators.clear()
                self._broadcasts.clear()
            found = self._operators.setdefault(key, next(self._numbers))
        return found

    def broadcast(self, to: TensorType) -> tuple[Operator, int]:
        """The operator that repeats a scalar, and its number."""
        found = self._broadcasts.get(to.shape)
        if found is None:
            operator = Broadcast(to.shape)
            found = self._broadcasts[to.shape] = operator, self.number(operator)
        return found

    def type_of(self, array: Array) -> TensorType:
        """The type of an array."""
        key = array.shape, array.dtype
        found = self._of_arrays.get(key)
        if found is None:
            found = self._of_arrays[key] = self.type(TensorType(array.shape, DType.of(array.dtype)))
        return found

    def type(self, found: TensorType) -> TensorType:
        """The object that stands for a type, for as long as the vocabulary lives."""
        return self._types.setdefault(found, found)

    def types(self, found: Sequence[TensorType]) -> Types:
        """The objects that stand for types."""
        return tuple(self._types.setdefault(t, t) for t in found)

    def inferred(self, number: int, operator: Operator, inputs: Sequence[TensorType]) -> Types:
        """The types of the outputs; what `infer_types` raises. The inputs are types of this vocabulary."""
        key = (number, *map(id, inputs))
        found = self._inferred.get(key)
        if found is None:
            if len(self._inferred) > MOST:
                self._inferred.clear()
            found = self._inferred[key] = self.types(operator.infer_types(inputs))
        return found
