"""Pictures of a partition: the forward graph as SVG, coloured by stage.

Constants are left out, and parameters stand in the nodes that read them. Graphviz lays the graph out
where it is installed (the package `graphviz` and the program `dot`); a layout of our own does elsewhere.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from raygrad.proto.graph import Graph, Node
from raygrad.proto.operators.source import Buffer, Input, Parameter
from raygrad.proto.plan import Placement

from .instances import stage_of
from .layers import Edge, Layout, layered
from .report import StageReport, in_bytes, in_seconds

COLOURS = ("#a6cee3", "#fdd0a2", "#b2df8a", "#dadaeb", "#fbb4ae", "#ccebc5", "#fff2ae", "#f1e2cc")
"""Of the stages, repeated; light enough for black text, told apart by lightness too."""

SOURCE_COLOUR = "#f7f7f7"
_LETTER, _SMALL_LETTER, _LINE, _PAD, _GAP, _BETWEEN = 6.8, 5.6, 14.0, 8.0, 26.0, 40.0  # points
_BESIDE_EDGE = (
    'text-anchor="middle" font-size="9" fill="#555" stroke="white" stroke-width="4" paint-order="stroke"'
)


@dataclass(frozen=True)
class _Box:
    """A node as it is drawn."""

    lines: tuple[str, ...]
    colour: str
    hint: str

    @property
    def width(self) -> float:
        return max(map(len, self.lines)) * _LETTER + 2 * _PAD

    @property
    def height(self) -> float:
        return len(self.lines) * _LINE + _PAD


@dataclass(frozen=True)
class _Picture:
    """What is drawn, before it is laid out."""

    boxes: Mapping[int, _Box]
    edges: Mapping[Edge, str]  # with the types that flow along them
    legend: Sequence[tuple[str, str]]  # colour, text


def plan_svg(graph: Graph, placement: Placement, reports: Sequence[StageReport] = ()) -> str:
    """The document's graph (bound or not) as SVG, with a legend of what the reports say of the stages."""
    picture = _picture(graph.prune(graph.outputs.values()), placement, reports)
    if shutil.which("dot") and importlib.util.find_spec("graphviz"):
        return _by_graphviz(picture)
    return _by_ourselves(picture)


# -- what is drawn --------------------------------------------------------------------------------


def _picture(graph: Graph, placement: Placement, reports: Sequence[StageReport]) -> _Picture:
    drawn = [n for n in graph if not n.operator.source or isinstance(n.operator, Input)]
    boxes = {n.id: _box(graph, n, placement) for n in drawn}
    edges: dict[Edge, list[str]] = {}
    for node in drawn:
        for ref in node.inputs:
            if ref.node in boxes:
                edges.setdefault((ref.node, node.id), []).append(str(graph.type(ref)))
    legend = [_entry(stage, reports) for stage in range(placement.stages)]
    return _Picture(boxes, {e: ", ".join(dict.fromkeys(types)) for e, types in edges.items()}, legend)


def _box(graph: Graph, node: Node, placement: Placement) -> _Box:
    if isinstance(node.operator, Input):
        return _Box((node.operator.tensor,), SOURCE_COLOUR, f"{node.title}: {node.types[0]}")
    stage = stage_of(placement, graph, node.home)
    named = (graph[ref.node].operator for ref in node.inputs)
    read = [op.tensor for op in named if isinstance(op, (Parameter, Buffer))]
    outputs = [name for name, ref in graph.outputs.items() if ref.node == node.id]
    lines = [node.operator.name, *read, *(f"→ {name}" for name in outputs)]
    return _Box(tuple(lines), _colour(stage), f"{node.title}, stage {stage}: {node.operator!r}")


def _colour(stage: int) -> str:
    return COLOURS[stage % len(COLOURS)]


def _entry(stage: int, reports: Sequence[StageReport]) -> tuple[str, str]:
    told = (_told(report) for report in reports if report.stage == stage)
    return _colour(stage), ": ".join((f"stage {stage}", *told))


def _told(report: StageReport) -> str:
    forward, backward = in_seconds(report.forward_seconds), in_seconds(report.backward_seconds)
    memory = in_bytes(report.peak_bytes)
    return f"{report.nodes} nodes, forward {forward}, backward {backward}, memory {memory}"


# -- by Graphviz ----------------------------------------------------------------------------------


def _by_graphviz(picture: _Picture) -> str:
    import graphviz

    dot = graphviz.Digraph(
        graph_attr={
            "rankdir": "TB",
            "label": _dot_legend(picture),
            "labelloc": "t",
            "fontname": "sans-serif",
        },
        node_attr={"shape": "box", "style": "rounded,filled", "fontname": "sans-serif", "fontsize": "11"},
        edge_attr={"fontname": "sans-serif", "fontsize": "9", "color": "#666666", "fontcolor": "#666666"},
    )
    for number, box in picture.boxes.items():
        label = "\n".join(graphviz.escape(line) for line in box.lines)
        dot.node(str(number), label, fillcolor=box.colour, tooltip=graphviz.escape(box.hint))
    for (a, b), text in picture.edges.items():
        dot.edge(str(a), str(b), graphviz.escape(text))
    drawn: str = dot.pipe(format="svg", encoding="utf-8")
    return drawn


