"""Parts of what is recorded as graphs of their own: to run them, and to differentiate them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from raygrad.proto.graph import Graph, Node, Ref
from raygrad.proto.operators.source import Input

from .recording import Output, Recorded

Key = tuple[object, ...]


class Excerpt:
    """Uses and leaves, numbered from 0 in the order of recording; leaves are the inputs `x0`, `x1` …

    The same computation on other data has the same `key`, and the same graph to the byte. The key says what
    the graph says, in the numbers of the tape's vocabulary: who has met it before needs no graph.
    """

    def __init__(self, uses: set[Recorded], leaves: set[Output]) -> None:
        order: list[tuple[int, int, Recorded]] = [(of.id, -port, of) for of, port in leaves]
        order += [(use.id, 1, use) for use in uses]
        order.sort(key=_place)
        self._order = order
        self.uses = uses
        self.leaves: list[Output] = []
        self.refs: dict[Output, Ref] = {}
        self._homes: dict[int, int] = {}  # of uses by their recorded ids
        self.key = self._numbered()

    def __len__(self) -> int:
        return len(self._order)

    def _numbered(self) -> Key:
        """Give everything its number; what is said of each, in order."""
        key: list[object] = []
        refs, homes = self.refs, self._homes
        for number, (_, port, of) in enumerate(self._order):
            if port <= 0:
                leaf = Output(of, -port)
                refs[leaf] = Ref(number)
                self.leaves.append(leaf)
                key += (-1, id(of.types[-port]))  # types of a vocabulary are one object each, and stay
                continue
            assert of.operator is not None
            home = number if of.operator.source else homes.get(of.home, number)
            if not of.operator.source:
                homes[of.id] = home
            key += (of.number, home, of.label)
            key += [refs[value] for value in of.inputs]
            for value in of.outputs:
                refs.setdefault(value, Ref(number, value.port))
        return tuple(key)

    @cached_property
    def graph(self) -> Graph:
        """The graph, without outputs."""
        nodes: list[Node] = []
        for number, (_, port, of) in enumerate(self._order):
            nodes.append(self._leaf(number, of, -port) if port <= 0 else self._use(number, of))
        return Graph(tuple(nodes), {})

    def _leaf(self, number: int, of: Recorded, port: int) -> Node:
        found = of.types[port]
        name = f"x{self._input_number[number]}"
        return Node(number, Input(name, found.shape, found.dtype), (), (found,), number)

    @cached_property
    def _input_number(self) -> Mapping[int, int]:
        return {self.refs[leaf].node: count for count, leaf in enumerate(self.leaves)}

    def _use(self, number: int, use: Recorded) -> Node:
        """A use as a node; one whose home lies outside is at home where it is."""
        assert use.operator is not None
        home = number if use.operator.source else self._homes[use.id]
        return Node(number, use.operator, tuple(self.refs[i] for i in use.inputs), use.types, home, use.label)


def _place(entry: tuple[int, int, Recorded]) -> tuple[int, int]:
    return entry[0], entry[1]


def excerpt(
    wanted: Iterable[Output], is_leaf: Callable[[Output], bool], beside: Iterable[Output] = ()
) -> Excerpt:
    """What makes the outputs `wanted`, back to leaves. `beside` are leaves too unless they are in it."""
    leaves: set[Output] = set()
    uses: set[Recorded] = set()
    todo = list(wanted)
    while todo:
        output = todo.pop()
        if is_leaf(output):
            leaves.add(output)
        elif output.of not in uses:
            uses.add(output.of)
            todo += output.of.inputs
    leaves.update(output for output in beside if output.of not in uses)
    return Excerpt(uses, leaves)
