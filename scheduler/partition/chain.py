"""A graph as a chain of homes: what each costs, and what would cross a cut between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raygrad.proto.graph import Graph, Ref
from raygrad.proto.plan import Placement, Plan, PlanKey

from ..cost import DeviceRates, accumulation_seconds, home_costs
from ..planner import Outline, make_plan

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """Homes in topological (id) order. Cut k lies behind home k; all transfers are for one mini-batch."""

    homes: tuple[int, ...]
    seconds: tuple[float, ...]  # of both phases, beside each home
    rightward: tuple[int, ...]  # bytes that cross each cut from the homes before it to those behind it
    leftward: tuple[int, ...]  # bytes that cross it the other way

    def __len__(self) -> int:
        return len(self.homes)


def make_chain(graph: Graph, key: PlanKey, rates: DeviceRates, known: Outline | None = None) -> Chain:
    """The chain of a document's `graph`, for plans of this key (whose outline may be known)."""
    homes = tuple(sorted(live_homes(graph)))
    whole = make_plan(graph, Placement(dict.fromkeys(homes, 0), 1), key, known)
    forward = {n.id for n in graph}
    costs = home_costs(whole.graph, forward, rates)
    crossings = _Crossings(graph, whole, homes)
    seconds = [costs[h].seconds if h in costs else 0.0 for h in homes]
    for ref, position in crossings.collected.items():
        seconds[position] += accumulation_seconds(whole.graph.type(ref).elements, rates)
    return Chain(homes, tuple(seconds), *crossings.count())


def live_homes(graph: Graph) -> set[int]:
    """The homes of all nodes that an output needs: what a placement must place."""
    live = graph.prune(graph.outputs.values())
    return {n.home for n in live if not n.operator.source}


class _Crossings:
    """How many bytes cross each cut: a value crosses those between its maker and its farthest reader."""

    def __init__(self, graph: Graph, whole: Plan, homes: tuple[int, ...]) -> None:
        self.graph = whole.graph
        self.position = {home: i for i, home in enumerate(homes)}
        self.cuts = max(len(homes) - 1, 0)
        gradients = (item for s in whole.segments for item in s.gradients.items())
        self.collected = self._collected(graph, dict(gradients))

    def count(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bytes over each cut, rightward and leftward."""
        right, left = np.zeros(self.cuts + 1, np.int64), np.zeros(self.cuts + 1, np.int64)
        for ref, (first, last) in self._reach().items():
            made, nbytes = self._at(ref.node), self.graph.type(ref).nbytes
            right[made : max(made, last)] += nbytes
            left[min(made, first) : made] += nbytes
        return tuple(right[: self.cuts].tolist()), tuple(left[: self.cuts].tolist())

    def _reach(self) -> dict[Ref, tuple[int, int]]:
        """The positions of the first and the last reader of each value that would be sent.

        A free node is repeated beside its readers, so they read what it reads.
        """
        reach: dict[Ref, tuple[int, int]] = {ref: (at, at) for ref, at in self.collected.items()}
        for node in reversed(self.graph.nodes):
            if node.operator.source:
                continue
            span = self._span(node.id, reach) if node.operator.free else (self._at(node.id),) * 2
            for ref in node.inputs:
                known = reach.get(ref, span)
                reach[ref] = (min(known[0], span[0]), max(known[1], span[1]))
        sent = (r for r in reach if not (op := self.graph[r.node].operator).source and not op.free)
        return {ref: reach[ref] for ref in sent}

    def _span(self, free: int, reach: Mapping[Ref, tuple[int, int]]) -> tuple[int, int]:
        return reach.get(Ref(free), (self._at(free),) * 2)

    def _at(self, node: int) -> int:
        """The position of a node; the first for one at home with a source that no node reads (`stage_of`)."""
        return self.position.get(self.graph[node].home, 0)

    def _collected(self, graph: Graph, gradients: Mapping[str, Ref]) -> dict[Ref, int]:
        """Where the gradients are added up: beside the first reader of each parameter."""
        readers = {name: graph.consumers.get(Ref(node.id)) for name, node in graph.parameters.items()}
        found = {ref: readers[name] for name, ref in gradients.items()}
        return {ref: self.position[graph[ids[0]].home] for ref, ids in found.items() if ids}
