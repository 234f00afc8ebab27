"""Pictures of graphs and plans: all is drawn, nothing overlaps, blocks fold, names cannot break out."""

from __future__ import annotations

import itertools
import random
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from raygrad.client.functions import concatenate, relu, sqrt
from raygrad.client.networks import lenet, resnet14, siamese
from raygrad.proto.builder import Builder
from raygrad.proto.drawing import folding
from raygrad.proto.drawing.depiction import Drawing, picture_of
from raygrad.proto.drawing.layers import Rows, ranks_of
from raygrad.proto.drawing.layout import Layout, Rectangle, arranged
from raygrad.proto.drawing.picture import Box, Picture
from raygrad.proto.drawing.wording import attributes_in_words, common_name
from raygrad.proto.families import family_of
from raygrad.proto.graph import Graph
from raygrad.proto.operators.convolution import Conv
from raygrad.proto.operators.elementwise import Tanh
from raygrad.proto.operators.layer_norm import LayerNorm
from raygrad.proto.operators.linear import MatMul
from raygrad.proto.operators.logic import And
from raygrad.proto.operators.special import Erf
from raygrad.proto.plan import Placement
from raygrad.proto.value import Value
from raygrad.scheduler.drawing import COLOURS, plan_svg

from .random_graphs import even_placement, random_graph

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter(f"{SVG}text")]


def transformer(layers: int, width: int = 8) -> Graph:
    """Attention over a shared mask and a linear layer, each beside a shortcut: one value between blocks."""
    g = Builder()
    x, mask = g.input("tokens", ("N", 6, width)), g.input("mask", ("N", 6, 6))
    for i in range(layers):
        x = x + _attention(g, f"blocks.{i}.attention", x, mask)
        weight = g.parameter(f"blocks.{i}.weight", (width, width))
        x = x + relu(x @ weight)
    g.output("loss", x.square().mean())
    return g.graph()


def _attention(g: Builder, name: str, x: Value, mask: Value) -> Value:
    query, key = (x @ g.parameter(f"{name}.{part}", (8, 8)) for part in ("query", "key"))
    scores = MatMul(transpose_b=True)(query, key) * 0.5 + mask
    attended: Value = MatMul()(scores, x)
    return attended


# -- what is drawn --------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [lenet().graph, resnet14().graph], ids=["lenet", "resnet14"])
def test_everything_is_there(graph: Graph) -> None:
    shown = texts(graph.svg(fold=False))
    for name, node in graph.parameters.items():
        assert f"{name}: {'×'.join(map(str, node.types[0].shape))}" in shown
    assert {*graph.inputs, *(f"→ {name}" for name in graph.outputs)} <= set(shown)
    live = graph.prune(graph.outputs.values())
    computed = [n.operator.name for n in live if not n.operator.source and not n.operator.free]
    assert all(shown.count(name) == computed.count(name) for name in computed)


def test_types_stand_on_the_links() -> None:
    graph = lenet().graph
    assert {"float32[64,1,28,28]", "float32[64,256]", "int64[64]"} <= set(texts(graph.bind({"N": 64}).svg()))
    assert "float32[N,1,28,28]" in texts(graph.svg())


def test_families_have_colours_and_a_legend() -> None:
    picture = picture_of(lenet().graph)
    families = {text: colour for colour, text in picture.legend}
    assert {"convolution", "pooling", "linear", "elementwise", "loss"} <= families.keys()
    assert len(set(families.values())) == len(families)
    assert all(families["convolution"] == b.colour for b in picture.boxes.values() if b.title == "Conv")


def test_links_are_the_edges_between_boxes() -> None:
    graph = siamese().graph
    picture = picture_of(graph, fold=False)
    live = graph.prune(graph.outputs.values())
    edges = {(r.node, n.id) for n in live for r in n.inputs if {r.node, n.id} <= picture.boxes.keys()}
    assert {(link.source, link.target) for link in picture.links} == edges


def test_constants_stand_where_they_are_read() -> None:
    g = Builder()
    x = g.input("x", ("N", 3))
    bias = g.buffer("bias", (3,))
    g.output("y", sqrt(x * 0.25 + bias).mean())
    boxes = [b for b in picture_of(g.graph()).boxes.values() if not b.round]
    assert [(b.title, b.parameters) for b in boxes] == [
        ("Mul", ("0.25",)),
        ("Add", ("bias: 3",)),
        ("Sqrt", ()),
        ("Sum", ()),
        ("Div", ("3·N",)),
    ]


