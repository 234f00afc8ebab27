"""The builder behind the tensors of a device: what it writes is recorded, and lives while it is needed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import numpy.typing as npt

from raygrad.proto.builder import Builder
from raygrad.proto.errors import GraphError, RaygradError, TensorError
from raygrad.proto.given import plain
from raygrad.proto.graph import Graph, Node, Ref, title_of
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import Array, DType, TensorType
from raygrad.proto.value import Value

from .recording import Output, Recorded, grad_enabled

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
        recorded = self.record(operator, tuple(self._output(operator, value) for value in inputs))
        return tuple(self.tensor(output) for output in recorded.outputs)

    def given(self, array: Array) -> Recorded:
        """Data of the program, which must not change any more."""
        found = TensorType(array.shape, DType.of(array.dtype))
        return Recorded(next(self._ids), (found,), values=[array])

    def record(
        self,
        operator: Operator,
        inputs: tuple[Output, ...],
        *,
        types: tuple[TensorType, ...] | None = None,
        home: int | None = None,
        label: str | None = None,
    ) -> Recorded:
        """One more use. `types` are inferred unless they are known; `home` is its own id by default."""
        number, label = next(self._ids), self._label if label is None else label
        try:
            types = operator.infer_types([i.type for i in inputs]) if types is None else types
        except RaygradError as exc:
            raise exc.at(title_of(number, operator.name, label)) from None
        differentiable = (
            grad_enabled()
            and any(i.requires_grad for i in inputs)
            and any(t.dtype.is_floating for t in types)
        )
        use = Recorded(
            number,
            types,
            operator,
            inputs,
            number if home is None else home,
            label,
            requires_grad=differentiable,
            history=differentiable,
            values=[None] * len(types),
        )
        for i in inputs:
            if i.value is None:
                i.of.users.add(use)
        return use

    def tensor(self, output: Output) -> Tensor:
        """The tensor that stands for an output."""
        from .tensor import Tensor

        return Tensor(self, output)

    def _output(self, operator: Operator, value: Value) -> Output:
        from .tensor import Tensor

        if not isinstance(value, Tensor):
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
