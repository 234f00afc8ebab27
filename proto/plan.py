"""Plans: what the scheduler tells the workers. Frozen, printable, without behaviour of their own.

A placement maps forward nodes to stages. A plan cuts the bound, differentiated graph into segments
(runs of nodes of one stage that execute as one call) with edges between them. The same plan serves
every replica.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .graph import Graph, Ref

Sizes = tuple[tuple[str, int], ...]

PLANS_KEPT = 64
"""How many plans of a session are kept, by the scheduler and by each worker: those used latest.

A client whose mini-batches come in ever other sizes would otherwise make both grow. What is used again
is made again, the same.
"""


class Mode(enum.Enum):
    """What a plan is for."""

    EVALUATE = "evaluate"  # outputs only; nothing is kept
    STEP = "step"  # forward and backward at once: a contribution to the gradients
    FORWARD = "forward"  # outputs; activations are kept under a lease
    BACKWARD = "backward"  # the rest, over activations kept by FORWARD

    @property
    def runs_backward(self) -> bool:
        """Whether a run of this plan ends with a contribution."""
        return self in (Mode.STEP, Mode.BACKWARD)


@dataclass(frozen=True)
class PlanKey:
    """Plans are cached by this: the sizes, which outputs are seeded, which input gradients are wanted."""

    mode: Mode
    sizes: Sizes
    seeded: tuple[str, ...] = ()
    input_gradients: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """A short name of the key, the same in every process."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Placement:
    """Forward node → stage. Sources have no place; gradients follow their home."""

    stage_of: Mapping[int, int]
    stages: int

    def __reduce__(self) -> tuple[object, ...]:
        return (Placement, (dict(self.stage_of), self.stages))

    def __str__(self) -> str:
        parts = (
            f"stage {s}: {_ranges([n for n, t in self.stage_of.items() if t == s])}"
            for s in range(self.stages)
        )
        return "; ".join(parts)


def _ranges(numbers: list[int]) -> str:
    """1,2,3,7 as "1–3, 7"."""
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs) or "nothing"


@dataclass(frozen=True)
class Edge:
    """Values that go from one segment to another, on another worker, as one bundle."""

    source: int
    target: int
    values: tuple[Ref, ...]


@dataclass(frozen=True)
class Segment:
    """Nodes of one stage that execute as one call, in this order.

    Values come from feeds, from the edges of other stages' segments, and from the stage's store,
    where earlier segments of the same mini-batch saved them.
    """

    id: int
    stage: int
    phase: str  # "F", "B", or "FB" where both merged
    nodes: tuple[int, ...]  # in execution order, sources included
    feeds: tuple[str, ...] = ()  # inputs fed to this call
    cotangents: tuple[str, ...] = ()  # outputs whose cotangents are fed to this call
    receives: tuple[Edge, ...] = ()
    sends: tuple[Edge, ...] = ()
    reads: tuple[Ref, ...] = ()  # from the store
    saves: tuple[Ref, ...] = ()  # into the store (received values included)
    drops: tuple[Ref, ...] = ()  # from the store: this segment is their last reader
    outputs: Mapping[str, Ref] = field(default_factory=dict)  # named outputs returned by this call
    input_gradients: Mapping[str, Ref] = field(default_factory=dict)
    gradients: Mapping[str, Ref] = field(default_factory=dict)  # contributions computed or received here
    last: bool = False  # the stage's last segment: it adds the contributions and frees the rest

    @property
    def after(self) -> tuple[int, ...]:
        """The segments of other stages whose results this one needs."""
        return tuple(sorted({e.source for e in self.receives}))

    @property
    def title(self) -> str:
        """Phase and stage, for timelines: "F0", "B1"."""
        return f"{self.phase}{self.stage}"


@dataclass(frozen=True)
class StagePlan:
    """The part of a plan that one worker holds: its segments, and the nodes they run."""

    plan: str
    stage: int
    graph: Graph
    segments: tuple[Segment, ...]
    parameters: tuple[str, ...]  # parameters and buffers that the stage reads
    keeps: bool = False  # activations stay after the last segment, under a lease


@dataclass(frozen=True)
class Plan:
    """Segments in an order that respects every edge, for one mini-batch on one replica."""

    key: PlanKey
    placement: Placement
    graph: Graph  # bound and pruned
    segments: tuple[Segment, ...]
    owners: Mapping[str, int]  # parameter → the stage that accumulates its gradient
    saved_bytes: tuple[int, ...]  # per stage: activations kept from forward to backward, one mini-batch
    peak_bytes: tuple[int, ...]  # per stage: largest sum of live values at once, one mini-batch

    @cached_property
    def id(self) -> str:
        """The plan's name on the workers."""
        return hashlib.sha256(f"{self.key.id}{self.placement}".encode()).hexdigest()[:16]

    @property
    def stages(self) -> int:
        """How many workers one replica has."""
        return self.placement.stages

    def of_stage(self, stage: int) -> tuple[Segment, ...]:
        """A stage's segments, in the order in which the stage runs them."""
        return tuple(s for s in self.segments if s.stage == stage)

    def stage_plan(self, stage: int) -> StagePlan:
        """What the stage's worker needs to know."""
        segments = self.of_stage(stage)
        nodes = {n for s in segments for n in s.nodes}
        received = {r.node for s in segments for r in (*s.reads, *(v for e in s.receives for v in e.values))}
        known = nodes | received
        graph = Graph(tuple(n for n in self.graph if n.id in known), {})
        sources = {**self.graph.parameters, **self.graph.buffers}
        read = tuple(sorted(name for name, node in sources.items() if node.id in nodes))
        return StagePlan(self.id, stage, graph, segments, read, self.key.mode is Mode.FORWARD)

    def __str__(self) -> str:
        lines = [
            f"plan {self.id} ({self.key.mode.value}), {self.stages} stages, {len(self.segments)} segments"
        ]
        for s in self.segments:
            needs = f" after {', '.join(str(a) for a in s.after)}" if s.after else ""
            lines.append(f"  {s.id}: {s.title}, {len(s.nodes)} nodes, saves {len(s.saves)}{needs}")
        return "\n".join(lines)