def test_attributes_that_say_something() -> None:
    conv = Conv(stride=(2, 2), padding=((1, 1), (0, 2)), dilation=(1, 1), groups=1)
    assert attributes_in_words(conv) == ("stride 2", "padding (1, 1), (0, 2)")
    assert attributes_in_words(MatMul(transpose_b=True)) == ("transpose_b",)


def test_a_backward_pass_lies_beside_its_network_and_runs_upwards() -> None:
    graph = lenet().graph.with_gradients()
    picture = picture_of(graph)
    layout = arranged(picture)
    network = [n for n, b in picture.boxes.items() if not b.column]
    backward = [n for n, b in picture.boxes.items() if b.column]
    assert len(backward) > len(network)
    right = max(layout.centres[n][0] + picture.boxes[n].width / 2 for n in network)
    assert all(layout.centres[n][0] - picture.boxes[n].width / 2 > right for n in backward)
    for link in picture.links:
        if link.source in backward:
            assert layout.centres[link.target][1] < layout.centres[link.source][1]
    for node, home in picture.homes.items():
        assert layout.centres[node][1] + picture.boxes[node].height / 2 > layout.centres[home][1] - 1
    shown = texts(graph.svg())
    assert {f"→ ∂loss/∂{name}" for name in graph.parameters} <= set(shown)


def test_second_order_gradients_are_drawn() -> None:
    g = Builder()
    x, w = g.input("x", ("N", 4)), g.parameter("w", (4, 4))
    g.output("loss", Tanh()(x @ w).square().mean())
    first = g.graph().with_gradients()
    again = Builder(first)
    again.output("penalty", again.value(first.outputs["∂loss/∂w"]).square().sum())
    graph = again.graph().with_gradients("penalty")
    assert "→ ∂penalty/∂w" in texts(graph.svg())
    no_overlap(picture_of(graph), arranged(picture_of(graph)))


# -- folding --------------------------------------------------------------------------------------


def test_repeated_blocks_are_drawn_once() -> None:
    graph = transformer(12)
    (frame,) = picture_of(graph).frames
    assert frame.times == 12
    assert len(frame.members) == 10
    shown = texts(graph.svg())
    assert "× 12" in shown
    assert "blocks.{0…11}.attention.query: 8×8" in shown
    assert not any("blocks.3" in text for text in shown)


def test_a_folded_network_folds_its_backward_pass() -> None:
    frames = picture_of(transformer(12).with_gradients()).frames
    assert [frame.times for frame in frames] == [12, 11]  # the first block's input needs no gradient


def test_blocks_fold_only_where_they_are_alike() -> None:
    def chain(widths: list[int], last: float = 1.0) -> Graph:
        g = Builder()
        x = g.input("x", ("N", widths[0]))
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            factor = last if i == len(widths) - 2 else 1.0
            x = Tanh()(x @ g.parameter(f"w{i}", (a, b))) * factor
        g.output("y", x)
        return g.graph()

    assert [f.times for f in picture_of(chain([4] * 7), fold=True).frames] == [6]
    assert [f.times for f in picture_of(chain([4] * 7, last=2.0), fold=True).frames] == [5]
    assert [f.times for f in picture_of(chain([4, 4, 4, 4, 5, 5, 5, 5]), fold=True).frames] == [3, 3]
    assert picture_of(chain([4, 5, 6, 7, 8, 9]), fold=True).frames == ()
    assert picture_of(chain([4] * 7)).frames == ()  # a short graph is drawn in full


def test_operands_fold_only_in_their_order() -> None:
    g = Builder()
    x = g.input("x", ("N", 4))
    for i in range(6):
        x = Tanh()(1.0 - x if i % 2 else x - 1.0)
    g.output("y", x)
    (frame,) = picture_of(g.graph(), fold=True).frames
    assert (len(frame.members), frame.times) == (4, 3)


def test_a_long_unrolled_loop_folds_at_once() -> None:
    g = Builder()
    h, w = g.input("h", ("N", 4)), g.parameter("w", (4, 4))
    for _ in range(500):
        h = Tanh()(h @ w)
    g.output("y", h)
    (frame,) = picture_of(g.graph()).frames
    assert (len(frame.members), frame.times) == (2, 500)


