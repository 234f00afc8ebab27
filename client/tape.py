"""The builder behind the tensors of a device: what it writes is recorded, and lives while it is needed."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import numpy.typing as npt

from raygrad.proto.builder import Builder
from raygrad.proto.errors import GraphError, RaygradError, TensorError
from raygrad.proto.given import plain
from raygrad.proto.graph import Graph, Node, Ref, title_of
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import Array, DType, TensorType
from raygrad.proto.value import Operand, Value

from .continuation import Continuations
from .recording import Output, Recorded, grad_enabled
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .device import Device
    from .tensor import Tensor


class Tape(Builder):
    """Records what is done with the tensors of one device. Has no named inputs, parameters and outputs.

    Numbers and arrays that meet tensors are data rather than constants, so that the same computation with
    others is the same graph.
    """

    def __init__(self, device: Device, seed: int) -> None:
        super().__init__()
        self.device = device
        self.vocabulary = Vocabulary()
        self.continuations = Continuations()
        self._ids = itertools.count()
        self._keys = np.random.default_rng(seed)

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike | DType | None = None) -> Tensor:
        """A leaf that holds a copy of `value`. Python floats become float32 unless `dtype` says otherwise."""
        return self.tensor(Output(self.given(_array(value, dtype))))

    def random_key(self) -> Tensor:
        """A key for one draw, as data: another draw is the same graph, and what runs again draws alike."""
        return self.constant(self._keys.integers(0, 1 << 32, 4))

    def stream(self) -> int:
        """Each draw has a key of its own."""
        return 0

    def add(self, operator: Operator, inputs: Sequence[Value] = ()) -> tuple[Tensor, ...]:
        """The outputs of one more use of `operator`."""
        use = self.record(operator, tuple([self._output(operator, value) for value in inputs]))
        if len(use.types) == 1:
            return (self.tensor(Output(use, 0)),)
        return tuple([self.tensor(output) for output in use.outputs])

    def binary(self, operator: Operator, a: Operand, b: Operand) -> Tensor | None:
        """What most operands are, at once: two tensors of one type, or one and a float."""
        kind = self._kind
        first = a.output if type(a) is kind and a.builder is self else None
        second = b.output if type(b) is kind and b.builder is self else None
        if first is None:
            first = None if second is None else self._number(a, second)
        elif second is None:
            second = self._number(b, first)
        if first is None or second is None:
            return None
        if first.of.types[first.port] is not second.of.types[second.port]:
            return None
        return self.tensor(Output(self.record(operator, (first, second)), 0))

    def _number(self, number: Operand, like: Output) -> Output | None:
        """A float as an output of the type of a floating-point one, if it fits."""
        found = like.of.types[like.port]
        if type(number) is not float or found.dtype is not DType.float32 or not -_LARGE < number < _LARGE:
            return None
        if found.elements <= _FEW:  # sooner written out than repeated by an operator
            full = np.full(found.static, number, np.float32)
            return Output(Recorded(next(self._ids), (found,), values=[full]))
        leaf = Output(self.given(np.array(number, np.float32)))
        operator, known = self.vocabulary.broadcast(found)
        return Output(self.record(operator, (leaf,), types=(found,), number=known))

    def given(self, array: Array) -> Recorded:
        """Data of the program, which must not change any more."""
        return Recorded(next(self._ids), (self.vocabulary.type_of(array),), values=[array])

    def record(
        self,
        operator: Operator,
        inputs: tuple[Output, ...],
        *,
        types: tuple[TensorType, ...] | None = None,
        number: int | None = None,
        home: int | None = None,
        label: str | None = None,
    ) -> Recorded:
        """One more use. `types` (those of the vocabulary) are inferred unless they are known.

        `number` is the operator's in the vocabulary, `home` the use's own id by default.
        """
        place, label = next(self._ids), self._label if label is None else label
        number = self.vocabulary.number(operator) if number is None else number
        if types is None:
            try:
                types = self.vocabulary.inferred(number, operator, [o.types[port] for o, port in inputs])
            except RaygradError as exc:
                raise exc.at(title_of(place, operator.name, label)) from None
        use = Recorded(
            place,
            types,
            operator,
            number,
            inputs,
            place if home is None else home,
            label,
            differentiable=_differentiable(inputs, types),
            values=[None] * len(types),
        )
        self._used(inputs, use)
        return use

    @staticmethod
    def _used(inputs: tuple[Output, ...], use: Recorded) -> None:
        ref = None
        for of, port in inputs:
            if of.values[port] is None:
                ref = weakref.ref(use) if ref is None else ref
                of.used_by(ref)

    def tensor(self, output: Output) -> Tensor:
        """The tensor that stands for an output."""
        return self._kind(self, output)

    @cached_property
    def _kind(self) -> type[Tensor]:
        """The class of tensors, whose module imports this one."""
        from .tensor import Tensor

        return Tensor

    def _output(self, operator: Operator, value: Value) -> Output:
        if not isinstance(value, self._kind):
            raise GraphError(f"{operator.name} got a tensor, and {value!r} of a graph: give it as an input")
        if value.builder is not self:
            raise GraphError(
                f"{operator.name} got tensors of two devices, {self.device} and {value.device}: "
                "bring one to the other with `to`"
            )
        return value.output

    def __repr__(self) -> str:
        return f"<Tape of {self.device}>"

    def _repr_svg_(self) -> None:
        """There is no picture of all that is recorded: a tensor's `graph` has one."""

    # -- what only a graph has ----------------------------------------------------------------

    def type_of(self, ref: Ref) -> TensorType:
        self._refuse("nodes by number")

    def append(
        self, operator: Operator, inputs: tuple[Ref, ...], *, home: int | None = None, label: str = ""
    ) -> Node:
        self._refuse("named inputs, parameters and buffers: use `rg.tensor`")

    def output(self, name: str, value: Value) -> Value:
        self._refuse("named outputs: ask the tensor for its value")

    def graph(self) -> Graph:
        self._refuse("a graph: write one with `rg.Builder`")

    @staticmethod
    def _refuse(what: str) -> NoReturn:
        raise GraphError(f"what is recorded of tensors has no {what}")


_FEW = 256
"""Elements."""

_LARGE = 3e38
"""Beyond this a float may not fit a float32."""


def _differentiable(inputs: tuple[Output, ...], types: tuple[TensorType, ...]) -> bool:
    for of, port in inputs:
        if of.requires_grad and of.types[port].dtype.is_floating:
            return grad_enabled() and any(t.dtype.is_floating for t in types)
    return False


def _array(value: npt.ArrayLike, dtype: npt.DTypeLike | DType | None) -> Array:
    """A read-only copy of what the program gave; `TensorError` if that makes no array of numbers."""
    try:
        array = plain(value, None if dtype is None else DType.of(dtype).numpy, copy=True)
    except (TypeError, ValueError, RuntimeError) as exc:  # the last of a PyTorch tensor with a gradient
        raise TensorError(f"this does not make a tensor: {exc}") from exc
    if dtype is None and not hasattr(value, "dtype") and array.dtype == np.float64:
        array = array.astype(np.float32)
    array.flags.writeable = False
    return array