def _dot_legend(picture: _Picture) -> str:
    rows = (
        f'<tr><td bgcolor="{colour}">    </td><td align="left">{escape(text)}</td></tr>'
        for colour, text in picture.legend
    )
    return f'<<table border="0" cellspacing="4">{"".join(rows)}</table>>'


# -- by ourselves ---------------------------------------------------------------------------------


def _by_ourselves(picture: _Picture) -> str:
    layout = layered(_widths(picture), picture.edges, _GAP)
    canvas = _Canvas(picture, layout)
    body = "\n".join((*canvas.legend(), *canvas.edges(), *canvas.boxes()))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{canvas.width:.0f}" height="{canvas.height:.0f}" '
        f'viewBox="0 0 {canvas.width:.0f} {canvas.height:.0f}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _widths(picture: _Picture) -> dict[int, float]:
    """Room for each node and the types that it sends, which are written below it."""
    widths = {n: box.width for n, box in picture.boxes.items()}
    for (a, _), text in picture.edges.items():
        widths[a] = max(widths[a], len(text) * _SMALL_LETTER)
    return widths


class _Canvas:
    """A layout in points, as SVG elements."""

    def __init__(self, picture: _Picture, layout: Layout) -> None:
        self.picture, self.layout = picture, layout
        points = [p for path in layout.paths.values() for p in path]
        widths = _widths(picture)
        lefts = [x - widths[n] / 2 for n, (x, _) in layout.places.items()]
        rights = [x + widths[n] / 2 for n, (x, _) in layout.places.items()]
        self._left = min((*lefts, *(x for x, _ in points)), default=0.0) - _GAP
        right = max((*rights, *(x for x, _ in points)), default=0.0) + _GAP
        self._rows, bottom = self._row_centres(_GAP + len(picture.legend) * _LINE * 1.5)
        texts = [len(text) * _LETTER + 4 * _PAD for _, text in picture.legend]
        self.width = max(right - self._left, *texts, 1.0)
        self.height = bottom

    def _row_centres(self, top: float) -> tuple[dict[float, float], float]:
        """Rank → y; each row is as high as its highest box. And where the last one ends."""
        heights: dict[float, float] = {}
        for number, (_, rank) in self.layout.places.items():
            heights[rank] = max(heights.get(rank, 0.0), self.picture.boxes[number].height)
        centres = {}
        for rank in sorted(heights):
            centres[rank] = top + heights[rank] / 2
            top += heights[rank] + _BETWEEN
        return centres, top

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return point[0] - self._left, self._rows[point[1]]

    def legend(self) -> Iterator[str]:
        for i, (colour, text) in enumerate(self.picture.legend):
            y = _PAD + i * _LINE * 1.5
            yield f'<rect x="{_PAD}" y="{y}" width="18" height="12" rx="3" fill="{colour}" stroke="#888"/>'
            yield f'<text x="{_PAD + 26}" y="{y + 10}">{escape(text)}</text>'

    def boxes(self) -> Iterator[str]:
        for number, box in self.picture.boxes.items():
            x, y = self._at(self.layout.places[number])
            left, top = x - box.width / 2, y - box.height / 2
            yield f"<g><title>{escape(box.hint)}</title>"
            yield (
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
                f'rx="5" fill="{box.colour}" stroke="#555"/>'
            )
            for i, line in enumerate(box.lines):
                style = 'text-anchor="middle"' + (' font-weight="bold"' if i == 0 else "")
                yield f'<text x="{x:.1f}" y="{top + (i + 1) * _LINE:.1f}" {style}>{escape(line)}</text>'
            yield "</g>"

    def edges(self) -> Iterator[str]:
        texts: list[str] = []  # drawn last, above the lines
        labelled: set[tuple[int, str]] = set()
        for (a, b), text in self.picture.edges.items():
            points = [self._at(p) for p in self.layout.paths[a, b]]
            points[0] = (points[0][0], points[0][1] + self.picture.boxes[a].height / 2)
            points[-1] = (points[-1][0], points[-1][1] - self.picture.boxes[b].height / 2 - 5)
            yield f'<path d="{_curve(points)}" fill="none" stroke="#666"/>'
            x, y = points[-1]
            yield f'<path d="M{x - 3:.1f},{y:.1f} L{x + 3:.1f},{y:.1f} L{x:.1f},{y + 5:.1f} Z" fill="#666"/>'
            if (a, text) not in labelled:
                labelled.add((a, text))
                x, y = points[0]
                texts.append(f'<text x="{x:.1f}" y="{y + 13:.1f}" {_BESIDE_EDGE}>{escape(text)}</text>')
        yield from texts


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """A smooth path that leaves and reaches every point vertically."""
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (y1 + y2) / 2
        path += f" C{x1:.1f},{middle:.1f} {x2:.1f},{middle:.1f} {x2:.1f},{y2:.1f}"
    return path
