"""What a plan asks of each stage, as rows for people: `raygrad plan` prints them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from raygrad.proto.graph import Graph
from raygrad.proto.plan import Plan, Segment
from raygrad.proto.units import in_bytes, in_seconds, in_units

from .cost import DeviceRates, node_flops, node_seconds

_WIDTH = 120


@dataclass(frozen=True)
class StageReport:
    """One stage of one replica, for one mini-batch."""

    stage: int
    nodes: int  # of the forward phase, without sources
    parameters: int  # elements whose gradients the stage accumulates
    flops: int  # of both phases
    forward_seconds: float
    backward_seconds: float
    sent_bytes: int  # to other stages
    peak_bytes: int  # activations, at most

    @property
    def seconds(self) -> float:
        """Both phases."""
        return self.forward_seconds + self.backward_seconds


def stage_reports(plan: Plan, document: Graph, rates: DeviceRates) -> tuple[StageReport, ...]:
    """A report per stage; `document` is the graph that the client wrote, which is the forward phase."""
    return tuple(_report(plan, stage, document, rates) for stage in range(plan.stages))


def _report(plan: Plan, stage: int, document: Graph, rates: DeviceRates) -> StageReport:
    graph, segments = plan.graph, plan.of_stage(stage)
    computed = [graph[n] for s in segments for n in s.nodes if not graph[n].operator.source]
    ahead = [n for n in computed if n.id in document]
    behind = [n for n in computed if n.id not in document]
    owned = (graph.parameters[n] for n, s in plan.owners.items() if s == stage and n in graph.parameters)
    return StageReport(
        stage=stage,
        nodes=len(ahead),
        parameters=sum(n.types[0].elements for n in owned),
        flops=sum(node_flops(n, graph) for n in computed),
        forward_seconds=sum(node_seconds(n, graph, rates) for n in ahead),
        backward_seconds=sum(node_seconds(n, graph, rates) for n in behind),
        sent_bytes=sum(_sent(plan, s) for s in segments),
        peak_bytes=plan.peak_bytes[stage],
    )


def _sent(plan: Plan, segment: Segment) -> int:
    return sum(plan.graph.type(ref).nbytes for edge in segment.sends for ref in edge.values)


def plan_table(reports: Sequence[StageReport]) -> str:
    """The reports as a table, a row per stage, as text."""
    table = Table(caption="for one mini-batch; seconds are predicted")
    for name in ("stage", "nodes", "parameters", "FLOPs", "forward", "backward", "sends", "memory"):
        table.add_column(name, justify="right")
    for r in reports:
        table.add_row(
            str(r.stage),
            str(r.nodes),
            f"{r.parameters:,}",
            in_units(r.flops, ("", "K", "M", "G", "T")),
            in_seconds(r.forward_seconds),
            in_seconds(r.backward_seconds),
            in_bytes(r.sent_bytes),
            in_bytes(r.peak_bytes),
        )
    out = io.StringIO()
    Console(file=out, width=_WIDTH, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
