"""Instances into drafts of segments: who runs together, in which order.

Each stage in turn takes everything that it can run with what has been made before; one such taking
is a draft. Hence no path leaves a draft and comes back, and the order of the drafts respects every
dependency, for any placement. Then drafts of one stage merge where no path through another stage
lies between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import rustworkx as rx

from .instances import BACKWARD, END, FORWARD, Instance, Instances


@dataclass(frozen=True)
class Draft:
    """Instances of one stage, in execution order, that will be one segment."""

    stage: int
    instances: tuple[Instance, ...]

    @property
    def phase(self) -> str:
        """ "F", "B", or "FB" where both merged."""
        found = {i.phase for i in self.instances}
        return "".join(p for p in (FORWARD, BACKWARD) if p in found)


def emit(instances: Instances, stages: int, phases: Sequence[str]) -> list[Draft]:
    """The drafts of these phases, in an order that respects every dependency."""
    emission = _Emission(instances, phases)
    drafts: list[Draft] = []
    for phase in phases:
        order = range(stages) if phase == FORWARD else reversed(range(stages))
        drafts += emission.phase(phase, tuple(order))
    return _merged(instances, drafts)


class _Emission:
    """What has been taken so far."""

    def __init__(self, instances: Instances, phases: Sequence[str]) -> None:
        self.instances = instances
        self.taken = {i for i in instances.needs if i.phase not in phases}
        self.order = _order(instances)
        self.producers = {i: {p for _, p in instances.needed(i) if p is not None} for i in instances.needs}

    def phase(self, phase: str, stages: tuple[int, ...]) -> list[Draft]:
        waiting = {
            s: sorted((i for i in self.instances.needs if i[1:] == (s, phase)), key=self.order.__getitem__)
            for s in stages
        }
        drafts: list[Draft] = []
        while any(waiting.values()):
            for stage in stages:
                found = self._take(waiting[stage])
                if found:
                    waiting[stage] = [i for i in waiting[stage] if i not in self.taken]
                    drafts.append(Draft(stage, found))
        return drafts

    def _take(self, waiting: Sequence[Instance]) -> tuple[Instance, ...]:
        """All that can run now, in order."""
        found: dict[Instance, None] = {}
        for instance in waiting:
            if self._ready(instance, found) and (instance.node != END or len(found) + 1 == len(waiting)):
                found[instance] = None
        for instance in reversed(found.copy()):
            if instance in self.instances.late and not any(
                r in found for r in self.instances.readers[instance]
            ):
                del found[instance]
        self.taken.update(found)
        return tuple(found)

    def _ready(self, instance: Instance, found: dict[Instance, None]) -> bool:
        return all(p in self.taken or p in found for p in self.producers[instance])


def _order(instances: Instances) -> dict[Instance, tuple[int, bool, int]]:
    """Sort keys: nodes in id order, but a late instance just before its first reader."""
    order: dict[Instance, tuple[int, bool, int]] = {}
    for instance in sorted(instances.needs, reverse=True):
        late = instance in instances.late
        first = min(order[r][0] for r in instances.readers[instance]) if late else instance.node
        order[instance] = (first, not late, instance.node)
    return order


def _merged(instances: Instances, drafts: list[Draft]) -> list[Draft]:
    """Drafts of one stage joined wherever that makes no cycle, in topological order."""
    graph, numbers = _dependencies(instances, drafts)
    for stage in {d.stage for d in drafts}:
        own = [n for n, d in zip(numbers, drafts, strict=True) if d.stage == stage]
        later = own.pop()
        while own:
            earlier = own.pop()
            joined = graph[earlier] + graph[later]
            try:
                later = graph.contract_nodes([earlier, later], joined, check_cycle=True)
            except rx.DAGWouldCycle:
                later = earlier
    order = rx.lexicographical_topological_sort(graph, key=lambda group: f"{min(group):09}")
    return [_join([drafts[i] for i in sorted(group)]) for group in order]


def _dependencies(instances: Instances, drafts: Sequence[Draft]) -> tuple[rx.PyDiGraph, list[int]]:
    """Which draft must precede which: by the values it reads, and in the order of its stage."""
    graph = rx.PyDiGraph(multigraph=False)
    numbers = list(graph.add_nodes_from([[i] for i in range(len(drafts))]))
    place = {i: number for number, d in zip(numbers, drafts, strict=True) for i in d.instances}
    latest: dict[int, int] = {}
    for number, draft in zip(numbers, drafts, strict=True):
        producers = {p for i in draft.instances for _, p in instances.needed(i) if p is not None}
        before = {place[p] for p in producers if p in place} | {latest.get(draft.stage, number)}
        graph.add_edges_from_no_data([(source, number) for source in before if source != number])
        latest[draft.stage] = number
    return graph, numbers


def _join(drafts: Sequence[Draft]) -> Draft:
    return Draft(drafts[0].stage, tuple(i for d in drafts for i in d.instances))
