"""Plans: executed by an independent interpreter, and checked for what every plan must satisfy."""

from __future__ import annotations

import numpy as np
import pytest

from raygrad.proto.autodiff import differentiate
from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, MissingTensorError, SizeError
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators.elementwise import Relu, Tanh
from raygrad.proto.operators.source import Cotangent, Input
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey, Segment
from raygrad.proto.tensor import Array
from raygrad.scheduler.planner import make_plan
from raygrad.workers.kernels.numpy import NumpyBackend

from .evaluate import evaluate
from .plan_interpreter import Outcome, Tensors, run_plan
from .random_graphs import SIZES, even_placement, homes, random_graph, random_placement, random_tensors

BACKEND = NumpyBackend()
STEP = PlanKey(Mode.STEP, SIZES, ("loss",))
CASES = [(seed, stages) for seed in range(24) for stages in (1, 2, 3, 5)]


def chain(layers: int = 8) -> Graph:
    """A LeNet-like chain: every layer has a parameter and reads the one before."""
    g = Builder()
    x = g.input("x", ("N", 4), "float64")
    for i in range(layers):
        x = Relu()(x @ g.parameter(f"w{i}", (4, 4), "float64") + g.parameter(f"b{i}", (4,), "float64"))
    g.output("loss", x.square().mean())
    return g.graph()


def plan_of(graph: Graph, placement: Placement, mode: Mode = Mode.STEP, **key: tuple[str, ...]) -> Plan:
    seeded = key.get("seeded", ("loss",) if mode is Mode.STEP else ())
    return make_plan(graph, placement, PlanKey(mode, SIZES, seeded, key.get("input_gradients", ())))


def direct(graph: Graph, given: Tensors, seeded: tuple[str, ...], wanted: tuple[str, ...] = ()) -> Outcome:
    """The same results by evaluating the differentiated graph as a whole."""
    found = differentiate(graph, seeded, wanted)
    named = {f"output {k}": ref for k, ref in graph.outputs.items()}
    named |= {f"parameter {k}": ref for k, ref in found.parameters.items()}
    named |= {f"input {k}": ref for k, ref in found.inputs.items()}
    whole = Graph(found.graph.nodes, named).bind(dict(SIZES)).prune(named.values())
    sources = {**given.parameters, **given.feeds}
    assert not sources.keys() & set(seeded)
    results = evaluate(whole, {**sources, **{n: given.cotangents[n] for n in seeded}}, BACKEND)
    kinds: dict[str, dict[str, Array]] = {"output": {}, "parameter": {}, "input": {}}
    for name, array in results.items():
        kind, _, rest = name.partition(" ")
        kinds[kind][rest] = array
    contributions = {name: (0, array) for name, array in kinds["parameter"].items()}
    return Outcome(kinds["output"], kinds["input"], contributions)


def assert_same_bits(got: dict[str, Array], want: dict[str, Array]) -> None:
    assert got.keys() == want.keys()
    for name, array in want.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def gradients(outcome: Outcome) -> dict[str, Array]:
    return {name: array for name, (_, array) in outcome.contributions.items()}


# -- results --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "stages"), CASES)
def test_a_step_on_any_placement_computes_the_same_bits(seed: int, stages: int) -> None:
    graph = random_graph(seed)
    given = random_tensors(seed, graph)
    want = direct(graph, given, ("loss",), ("x",))
    for placement in (random_placement(seed, graph, stages), even_placement(graph, stages)):
        plan = plan_of(graph, placement, input_gradients=("x",))
        check(plan)
        got = run_plan(plan, given, BACKEND)
        assert_same_bits(got.outputs, want.outputs)
        assert_same_bits(gradients(got), gradients(want))
        assert_same_bits(got.input_gradients, want.input_gradients)
        assert all(plan.owners[name] == stage for name, (stage, _) in got.contributions.items())
        assert not any(got.stores.values()), "a step leaves nothing behind"


