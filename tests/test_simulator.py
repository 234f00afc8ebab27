"""Simulated steps: the 1F1B order, its bounds, and times that can be worked out by hand."""

from __future__ import annotations

import itertools
import json

import pytest

from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators.elementwise import Tanh
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey
from raygrad.scheduler.cost import DeviceRates, LinkRates
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.simulator import Timeline, segment_seconds, simulate

from .random_graphs import SIZES, even_placement, random_graph, random_placement

NODES_ONLY = DeviceRates(
    matmul_flops=float("inf"),
    convolution_flops=float("inf"),
    bytes=float("inf"),
    node_seconds=1.0,
    sums=float("inf"),
)
"""Every node takes a second, and nothing else takes any."""

INSTANT = LinkRates(call_seconds=0.0, hop_seconds=0.0, bytes_per_second=float("inf"))


def line(layers: int = 8) -> Graph:
    """Eight equal layers without parameters but one, so that forward and backward are of one length."""
    g = Builder()
    x = g.input("x", ("N", 4), "float64") * g.parameter("w", (1, 1), "float64")
    for _ in range(layers):
        x = Tanh()(x)
    g.output("loss", x.sum())
    return g.graph()


def step_plan(graph: Graph, placement: Placement) -> Plan:
    return make_plan(graph, placement, PlanKey(Mode.STEP, SIZES, ("loss",)))


def even_plan(stages: int) -> Plan:
    graph = line()
    return step_plan(graph, even_placement(graph, stages))


def total_seconds(plan: Plan, link: LinkRates = INSTANT) -> float:
    return sum(segment_seconds(plan, s, NODES_ONLY, link) for s in plan.segments)


# -- order ----------------------------------------------------------------------------------------


def test_two_stages_interleave_forward_and_backward() -> None:
    timeline = simulate(even_plan(2), 1, 4, NODES_ONLY, INSTANT)
    assert timeline.schedule_text().splitlines() == [
        "stage 0: F0 F1 B0 F2 B1 F3 B2 B3",
        "stage 1: FB0 FB1 FB2 FB3",
    ]


def test_one_stage_runs_whole_mini_batches() -> None:
    assert simulate(even_plan(1), 1, 3, NODES_ONLY, INSTANT).schedule_text() == "FB0 FB1 FB2"


def test_replicas_share_the_mini_batches() -> None:
    timeline = simulate(even_plan(1), 3, 9, NODES_ONLY, INSTANT)
    assert [len(timeline.calls(r, 0)) for r in range(3)] == [3, 3, 3]
    assert timeline.step_seconds == pytest.approx(3 * total_seconds(even_plan(1)))
    assert timeline.busy_share == pytest.approx(1.0)


CASES = [(seed, stages, replicas) for seed in range(8) for stages in (1, 2, 4) for replicas in (1, 2)]


@pytest.mark.parametrize(("seed", "stages", "replicas"), CASES)
def test_every_call_runs_once_after_what_it_needs(seed: int, stages: int, replicas: int) -> None:
    graph = random_graph(seed)
    plan = step_plan(graph, random_placement(seed, graph, stages))
    link = LinkRates(call_seconds=0.5, hop_seconds=2.0, bytes_per_second=100.0)
    timeline = simulate(plan, replicas, 6, NODES_ONLY, link)
    calls = {(e.mini_batch, e.segment): e for e in timeline.events}
    assert len(calls) == len(timeline.events) == 6 * len(plan.segments)
    for (mini_batch, number), call in calls.items():
        segment = plan.segments[number]
        assert call.end - call.start == pytest.approx(segment_seconds(plan, segment, NODES_ONLY, link))
        for source in segment.after:
            before = calls[mini_batch, source]
            assert before.replica == call.replica
            assert call.start >= before.end + link.hop_seconds
    _check_workers(timeline)
    _check_bound(timeline, stages + 1)


def _check_workers(timeline: Timeline) -> None:
    """A worker runs one call at a time, and the segments of a mini-batch in the plan's order."""
    for replica, stage in itertools.product(range(timeline.replicas), range(timeline.stages)):
        calls = timeline.calls(replica, stage)
        assert all(a.end <= b.start for a, b in itertools.pairwise(calls))
        for _, group in itertools.groupby(
            sorted(calls, key=lambda e: (e.mini_batch, e.start)), lambda e: e.mini_batch
        ):
            order = [e.segment for e in group]
            assert order == sorted(order)


def _check_bound(timeline: Timeline, bound: int) -> None:
    """Never more mini-batches under way on a replica than the bound."""
    for replica in range(timeline.replicas):
        own = sorted(e for e in timeline.events if e.replica == replica)
        spans = {e.mini_batch: [0.0, 0.0] for e in own}
        for mini_batch, span in spans.items():
            calls = [e for e in own if e.mini_batch == mini_batch]
            span[:] = [calls[0].start, max(e.end for e in calls)]
        for start, _ in spans.values():
            assert sum(a <= start < b for a, b in spans.values()) <= bound


