"""Costs: the seconds of a node on a device, and of values on a link.

A node's time is a roofline with a fixed overhead: the larger of its floating-point operations over
the device's rate for their kind and its bytes over the memory's (Williams, Waterman & Patterson,
"Roofline", CACM 2009). The rates are measured, once per kind of worker.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from raygrad.proto.graph import Graph, Node
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.convolution import Conv, Convolution
from raygrad.proto.operators.elementwise import Add
from raygrad.proto.operators.linear import MatMul, MatMulSum
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.accumulator import Accumulator
from raygrad.workers.kernels.base import Backend


@dataclass(frozen=True)
class DeviceRates:
    """How fast a worker computes, with one compute thread."""

    matmul_flops: float  # floating-point operations per second of matrix products
    convolution_flops: float  # of convolutions and their adjoints
    bytes: float  # bytes per second of everything else, which memory limits
    node_seconds: float  # what running a node costs beyond that
    sums: float  # elements per second that the exact accumulator adds


@dataclass(frozen=True)
class LinkRates:
    """What it costs to call a worker, and to move values between workers.

    The defaults are Ray's on one machine, two cores: 0.3 ms of a worker for each of many empty calls in
    a row, 2 ms from the end of a call to the start of the one that waits for its result, and 4 ms for
    each MiB that it carries.
    """

    call_seconds: float = 3e-4  # of the worker's time, for each call
    hop_seconds: float = 2e-3  # from a value made to a value there, apart from its size
    bytes_per_second: float = 2**20 / 4e-3


@dataclass(frozen=True)
class HomeCost:
    """What a forward node costs, with all the nodes that are placed beside it."""

    flops: int = 0
    forward: float = 0.0  # seconds
    backward: float = 0.0  # seconds

    @property
    def seconds(self) -> float:
        """Both phases."""
        return self.forward + self.backward


def node_seconds(node: Node, graph: Graph, rates: DeviceRates) -> float:
    """Seconds of one evaluation of a node of a bound graph; nothing for sources."""
    operator = node.operator
    if operator.source:
        return 0.0
    inputs = [graph.type(ref) for ref in node.inputs]
    moved = operator.bytes(inputs, node.types) / rates.bytes
    rate = _flops_rate(operator, rates)
    computed = operator.flops(inputs, node.types) / rate if rate else 0.0
    return rates.node_seconds + max(moved, computed)


def _flops_rate(operator: Operator, rates: DeviceRates) -> float | None:
    """The rate that limits a dense operator; `None` for the others, which memory limits."""
    if isinstance(operator, (MatMul, MatMulSum)):
        return rates.matmul_flops
    return rates.convolution_flops if isinstance(operator, Convolution) else None


def node_flops(node: Node, graph: Graph) -> int:
    """Floating-point operations of one evaluation of a node of a bound graph."""
    return node.operator.flops([graph.type(ref) for ref in node.inputs], node.types)


def transfer_seconds(nbytes: float, link: LinkRates) -> float:
    """Seconds that a receiver spends on values of this size."""
    return nbytes / link.bytes_per_second


def accumulation_seconds(elements: int, rates: DeviceRates) -> float:
    """Seconds to add gradients of so many elements to the sums of a step."""
    return elements / rates.sums


def home_costs(graph: Graph, forward: Collection[int], rates: DeviceRates) -> dict[int, HomeCost]:
    """The cost of each home of a bound, differentiated graph; `forward` holds the forward phase's nodes."""
    found: dict[int, HomeCost] = defaultdict(HomeCost)
    for node in graph:
        if not node.operator.source:
            before, seconds = found[node.home], node_seconds(node, graph, rates)
            found[node.home] = HomeCost(
                before.flops + node_flops(node, graph),
                before.forward + (seconds if node.id in forward else 0.0),
                before.backward + (0.0 if node.id in forward else seconds),
            )
    return dict(found)


# -- measuring ------------------------------------------------------------------------------------

_ROUNDS = 7
_measured: dict[str, DeviceRates] = {}


def measure(backend: Backend) -> DeviceRates:
    """The rates of a backend on this machine: a few milliseconds of kernels, cached per fingerprint."""
    fingerprint = f"{backend.name}; {backend.fingerprint()}"
    if fingerprint not in _measured:
        with backend.scope():
            _measured[fingerprint] = _measure(backend)
    return _measured[fingerprint]


def _measure(backend: Backend) -> DeviceRates:
    overhead = _seconds_of(backend, Add(), (1,), (1,))
    product, convolution, sum_ = MatMul(), _convolution(), Add()
    matrix, image, weight, vector = (256, 256), (16, 32, 16, 16), (32, 32, 3, 3), (1 << 20,)

    def rate(amount: float, operator: Operator, *shapes: tuple[int, ...]) -> float:
        return amount / max(_seconds_of(backend, operator, *shapes) - overhead, 1e-9)

    return DeviceRates(
        matmul_flops=rate(_flops(product, matrix, matrix), product, matrix, matrix),
        convolution_flops=rate(_flops(convolution, image, weight), convolution, image, weight),
        bytes=rate(3 * 4 * vector[0], sum_, vector, vector),
        node_seconds=overhead,
        sums=_sum_rate(vector[0] // 4),
    )


def _convolution() -> Conv:
    return Conv(stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)


def _types(shapes: tuple[tuple[int, ...], ...]) -> tuple[TensorType, ...]:
    return tuple(TensorType(shape, DType.float32) for shape in shapes)


def _flops(operator: Operator, *shapes: tuple[int, ...]) -> int:
    inputs = _types(shapes)
    return operator.flops(inputs, operator.infer_types(inputs))


def _seconds_of(backend: Backend, operator: Operator, *shapes: tuple[int, ...]) -> float:
    """The shortest time of an operator on operands of ones, results in their layout."""
    inputs = _types(shapes)
    outputs = operator.infer_types(inputs)
    kernel = backend.compile(operator, inputs, outputs)
    layout = backend.layout(outputs[0])
    operands = [backend.from_host(np.ones(t.static, t.dtype.numpy)) for t in inputs]

    def run() -> None:
        layout(kernel(*operands))
        backend.synchronize()

    return _best_seconds(run)


def _sum_rate(elements: int) -> float:
    accumulator = Accumulator({"w": ((elements,), np.dtype(np.float32))})
    gradient = np.ones(elements, np.float32)
    indices = iter(range(_ROUNDS + 1))
    return elements / _best_seconds(lambda: accumulator.add(next(indices), {"w": gradient}))


def _best_seconds(run: Callable[[], None]) -> float:
    run()  # allocates, chooses algorithms
    return min(_timed(run) for _ in range(_ROUNDS))


def _timed(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