@pytest.mark.parametrize(("seed", "stages"), CASES)
def test_backward_reads_what_forward_left(seed: int, stages: int) -> None:
    graph, placement = random_graph(seed), random_placement(seed, random_graph(seed), stages)
    given = random_tensors(seed, graph)
    forward = plan_of(graph, placement, Mode.FORWARD)
    check(forward)
    for seeded, wanted in ((("loss",), ()), (("y",), ("x",)), (("loss", "y"), ("t", "x"))):
        backward = plan_of(graph, placement, Mode.BACKWARD, seeded=seeded, input_gradients=wanted)
        check(backward, forward)
        want = direct(graph, given, seeded, wanted)
        held = run_plan(forward, given, BACKEND)
        assert_same_bits(held.outputs, want.outputs)
        got = run_plan(backward, given, BACKEND, held.stores)
        assert_same_bits(gradients(got), gradients(want))
        assert_same_bits(got.input_gradients, want.input_gradients)
        assert not got.outputs


@pytest.mark.parametrize("seed", range(10))
def test_evaluation_keeps_nothing(seed: int) -> None:
    graph = random_graph(seed)
    given = random_tensors(seed, graph)
    plan = plan_of(graph, random_placement(seed, graph, 3), Mode.EVALUATE)
    check(plan)
    got = run_plan(plan, given, BACKEND)
    assert_same_bits(got.outputs, direct(graph, given, ("loss",)).outputs)
    assert plan.saved_bytes == (0, 0, 0)
    assert not any(got.stores.values())


# -- what every plan satisfies --------------------------------------------------------------------


def check(plan: Plan, forward: Plan | None = None) -> None:
    """The structure that machine and executor rely on."""
    assert [s.id for s in plan.segments] == list(range(len(plan.segments)))
    _check_edges(plan)
    _check_store(plan, forward)
    _check_feeds(plan)
    _check_last(plan)
    assert all(peak >= saved for peak, saved in zip(plan.peak_bytes, plan.saved_bytes, strict=True))


def _check_edges(plan: Plan) -> None:
    sent = [edge for s in plan.segments for edge in s.sends]
    assert set(sent) == {edge for s in plan.segments for edge in s.receives}
    assert len({(e.source, e.target) for e in sent}) == len(sent), "one bundle per pair of segments"
    arrivals = [(plan.segments[e.target].stage, ref) for e in sent for ref in e.values]
    assert len(set(arrivals)) == len(arrivals), "a value goes to a stage once"
    for edge in sent:
        source, target = plan.segments[edge.source], plan.segments[edge.target]
        assert edge.source < edge.target, "the order of the segments respects every edge"
        assert source.stage != target.stage
        assert {ref.node for ref in edge.values} <= set(source.nodes), "the source makes what it sends"


def _check_store(plan: Plan, forward: Plan | None) -> None:
    for stage in range(plan.stages):
        stored = _stored(forward.of_stage(stage), set()) if forward else set()
        stored = _stored(plan.of_stage(stage), stored)
        if plan.key.mode in (Mode.STEP, Mode.EVALUATE):
            assert not stored


def _stored(segments: tuple[Segment, ...], stored: set[Ref]) -> set[Ref]:
    """What a stage's store holds after these segments, which found `stored` in it."""
    for segment in segments:
        assert set(segment.reads) <= stored, "what is read was saved, and not dropped"
        assert set(segment.drops) <= set(segment.reads)
        stored = (stored | set(segment.saves)) - set(segment.drops)
    return stored


