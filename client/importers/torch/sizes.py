"""Symbolic sizes of an exported program as named sizes of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from sympy import Expr, Integer, Mul, Symbol

from raygrad.proto.errors import SizeError
from raygrad.proto.tensor import Shape, Size


@dataclass(frozen=True)
class Count:
    """A product of sizes as a number that is known when they are."""

    sizes: Shape


@dataclass(frozen=True)
class Inexpressible:
    """A symbolic number that a graph cannot say."""

    expression: str

    def error(self) -> SizeError:
        """Why, and what helps."""
        return SizeError(
            f"the size {self.expression} is neither a number nor a name: export with numbers for its symbols"
        )


class Sizes:
    """Expressions of symbols as sizes; a symbol without a name keeps its own."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def size(self, size: int | torch.SymInt) -> Size:
        """A size of a shape; `SizeError` if it is neither a number nor a name."""
        found = self.number(size)
        if isinstance(found, (int, str)):
            return found
        raise (Inexpressible(self._text(size)) if isinstance(found, Count) else found).error()

    def shape(self, shape: Any) -> Shape:
        """A shape of numbers and names."""
        return tuple(self.size(s) for s in shape)

    def factors(self, size: int | torch.SymInt) -> Shape:
        """A size of a shape as factors; `SizeError` if it is no product of numbers and names."""
        found = self.number(size)
        if isinstance(found, Inexpressible):
            raise found.error()
        return found.sizes if isinstance(found, Count) else (found,)

    def number(self, number: Any) -> int | str | Count | Inexpressible:
        """A symbolic (or plain) integer as a number, a name or a product of sizes."""
        if isinstance(number, int):
            return number
        expression = number.node.expr
        factors = [self._factor(f) for f in Mul.make_args(expression)]
        if None in factors:
            return Inexpressible(self._text(number))
        sizes = tuple(f for f in factors if f is not None)
        return sizes[0] if len(sizes) == 1 else Count(sizes)

    def _factor(self, factor: Expr) -> Size | None:
        if isinstance(factor, Integer):
            return int(factor)
        return self._names.get(factor.name, factor.name) if isinstance(factor, Symbol) else None

    def _text(self, number: Any) -> str:
        symbols = {s: Symbol(self._names.get(s.name, s.name)) for s in number.node.expr.free_symbols}
        return str(number.node.expr.xreplace(symbols))


@dataclass(frozen=True)
class Named:
    """The names of a tensor's axes; `None` for axes without one."""

    axes: tuple[str | None, ...]


def names_of(spec: Any, value: Any) -> Any:
    """`value` with each tensor replaced by the `Named` that `spec`, a tree of dynamic shapes, gives it."""
    if isinstance(value, torch.Tensor):
        return Named(tuple(_name(_at(spec, axis)) for axis in range(value.ndim)))
    if isinstance(value, Mapping):
        return type(value)({k: names_of(_at(spec, k), v) for k, v in value.items()})  # type: ignore[call-arg]
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(names_of(_at(spec, i), v) for i, v in enumerate(value))
    return value


def _at(spec: Any, key: Any) -> Any:
    """The part of a tree of dynamic shapes for a key, an index or an axis."""
    if isinstance(spec, Mapping):
        return spec.get(key)
    return spec[key] if isinstance(spec, (list, tuple)) else None


def _name(size: Any) -> str | None:
    """The name of a size: a `torch.export.Dim`'s, unless torch chooses what it is."""
    if isinstance(size, str):
        return size
    name = getattr(size, "__name__", None)
    return name if isinstance(name, str) else None


class Dims:
    """Names as `torch.export.Dim`s, one for each name."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def of(self, spec: Any) -> Any:
        """A tree of dynamic shapes with `Dim`s for its names."""
        if isinstance(spec, str):
            return self._known.setdefault(spec, torch.export.Dim(spec))
        if isinstance(spec, Mapping):
            return {key: self.of(value) for key, value in spec.items()}
        return type(spec)(map(self.of, spec)) if isinstance(spec, (list, tuple)) else spec
