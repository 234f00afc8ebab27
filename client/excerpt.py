"""Parts of what is recorded as graphs of their own: to run them, and to differentiate them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from raygrad.proto.graph import Graph, Node, Ref
from raygrad.proto.operators.source import Input

from .recording import Output, Recorded
from .tape import Tape


@dataclass(frozen=True)
class Excerpt:
    """Nodes numbered from 0 in the order of recording, with its leaves as inputs `x0`, `x1` …

    The same computation on other data is the same excerpt, to the byte.
    """

    graph: Graph
    refs: Mapping[Output, Ref]
    leaves: tuple[Output, ...]
    uses: Collection[Recorded]


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
    return _write(uses, leaves)


def _write(uses: set[Recorded], leaves: set[Output]) -> Excerpt:
    nodes: list[Node] = []
    refs: dict[Output, Ref] = {}
    inputs: list[Output] = []
    homes: dict[int, int] = {}  # of uses by their recorded ids
    for output in sorted([*leaves, *(Output(use, -1) for use in uses)], key=lambda o: (o.of.id, -o.port)):
        number = len(nodes)
        if output.port >= 0:
            operator = Input(f"x{len(inputs)}", output.type.shape, output.type.dtype)
            nodes.append(Node(number, operator, (), (output.type,), number))
            refs[output] = Ref(number)
            inputs.append(output)
            continue
        nodes.append(node := _node(number, output.of, refs, homes))
        if not node.operator.source:
            homes[output.of.id] = node.home
        for made in output.of.outputs:
            refs.setdefault(made, Ref(number, made.port))
    return Excerpt(Graph(tuple(nodes), {}), refs, tuple(inputs), uses)


def _node(number: int, use: Recorded, refs: Mapping[Output, Ref], homes: Mapping[int, int]) -> Node:
    """A use as a node; one whose home lies outside is at home where it is."""
    assert use.operator is not None
    home = number if use.operator.source else homes.get(use.home, number)
    return Node(number, use.operator, tuple(refs[i] for i in use.inputs), use.types, home, use.label)


def record(tape: Tape, part: Excerpt, graph: Graph, wanted: Iterable[Ref]) -> dict[Ref, Output]:
    """Record what `graph` has beyond the excerpt that it continues, as far as `wanted` needs it.

    Returns what stands for each value of the graph.
    """
    outputs = {ref: output for output, ref in part.refs.items()}
    needed = graph.ancestors(wanted)
    for node in graph.nodes[len(part.graph) :]:
        if node.id not in needed:
            continue
        home = None if node.home == node.id else outputs[Ref(node.home)].of.id
        inputs = tuple(outputs[ref] for ref in node.inputs)
        use = tape.record(node.operator, inputs, types=node.types, home=home, label=node.label)
        outputs.update((Ref(node.id, output.port), output) for output in use.outputs)
    return outputs
