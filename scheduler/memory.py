"""How many bytes of values a stage holds while it runs its segments, for one mini-batch.

Every value counts once, at full size; parameters, buffers and constants are not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from raygrad.proto.graph import Graph, Ref
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
            saved = walk.held(())
        boundary = _boundary(graph, segment, forward)
        for position, held in enumerate(walk.run(segment)):
            if saved is None and position == boundary:
                saved = held
    return Memory(walk.held(()) if saved is None else saved, walk.peak)


def _boundary(graph: Graph, segment: Segment, forward: Collection[int]) -> int | None:
    """After how many nodes a segment of both phases begins the backward one."""
    if BACKWARD not in segment.phase:
        return None
    computed = [n for n in segment.nodes if not graph[n].operator.source]
    return next((i for i, n in enumerate(computed) if n not in forward), len(computed))


class _Walk:
    """The store of one stage, as its segments run."""

    def __init__(self, graph: Graph, segments: Sequence[Segment]) -> None:
        self.graph = graph
        self.store: set[Ref] = set()
        saved: set[Ref] = set()
        for segment in segments:
            self.store.update(r for r in segment.reads if r not in saved)  # left by a FORWARD plan
            saved.update(segment.saves)
        self.peak = 0

    def held(self, live: Iterable[Ref]) -> int:
        """Bytes in the store and among the live values of a segment."""
        held = sum(self.graph.type(ref).nbytes for ref in self.store.union(live))
        self.peak = max(self.peak, held)
        return held

    def run(self, segment: Segment) -> Iterable[int]:
        """Run a segment; yields the bytes held before each node and at the end."""
        computed = [self.graph[n] for n in segment.nodes if not self.graph[n].operator.source]
        last_use = {r: i for i, n in enumerate(computed) for r in (*n.inputs, *_values(self.graph, n.id))}
        leaving = _leaving(segment)
        live = {Ref(n) for n in segment.nodes if is_fed(self.graph[n])}
        live.update(ref for edge in segment.receives for ref in edge.values)
        for i, node in enumerate(computed):
            yield self.held(live)
            live.update(_values(self.graph, node.id))
            self.held(live)
            live -= {r for r in (*node.inputs, *_values(self.graph, node.id)) if last_use[r] == i} - leaving
        yield self.held(live)
        self.store.update(segment.saves)
        self.store.difference_update(segment.drops)


def _values(graph: Graph, node: int) -> list[Ref]:
    return [Ref(node, port) for port in range(len(graph[node].types))]


def _leaving(segment: Segment) -> set[Ref]:
    """The values that stay until the segment ends."""
    named = (segment.outputs, segment.input_gradients, segment.gradients)
    sent = (ref for edge in segment.sends for ref in edge.values)
    return {*segment.saves, *sent, *(ref for refs in named for ref in refs.values())}
