"""What an operator is: its attributes, types, derivative and cost, and the catalogue of all of them.

Subclassing `Operator` makes the class a frozen dataclass whose fields are the attributes, and
registers it under its wire name. See `docs/architecture.md`, section 4.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from ..attributes import bind_attributes, python_numbers
from ..errors import ArityError, TypeMismatchError
from ..tensor import TensorType, check_size

if TYPE_CHECKING:
    from ..value import Value

Cotangents = tuple["Value | None", ...]
Types = TensorType | tuple[TensorType, ...]

UNBOUNDED = 1 << 16
"""How many inputs a variadic operator takes at most."""


@dataclass_transform(frozen_default=True)
class Operator:
    """A kind of computation: y₁…y_Q = φ(x₁…x_R; attributes).

    A subclass defines `infer` (types, with checks) and `vjp` (the derivative, as more graph); it may
    refine `flops` and `bytes`. `infer`'s positional parameters are the inputs: defaults make inputs
    optional, `*xs` makes the operator variadic.
    """

    registry: ClassVar[dict[str, type[Operator]]] = {}
    name: ClassVar[str] = "Operator"
    source: ClassVar[bool] = False  # has no inputs and no home: it stands beside each consumer
    free: ClassVar[bool] = False  # cheaper to repeat beside a consumer than to send there
    arity: ClassVar[tuple[int, int]] = (0, 0)

    def __init_subclass__(cls, *, wire: str | None = None, abstract: bool = False) -> None:
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        if abstract:
            return
        cls.name = wire or cls.__name__
        cls.arity = _arity(cls)
        if cls.name in Operator.registry:
            raise TypeError(f"two operators are called {cls.name}")
        Operator.registry[cls.name] = cls

    def __post_init__(self) -> None:
        """Programs compute sizes and axes with NumPy: attributes hold Python's numbers only."""
        for name, value in vars(self).items():
            object.__setattr__(self, name, python_numbers(value))

    def infer(self, *args: Any, **kwargs: Any) -> Any:
        """The output type, or a tuple of them, of inputs of these types; typed errors otherwise."""
        raise NotImplementedError(f"{self.name}.infer")

    def vjp(self, *args: Any, **kwargs: Any) -> Cotangents:
        """`vjp(g, y, *x)`: the cotangent of each input, given those of the outputs, as values.

        With one output, `g` and `y` are values; with several, tuples, with `None` in `g` where no
        cotangent arrived. `None` in the result means: no gradient.
        """
        raise NotImplementedError(f"{self.name}.vjp")

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Floating-point operations of one evaluation on bound types (a multiply-add counts two)."""
        return sum(t.elements for t in outputs)

    def bytes(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Bytes read and written by one evaluation on bound types."""
        return sum(t.nbytes for t in (*inputs, *outputs))

    def scratch(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Bytes that a kernel may need while it runs beyond those of its inputs and outputs.

        Only what attributes can make large; names count as 1. The usual workspace of kernels is not counted.
        """
        return 0

    def bind(self, sizes: Mapping[str, int]) -> Operator:
        """The operator with the named sizes of its attributes replaced by numbers."""
        return type(self)(**bind_attributes(self, sizes))

    def infer_types(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """`infer` with its arity checked, and its result, whose sizes are sizes, as a tuple."""
        low, high = self.arity
        if not low <= len(inputs) <= high:
            most = f"to {high}" if high < UNBOUNDED else "or more"
            wanted = str(low) if low == high else f"{low} {most}"
            raise ArityError(f"{self.name} takes {wanted} inputs, got {len(inputs)}")
        found: Types = self.infer(*inputs)
        types = found if isinstance(found, tuple) else (found,)
        for size in (s for t in types for s in t.shape if not isinstance(s, str)):
            check_size(size)
        return types

    def __call__(self, *inputs: Value) -> Any:
        """A node of this operator in the builder of the inputs: its value, or a tuple of several."""
        if not inputs:
            raise ArityError(f"{self.name} without inputs: use Builder.add")
        values = inputs[0].builder.add(self, inputs)
        return values[0] if len(values) == 1 else values

    def __repr__(self) -> str:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return f"{self.name}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields)})"


def _arity(cls: type[Operator]) -> tuple[int, int]:
    """How many inputs `infer` takes, at least and at most."""
    parameters = list(inspect.signature(cls.infer).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return sum(p.kind is not p.VAR_POSITIONAL for p in parameters) or 1, UNBOUNDED
    return sum(p.default is p.empty for p in parameters), len(parameters)


def filled(like: Value, number: float) -> Value:
    """The number everywhere, in the shape and dtype of `like`."""
    return like.builder.constant(like.dtype.numpy.type(number)).broadcast_to(like.shape)


def plus(a: Value, b: Value | None) -> Value:
    """a + b, or a, if there is no b."""
    return a if b is None else a + b


def same(operator: Operator, *types: TensorType) -> TensorType:
    """The one type that all inputs have; `TypeMismatchError` if they differ."""
    if any(t != types[0] for t in types[1:]):
        raise TypeMismatchError(f"{operator.name} needs equal types, got {', '.join(map(str, types))}")
    return types[0]


def floating(operator: Operator, *types: TensorType) -> TensorType:
    """`same`, and floating-point."""
    found = same(operator, *types)
    if not found.dtype.is_floating:
        raise TypeMismatchError(f"{operator.name} needs a floating-point dtype, got {found}")
    return found


def require(condition: bool, operator: Operator, message: str) -> None:
    """`TypeMismatchError` in the operator's name unless the condition holds."""
    if not condition:
        raise TypeMismatchError(f"{operator.name}: {message}")