@pytest.mark.parametrize("stages", [2, 3, 4])
def test_forward_passes_run_as_far_ahead_as_the_pipeline_is_deep(stages: int) -> None:
    """1F1B: a stage fills the pipeline behind it, then alternates; each pass ahead keeps its activations."""
    timeline = simulate(even_plan(stages), 1, 10, NODES_ONLY, INSTANT)
    for stage in range(stages - 1):
        phases = [e.phase for e in timeline.calls(0, stage)]
        ahead = list(itertools.accumulate(1 if phase == "F" else -1 for phase in phases))
        depth = stages - stage
        assert phases[:depth] == ["F"] * depth
        assert max(ahead) == depth
        assert phases[depth:-depth] == ["B", "F"] * (10 - depth)


# -- times ----------------------------------------------------------------------------------------


def test_a_lone_mini_batch_takes_the_sum_of_its_segments_and_hops() -> None:
    plan = even_plan(3)
    link = LinkRates(call_seconds=3.0, hop_seconds=5.0, bytes_per_second=float("inf"))
    timeline = simulate(plan, 1, 1, NODES_ONLY, link)
    assert timeline.step_seconds == pytest.approx(total_seconds(plan, link) + 4 * link.hop_seconds)
    assert timeline.seconds_per_mini_batch == timeline.step_seconds


def test_a_full_pipeline_is_as_fast_as_its_slowest_stage() -> None:
    plan = even_plan(2)
    by_stage = [
        sum(segment_seconds(plan, s, NODES_ONLY, INSTANT) for s in plan.of_stage(k)) for k in range(2)
    ]
    timeline = simulate(plan, 1, 40, NODES_ONLY, INSTANT)
    assert timeline.seconds_per_mini_batch == pytest.approx(max(by_stage), rel=0.02)
    assert timeline.busy_share == pytest.approx(sum(by_stage) / (2 * max(by_stage)), rel=0.1)


def test_received_bytes_occupy_the_receiver() -> None:
    plan = even_plan(2)
    slow = LinkRates(call_seconds=0.0, hop_seconds=0.0, bytes_per_second=10.0)
    first, second, third = plan.segments
    assert segment_seconds(plan, first, NODES_ONLY, slow) == segment_seconds(plan, first, NODES_ONLY, INSTANT)
    for segment in (second, third):
        nbytes = sum(plan.graph.type(r).nbytes for e in segment.receives for r in e.values)
        moved = segment_seconds(plan, segment, NODES_ONLY, slow) - segment_seconds(
            plan, segment, NODES_ONLY, INSTANT
        )
        assert moved == pytest.approx(nbytes / 10.0)


def test_additions_take_time_on_the_last_segment() -> None:
    plan = even_plan(2)
    slow = DeviceRates(float("inf"), float("inf"), float("inf"), 1.0, sums=0.5)
    last = plan.segments[-1]
    assert list(last.gradients) == ["w"]
    extra = segment_seconds(plan, last, slow, INSTANT) - segment_seconds(plan, last, NODES_ONLY, INSTANT)
    assert extra == pytest.approx(2.0)


# -- memory and pictures --------------------------------------------------------------------------


def test_memory_of_the_mini_batches_under_way() -> None:
    plan = even_plan(3)
    alone = simulate(plan, 1, 1, NODES_ONLY, INSTANT).peak_bytes
    full = simulate(plan, 2, 12, NODES_ONLY, INSTANT).peak_bytes
    assert alone == plan.peak_bytes
    assert full[:3] == full[3:]
    assert full[0] == plan.peak_bytes[0] + 2 * plan.saved_bytes[0], "three under way on the first stage"
    assert full[2] == plan.peak_bytes[2], "the last stage keeps nothing between calls"


def test_the_trace_holds_every_call() -> None:
    timeline = simulate(even_plan(2), 2, 4, NODES_ONLY, INSTANT)
    events = json.loads(timeline.chrome_trace())["traceEvents"]
    calls = [e for e in events if e["ph"] == "X"]
    assert len(calls) == len(timeline.events)
    assert {(e["pid"], e["tid"]) for e in calls} == {(r, s) for r in range(2) for s in range(2)}
    assert sum(e["dur"] for e in calls) == pytest.approx(sum(e.end - e.start for e in timeline.events) * 1e6)
    assert {e["args"]["name"] for e in events if e["ph"] == "M"} == {
        "replica 0",
        "replica 1",
        "stage 0",
        "stage 1",
    }


def test_nothing_to_run() -> None:
    g = Builder()
    g.output("y", g.input("x", (2,)))
    plan = make_plan(g.graph(), Placement({}, 1), PlanKey(Mode.EVALUATE, ()))
    timeline = simulate(plan, 1, 0, NODES_ONLY, INSTANT)
    assert (timeline.step_seconds, timeline.busy_share, timeline.schedule_text()) == (0.0, 0.0, "")
