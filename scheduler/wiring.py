"""Drafts into segments: what each call is fed with, receives, reads, saves, drops and returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from raygrad.proto.graph import Ref
from raygrad.proto.operators.source import Cotangent, Input
from raygrad.proto.plan import Edge, Segment

from .emission import Draft
from .instances import BACKWARD, END, FORWARD, Instance, Instances, is_fed


@dataclass(frozen=True)
class Results:
    """The values that leave a plan, by name."""

    outputs: Mapping[str, Ref] = field(default_factory=dict)
    input_gradients: Mapping[str, Ref] = field(default_factory=dict)
    gradients: Mapping[str, Ref] = field(default_factory=dict)


@dataclass
class _Traffic:
    """What one segment exchanges with the world; filled while the drafts are walked in order."""

    sources: set[int] = field(default_factory=set)
    received: dict[int, set[Ref]] = field(default_factory=lambda: defaultdict(set))  # by sending segment
    reads: set[Ref] = field(default_factory=set)
    saves: set[Ref] = field(default_factory=set)
    drops: set[Ref] = field(default_factory=set)


class Wiring:
    """The wiring of one plan. Reads that no draft accounts for refer to what a FORWARD plan left behind."""

    def __init__(
        self,
        instances: Instances,
        drafts: Sequence[Draft],
        results: Results,
        owners: Mapping[str, int],
        kept: Mapping[int, Iterable[Ref]],
    ) -> None:
        self.instances = instances
        self.drafts = drafts
        self.results = results
        self.owners = owners
        self.place = {i: number for number, draft in enumerate(drafts) for i in draft.instances}
        self.last = {draft.stage: number for number, draft in enumerate(drafts)}
        self._runs_forward = any(FORWARD in draft.phase for draft in drafts)
        self.traffic = [_Traffic() for _ in drafts]
        self._arrived: dict[tuple[int, Ref], int] = {}  # (stage, value from outside) → where it came in
        for number in range(len(drafts)):
            self._connect(number)
        for stage, refs in kept.items():
            self._keep(stage, refs)
        self._drop(kept)

    def segments(self) -> tuple[Segment, ...]:
        """The segments, in the order of the drafts."""
        return tuple(self._segment(number) for number in range(len(self.drafts)))

    # -- values in ----------------------------------------------------------------------------

    def _connect(self, number: int) -> None:
        for instance in self.drafts[number].instances:
            for ref, producer in self.instances.needed(instance):
                if producer is None:
                    self._take_source(number, ref)
                elif self.place.get(producer) != number:
                    self._take(number, ref, producer)

    def _take_source(self, number: int, ref: Ref) -> None:
        """A source stands here; but a value fed with the mini-batch came in once, at the first reader."""
        if not is_fed(self.instances.graph[ref.node]):
            self.traffic[number].sources.add(ref.node)
        elif not self._runs_forward and self.instances.comes_from_forward(ref, None):
            self.traffic[number].reads.add(ref)
        elif self._first(number, ref):
            self.traffic[number].sources.add(ref.node)

    def _take(self, number: int, ref: Ref, producer: Instance) -> None:
        stage = self.drafts[number].stage
        origin = self.place.get(producer)
        if origin is None:
            self.traffic[number].reads.add(ref)
        elif producer.stage == stage:
            self.traffic[origin].saves.add(ref)
            self.traffic[number].reads.add(ref)
        elif self._first(number, ref):
            self.traffic[number].received[origin].add(ref)

    def _first(self, number: int, ref: Ref) -> bool:
        """Whether a value from outside comes in here; if it came in earlier, it was saved there."""
        origin = self._arrived.setdefault((self.drafts[number].stage, ref), number)
        if origin != number:
            self.traffic[origin].saves.add(ref)
            self.traffic[number].reads.add(ref)
        return origin == number

    # -- the store ----------------------------------------------------------------------------

    def _keep(self, stage: int, refs: Iterable[Ref]) -> None:
        """Save what a BACKWARD plan will read."""
        for ref in refs:
            own = self.place.get(Instance(ref.node, stage, FORWARD))
            origin = self._arrived[stage, ref] if own is None else own
            self.traffic[origin].saves.add(ref)

    def _drop(self, kept: Mapping[int, Iterable[Ref]]) -> None:
        """The last reader of a stored value frees it."""
        seen = {(stage, ref) for stage, refs in kept.items() for ref in refs}
        for draft, traffic in zip(reversed(self.drafts), reversed(self.traffic), strict=True):
            traffic.drops = {ref for ref in traffic.reads if (draft.stage, ref) not in seen}
            seen.update((draft.stage, ref) for ref in traffic.reads)

    # -- the segment --------------------------------------------------------------------------

    def _segment(self, number: int) -> Segment:
        draft, traffic = self.drafts[number], self.traffic[number]
        sources = sorted(traffic.sources)
        computed = dict.fromkeys(i.node for i in draft.instances if i.node != END)
        return Segment(
            id=number,
            stage=draft.stage,
            phase=draft.phase,
            nodes=(*sources, *computed),
            feeds=self._named(sources, Input),
            cotangents=self._named(sources, Cotangent),
            receives=tuple(_edge(origin, number, refs) for origin, refs in sorted(traffic.received.items())),
            sends=tuple(
                _edge(number, target, other.received[number])
                for target, other in enumerate(self.traffic)
                if number in other.received
            ),
            reads=tuple(sorted(traffic.reads)),
            saves=tuple(sorted(traffic.saves)),
            drops=tuple(sorted(traffic.drops)),
            outputs=self._leaving(number, self.results.outputs, FORWARD),
            input_gradients=self._leaving(number, self.results.input_gradients, BACKWARD),
            gradients=self._owned(number),
            last=self.last[draft.stage] == number,
        )

    def _named(self, sources: Sequence[int], kind: type[Input] | type[Cotangent]) -> tuple[str, ...]:
        operators = (self.instances.graph[n].operator for n in sources)
        return tuple(op.tensor for op in operators if isinstance(op, kind))

    def _leaving(self, number: int, results: Mapping[str, Ref], phase: str) -> dict[str, Ref]:
        """The results that this segment makes, or (of sources) finds at the end of stage 0's phase."""
        return {name: ref for name, ref in results.items() if self._made_at(ref, phase) == number}

    def _made_at(self, ref: Ref, phase: str) -> int:
        stage = self.instances.stage(ref)
        return self.place[self.instances.producer(ref, stage, phase) or Instance(END, stage, phase)]

    def _owned(self, number: int) -> dict[str, Ref]:
        stage = self.drafts[number].stage
        if self.last[stage] != number:
            return {}
        return {name: ref for name, ref in self.results.gradients.items() if self.owners[name] == stage}


def _edge(source: int, target: int, refs: Iterable[Ref]) -> Edge:
    return Edge(source, target, tuple(sorted(refs)))