def _check_feeds(plan: Plan) -> None:
    for stage in range(plan.stages):
        segments = plan.of_stage(stage)
        for names in ([n for s in segments for n in s.feeds], [n for s in segments for n in s.cotangents]):
            assert len(set(names)) == len(names), "fed to the first segment of a stage that reads it"
    for segment in plan.segments:
        assert len(set(segment.nodes)) == len(segment.nodes)
        fed = {op.tensor for n in segment.nodes if isinstance(op := plan.graph[n].operator, Input)}
        assert fed == set(segment.feeds)
        seeds = {op.tensor for n in segment.nodes if isinstance(op := plan.graph[n].operator, Cotangent)}
        assert seeds == set(segment.cotangents)


def _check_last(plan: Plan) -> None:
    for stage in range(plan.stages):
        segments = plan.of_stage(stage)
        assert [s.last for s in segments] == [s is segments[-1] for s in segments]
        assert not any(s.gradients for s in segments[:-1]), "all contributions in one atomic addition"


# -- segments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stages", "titles"), [(1, "FB0"), (2, "F0 FB1 B0"), (3, "F0 F1 FB2 B1 B0"), (4, "F0 F1 F2 FB3 B2 B1 B0")]
)
def test_a_chain_has_a_forward_and_a_backward_segment_per_stage(stages: int, titles: str) -> None:
    graph = chain()
    plan = plan_of(graph, even_placement(graph, stages))
    assert " ".join(s.title for s in plan.segments) == titles
    assert set(plan.owners.values()) == set(range(stages))


def test_a_stage_without_nodes_has_no_segments() -> None:
    graph = chain()
    plan = plan_of(graph, Placement(dict.fromkeys(homes(graph), 1), 3))
    assert [s.title for s in plan.segments] == ["FB1"]
    assert plan.peak_bytes[0] == plan.peak_bytes[2] == 0


def test_a_placement_that_returns_to_a_stage_makes_more_segments() -> None:
    graph = chain(3)
    placement = even_placement(graph, 3)
    plan = plan_of(graph, Placement({n: s % 2 for n, s in placement.stage_of.items()}, 2))
    assert " ".join(s.title for s in plan.segments) == "F0 F1 FB0 B1 B0"


def test_free_nodes_are_repeated_rather_than_sent() -> None:
    g = Builder()
    x = g.input("x", (3, 1), "float64")
    base = Tanh()(x)
    wide = base.broadcast_to((3, 5)).reshape((5, 3))
    g.output("a", Tanh()(wide))
    g.output("b", Relu()(wide))
    graph = g.graph()
    by_operator = {n.operator.name: n.id for n in graph}
    placement = Placement(dict.fromkeys(homes(graph), 0) | {by_operator["Relu"]: 1}, 2)
    plan = make_plan(graph, placement, PlanKey(Mode.EVALUATE, ()))
    (edge,) = plan.segments[0].sends
    assert edge.values == (base.ref,)
    assert {by_operator["Broadcast"], by_operator["Reshape"]} <= set(plan.segments[1].nodes)


def test_a_broadcast_is_repeated_rather_than_kept() -> None:
    g = Builder()
    x = g.input("x", (3, 4), "float64")
    small = Tanh()(g.parameter("w", (4,), "float64") * 2.0)
    g.output("loss", (x * small).sum())
    graph = g.graph()
    broadcast = max(n.id for n in graph if n.operator.name == "Broadcast")
    placement = Placement(dict.fromkeys(homes(graph), 0), 1)
    forward = make_plan(graph, placement, PlanKey(Mode.FORWARD, ()))
    backward = make_plan(graph, placement, PlanKey(Mode.BACKWARD, (), ("loss",), ("x",)))
    saved = forward.segments[0].saves
    assert small.ref in saved
    assert Ref(broadcast) not in saved
    assert broadcast in backward.segments[0].nodes


def test_a_shared_parameter_is_added_at_its_first_reader() -> None:
    g = Builder()
    w = g.parameter("w", (4, 4), "float64")
    first = Tanh()(g.input("x", ("N", 4), "float64") @ w)
    g.output("loss", (Tanh()(first) @ w).sum())
    graph = g.graph()
    plan = plan_of(graph, even_placement(graph, 2))
    assert plan.owners == {"w": 0}
    assert [s.title for s in plan.segments if s.gradients] == ["B0"]


