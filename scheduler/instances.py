"""Which node runs on which stage, in which phase: worked out by demand.

A node mostly runs once, on the stage of its home. A free node (a reshape, a broadcast) runs beside
each consumer instead of being sent, and sources stand beside each consumer anyway; so what a plan
executes is not nodes but *instances* of nodes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.graph import Graph, Node, Ref
from raygrad.proto.operators.shape import Broadcast
from raygrad.proto.operators.source import Cotangent, Input
from raygrad.proto.plan import Placement

FORWARD, BACKWARD = "F", "B"

END = sys.maxsize
"""Not a node: the end of a stage's phase, where values leave that no node of the stage need have made."""


class Instance(NamedTuple):
    """One execution of a node (or `END`) on a stage in a phase."""

    node: int
    stage: int
    phase: str


def stage_of(placement: Placement, graph: Graph, home: int) -> int:
    """The stage of a home. A source is one only if no node reads it; it has no place, so the first stage."""
    if home in graph and graph[home].operator.source:
        return 0
    try:
        return placement.stage_of[home]
    except KeyError:
        raise ConfigurationError(f"the placement has no stage for node {home}") from None


def is_fed(node: Node) -> bool:
    """Whether the node's value comes with every mini-batch, rather than from the worker."""
    return isinstance(node.operator, (Input, Cotangent))


class Instances:
    """The instances that a plan needs. All forward demands come before the first backward demand."""

    def __init__(self, graph: Graph, placement: Placement, forward: frozenset[int]) -> None:
        self.graph = graph
        self.forward = forward  # the nodes of the forward phase
        self.needs: dict[Instance, tuple[Ref, ...]] = {}
        self._stage = {n.id: stage_of(placement, graph, n.home) for n in graph if not n.operator.source}

    def stage(self, ref: Ref) -> int:
        """The stage that a value belongs to; a source's is the first."""
        return self._stage.get(ref.node, 0)

    def is_source(self, ref: Ref) -> bool:
        """Whether a value is one of those that stand beside each consumer."""
        return ref.node not in self._stage

    def demand(self, refs: Iterable[Ref], stage: int, phase: str) -> None:
        """Make sure that something produces these values for a consumer on `stage` in `phase`."""
        open_demands = [(ref, stage, phase) for ref in refs]
        while open_demands:
            producer = self.producer(*open_demands.pop())
            if producer is not None and producer not in self.needs:
                self.needs[producer] = inputs = self.graph[producer.node].inputs
                open_demands += [(ref, producer.stage, producer.phase) for ref in inputs]

    def end(self, refs: Iterable[Ref], stage: int, phase: str) -> None:
        """Have these values at the end of a stage's phase."""
        wanted = tuple(refs)
        if wanted:
            self.demand(wanted, stage, phase)
            last = Instance(END, stage, phase)
            self.needs[last] = tuple(dict.fromkeys((*self.needs.get(last, ()), *wanted)))

    def producer(self, ref: Ref, stage: int, phase: str) -> Instance | None:
        """What makes a value for a consumer on `stage` in `phase`; `None` for sources.

        A broadcast of the forward phase is repeated in the backward phase: its operand is smaller to keep.
        """
        number = ref.node
        home = self._stage.get(number)
        if home is None:
            return None
        operator = self.graph[number].operator
        first = FORWARD if number in self.forward else BACKWARD
        if not operator.free:
            return Instance(number, home, first)
        there = Instance(ref.node, stage, first)
        if phase == first or (there in self.needs and not isinstance(operator, Broadcast)):
            return there
        return Instance(ref.node, stage, phase)

    def needed(self, instance: Instance) -> list[tuple[Ref, Instance | None]]:
        """The values that an instance reads, each with what makes it."""
        return [(ref, self.producer(ref, instance.stage, instance.phase)) for ref in self.needs[instance]]

    def kept(self) -> dict[int, set[Ref]]:
        """Per stage, the forward values and inputs that its backward instances read."""
        found: dict[int, set[Ref]] = {}
        for instance in self.needs:
            if instance.phase == BACKWARD:
                refs = (r for r, p in self.needed(instance) if self.comes_from_forward(r, p))
                found.setdefault(instance.stage, set()).update(refs)
        return found

    def comes_from_forward(self, ref: Ref, producer: Instance | None) -> bool:
        """Whether a value that a backward instance reads is one that the forward phase leaves behind."""
        if producer is None:
            return isinstance(self.graph[ref.node].operator, Input)
        return producer.phase == FORWARD

    def present(self, stage: int) -> set[Ref]:
        """The values that are on a stage at some time of the forward phase."""
        here = [i for i in self.needs if i.stage == stage and i.phase == FORWARD]
        made = {Ref(i.node, p) for i in here if i.node != END for p in range(len(self.graph[i.node].types))}
        return made.union(*(self.needs[i] for i in here))

    @cached_property
    def readers(self) -> Mapping[Instance, tuple[Instance, ...]]:
        """Which instances read what each one makes. Ask when all demands have been made."""
        found: dict[Instance, list[Instance]] = {i: [] for i in self.needs}
        for instance in self.needs:
            for producer in {p for _, p in self.needed(instance) if p is not None}:
                found[producer].append(instance)
        return {i: tuple(readers) for i, readers in found.items()}

    @cached_property
    def late(self) -> frozenset[Instance]:
        """Backward instances that wait for no cotangent and serve only their own stage.

        They could run early; they run just before their first reader instead, for memory.
        """
        ready: set[Instance] = set()
        for instance in sorted(i for i in self.needs if i.phase == BACKWARD and i.node != END):
            if all(self._waits_for_nothing(ref, p, ready) for ref, p in self.needed(instance)):
                ready.add(instance)
        return frozenset(
            i for i in ready if self.readers[i] and all(r.stage == i.stage for r in self.readers[i])
        )

    def _waits_for_nothing(self, ref: Ref, producer: Instance | None, ready: set[Instance]) -> bool:
        if producer is None:
            return not isinstance(self.graph[ref.node].operator, Cotangent)
        return producer.phase == FORWARD or producer in ready
