"""Costs: rates that are measured and cached, and the seconds that follow from them."""

from __future__ import annotations

import math

import pytest

from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.convolution import Conv
from raygrad.proto.operators.elementwise import Tanh
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey
from raygrad.proto.tensor import TensorType
from raygrad.scheduler.cost import (
    DeviceRates,
    LinkRates,
    accumulation_seconds,
    home_costs,
    measure,
    node_flops,
    node_seconds,
    transfer_seconds,
)
from raygrad.scheduler.planner import make_plan
from raygrad.workers.kernels.base import Kernel
from raygrad.workers.kernels.numpy import NumpyBackend

RATES = DeviceRates(matmul_flops=1e9, convolution_flops=2e9, bytes=4e9, node_seconds=1e-6, sums=1e6)


class CountingBackend(NumpyBackend):
    """Counts what is compiled."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.compiled = 0

    def compile(
        self, operator: Operator, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
    ) -> Kernel:
        self.compiled += 1
        return super().compile(operator, inputs, outputs)


def test_rates_are_measured_once_per_fingerprint() -> None:
    first, again = CountingBackend("numpy, measured here"), CountingBackend("numpy, measured here")
    rates = measure(first)
    assert first.compiled > 0
    assert measure(again) is rates
    assert again.compiled == 0
    assert measure(CountingBackend("another device")) is not rates


def test_measured_rates_are_plausible() -> None:
    rates = measure(NumpyBackend())
    for rate in (rates.matmul_flops, rates.convolution_flops, rates.bytes, rates.sums):
        assert math.isfinite(rate)
        assert rate > 1e6
    assert 1e-8 < rates.node_seconds < 1e-2


def whole(graph: Graph) -> Plan:
    places = {n.home: 0 for n in graph if not n.operator.source}
    return make_plan(graph, Placement(places, 1), PlanKey(Mode.STEP, (("N", 8),), ("loss",)))


def perceptron() -> Graph:
    g = Builder()
    hidden = Tanh()(g.input("x", ("N", 64)) @ g.parameter("w", (64, 32)))
    g.output("loss", hidden.sum())
    return g.graph()


def seconds_of(name: str, graph: Graph) -> float:
    node = next(n for n in graph if n.operator.name == name)
    return node_seconds(node, graph, RATES)


def test_dense_nodes_take_their_operations_and_others_their_bytes() -> None:
    graph = whole(perceptron()).graph
    assert seconds_of("MatMul", graph) == pytest.approx(1e-6 + 2 * 8 * 64 * 32 / 1e9)
    assert seconds_of("Tanh", graph) == pytest.approx(1e-6 + 2 * 8 * 32 * 4 / 4e9)
    assert seconds_of("Parameter", graph) == 0.0


def test_convolutions_have_their_own_rate() -> None:
    g = Builder()
    image, weight = g.input("x", (2, 16, 8, 8)), g.parameter("w", (16, 16, 3, 3))
    conv = Conv(stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
    g.output("loss", conv(image, weight).sum())
    graph = g.graph()
    operations = 2 * 2 * 16 * 8 * 8 * 16 * 9
    assert seconds_of("Conv", graph) == pytest.approx(1e-6 + operations / 2e9)


def test_homes_add_up_to_the_graph() -> None:
    plan = whole(perceptron())
    forward = {n.id for n in perceptron()}
    costs = home_costs(plan.graph, forward, RATES)
    assert set(costs) == {n.id for n in perceptron() if not n.operator.source}
    everything = sum(node_seconds(n, plan.graph, RATES) for n in plan.graph)
    assert sum(c.seconds for c in costs.values()) == pytest.approx(everything)
    ahead = sum(node_seconds(n, plan.graph, RATES) for n in plan.graph if n.id in forward)
    assert sum(c.forward for c in costs.values()) == pytest.approx(ahead)
    assert sum(c.flops for c in costs.values()) == sum(node_flops(n, plan.graph) for n in plan.graph)
    product = next(n.id for n in plan.graph if n.operator.name == "MatMul")
    assert costs[product].backward > costs[product].forward * 0.9, (
        "one product back for one forth: x has no gradient"
    )


def test_links_and_sums() -> None:
    assert transfer_seconds(2**20, LinkRates()) == pytest.approx(4e-3)
    assert transfer_seconds(2**30, LinkRates(bytes_per_second=float("inf"))) == 0.0
    assert accumulation_seconds(5_000, RATES) == pytest.approx(5e-3)