def test_a_shortcut_from_elsewhere_is_no_repetition() -> None:
    g = Builder()
    x, other = g.input("x", ("N", 4)), g.input("other", ("N", 4))
    for i in range(6):
        x = Tanh()(x @ g.parameter(f"w{i}", (4, 4))) + (other if i % 3 == 0 else x)
    g.output("y", x)
    (frame,) = picture_of(g.graph(), fold=True).frames
    assert (len(frame.members), frame.times) == (9, 2)


def test_dense_connections_do_not_fold() -> None:
    g = Builder()
    x = g.input("x", ("N", 4))
    for i in range(8):
        x = concatenate([x, relu(x @ g.parameter(f"w{i}", (4 * (i + 1), 4)))], axis=1)
    g.output("y", x)
    assert picture_of(g.graph(), fold=True).frames == ()


def test_every_node_is_drawn_or_stands_in_a_block() -> None:
    graph = transformer(5).with_gradients()
    drawing = Drawing(graph.prune(graph.outputs.values()), fold=True)
    folded = [n for run in drawing.runs for block in run.blocks for n in block]
    assert len(folded) == len(set(folded))
    boxes = picture_of(graph, fold=True).boxes
    first = {n for run in drawing.runs for n in run.blocks[0]}
    assert boxes.keys() == {n.id for n in drawing.nodes} - (set(folded) - first)


def test_names_of_many() -> None:
    assert common_name(["a.3.w: 4", "a.4.w: 4", "a.5.w: 4"]) == "a.{3…5}.w: 4"
    assert common_name(["w1", "w2"]) == "w{1,2}"
    assert common_name(["w", "w"]) == "w"
    assert common_name(["left", "right"]) == "left …"


# -- plans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [lenet().graph, resnet14().graph], ids=["lenet", "resnet14"])
def test_every_node_is_drawn_in_its_stages_colour(graph: Graph) -> None:
    placement = even_placement(graph, 3)
    root = ET.fromstring(plan_svg(graph, placement, fold=False))
    fills = [e.get("fill") for g in root.iter(f"{SVG}g") for e in g.iter(f"{SVG}rect")]
    drawn = [n for n in Drawing(graph.prune(graph.outputs.values())).nodes if not n.operator.source]
    for stage in range(3):
        nodes = [n for n in drawn if placement.stage_of[n.home] == stage]
        assert fills.count(COLOURS[stage]) == len(nodes) > 0


def test_blocks_of_different_stages_are_kept_apart() -> None:
    graph = transformer(8)
    half = max(graph[n].id for n in graph.ancestors([graph.outputs["loss"]])) // 2
    placement = Placement({n.id: int(n.id > half) for n in graph if not n.operator.source}, 2)
    times = [int(t[2:]) for t in texts(plan_svg(graph, placement)) if t.startswith("× ")]
    assert len(times) == 2
    assert 6 <= sum(times) <= 8


def test_the_legend_tells_of_the_stages() -> None:
    graph = lenet().graph
    shown = texts(plan_svg(graph, even_placement(graph, 2)))
    assert shown[-2:] == ["stage 0", "stage 1"]


def test_names_are_escaped() -> None:
    g = Builder()
    name = '</text><b>"x"</b>\n\\'
    g.output("<y>", Tanh()(g.input(name, (2,))))
    graph = g.graph()
    shown = name.replace("\n", "\\n")
    assert {shown, "→ <y>"} <= set(texts(graph.svg())) & set(texts(plan_svg(graph, even_placement(graph, 1))))
    assert "</b>" not in graph.svg().replace("&lt;/b&gt;", "")
    assert graph.dot().count("\n}") == 1


