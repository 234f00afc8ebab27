"""Pictures of a partition: the forward graph as SVG, coloured by stage."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.drawing.depiction import Drawing
from raygrad.proto.drawing.svg import svg_of
from raygrad.proto.graph import Graph, Node
from raygrad.proto.operators.source import Input
from raygrad.proto.plan import Placement
from raygrad.proto.units import in_bytes, in_seconds

from .instances import stage_of
from .report import StageReport

COLOURS = ("#a6cee3", "#fdd0a2", "#b2df8a", "#dadaeb", "#fbb4ae", "#ccebc5", "#fff2ae", "#f1e2cc")
"""Of the stages, repeated; light enough for black text, told apart by lightness too."""

SOURCE_COLOUR = "#f4f4f5"


def plan_svg(
    graph: Graph, placement: Placement, reports: Sequence[StageReport] = (), fold: bool | None = None
) -> str:
    """The document's graph (bound or not) as SVG, with a legend of what the reports say of the stages.

    Blocks that repeat are folded as in `Graph.svg`, where their nodes lie on the same stages.
    """

    def stage(node: Node) -> int | None:
        return None if isinstance(node.operator, Input) else stage_of(placement, graph, node.home)

    def colour(node: Node) -> str:
        number = stage(node)
        return SOURCE_COLOUR if number is None else _colour(number)

    drawing = Drawing(graph.prune(graph.outputs.values()), fold, apart=stage)
    return svg_of(drawing.picture(colour, [_entry(s, reports) for s in range(placement.stages)]))


def _colour(stage: int) -> str:
    return COLOURS[stage % len(COLOURS)]


def _entry(stage: int, reports: Sequence[StageReport]) -> tuple[str, str]:
    told = (_told(report) for report in reports if report.stage == stage)
    return _colour(stage), ": ".join((f"stage {stage}", *told))


def _told(report: StageReport) -> str:
    forward, backward = in_seconds(report.forward_seconds), in_seconds(report.backward_seconds)
    memory = in_bytes(report.peak_bytes)
    return f"{report.nodes} nodes, forward {forward}, backward {backward}, memory {memory}"
