"""Programs: a segment compiled to slots, so that running it looks nothing up.

A program is a flat list of steps (kernel, input slots, output slots, slots to free). Every value is
brought into the physical layout of its type as it is written, wherever it comes from: that is why a
cut through the graph changes no bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raygrad.proto.errors import KernelError, NonFiniteError, RaygradError, words
from raygrad.proto.graph import Graph, Node, Ref
from raygrad.proto.operators.random import RandomKey
from raygrad.proto.operators.shape import Broadcast
from raygrad.proto.operators.source import Buffer, Cotangent, Input, Parameter
from raygrad.proto.plan import Segment
from raygrad.proto.tensor import TensorType

from .kernels.base import Backend, Kernel, Tensor, takes_views

Layout = Callable[[Tensor], Tensor]
External = Input | Parameter | Buffer | Cotangent | RandomKey


@dataclass(frozen=True, slots=True)
class Step:
    """One node: its kernel, where its operands lie, where its results go, what is free afterwards."""

    kernel: Kernel
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    layouts: tuple[Layout, ...]
    frees: tuple[int, ...]
    node: Node


class Program:
    """A segment, compiled for a backend. Immutable; runs for one mini-batch at a time."""

    def __init__(
        self, segment: Segment, graph: Graph, backend: Backend, *, check_finite: bool = False
    ) -> None:
        self.segment = segment
        self._graph = graph
        self._backend = backend
        self._check = check_finite
        self._slots: dict[Ref, int] = {}
        self._layouts: dict[Ref, Layout] = {}
        self._kept = _kept(segment)
        computed = [graph[n] for n in segment.nodes if not isinstance(graph[n].operator, External)]
        self.parameters = tuple(self._named(Parameter, Buffer))
        self.feeds = tuple(self._named(Input))
        self.cotangents = tuple(self._named(Cotangent))
        self.random_keys = tuple(self._external(RandomKey))
        for ref in (*segment.reads, *(v for e in segment.receives for v in e.values)):
            self._slot(ref)
        self._viewed = set(self._read_as_views(computed))
        self._overwritable = set(self._fresh_and_read_once(computed))
        self.steps = self._compile(computed)

    def slot(self, ref: Ref) -> int:
        """Where a value of this segment lies."""
        return self._slots[ref]

    def layout(self, ref: Ref) -> Layout:
        """What brings a value that comes from outside into its layout."""
        found = self._layouts.get(ref)
        if found is None:
            found = self._layouts[ref] = self._backend.layout(self._graph.type(ref))
        return found

    def run(self, slots: list[Tensor]) -> None:
        """Fill the slots of all computed values; `slots` holds those that come from outside."""
        for step in self.steps:
            try:
                result = step.kernel(*[slots[i] for i in step.inputs])
                if len(step.outputs) == 1:
                    slots[step.outputs[0]] = step.layouts[0](result)
                else:
                    for out, layout, part in zip(step.outputs, step.layouts, result, strict=True):
                        slots[out] = layout(part)
            except Exception as exc:
                raise self._explain(step.node, exc) from exc
            if self._check:
                self._require_finite(step, slots)
            for i in step.frees:
                slots[i] = None

    def new_slots(self) -> list[Tensor]:
        """An empty table of slots."""
        return [None] * len(self._slots)

    # -- compiling ----------------------------------------------------------------------------

    def _slot(self, ref: Ref) -> int:
        return self._slots.setdefault(ref, len(self._slots))

    def _named(self, *kinds: type[Any]) -> Iterable[tuple[str, Ref]]:
        for ref in self._external(*kinds):
            operator: Any = self._graph[ref.node].operator
            yield operator.tensor, ref

    def _external(self, *kinds: type[Any]) -> Iterable[Ref]:
        """The values of these sources, each with a slot."""
        for n in self.segment.nodes:
            if isinstance(self._graph[n].operator, kinds):
                self._slot(Ref(n))
                yield Ref(n)

    def _read_as_views(self, computed: list[Node]) -> Iterable[Ref]:
        """The broadcasts that only kernels indifferent to strides read: they need not be written out."""
        dense = {ref for node in computed if not takes_views(node.operator) for ref in node.inputs}
        broadcasts = (Ref(node.id) for node in computed if isinstance(node.operator, Broadcast))
        return (ref for ref in broadcasts if ref not in self._kept and ref not in dense)

    def _fresh_and_read_once(self, computed: list[Node]) -> Iterable[Ref]:
        """The values whose one reader may write its result over them."""
        reads = Counter(ref for node in computed for ref in node.inputs)
        fresh = (ref for node in computed if self._backend.is_fresh(node.operator) for ref in _outputs(node))
        return (ref for ref in fresh if reads[ref] == 1 and ref not in self._kept)

    def _compile(self, computed: list[Node]) -> tuple[Step, ...]:
        last_use = {r: i for i, n in enumerate(computed) for r in (*_outputs(n), *n.inputs)}
        frees: dict[int, list[int]] = {}
        for ref, i in last_use.items():
            if ref not in self._kept:
                frees.setdefault(i, []).append(self._slot(ref))
        return tuple(self._step(node, tuple(frees.get(i, ()))) for i, node in enumerate(computed))

    def _step(self, node: Node, frees: tuple[int, ...]) -> Step:
        types = tuple([self._graph.type(r) for r in node.inputs])
        overwrites = types[:1] == node.types and node.inputs[0] in self._overwritable
        kernel = self._backend.compile(node.operator, types, node.types, overwrites=overwrites)
        inputs, made = tuple([self._slots[r] for r in node.inputs]), _outputs(node)
        outputs = tuple([self._slot(r) for r in made])
        layouts = tuple([self._layout(r, t) for r, t in zip(made, node.types, strict=True)])
        return Step(kernel, inputs, outputs, layouts, frees, node)

    def _layout(self, ref: Ref, type: TensorType) -> Layout:
        return _as_is if ref in self._viewed else self._backend.layout(type)

    # -- errors -------------------------------------------------------------------------------

    def _explain(self, node: Node, exc: Exception) -> RaygradError:
        if isinstance(exc, RaygradError):
            return exc.at(node.title)
        types = ", ".join(str(self._graph.type(r)) for r in node.inputs)
        return KernelError(f"{words(exc)} (inputs {types})", node=node.title)

    def _require_finite(self, step: Step, slots: list[Tensor]) -> None:
        xp = self._backend.xp
        for out, declared in zip(step.outputs, step.node.types, strict=True):
            if declared.dtype.is_floating and not bool(xp.all(xp.isfinite(slots[out]))):
                raise NonFiniteError(f"a NaN or an infinity in {declared}", node=step.node.title)


def _as_is(x: Tensor) -> Tensor:
    return x


def _outputs(node: Node) -> list[Ref]:
    if len(node.types) == 1:
        return [Ref(node.id)]
    return [Ref(node.id, port) for port in range(len(node.types))]


def _kept(segment: Segment) -> frozenset[Ref]:
    """The values that leave the segment: they are not freed inside."""
    named: list[Mapping[str, Ref]] = [segment.outputs, segment.input_gradients, segment.gradients]
    refs = [
        *segment.saves,
        *(r for e in segment.sends for r in e.values),
        *(r for m in named for r in m.values()),
    ]
    return frozenset(refs)
