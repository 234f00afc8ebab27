"""A placement becomes a plan: segments, edges, what is kept and what is freed.

The forward phase (F) is what the outputs need, the backward phase (B) the rest. Plans of one
session share the document's node ids, so that what a FORWARD plan saves is what a BACKWARD plan of
the same sizes reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from raygrad.proto.autodiff import Differentiated, differentiate, home_of
from raygrad.proto.errors import ConfigurationError
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey

from .emission import emit
from .instances import BACKWARD, FORWARD, Instances, stage_of
from .memory import stage_memory
from .wiring import Results, Wiring

_PHASES = {
    Mode.EVALUATE: (FORWARD,),
    Mode.FORWARD: (FORWARD,),
    Mode.BACKWARD: (BACKWARD,),
    Mode.STEP: (FORWARD, BACKWARD),
}


@dataclass(frozen=True)
class Outline:
    """What a plan is made of before there are sizes and places: the graph with the gradients it needs."""

    given: Graph  # what the client wrote, as far as it is needed
    graph: Graph  # with gradients, pruned
    results: Results

    @cached_property
    def forward(self) -> frozenset[int]:
        """The nodes of the forward phase."""
        return frozenset(n.id for n in self.given)


def outline(graph: Graph, key: PlanKey) -> Outline:
    """The outline of all plans that differ from `key` in sizes only; the errors of differentiation."""
    given = _needed(graph)
    found = _differentiated(given, key)
    results = Results(given.outputs, found.inputs, found.parameters)
    return Outline(given, found.graph.prune(_roots(results)), results)


def make_plan(graph: Graph, placement: Placement, key: PlanKey, known: Outline | None = None) -> Plan:
    """The plan of a document's `graph` (unbound, as the client wrote it) for `key`, on `placement`.

    Raises `ConfigurationError` if the placement leaves out a node, `SizeError` if `key.sizes` does
    not bind every name, and the errors of differentiation.
    """
    _check(placement)
    known = outline(graph, key) if known is None else known
    owner = owners(known.given, placement)
    bound = known.graph.bind(dict(key.sizes))
    instances = Instances(bound, placement, known.forward)
    _demand(instances, known.results, owner)
    kept = _keep(instances) if key.mode is Mode.FORWARD else {}
    drafts = emit(instances, placement.stages, _PHASES[key.mode])
    segments = Wiring(instances, drafts, _wanted(known.results, key.mode), owner, kept).segments()
    return _measured(Plan(key, placement, bound, segments, owner, (), ()), known.forward)


def with_sizes(plan: Plan, key: PlanKey, known: Outline) -> Plan:
    """A plan for other sizes: the same segments, since none depends on them, on a graph bound anew."""
    bound = known.graph.bind(dict(key.sizes))
    return _measured(replace(plan, key=key, graph=bound), known.forward)


def _measured(plan: Plan, forward: frozenset[int]) -> Plan:
    """The plan with its memory."""
    memory = [stage_memory(plan.graph, plan.of_stage(stage), forward) for stage in range(plan.stages)]
    return replace(plan, saved_bytes=tuple(m.saved for m in memory), peak_bytes=tuple(m.peak for m in memory))


def _needed(graph: Graph) -> Graph:
    """What the outputs need, and every named tensor: one that nothing needs has no gradient, but exists."""
    named = (*graph.inputs.values(), *graph.parameters.values(), *graph.buffers.values())
    return graph.prune((*graph.outputs.values(), *(Ref(node.id) for node in named)))


def _check(placement: Placement) -> None:
    outside = {n: s for n, s in placement.stage_of.items() if not 0 <= s < placement.stages}
    if outside:
        node, stage = min(outside.items())
        raise ConfigurationError(f"node {node} is placed on stage {stage} of {placement.stages}")


def owners(graph: Graph, placement: Placement) -> dict[str, int]:
    """The stage that accumulates each parameter's gradient: that of its first consumer."""
    return {name: stage_of(placement, graph, home_of(graph, node)) for name, node in graph.parameters.items()}


def _differentiated(graph: Graph, key: PlanKey) -> Differentiated:
    """The graph with the gradients that the plan needs to know of.

    A FORWARD plan knows of all of them, so that what it saves serves whatever is asked for later.
    """
    if key.mode is Mode.FORWARD:
        seeded = [name for name, ref in graph.outputs.items() if graph.type(ref).dtype.is_floating]
        wanted = [name for name, node in graph.inputs.items() if node.types[0].dtype.is_floating]
    else:
        seeded, wanted = list(key.seeded), list(key.input_gradients)
    if key.mode is Mode.EVALUATE or not seeded:
        return Differentiated(graph, {}, {}, {})
    return differentiate(graph, seeded, wanted)


def _roots(results: Results) -> list[Ref]:
    named = (results.outputs, results.input_gradients, results.gradients)
    return [ref for refs in named for ref in refs.values()]


def _wanted(results: Results, mode: Mode) -> Results:
    """Those of the results that a plan of this mode returns."""
    if mode is Mode.BACKWARD:
        return Results({}, results.input_gradients, results.gradients)
    return results if mode is Mode.STEP else Results(results.outputs)


def _demand(instances: Instances, results: Results, owner_of: Mapping[str, int]) -> None:
    """All instances that the results need: forward ones first, since backward ones build on them."""
    for refs, phase in ((results.outputs, FORWARD), (results.input_gradients, BACKWARD)):
        for ref in refs.values():
            make_ready = instances.end if instances.is_source(ref) else instances.demand
            make_ready([ref], instances.stage(ref), phase)
    for name, ref in results.gradients.items():
        instances.end([ref], owner_of[name], BACKWARD)


def _keep(instances: Instances) -> dict[int, set[Ref]]:
    """What a FORWARD plan saves on each stage; values that are not there anyway are sent there."""
    kept = instances.kept()
    for stage, refs in kept.items():
        instances.end(sorted(refs - instances.present(stage)), stage, FORWARD)
    return kept