def test_the_search_for_blocks_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal nodes that read any of those before them: all places are alike, and nothing repeats."""
    compared = 0
    alike = folding._Sequence._alike

    def counted(self: folding._Sequence, i: int, period: int) -> bool:
        nonlocal compared
        compared += 1
        return alike(self, i, period)

    monkeypatch.setattr(folding._Sequence, "_alike", counted)
    rng, g = random.Random(0), Builder()
    values = [g.input("x", ("N",)), g.input("y", ("N",))]
    for _ in range(800):
        values.append(rng.choice(values[-3:]) + rng.choice(values[-3:]))
    nodes = Drawing(Graph(g.graph().nodes, {}), fold=True).nodes
    assert 10 * len(nodes) < compared <= folding.COMPARED * len(nodes)


def test_characters_that_xml_lacks_are_spelled() -> None:
    g = Builder()
    g.output("y\ud800", Tanh()(g.input("x\0\x1b[2J\ufffe", (2,))))
    assert {r"x\x00\x1b[2J\ufffe", r"→ y\ud800"} <= set(texts(g.graph().svg()))
    assert g.graph().dot().replace("\n", "").isprintable()


def test_a_graph_without_nodes_is_drawn() -> None:
    g = Builder()
    g.output("y", g.constant(1.0))
    assert texts(plan_svg(g.graph(), Placement({}, 1))) == ["stage 0"]
    assert texts(g.graph().svg()) == []
    assert texts(Graph((), {}).svg()) == []


# -- dot ------------------------------------------------------------------------------------------


def test_dot_has_every_box_and_link() -> None:
    graph = resnet14().graph.with_gradients()
    picture, source = picture_of(graph), graph.dot()
    assert len(re.findall(r"^ +\d+ \[label=", source, re.MULTILINE)) == len(picture.boxes)
    assert source.count(" -> ") == len(picture.links)
    assert source.count("subgraph cluster_") == len(picture.frames) > 0


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it() -> None:
    source = resnet14().graph.with_gradients().dot()
    done = subprocess.run(
        ["dot", "-Tsvg"], input=source, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert "BatchNormGrad" in done.stdout


# -- layout ---------------------------------------------------------------------------------------


def no_overlap(picture: Picture, layout: Layout) -> None:
    """No two boxes share a point, and frames hold their members and nothing else; all within the picture."""
    areas = {n: area_of(box, layout.centres[n]) for n, box in picture.boxes.items()}
    for one, other in itertools.combinations(areas.values(), 2):
        assert not overlap(one, other)
    for frame, area in layout.frames:
        assert {n for n, box in areas.items() if overlap(box, area)} == set(frame.members)
    for box in areas.values():
        assert -SLACK <= box.left <= layout.width - box.width + SLACK
        assert -SLACK <= box.top <= layout.height - box.height + SLACK


SLACK = 1e-6


def area_of(box: Box, centre: tuple[float, float]) -> Rectangle:
    return Rectangle(centre[0] - box.width / 2, centre[1] - box.height / 2, box.width, box.height)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    across = one.left < other.left + other.width - SLACK and other.left < one.left + one.width - SLACK
    return across and one.top < other.top + other.height - SLACK and other.top < one.top + one.height - SLACK


@pytest.mark.parametrize(
    "graph",
    [
        lenet().graph,
        siamese().graph.with_gradients(),
        resnet14().graph.with_gradients(),
        transformer(6).with_gradients(),
        *(random_graph(seed, steps=25) for seed in range(8)),
    ],
)
def test_nothing_overlaps(graph: Graph) -> None:
    picture = picture_of(graph, fold=True)
    layout = arranged(picture)
    no_overlap(picture, layout)
    assert layout.routes.keys() | set(layout.across) == set(picture.links)
    for link, points in layout.routes.items():
        (x1, y1), (x2, y2) = layout.centres[link.source], layout.centres[link.target]
        half = picture.boxes[link.source].height / 2, picture.boxes[link.target].height / 2
        sign = 1 if y2 > y1 else -1
        assert points[0] == pytest.approx((x1, y1 + sign * half[0]))
        assert points[-1] == pytest.approx((x2, y2 - sign * half[1]))
        assert all(sign * (b[1] - a[1]) >= -1e-6 for a, b in itertools.pairwise(points))


def test_a_chain_is_drawn_straight() -> None:
    links = [(0, 1), (1, 2)]
    rows = Rows(ranks_of(range(3), dict.fromkeys(links, 1)), links, {0: 30.0, 1: 80.0, 2: 10.0}, gap=10.0)
    assert rows.x[0] == rows.x[1] == rows.x[2]


def test_families() -> None:
    assert [family_of(op) for op in (Erf(), And(), Tanh(), LayerNorm(1, 1e-5), MatMul())] == [
        "elementwise",
        "elementwise",
        "elementwise",
        "normalization",
        "linear",
    ]
