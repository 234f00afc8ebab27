"""The ONNX graph that is being written: nodes, constants, and shapes whose sizes are names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from raygrad.proto.errors import SizeError
from raygrad.proto.graph import Node
from raygrad.proto.tensor import Array, DType, Size, TensorType

from ..protos import ELEMENT_TYPES


@dataclass(frozen=True)
class Use:
    """A node of the graph, the ONNX names of its inputs, their types and those of its outputs."""

    node: Node
    inputs: tuple[str, ...]
    types: tuple[TensorType, ...]
    used: frozenset[int]  # the outputs that something reads

    @property
    def x(self) -> TensorType:
        """The type of the first input."""
        return self.types[0]

    @property
    def y(self) -> TensorType:
        """The type of the first output."""
        return self.node.types[0]


class Writer:
    """Collects nodes and initializers. Names are made here, so that each is used once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.sizes: dict[str, tuple[str, int]] = {}  # of a named size: an input that has it, and the axis
        self.label = ""
        self._taken = set(taken)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._lengths: dict[str, str] = {}

    def name(self, wanted: str) -> str:
        """A name that is not taken."""
        found, count = wanted, 0
        while found in self._taken:
            count += 1
            found = f"{wanted}_{count}"
        self._taken.add(found)
        return found

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The one output of a new node."""
        return self.add_many(operator, 1, *inputs, **attributes)[0]

    def add_many(self, operator: str, count: int, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """The outputs of a new node."""
        title = self.name(f"{self.label}/{operator}" if self.label else operator)
        outputs = tuple(self.name(f"{title}:{i}" if i else title) for i in range(count))
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=title, **given))
        return outputs

    # -- constants ----------------------------------------------------------------------------

    def constant(self, array: Array) -> str:
        """An array as an initializer; equal ones are one."""
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.name("constant")
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]

    def number(self, value: float, like: TensorType) -> str:
        """A number of a dtype, without axes."""
        return self.constant(np.asarray(value, dtype=like.dtype.numpy))

    def ints(self, values: Sequence[int]) -> str:
        """A list of int64 numbers."""
        return self.constant(np.asarray(values, dtype=np.int64))

    def shape(self, sizes: Sequence[Size]) -> str:
        """Sizes as a list of int64 numbers, those that are names taken from an input that has them."""
        if not any(isinstance(s, str) for s in sizes):
            return self.ints([int(s) for s in sizes])
        return self.add("Concat", *(self.length(s) for s in sizes), axis=0)

    def length(self, size: Size) -> str:
        """One size as a list of one int64 number."""
        if isinstance(size, int):
            return self.ints([size])
        if size not in self._lengths:
            if size not in self.sizes:
                raise SizeError(f"no input has the size {size!r} for a model to read: give a number for it")
            name, axis = self.sizes[size]
            self._lengths[size] = self.add("Shape", name, start=axis, end=axis + 1)
        return self._lengths[size]

    # -- what several operators need -------------------------------------------------------------

    def cast(self, x: str, dtype: DType) -> str:
        """x in another dtype."""
        return self.add("Cast", x, to=ELEMENT_TYPES[dtype])

    def reshape(self, x: str, sizes: Sequence[Size]) -> str:
        """x in another shape; a size may be 0."""
        return self.add("Reshape", x, self.shape(sizes), allowzero=1)

    def transpose(self, x: str, axes: Sequence[int]) -> str:
        """x with its axes in another order."""
        return self.add("Transpose", x, perm=list(axes))
