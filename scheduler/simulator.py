"""What a plan would do in time: mini-batches through the segments of replicas, without running a kernel.

The discipline is the dispatcher's: one forward, one backward (1F1B; PipeDream, Narayanan et al., SOSP
2019). Of the calls whose values are there, a worker takes the most urgent; forward passes run no
further ahead than keeps the stages behind busy.
"""

from __future__ import annotations

import heapq
import json
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise, takewhile
from typing import NamedTuple

from raygrad.proto.plan import Plan, Segment

from .cost import DeviceRates, LinkRates, accumulation_seconds, node_seconds, transfer_seconds
from .dispatcher import in_flight, urgency
from .instances import FORWARD


@dataclass(frozen=True, order=True)
class Event:
    """One call: a segment, for a mini-batch, on a worker. Seconds from the beginning of the step."""

    start: float
    end: float
    replica: int
    stage: int
    segment: int
    mini_batch: int
    title: str  # phase and stage, "F0"

    @property
    def phase(self) -> str:
        """F, B or FB."""
        return self.title.rstrip("0123456789")


@dataclass(frozen=True)
class Timeline:
    """A simulated step."""

    events: tuple[Event, ...]  # in the order in which they begin
    stages: int
    replicas: int
    peak_bytes: tuple[int, ...]  # per worker (replica by replica): activations, at most

    @property
    def step_seconds(self) -> float:
        """From the first call to the end of the last."""
        return max((e.end for e in self.events), default=0.0)

    @property
    def seconds_per_mini_batch(self) -> float:
        """From the end of one mini-batch to the next, in the second half of the step: the steady state."""
        ends = sorted(self._ends())
        if len(ends) < 2:
            return self.step_seconds
        middle = (len(ends) - 1) // 2
        return (ends[-1] - ends[middle]) / (len(ends) - 1 - middle)

    @property
    def busy_share(self) -> float:
        """The share of the workers' time that calls fill."""
        whole = self.step_seconds * self.stages * self.replicas
        return sum(e.end - e.start for e in self.events) / whole if whole else 0.0

    def _ends(self) -> list[float]:
        ends: dict[int, float] = defaultdict(float)
        for event in self.events:
            ends[event.mini_batch] = max(ends[event.mini_batch], event.end)
        return list(ends.values())

    def calls(self, replica: int, stage: int) -> tuple[Event, ...]:
        """The calls of one worker, in order."""
        return tuple(e for e in self.events if (e.replica, e.stage) == (replica, stage))

    def schedule_text(self) -> str:
        """What each stage of the first replica runs: a line per stage, "F0 F1 B0 …" by mini-batch."""
        lines = []
        for stage in range(self.stages):
            calls = " ".join(f"{e.phase}{e.mini_batch}" for e in self.calls(0, stage))
            lines.append(f"stage {stage}: {calls}" if self.stages > 1 else calls)
        return "\n".join(lines)

    def chrome_trace(self) -> str:
        """The step as Chrome trace events (JSON), for Perfetto: a process per replica, a thread per stage."""
        names = [_metadata("process_name", r, 0, f"replica {r}") for r in range(self.replicas)]
        names += [
            _metadata("thread_name", r, s, f"stage {s}")
            for r in range(self.replicas)
            for s in range(self.stages)
        ]
        return json.dumps({"traceEvents": [*names, *map(_trace_event, self.events)], "displayTimeUnit": "ms"})


def _metadata(kind: str, process: int, thread: int, name: str) -> dict[str, object]:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}


def _trace_event(event: Event) -> dict[str, object]:
    return {
        "ph": "X",
        "name": f"{event.phase}{event.mini_batch}",
        "cat": event.phase,
        "pid": event.replica,
        "tid": event.stage,
        "ts": event.start * 1e6,
        "dur": (event.end - event.start) * 1e6,
        "args": {"mini_batch": event.mini_batch, "segment": event.segment},
    }


def simulate(plan: Plan, replicas: int, mini_batches: int, rates: DeviceRates, link: LinkRates) -> Timeline:
    """The timeline of a step of so many mini-batches, all there from the beginning."""
    events = tuple(_Simulation(plan, replicas, mini_batches, rates, link).run())
    peaks = (_peak_bytes(plan, events, r, s) for r in range(replicas) for s in range(plan.stages))
    return Timeline(events, plan.stages, replicas, tuple(peaks))


def segment_seconds(plan: Plan, segment: Segment, rates: DeviceRates, link: LinkRates) -> float:
    """How long a call occupies its worker: itself, the values it receives, its nodes, its addition."""
    graph = plan.graph
    received = sum(graph.type(ref).nbytes for edge in segment.receives for ref in edge.values)
    added = sum(graph.type(ref).elements for ref in segment.gradients.values())
    computed = sum(node_seconds(graph[n], graph, rates) for n in segment.nodes)
    return (
        link.call_seconds + transfer_seconds(received, link) + computed + accumulation_seconds(added, rates)
    )


