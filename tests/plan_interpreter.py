"""An interpreter of plans that shares nothing with the executor but the kernels.

It runs a plan segment by segment, with one store per stage and a bundle per edge, takes every field of
a segment at its word, and fails where one does not hold: a value read before it was saved, an edge
whose values its source does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators.random import RandomKey
from raygrad.proto.operators.source import Buffer, Constant, Cotangent, Input, Parameter
from raygrad.proto.plan import Edge, Plan, Segment
from raygrad.proto.tensor import Array
from raygrad.workers.kernels.base import Backend
from raygrad.workers.kernels.philox import mini_batch_key

from .evaluate import apply

Stores = dict[int, dict[Ref, Any]]


@dataclass
class Outcome:
    """What a plan returns, and what it leaves in the stores."""

    outputs: dict[str, Array] = field(default_factory=dict)
    input_gradients: dict[str, Array] = field(default_factory=dict)
    contributions: dict[str, tuple[int, Array]] = field(default_factory=dict)  # parameter → (stage, gradient)
    stores: Stores = field(default_factory=dict)


@dataclass(frozen=True)
class Tensors:
    """What a plan is given, by name."""

    feeds: Mapping[str, Array]
    parameters: Mapping[str, Array]  # and buffers
    cotangents: Mapping[str, Array] = field(default_factory=dict)


def run_plan(plan: Plan, given: Tensors, backend: Backend, stores: Stores | None = None) -> Outcome:
    """Run all segments in order; `stores` is what a FORWARD plan left."""
    outcome = Outcome(stores=stores if stores is not None else {})
    bundles: dict[Edge, tuple[Any, ...]] = {}
    for segment in plan.segments:
        graph = plan.stage_plan(segment.stage).graph
        store = outcome.stores.setdefault(segment.stage, {})
        values = _run_segment(segment, graph, given, backend, bundles, store)
        bundles.update({edge: tuple(values[r] for r in edge.values) for edge in segment.sends})
        _return(segment, values, backend, outcome)
        store.update({ref: values[ref] for ref in segment.saves})
        for ref in segment.drops:
            del store[ref]
    assert not bundles, "an edge was sent and not received"
    return outcome


def _run_segment(
    segment: Segment,
    graph: Graph,
    given: Tensors,
    backend: Backend,
    bundles: dict[Edge, tuple[Any, ...]],
    store: Mapping[Ref, Any],
) -> dict[Ref, Any]:
    values = {ref: store[ref] for ref in segment.reads}
    for edge in segment.receives:
        values.update(zip(edge.values, bundles.pop(edge), strict=True))
    for number in segment.nodes:
        node = graph[number]
        match node.operator:
            case Input(tensor=name):
                assert name in segment.feeds
                results = [backend.from_host(given.feeds[name])]
            case Cotangent(tensor=name):
                assert name in segment.cotangents
                results = [backend.from_host(given.cotangents[name])]
            case Parameter(tensor=name) | Buffer(tensor=name):
                results = [backend.from_host(given.parameters[name])]
            case RandomKey():
                results = [backend.from_host(mini_batch_key(0, 0, 0))]
            case Constant() as constant:
                results = [backend.from_host(constant.array)]
            case operator:
                types = tuple(graph.type(r) for r in node.inputs)
                results = apply(operator, types, node.types, [values[r] for r in node.inputs], backend)
        values.update({Ref(number, port): result for port, result in enumerate(results)})
    return values


def _return(segment: Segment, values: Mapping[Ref, Any], backend: Backend, outcome: Outcome) -> None:
    def array(ref: Ref) -> Array:
        return np.array(backend.to_host(values[ref]))

    for name, ref in segment.outputs.items():
        assert name not in outcome.outputs, "an output is returned twice"
        outcome.outputs[name] = array(ref)
    for name, ref in segment.input_gradients.items():
        assert name not in outcome.input_gradients, "an input gradient is returned twice"
        outcome.input_gradients[name] = array(ref)
    for name, ref in segment.gradients.items():
        assert name not in outcome.contributions, "a contribution would count twice"
        outcome.contributions[name] = (segment.stage, array(ref))
