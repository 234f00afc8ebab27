"""Receptive fields: which elements of an input an element of a value depends on, along each spatial axis.

The rules are those of Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks",
Distill (2019), https://distill.pub/2019/computing-receptive-fields. As there, the statistics of a
normalization do not count: in training mode they depend on the whole mini-batch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .families import family_of
from .graph import Graph, Node, Ref
from .operators.base import Operator
from .operators.convolution import Conv, ConvInputGrad
from .operators.pooling import Pooling
from .operators.shape import Cast, Pad, Reshape, Slice
from .operators.source import Input
from .operators.window import Windowed
from .tensor import TensorType


@dataclass(frozen=True)
class Field:
    """Along one axis: element i depends on `size` elements of the input, the first at start + i · stride.

    Where windows are transposed, the elements in turn depend on fewer, and the stride is a fraction.
    """

    size: int = 1
    stride: Fraction = Fraction(1)
    start: Fraction = Fraction(0)

    def windowed(self, kernel: int, stride: int, before: int, dilation: int) -> Field:
        """Of windows of `kernel` elements over this value."""
        return self._over(-before, dilation * (kernel - 1) - before, self.stride * stride)

    def transposed(self, kernel: int, stride: int, before: int, dilation: int) -> Field:
        """Of a value over which such windows would make this one."""
        reach = dilation * (kernel - 1)
        first = -((reach - before) // stride)
        return self._over(first, first + reach // stride, self.stride / stride)

    def _over(self, first: int, last: int, stride: Fraction) -> Field:
        """Of a value whose element 0 depends on these elements of this one, which may run backwards."""
        size = self.size + int((last - first) * abs(self.stride))
        return Field(size, stride, self.start + (first if self.stride > 0 else last) * self.stride)

    def joined(self, other: Field) -> Field | None:
        """Of a value that depends on both; `None` if they move at different strides."""
        if self.stride != other.stride:
            return None
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Field(int(end - start), self.stride, start)


Types = Sequence[TensorType]
Window = tuple[int, int, tuple[int, int], int]  # kernel, stride, padding, dilation

Fields = tuple[Field, ...] | None
"""One for each spatial axis; `None` where a value depends on the whole input, or on no regular part of it:
where its axes are flattened, say."""


def fields_of(graph: Graph) -> dict[Ref, dict[str, Fields]]:
    """For each value, the fields in each input (N, C, *spatial) that it depends on.

    Nothing, if no window slides over anything: then no axis is spatial.
    """
    found: dict[Ref, dict[str, Fields]] = {}
    if not any(isinstance(node.operator, Windowed) for node in graph):
        return found
    for node in graph:
        for port, of_port in enumerate(node.types):
            found[Ref(node.id, port)] = _of_value(node, of_port, graph, found)
    return found


def _of_value(
    node: Node, of_port: TensorType, graph: Graph, known: Mapping[Ref, Mapping[str, Fields]]
) -> dict[str, Fields]:
    if isinstance(node.operator, Input):
        spatial = range(of_port.rank - 2)
        return {node.operator.tensor: tuple(Field() for _ in spatial)} if spatial else {}
    types = [graph.type(ref) for ref in node.inputs]
    found: dict[str, list[Fields]] = {}
    for ref, of_input in zip(node.inputs, types, strict=True):
        for name, fields in known[ref].items():
            seen = fields and after_operator(node.operator, fields, of_input, of_port, types)
            found.setdefault(name, []).append(seen)
    return {name: functools.reduce(_joined, each) for name, each in found.items()}


def _joined(one: Fields, other: Fields) -> Fields:
    if one is None or other is None or len(one) != len(other):
        return None
    joined = [a.joined(b) for a, b in zip(one, other, strict=True)]
    return tuple(f for f in joined if f is not None) if None not in joined else None


@functools.singledispatch
def after_operator(
    operator: Operator, fields: tuple[Field, ...], before: TensorType, after: TensorType, inputs: Types
) -> Fields:
    """The fields of an output, from those of an input; `before` and `after` are their types.

    An operator without a rule of its own keeps them if it computes each element from those at the same place.
    """
    kept = before.rank == after.rank and before.shape[2:] == after.shape[2:]
    return fields if kept and _is_pointwise(operator) else None


def _is_pointwise(operator: Operator) -> bool:
    """Whether the elements at one place of the spatial axes make those at the same place."""
    axes = getattr(operator, "axes", getattr(operator, "axis", None))
    if axes is not None:
        return all(axis in (0, 1) for axis in (axes if isinstance(axes, tuple) else (axes,)))
    families = ("elementwise", "normalization", "random")
    return isinstance(operator, (Cast, Reshape)) or family_of(operator) in families


@after_operator.register
def _(
    operator: Pooling, fields: tuple[Field, ...], before: TensorType, after: TensorType, inputs: Types
) -> Fields:
    adjoint = operator.name.endswith("Grad")
    if len(inputs) > 1 and not adjoint:
        return None
    windows = zip(operator.kernel, operator.stride, operator.padding, operator.spacing, strict=True)
    return _slid(fields, windows, adjoint)


@after_operator.register(Conv)
@after_operator.register(ConvInputGrad)
def _(
    operator: Conv | ConvInputGrad,
    fields: tuple[Field, ...],
    before: TensorType,
    after: TensorType,
    inputs: Types,
) -> Fields:
    kernel = inputs[1].static[2:]
    if before.rank != len(kernel) + 2:
        return None
    windows = zip(kernel, operator.stride, operator.padding, operator.dilation, strict=True)
    return _slid(fields, windows, isinstance(operator, ConvInputGrad))


def _slid(fields: tuple[Field, ...], windows: Iterable[Window], adjoint: bool) -> Fields:
    slide = Field.transposed if adjoint else Field.windowed
    return tuple(slide(f, k, s, p[0], d) for f, (k, s, p, d) in zip(fields, windows, strict=True))


@after_operator.register
def _(
    operator: Pad, fields: tuple[Field, ...], before: TensorType, after: TensorType, inputs: Types
) -> Fields:
    return tuple(f.windowed(1, 1, b, 1) for f, b in zip(fields, operator.before[2:], strict=True))


@after_operator.register
def _(
    operator: Slice, fields: tuple[Field, ...], before: TensorType, after: TensorType, inputs: Types
) -> Fields:
    parts = zip(fields, operator.start[2:], operator.step[2:], strict=True)
    return tuple(f.windowed(1, step, -start, 1) for f, start, step in parts)