def test_a_gradient_made_elsewhere_goes_to_the_owner() -> None:
    """The parameter's first reader has no part in the loss: its stage only collects."""
    g = Builder()
    w = g.parameter("w", (4,), "float64")
    g.output("y", Tanh()(w))
    g.output("loss", Relu()(w * 2.0).sum())
    graph = g.graph()
    nodes = homes(graph)
    plan = make_plan(
        graph, Placement({n: int(n != nodes[0]) for n in nodes}, 2), PlanKey(Mode.BACKWARD, (), ("loss",))
    )
    assert plan.owners == {"w": 0}
    collects = plan.segments[-1]
    assert (collects.stage, collects.nodes, list(collects.gradients)) == (0, (), ["w"])


def test_outputs_that_are_sources() -> None:
    g = Builder()
    x, w = g.input("x", ("N", 4), "float64"), g.parameter("w", (4,), "float64")
    g.output("x again", x)
    g.output("w again", w)
    g.output("three", g.constant(3.0, "float64"))
    graph = g.graph()
    given = Tensors({"x": np.ones((3, 4))}, {"w": np.arange(4.0)}, {"w again": np.full(4, 2.0)})
    plan = plan_of(graph, Placement({}, 1), Mode.STEP, seeded=("w again",))
    got = run_plan(plan, given, BACKEND)
    assert_same_bits(
        got.outputs, {"x again": np.ones((3, 4)), "w again": np.arange(4.0), "three": np.array(3.0)}
    )
    np.testing.assert_array_equal(gradients(got)["w"], np.full(4, 2.0))


def test_a_parameter_returned_twice_has_both_cotangents() -> None:
    g = Builder()
    w = g.parameter("w", (2,), "float64")
    g.output("a", w)
    g.output("b", w)
    given = Tensors({}, {"w": np.zeros(2)}, {"a": np.array([1.0, 2.0]), "b": np.array([10.0, 20.0])})
    plan = plan_of(g.graph(), Placement({}, 2), seeded=("a", "b"))
    np.testing.assert_array_equal(gradients(run_plan(plan, given, BACKEND))["w"], [11.0, 22.0])


def test_nodes_that_no_output_needs_are_left_out() -> None:
    g = Builder()
    x, dead = g.input("x", ("N", 4), "float64"), g.parameter("dead", (4, 4), "float64")
    unused = x @ dead
    g.output("loss", x.square().sum())
    graph = g.graph()
    plan = plan_of(graph, Placement({n: 0 for n in homes(graph) if n != unused.ref.node}, 1))
    assert unused.ref.node not in plan.graph
    assert "dead" not in plan.graph.parameters
    assert plan.owners == {"dead": 0}


# -- order and memory -----------------------------------------------------------------------------


def test_what_waits_for_no_cotangent_runs_just_before_its_reader() -> None:
    """The comparison that a derivative of |x| makes of x alone runs beside its use, not ahead of them all."""
    g = Builder()
    x = g.input("x", ("N", 4), "float64")
    for i in range(4):
        x = Tanh()(abs(x @ g.parameter(f"w{i}", (4, 4), "float64")))
    g.output("loss", x.sum())
    graph = g.graph()
    plan = plan_of(graph, even_placement(graph, 1))
    (segment,) = plan.segments
    waiting = {n.id for n in plan.graph if isinstance(n.operator, Cotangent)}
    for node in plan.graph:
        if any(ref.node in waiting for ref in node.inputs):
            waiting.add(node.id)
    backward = [n for n in segment.nodes if n not in graph and not plan.graph[n].operator.source]
    early = [n for n in backward if n not in waiting]
    assert len(early) >= 4
    for n in early:
        first = min(backward.index(c) for c in plan.graph.consumers[Ref(n)])
        assert not waiting.intersection(backward[backward.index(n) : first])


