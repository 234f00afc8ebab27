"""What a backward pass adds to an excerpt: found once for a structure, recorded each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raygrad.proto.graph import Graph, Node, Ref

from .excerpt import Excerpt, Key
from .recording import Output, Recorded
from .vocabulary import Types, Vocabulary

if TYPE_CHECKING:
    from .tape import Tape

MOST = 256
"""Structures whose gradients are remembered, those used last."""


@dataclass(frozen=True)
class _Step:
    node: Node
    number: int
    types: Types


class Continuation:
    """The nodes that a graph has beyond an excerpt, as far as some of its values need them."""

    def __init__(self, part: Excerpt, graph: Graph, wanted: Sequence[Ref], vocabulary: Vocabulary) -> None:
        self.wanted = wanted
        needed = graph.ancestors(wanted)
        self._steps = [
            _Step(node, vocabulary.number(node.operator), vocabulary.types(node.types))
            for node in graph.nodes[len(part) :]
            if node.id in needed
        ]

    def record(self, tape: Tape, part: Excerpt) -> list[Output]:
        """Record it behind an excerpt of the same structure; what stands for the wanted values."""
        uses: dict[int, Recorded] = {}

        def output(ref: Ref) -> Output:
            use = uses.get(ref.node)
            return part.output(ref) if use is None else Output(use, ref.port)

        for step in self._steps:
            node = step.node
            uses[node.id] = tape.record(
                node.operator,
                tuple([output(ref) for ref in node.inputs]),
                types=step.types,
                number=step.number,
                home=None if node.home == node.id else output(Ref(node.home)).of.id,
                label=node.label,
            )
        return [output(ref) for ref in self.wanted]


class Continuations:
    """Those that were used last. Thread-safe: at worst one is made twice."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Continuation] = OrderedDict()

    def get(self, key: Key) -> Continuation | None:
        """That of a structure, if it is known."""
        return self._known.get(key)

    def keep(self, key: Key, found: Continuation) -> Continuation:
        """Remember one more."""
        self._known[key] = found
        while len(self._known) > MOST:
            try:
                self._known.popitem(last=False)
            except KeyError:  # another thread took it
                break
        return found
