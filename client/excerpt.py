"""Parts of what is recorded as graphs of their own: to run them, and to differentiate them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from operator import itemgetter

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
        # By recorded id; of one use, leaves stand before it, the last port first.
        order: list[tuple[int, int, Recorded]] = [(of.id, -port, of) for of, port in leaves]
        order += [(use.id, 1, use) for use in uses]
        order.sort(key=itemgetter(0, 1))
        self.uses = uses
        self.leaves: list[Output] = []
        self._order = order
        self._leaf_numbers: dict[tuple[Recorded, int], int] = {}
        self._numbers: dict[Recorded, int] = {}  # of uses
        self._homes: list[int] = []  # by number
        self.key = self._numbered()

    def __len__(self) -> int:
        return len(self._order)

    def ref(self, output: Output) -> Ref:
        """The value of the graph that stands for an output; `KeyError` if there is none."""
        number = self._leaf_numbers.get(output)
        return Ref(self._numbers[output.of], output.port) if number is None else Ref(number)

    def __contains__(self, output: Output) -> bool:
        return output in self._leaf_numbers or output.of in self._numbers

    def output(self, ref: Ref) -> Output:
        """What a value of the graph stands for."""
        _, port, of = self._order[ref.node]
        return Output(of, -port if port <= 0 else ref.port)

    def unknown(self) -> Iterator[Output]:
        """The outputs that are to be computed, in order."""
        for _, port, of in self._order:
            if port > 0:
                for place, value in enumerate(of.values):
                    if value is None:
                        yield Output(of, place)

    def _numbered(self) -> Key:
        """Give everything its number; what is said of each, in order."""
        key: list[object] = []
        leaf_numbers, numbers, homes = self._leaf_numbers, self._numbers, self._homes
        by_id: dict[int, int] = {}  # homes of uses by recorded id
        for number, (_, port, of) in enumerate(self._order):
            if port <= 0:
                self.leaves.append(Output(of, -port))
                leaf_numbers[of, -port] = number
                homes.append(number)
                key += (-1, id(of.types[-port]))  # types of a vocabulary are one object each, and stay
                continue
            home = number
            if of.operator is not None and not of.operator.source:
                home = by_id[of.id] = by_id.get(of.home, number)
            homes.append(home)
            numbers[of] = number
            key += (of.number, home, of.label)
            for value in of.inputs:
                leaf = leaf_numbers.get(value)
                key += (numbers[value[0]], value[1]) if leaf is None else (leaf, 0)
        return tuple(key)

    @cached_property
    def graph(self) -> Graph:
        """The graph, without outputs."""
        nodes: list[Node] = []
        inputs = 0
        for number, (_, port, of) in enumerate(self._order):
            if port > 0:
                nodes.append(self._use(number, of))
                continue
            found = of.types[-port]
            operator = Input(f"x{inputs}", found.shape, found.dtype)
            nodes.append(Node(number, operator, (), (found,), number))
            inputs += 1
        return Graph(tuple(nodes), {})

    def _use(self, number: int, use: Recorded) -> Node:
        """A use as a node; one whose home lies outside is at home where it is."""
        assert use.operator is not None
        inputs = tuple(self.ref(value) for value in use.inputs)
        return Node(number, use.operator, inputs, use.types, self._homes[number], use.label)


def excerpt(
    wanted: Iterable[Output], is_leaf: Callable[[Output], bool], beside: Iterable[Output] = ()
) -> Excerpt:
    """What makes the outputs `wanted`, back to leaves. `beside` are leaves too unless they are in it."""
    leaves: set[Output] = set()
    uses: set[Recorded] = set()
    todo = list(wanted)
    while todo:
        output = todo.pop()
        of = output[0]
        if of in uses:
            if is_leaf(output):
                leaves.add(output)
        elif is_leaf(output):
            leaves.add(output)
        else:
            uses.add(of)
            todo += of.inputs
    leaves.update(output for output in beside if output.of not in uses)
    return Excerpt(uses, leaves)
