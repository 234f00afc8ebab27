"""Graphs: immutable DAGs of operators with named inputs, parameters, buffers and outputs.

A node's id is its identity for placement, errors and homes. `bind` and `prune` never create, merge
or renumber nodes; ids grow along every edge, so id order is a topological order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from .binding import Binding
from .errors import InvalidReferenceError, SizeError
from .operators.base import Operator
from .operators.source import Buffer, Input, Parameter
from .tensor import TensorType, names_in

if TYPE_CHECKING:
    from .summary import Summary


class Ref(NamedTuple):
    """One output of a node."""

    node: int
    port: int = 0

    def __str__(self) -> str:
        return f"%{self.node}" if self.port == 0 else f"%{self.node}.{self.port}"


def title_of(id: int, operator: str, label: str = "") -> str:
    """How messages name a node, which may not exist yet."""
    return f"node {id} ({operator}{f' {label!r}' if label else ''})"


def label_of(operator: Operator, label: str) -> str:
    """The label of a node, or the name of the tensor that it is."""
    return label or getattr(operator, "tensor", "")


@dataclass(frozen=True, slots=True)
class Node:
    """One use of an operator. `home` is the forward node beside which this one is placed."""

    id: int
    operator: Operator
    inputs: tuple[Ref, ...]
    types: tuple[TensorType, ...]
    home: int
    label: str = ""

    @property
    def title(self) -> str:
        """How messages name the node: "node 3 (Conv 'conv1')"."""
        return title_of(self.id, self.operator.name, label_of(self.operator, self.label))

    def __str__(self) -> str:
        outputs = ", ".join(str(Ref(self.id, p)) for p in range(len(self.types)))
        inputs = ", ".join(map(str, self.inputs))
        types = ", ".join(map(str, self.types))
        at = f" @{self.home}" if self.home != self.id else ""
        return f"{outputs}: {types} = {self.operator!r} {inputs}".rstrip() + at


@dataclass(frozen=True)
class Graph:
    """Nodes in topological (id) order, and named outputs."""

    nodes: tuple[Node, ...]
    outputs: Mapping[str, Ref]

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", MappingProxyType(dict(self.outputs)))

    def __reduce__(self) -> tuple[object, ...]:
        return (Graph, (self.nodes, dict(self.outputs)))

    @cached_property
    def _by_id(self) -> dict[int, Node]:
        return {n.id: n for n in self.nodes}

    def __getitem__(self, node: int) -> Node:
        try:
            return self._by_id[node]
        except KeyError:
            raise InvalidReferenceError(f"there is no node {node}") from None

    def __contains__(self, node: object) -> bool:
        return node in self._by_id

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Graph)
            and self.nodes == other.nodes
            and dict(self.outputs) == dict(other.outputs)
        )

    def __hash__(self) -> int:
        return hash((self.nodes, frozenset(self.outputs.items())))

    def type(self, ref: Ref) -> TensorType:
        """The type of a value."""
        return self[ref.node].types[ref.port]

    @cached_property
    def inputs(self) -> Mapping[str, Node]:
        """The nodes fed with every mini-batch, by name."""
        return {n.operator.tensor: n for n in self.nodes if isinstance(n.operator, Input)}

    @cached_property
    def parameters(self) -> Mapping[str, Node]:
        """The nodes that are differentiated, by name."""
        return {n.operator.tensor: n for n in self.nodes if isinstance(n.operator, Parameter)}

    @cached_property
    def buffers(self) -> Mapping[str, Node]:
        """The constants too large for the document, by name."""
        return {n.operator.tensor: n for n in self.nodes if isinstance(n.operator, Buffer)}

    @cached_property
    def consumers(self) -> Mapping[Ref, tuple[int, ...]]:
        """Which nodes read each value, in id order; values nobody reads are absent."""
        found: dict[Ref, list[int]] = {}
        for node in self.nodes:
            for ref in dict.fromkeys(node.inputs):
                found.setdefault(ref, []).append(node.id)
        return {ref: tuple(ids) for ref, ids in found.items()}

    @cached_property
    def sizes(self) -> frozenset[str]:
        """The named sizes that inputs, parameters and buffers declare."""
        sources = (*self.inputs.values(), *self.parameters.values(), *self.buffers.values())
        return frozenset().union(*(names_in(n.types[0].shape) for n in sources)) if sources else frozenset()

    def bind(self, sizes: Mapping[str, int]) -> Graph:
        """The same nodes with named sizes replaced and types inferred again."""
        if not isinstance(sizes, Mapping):
            raise SizeError(f"sizes are a mapping of names to numbers, got {type(sizes).__name__}")
        return Graph(Binding(sizes).nodes(self.nodes), self.outputs)

    def prune(self, keep: Iterable[Ref]) -> Graph:
        """The nodes that the values in `keep` need; outputs that are gone are dropped."""
        wanted = self.ancestors(keep)
        outputs = {name: ref for name, ref in self.outputs.items() if ref.node in wanted}
        return Graph(tuple(n for n in self.nodes if n.id in wanted), outputs)

    def ancestors(self, refs: Iterable[Ref]) -> set[int]:
        """The nodes that these values need, their own included."""
        wanted = {ref.node for ref in refs}
        for node in reversed(self.nodes):
            if node.id in wanted:
                wanted.update(ref.node for ref in node.inputs)
        return wanted

    def map_homes(self, home: Callable[[Node], int]) -> Graph:
        """The same nodes with other homes."""
        return Graph(tuple(replace(n, home=home(n)) for n in self.nodes), self.outputs)

    def renumbered(self) -> Graph:
        """The same nodes with ids from 0, as a document has them, in the same order.

        Nodes whose home is not among them are placed beside the first that has that home.
        """
        ids = {node.id: number for number, node in enumerate(self.nodes)}
        homes = dict(ids)
        nodes = []
        for node in self.nodes:
            home = homes.setdefault(node.home, ids[node.id])
            inputs = tuple(Ref(ids[ref.node], ref.port) for ref in node.inputs)
            nodes.append(replace(node, id=ids[node.id], inputs=inputs, home=home))
        return Graph(tuple(nodes), {name: Ref(ids[r.node], r.port) for name, r in self.outputs.items()})

    def __repr__(self) -> str:
        named = (("inputs", self.inputs), ("outputs", self.outputs))
        words = [f"{what} {', '.join(map(repr, names))}" for what, names in named if names]
        counts = _counted(len(self), "node"), _counted(len(self.parameters), "parameter")
        return f"<Graph: {', '.join((*counts, *words))}>"

    def __str__(self) -> str:
        from .listing import listing

        return listing(self)

    def summary(self) -> Summary:
        """A table: what each layer makes, holds and costs, and what it sees of the inputs. It prints itself.

        Layers are nodes that follow each other and read parameters of one prefix ("conv1.weight",
        "conv1.bias"), or carry one label; other nodes stand alone. Named sizes are kept: 1.5 K·N.
        """
        from .summary import summary_of

        return summary_of(self)

    def with_gradients(self, output: str = "loss") -> Graph:
        """The graph with a scalar output's gradients by all parameters as more outputs, "∂loss/∂weight"."""
        from .autodiff import with_gradients

        return with_gradients(self, output)

    def svg(self, fold: bool | None = None) -> str:
        """A picture of the nodes that the outputs need, as an SVG document.

        Boxes are nodes, in the colours of their families, with their parameters; lines are values, with
        their types; a backward pass runs upwards beside the network. `fold` draws a block that repeats once,
        "× 12": by default if there are more than 40 boxes.
        """
        from .drawing.depiction import picture_of
        from .drawing.svg import svg_of

        return svg_of(picture_of(self, fold))

    def dot(self, fold: bool | None = None) -> str:
        """The same picture in the language of Graphviz: `dot -Tpdf` and others lay it out."""
        from .drawing.depiction import picture_of
        from .drawing.dot import dot_of

        return dot_of(picture_of(self, fold))

    def _repr_svg_(self) -> str:
        """What notebooks show."""
        return self.svg()


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
