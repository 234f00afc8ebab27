"""How many bytes of values a stage holds while it runs its segments, for one mini-batch.

Every value counts once, at full size; parameters, buffers and constants are not counted. Of what a kernel
needs while it runs, `Operator.scratch` counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from raygrad.proto.graph import Graph, Node, Ref
from raygrad.proto.plan import Segment

from .instances import BACKWARD, is_fed


@dataclass(frozen=True)
class Memory:
    """Bytes of one mini-batch on one stage."""

    saved: int  # held from the forward to the backward phase
    peak: int  # the most held at once


def stage_memory(graph: Graph, segments: Sequence[Segment], forward: Collection[int]) -> Memory:
    """The memory of one stage's segments; `forward` holds the nodes of the forward phase."""
    walk = _Walk(graph, segments)
    saved: int | None = None
    for segment in segments:
        if saved is None and segment.phase == BACKWARD:
            saved = walk.held
        boundary = _boundary(graph, segment, forward)
        for position, held in enumerate(walk.run(segment)):
            if saved is None and position == boundary:
                saved = held
    return Memory(walk.held if saved is None else saved, walk.peak)


def _boundary(graph: Graph, segment: Segment, forward: Collection[int]) -> int | None:
    """After how many nodes a segment of both phases begins the backward one."""
    if BACKWARD not in segment.phase:
        return None
    computed = [n for n in segment.nodes if not graph[n].operator.source]
    return next((i for i, n in enumerate(computed) if n not in forward), len(computed))


class _Walk:
    """The values on one stage, as its segments run: in the store, among a segment's own, or in both."""

    def __init__(self, graph: Graph, segments: Sequence[Segment]) -> None:
        self.graph = graph
        self.held = self.peak = 0
        self._holders: Counter[Ref] = Counter()
        self._store: set[Ref] = set()
        saved: set[Ref] = set()
        for segment in segments:
            self._store.update(r for r in segment.reads if r not in saved)  # left by a FORWARD plan
            saved.update(segment.saves)
        self._hold(self._store)

    def _hold(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self.held += 0 if self._holders[ref] else self.graph.type(ref).nbytes
            self._holders[ref] += 1
        self.peak = max(self.peak, self.held)

    def _release(self, refs: Iterable[Ref]) -> None:
        for ref in refs:
            self._holders[ref] -= 1
            self.held -= 0 if self._holders[ref] else self.graph.type(ref).nbytes

    def _scratch(self, node: Node) -> int:
        return node.operator.scratch([self.graph.type(r) for r in node.inputs], node.types)

    def run(self, segment: Segment) -> Iterator[int]:
        """Run a segment; yields the bytes held before each node and at the end."""
        computed = [self.graph[n] for n in segment.nodes if not self.graph[n].operator.source]
        last_use = {r: i for i, n in enumerate(computed) for r in (*n.inputs, *_values(n))}
        live = {Ref(n) for n in segment.nodes if is_fed(self.graph[n])}
        live.update(ref for edge in segment.receives for ref in edge.values)
        self._hold(live)
        leaving = _leaving(segment)
        for i, node in enumerate(computed):
            yield self.held
            made = _values(node)
            self._hold(made)
            self.peak = max(self.peak, self.held + self._scratch(node))
            live.update(made)
            done = {r for r in (*node.inputs, *made) if last_use[r] == i and r in live} - leaving
            self._release(done)
            live -= done
        yield self.held
        self._hold(set(segment.saves) - self._store)
        self._release((*live, *segment.drops))
        self._store = self._store.union(segment.saves).difference(segment.drops)


def _values(node: Node) -> list[Ref]:
    if len(node.types) == 1:
        return [Ref(node.id)]
    return [Ref(node.id, port) for port in range(len(node.types))]


def _leaving(segment: Segment) -> set[Ref]:
    """The values that stay until the segment ends."""
    named = (segment.outputs, segment.input_gradients, segment.gradients)
    sent = (ref for edge in segment.sends for ref in edge.values)
    return {*segment.saves, *sent, *(ref for refs in named for ref in refs.values())}