def test_saved_bytes_of_a_chain() -> None:
    """Per layer of the chain: the operand of the product, and what ReLU's derivative reads."""
    graph = chain(3)
    matrix = 3 * 4 * 8
    forward = plan_of(graph, even_placement(graph, 1), Mode.FORWARD)
    kept = {ref for s in forward.segments for ref in s.saves}
    assert forward.saved_bytes == (sum(forward.graph.type(r).nbytes for r in kept),)
    assert forward.saved_bytes == (4 * matrix,)  # x and the three activations
    assert plan_of(graph, even_placement(graph, 1)).saved_bytes[0] <= forward.saved_bytes[0] + matrix


def held_at_most(plan: Plan, stage: int) -> int:
    """The most bytes on a stage, by a count that keeps no books: the union of all that is there."""
    stored: set[Ref] = set()
    most = 0
    for segment in plan.of_stage(stage):
        fed = {Ref(n) for n in segment.nodes if isinstance(plan.graph[n].operator, (Input, Cotangent))}
        live = fed.union(*(e.values for e in segment.receives))
        leaves = {*segment.saves, *(r for e in segment.sends for r in e.values)}
        leaves.update(*(m.values() for m in (segment.outputs, segment.input_gradients, segment.gradients)))
        computed = [plan.graph[n] for n in segment.nodes if not plan.graph[n].operator.source]
        for i, node in enumerate(computed):
            live |= {Ref(node.id, port) for port in range(len(node.types))}
            counted = {r for r in live | stored if _is_counted(plan, r)}
            most = max(most, sum(plan.graph.type(r).nbytes for r in counted))
            needed = {r for later in computed[i + 1 :] for r in later.inputs}
            touched = {*node.inputs, *(Ref(node.id, port) for port in range(len(node.types)))}
            live -= touched - needed - leaves
        stored = (stored | set(segment.saves)) - set(segment.drops)
    return most


def _is_counted(plan: Plan, ref: Ref) -> bool:
    operator = plan.graph[ref.node].operator
    return not operator.source or isinstance(operator, (Input, Cotangent))


@pytest.mark.parametrize("seed", range(10))
def test_peak_bytes_agree_with_a_plain_count(seed: int) -> None:
    graph = random_graph(seed)
    for placement in (random_placement(seed, graph, 3), even_placement(graph, 2)):
        plan = plan_of(graph, placement)
        assert list(plan.peak_bytes) == [held_at_most(plan, stage) for stage in range(plan.stages)]


def test_more_stages_divide_what_is_saved() -> None:
    graph = chain(6)
    whole = plan_of(graph, even_placement(graph, 1)).saved_bytes[0]
    parts = plan_of(graph, even_placement(graph, 3)).saved_bytes
    assert max(parts) < whole


# -- errors ---------------------------------------------------------------------------------------


def test_a_node_without_a_place_is_named() -> None:
    graph = chain()
    missing = homes(graph)[2]
    places = {n: 0 for n in homes(graph) if n != missing}
    with pytest.raises(ConfigurationError, match=f"no stage for node {missing}"):
        plan_of(graph, Placement(places, 1))


def test_a_stage_that_does_not_exist_is_named() -> None:
    graph = chain()
    with pytest.raises(ConfigurationError, match="on stage 2 of 2"):
        plan_of(graph, Placement(dict.fromkeys(homes(graph), 2), 2))


def test_unbound_sizes_and_unknown_outputs() -> None:
    graph = chain()
    placement = even_placement(graph, 1)
    with pytest.raises(SizeError, match="'N' is not bound"):
        make_plan(graph, placement, PlanKey(Mode.EVALUATE, ()))
    with pytest.raises(MissingTensorError, match="no output 'cost'"):
        make_plan(graph, placement, PlanKey(Mode.STEP, SIZES, ("cost",)))
