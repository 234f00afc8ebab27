"""Pictures and tables of plans: everything is drawn, nothing overlaps, names cannot break out."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from raygrad.client.networks import lenet, resnet14
from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators.elementwise import Tanh
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey
from raygrad.scheduler.cost import DeviceRates
from raygrad.scheduler.drawing import COLOURS, plan_svg
from raygrad.scheduler.layers import layered
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.report import in_bytes, in_seconds, in_units, plan_table, stage_reports

from .random_graphs import even_placement, random_graph

RATES = DeviceRates(matmul_flops=1e11, convolution_flops=1e11, bytes=5e10, node_seconds=2e-6, sums=3e8)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def without_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `dot` on the path, whatever this machine has."""
    monkeypatch.setenv("PATH", str(tmp_path))


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text")]


def planned(graph: Graph, stages: int) -> Plan:
    return make_plan(graph, even_placement(graph, stages), PlanKey(Mode.STEP, (("N", 4),), ("loss",)))


@pytest.mark.parametrize("graph", [lenet().graph, resnet14().graph], ids=["lenet", "resnet14"])
def test_every_node_is_drawn_in_its_stages_colour(graph: Graph) -> None:
    placement = even_placement(graph, 3)
    root = ET.fromstring(plan_svg(graph, placement))
    fills = [e.get("fill") for g in root.iter(f"{SVG}g") for e in g.iter(f"{SVG}rect")]
    live = graph.prune(graph.outputs.values())
    for stage in range(3):
        nodes = [n for n in live if not n.operator.source and placement.stage_of[n.home] == stage]
        assert fills.count(COLOURS[stage]) == len(nodes) > 0
    shown = texts(plan_svg(graph, placement))
    assert set(graph.parameters) | set(graph.inputs) <= set(shown)
    assert {f"→ {name}" for name in graph.outputs} <= set(shown)


def test_types_stand_on_the_edges() -> None:
    graph = lenet().graph
    shown = texts(plan_svg(graph.bind({"N": 64}), even_placement(graph, 2)))
    assert {"float32[64,1,28,28]", "float32[64,256]", "int64[64]"} <= set(shown)
    assert "float32[N,1,28,28]" in texts(plan_svg(graph, even_placement(graph, 2)))


def test_the_legend_tells_of_the_stages() -> None:
    graph = lenet().graph
    plan = planned(graph, 2)
    shown = texts(plan_svg(graph, plan.placement, stage_reports(plan, graph, RATES)))
    assert shown[0].startswith("stage 0: 8 nodes, forward ")
    assert shown[1].startswith("stage 1: 9 nodes, forward ")


def test_names_are_escaped() -> None:
    g = Builder()
    g.output("<y>", Tanh()(g.input('</text><script>alert("x")</script>', (2,))))
    svg = plan_svg(g.graph(), even_placement(g.graph(), 1))
    assert "<script>" not in svg
    assert '</text><script>alert("x")</script>' in texts(svg)


def test_a_graph_without_nodes_is_drawn() -> None:
    g = Builder()
    g.output("y", g.constant(1.0))
    assert texts(plan_svg(g.graph(), Placement({}, 1))) == ["stage 0"]


def test_graphviz_draws_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a `dot` that shows what it was given."""
    pytest.importorskip("graphviz")
    dot = tmp_path / "dot"
    dot.write_text("#!/bin/sh\n/bin/cat\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    graph = lenet().graph
    source = plan_svg(graph, even_placement(graph, 2))
    assert source.startswith("digraph")
    assert "conv1.weight" in source
    assert "float32[N,256]" in source
    live = graph.prune(graph.outputs.values())
    drawn = {n.id for n in live if not n.operator.source or n.operator.name == "Input"}
    assert source.count(" -> ") == sum(len({r.node for r in n.inputs} & drawn) for n in live)


# -- layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_nodes_do_not_overlap_and_edges_go_down(seed: int) -> None:
    graph = random_graph(seed, steps=25)
    widths = {n.id: 20.0 + 7 * (n.id % 9) for n in graph}
    edges = {(ref.node, n.id) for n in graph for ref in n.inputs}
    layout = layered(widths, edges, gap=10.0)
    assert layout.places.keys() == widths.keys()
    for a, b in itertools.combinations(graph, 2):
        (xa, ra), (xb, rb) = layout.places[a.id], layout.places[b.id]
        if ra == rb:
            assert abs(xa - xb) >= (widths[a.id] + widths[b.id]) / 2 + 10.0 - 1e-6
    for (a_id, b_id), path in layout.paths.items():
        assert path[0] == layout.places[a_id]
        assert path[-1] == layout.places[b_id]
        assert [rank for _, rank in path] == [path[0][1] + i for i in range(len(path))]
        assert len(path) >= 2


def test_a_chain_is_drawn_straight() -> None:
    layout = layered({0: 30.0, 1: 80.0, 2: 10.0}, [(0, 1), (1, 2)], gap=10.0)
    assert [layout.places[n] for n in range(3)] == [(layout.places[0][0], float(rank)) for rank in range(3)]


# -- the table ------------------------------------------------------------------------------------


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