def _peak_bytes(plan: Plan, events: Sequence[Event], replica: int, stage: int) -> int:
    """A worker's most: one mini-batch at its peak, and what it keeps for the others under way."""
    spans: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if (event.replica, event.stage) == (replica, stage):
            spans[event.mini_batch].append(event)
    changes = sorted(c for calls in spans.values() for c in ((calls[0].start, 1), (calls[-1].end, -1)))
    most = max(accumulate(change for _, change in changes), default=0)
    return plan.peak_bytes[stage] + max(most - 1, 0) * plan.saved_bytes[stage]


_Worker = tuple[int, int]
"""Replica and stage."""


class _Call(NamedTuple):
    """A segment for a mini-batch on a replica."""

    replica: int
    mini_batch: int
    segment: int


class _Simulation:
    """Moments in order of time: calls end, values arrive, idle workers take what is most urgent."""

    def __init__(
        self, plan: Plan, replicas: int, mini_batches: int, rates: DeviceRates, link: LinkRates
    ) -> None:
        self.plan, self.hop = plan, link.hop_seconds
        self.seconds = [segment_seconds(plan, s, rates, link) for s in plan.segments]
        self.bound = in_flight(plan.stages)
        self.next_of_stage = _successors(plan)
        self.pending = deque(range(mini_batches))
        self.active: list[list[int]] = [[] for _ in range(replicas)]  # mini-batches under way, in order
        self.missing: dict[_Call, int] = {}  # how many values and predecessors a call still waits for
        self.left: dict[tuple[int, int], int] = {}  # (mini-batch, stage) → calls that have not begun
        self.undone: dict[int, int] = {}  # how many calls of a mini-batch are not done
        self.moments: list[tuple[float, bool, _Call]] = []  # heap: (when, whether the call ends, call)
        self.waiting: dict[_Worker, list[_Call]] = defaultdict(list)  # calls whose values are there
        self.busy: set[_Worker] = set()

    def run(self) -> Iterator[Event]:
        """The calls, in the order in which they begin."""
        self._begin(0.0)
        while self.moments:
            now = self.moments[0][0]
            while self.moments and self.moments[0][0] == now:
                _, ended, call = heapq.heappop(self.moments)
                (self._end if ended else self._arrive)(now, call)
            yield from self._start(now)

    def _begin(self, now: float) -> None:
        """Begin mini-batches on the replicas with the fewest under way."""
        segments = self.plan.segments
        while self.pending and len(least := min(self.active, key=len)) < self.bound and segments:
            replica = self.active.index(least)
            self.active[replica].append(mini_batch := self.pending.popleft())
            self.undone[mini_batch] = len(segments)
            for segment in segments:
                call = _Call(replica, mini_batch, segment.id)
                follows = segment.id in self.next_of_stage.values()
                self.missing[call] = len(segment.receives) + follows + 1
                self.left[mini_batch, segment.stage] = self.left.get((mini_batch, segment.stage), 0) + 1
                heapq.heappush(self.moments, (now, False, call))

    def _arrive(self, now: float, call: _Call) -> None:
        """Something that a call waits for is there; with the last thing, the call waits for its worker."""
        self.missing[call] -= 1
        if not self.missing[call]:
            self.waiting[call.replica, self.plan.segments[call.segment].stage].append(call)

    def _end(self, now: float, call: _Call) -> None:
        segment = self.plan.segments[call.segment]
        self.busy.discard((call.replica, segment.stage))
        for edge in segment.sends:
            heapq.heappush(self.moments, (now + self.hop, False, call._replace(segment=edge.target)))
        if call.segment in self.next_of_stage:
            following = call._replace(segment=self.next_of_stage[call.segment])
            heapq.heappush(self.moments, (now, False, following))
        self.undone[call.mini_batch] -= 1
        if not self.undone[call.mini_batch]:
            self.active[call.replica].remove(call.mini_batch)
            self._begin(now)

    def _start(self, now: float) -> Iterator[Event]:
        for worker in sorted(self.waiting.keys() - self.busy):
            allowed = [call for call in self.waiting[worker] if self._may_begin(call)]
            if allowed:
                call = min(allowed, key=self._urgency)
                self.waiting[worker].remove(call)
                self.left[call.mini_batch, worker[1]] -= 1
                self.busy.add(worker)
                end = now + self.seconds[call.segment]
                heapq.heappush(self.moments, (end, True, call))
                title = self.plan.segments[call.segment].title
                yield Event(now, end, *worker, call.segment, call.mini_batch, title)

    def _urgency(self, call: _Call) -> float:
        order = self.active[call.replica].index(call.mini_batch)
        return urgency(self.plan.segments[call.segment], order, self.plan.stages)

    def _may_begin(self, call: _Call) -> bool:
        """Whether not too many older mini-batches have calls to come on the stage: each keeps activations."""
        segment = self.plan.segments[call.segment]
        if segment.phase != FORWARD:
            return True
        older = takewhile(lambda m: m != call.mini_batch, self.active[call.replica])
        ahead = sum(self.left.get((m, segment.stage), 0) > 0 for m in older)
        return ahead < self.plan.stages - segment.stage


def _successors(plan: Plan) -> dict[int, int]:
    """Segment → the next one of its stage."""
    return {a.id: b.id for stage in range(plan.stages) for a, b in pairwise(plan.of_stage(stage))}
