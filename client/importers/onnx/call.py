"""One node while it is converted: its operands in the form that a conversion asks for, and its attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from raygrad.proto.builder import Builder
from raygrad.proto.errors import ArityError, SizeError, UnsupportedOperatorError
from raygrad.proto.tensor import Array, Size
from raygrad.proto.value import Value

from .bodies import Node
from .operand import Known, Operand

if TYPE_CHECKING:
    from .conversion import Conversion


@dataclass(frozen=True)
class Call:
    """A node and what its operands stand for."""

    node: Node
    operands: tuple[Operand, ...]
    conversion: Conversion

    @property
    def builder(self) -> Builder:
        """The builder of the graph."""
        return self.conversion.builder

    @property
    def opset(self) -> int:
        """The opset version that gives the operator its meaning."""
        return self.node.opset

    # -- operands -----------------------------------------------------------------------------

    def has(self, at: int) -> bool:
        """Whether operand `at` is given."""
        return at < len(self.operands) and self.operands[at] is not None

    def operand(self, at: int) -> Value | Known:
        """Operand `at`, which must be given."""
        found = self.operands[at] if at < len(self.operands) else None
        if found is None:
            raise ArityError(f"operand {at} is missing")
        return found

    def value(self, at: int) -> Value:
        """Operand `at` as a value of the graph."""
        return self.conversion.lift(self.operand(at))

    def optional(self, at: int) -> Value | None:
        """Operand `at` as a value, or None if it is left out."""
        return self.value(at) if self.has(at) else None

    def values(self) -> list[Value]:
        """All operands as values."""
        return [self.value(at) for at in range(len(self.operands))]

    def constant(self, at: int) -> Value:
        """Operand `at` as a value that is not differentiated, as running statistics are not."""
        found = self.operand(at)
        return self.conversion.lift(Known(found.array, found.name) if isinstance(found, Known) else found)

    def static(self, at: int) -> Array:
        """The content of operand `at`: numbers, or names of sizes among them."""
        found = self.operand(at)
        if isinstance(found, Known):
            return found.array
        raise SizeError(
            f"the content of operand {self.node.inputs[at]!r} must be known when the model is read, and is "
            f"computed at run time: give numbers for named sizes in `sizes`, or the input in `static`"
        )

    def sizes(self, at: int) -> tuple[Size, ...]:
        """The content of operand `at` as sizes (or places and counts): numbers and names."""
        return tuple(s if isinstance(s, str) else int(s) for s in self.static(at).reshape(-1))

    def ints(self, at: int) -> tuple[int, ...]:
        """The content of operand `at` as numbers."""
        found = self.sizes(at)
        if any(isinstance(s, str) for s in found):
            raise SizeError(f"operand {self.node.inputs[at]!r} is {found}: give numbers for these in `sizes`")
        return tuple(s for s in found if isinstance(s, int))

    def number(self, at: int) -> Any:
        """The content of operand `at`, one number, as a Python number."""
        return np.asarray(self.static(at)).reshape(-1)[0].item()

    # -- attributes ---------------------------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or what its page says where it is left out."""
        return self.node.attributes.get(name, default)

    def unsupported(self, what: str) -> UnsupportedOperatorError:
        """The error that says which use of an operator is not supported."""
        return UnsupportedOperatorError(
            f"{self.node.operator} with {what} is not supported", node=self.node.title
        )

    def axes(self, at: int, default: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
        """Axes, an attribute up to some opset and operand `at` since."""
        if self.has(at):
            return self.ints(at)
        given = self.attribute("axes")
        return default if given is None else tuple(given)
