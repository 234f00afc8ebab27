"""A graph as a picture.

Inputs and computed values are boxes. Parameters, buffers and constants stand in the boxes that read them,
reshaped or broadcast ones too. What lies beside another node's home, a backward pass, makes a column of its
own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property

from ..families import family_of
from ..graph import Graph, Node, Ref
from ..operators.source import Cotangent, Input, NamedTensor
from ..reading import computed_nodes, operands
from .colours import colour_of
from .folding import Item, Run, runs_of
from .picture import Box, Frame, Link, Picture
from .wording import attributes_in_words, common_name, elided, source_in_words

FOLDED_FROM = 40
"""Graphs of more boxes than this fold their repeated blocks, unless told otherwise."""

NETWORK, BACKWARD = 0, 1
"""The columns."""


def picture_of(graph: Graph, fold: bool | None = None) -> Picture:
    """The picture of all nodes that an output needs (of all, where there is no output), by families."""
    live = graph.prune(graph.outputs.values()) if graph.outputs else graph
    drawing = Drawing(live, fold)
    families = dict.fromkeys(
        (family_of(n.operator), colour_of(n.operator)) for n in drawing.nodes if not n.operator.source
    )
    legend = [(colour, family) for family, colour in families]
    return drawing.picture(lambda node: colour_of(node.operator), legend)


class Drawing:
    """What is drawn of a graph: which nodes, which of them stand for others, and beside which they lie."""

    def __init__(
        self, graph: Graph, fold: bool | None = None, apart: Callable[[Node], Hashable] = lambda node: None
    ) -> None:
        """Blocks are folded only where `apart` gives their nodes the same."""
        self.graph, self.apart = graph, apart
        self.nodes = computed_nodes(graph)
        self._drawn = {n.id for n in self.nodes}
        self._network = {n.id for n in self.nodes if self.column(n) == NETWORK}
        folded = len(self.nodes) > FOLDED_FROM if fold is None else fold
        self.runs = runs_of(self._sequences()) if folded else ()

    def picture(self, colour: Callable[[Node], str], legend: Sequence[tuple[str, str]]) -> Picture:
        """The picture with these colours; nodes that a block stands for are not in it."""
        shown = [n for n in self.nodes if self._stands_for(n.id) == n.id]
        return Picture(
            boxes={n.id: self._box(n, colour(n)) for n in shown},
            links=tuple(dict.fromkeys(link for n in shown for link in self._links(n))),
            frames=tuple(Frame(run.blocks[0], run.times) for run in self.runs),
            legend=tuple(legend),
            homes={n.id: self._home(n) for n in shown if self.column(n) == BACKWARD},
        )

    def column(self, node: Node) -> int:
        """A node beside another's home runs backwards, and so does what is fed to such nodes only."""
        if not node.operator.source:
            return BACKWARD if node.home != node.id else NETWORK
        readers = self.graph.consumers.get(Ref(node.id), ())
        return BACKWARD if readers and all(self.column(self.graph[r]) for r in readers) else NETWORK

    # -- folding ------------------------------------------------------------------------------

    def _sequences(self) -> list[list[Item]]:
        items: list[list[Item]] = [[], []]
        for node in self.nodes:
            items[self.column(node)].append(self._item(node))
        return items

    def _item(self, node: Node) -> Item:
        read = tuple(ref for ref in node.inputs if ref.node in self._drawn)
        constants = tuple(None if ref.node in self._drawn else self._written(ref) for ref in node.inputs)
        kind = (node.operator, node.types, constants, self.apart(node))
        return Item(node.id, kind, read, leading=any(constants))

    def _written(self, ref: Ref) -> Hashable:
        """An operand that is not drawn, as it must agree between equal blocks: names are left out."""
        node = self.graph[ref.node]
        named = isinstance(node.operator, NamedTensor)
        kind = (node.operator.name, node.types) if named else node.operator
        return kind, tuple(map(self._written, node.inputs))

    @cached_property
    def _places(self) -> dict[int, tuple[Run, int]]:
        return {node: (run, i) for run in self.runs for block in run.blocks for i, node in enumerate(block)}

    def _twins(self, node: int) -> tuple[int, ...]:
        """The nodes that one box stands for, the node itself first."""
        place = self._places.get(node)
        return (node,) if place is None else tuple(block[place[1]] for block in place[0].blocks)

    def _stands_for(self, node: int) -> int:
        return self._twins(node)[0]

    # -- boxes and links ----------------------------------------------------------------------

    def _box(self, node: Node, colour: str) -> Box:
        column = self.column(node)
        if isinstance(node.operator, (Input, Cotangent)):
            sign = "∂" if isinstance(node.operator, Cotangent) else ""
            title = elided(sign + node.operator.tensor)
            return Box(title, colour, self._hint(node), column=column, round=True)
        return Box(
            node.operator.name,
            colour,
            self._hint(node),
            details=attributes_in_words(node.operator),
            parameters=tuple(self._parameters(node)),
            outputs=tuple(self._outputs(node)),
            column=column,
        )

    def _hint(self, node: Node) -> str:
        types = ", ".join(map(str, node.types))
        return f"{node.title}: {types} = {node.operator!r}"

    def _parameters(self, node: Node) -> Iterator[str]:
        blocks = [list(operands(self.graph, self.graph[twin])) for twin in self._twins(node.id)]
        for same in zip(*blocks, strict=True):
            yield common_name([source_in_words(n.operator, n.types[0]) for n in same])

    def _outputs(self, node: Node) -> Iterator[str]:
        twins = self._twins(node.id)
        named = [[name for name, ref in self.graph.outputs.items() if ref.node == twin] for twin in twins]
        if len({len(names) for names in named}) == 1:
            yield from (f"→ {elided(common_name(same))}" for same in zip(*named, strict=True))
        else:
            yield from (f"→ {elided(name)}" for names in named for name in names)

    def _links(self, node: Node) -> Iterator[Link]:
        for ref in node.inputs:
            if ref.node in self._drawn:
                found = self.graph.type(ref)
                source = self._stands_for(ref.node)
                if source != node.id:
                    yield Link(source, node.id, str(found), dashed=not found.dtype.is_floating)

    def _home(self, node: Node) -> int:
        """The box of the network beside which a backward node lies."""
        home = node.home
        if node.operator.source:
            home = self.graph[self.graph.consumers[Ref(node.id)][0]].home
        readers = (r for r in self.graph.consumers.get(Ref(home), ()) if r in self._network)
        found = home if home in self._network else next(readers, None)
        if found is None:
            found = max((n for n in self._network if n < home), default=min(self._network, default=node.id))
        return self._stands_for(found)
