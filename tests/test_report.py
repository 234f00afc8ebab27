"""What a plan asks of each stage, as a table."""

from __future__ import annotations

import pytest

import raygrad as rg
from raygrad.client.networks import lenet
from raygrad.proto.graph import Graph
from raygrad.proto.plan import Mode, Plan, PlanKey
from raygrad.proto.units import in_bytes, in_seconds, in_units
from raygrad.scheduler.cost import DeviceRates
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.report import plan_table, stage_reports

from .random_graphs import even_placement

RATES = DeviceRates(matmul_flops=1e11, convolution_flops=1e11, bytes=5e10, node_seconds=2e-6, sums=3e8)


def planned(graph: Graph, stages: int) -> Plan:
    return make_plan(graph, even_placement(graph, stages), PlanKey(Mode.STEP, (("N", 4),), ("loss",)))


def test_reports_add_up() -> None:
    graph = lenet().graph
    whole, parts = planned(graph, 1), planned(graph, 3)
    (one,), three = stage_reports(whole, graph, RATES), stage_reports(parts, graph, RATES)
    assert one.parameters == 32 * 25 + 32 + 64 * 32 * 25 + 64 + 256 * 200 + 200 + 200 * 10 + 10
    assert sum(r.parameters for r in three) == one.parameters
    assert sum(r.flops for r in three) == one.flops
    assert (one.sent_bytes, min(r.sent_bytes for r in three) > 0) == (0, True)
    assert sum(r.seconds for r in three) == pytest.approx(one.seconds, rel=0.05)
    assert [r.peak_bytes for r in three] == list(parts.peak_bytes)


def test_the_table_has_a_row_per_stage() -> None:
    graph = lenet().graph
    table = plan_table(stage_reports(planned(graph, 3), graph, RATES))
    rows = [line.replace("│", " ").split() for line in table.splitlines() if line.startswith("│")]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert "parameters" in table
    assert "predicted" in table


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (in_bytes(0), "0 B"),
        (in_bytes(1536), "1.5 KiB"),
        (in_bytes(3 << 40), "3 TiB"),
        (in_seconds(2.5e-6), "2.5 µs"),
        (in_seconds(0.0123), "12.3 ms"),
        (in_seconds(4.0), "4 s"),
        (in_units(999, ("", "K")), "999"),
        (in_units(12_345, ("", "K", "M")), "12.3 K"),
    ],
)
def test_units(shown: str, expected: str) -> None:
    assert shown == expected


def test_a_plan_prints_itself_and_shows_its_picture() -> None:
    with rg.local(lenet().graph, backend="numpy") as session:
        plan = session.plan({"N": 2})
    assert str(plan) == f"{plan.text}\n  replica 0 stage 0: worker 0 (numpy)"
    assert "<svg" not in repr(plan)
    assert plan._repr_svg_() == plan.svg
