"""Kernels that write over an operand: only over memory that nobody else reads, and with the same bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from raygrad.client.functions import relu
from raygrad.client.local import local
from raygrad.proto.builder import Builder
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.tensor import Array, DType, TensorType
from raygrad.proto.value import Value
from raygrad.workers.kernels.base import Kernel
from tests.backends import TORCH
from tests.evaluate import apply, evaluate
from tests.samples import SAMPLES
from tests.sampling import LARGE, Sample

X = np.linspace(-3.0, 3.0, 35, dtype=np.float32).reshape(5, 7)
FRESH = [s for s in SAMPLES if TORCH.is_fresh(s.operator) and s.inputs]


def test_some_kernels_are_fresh() -> None:
    assert FRESH
    assert not any(s.operator.name in ("Reshape", "Transpose", "Broadcast", "Split", "Slice") for s in FRESH)


@pytest.mark.parametrize("sample", FRESH, ids=repr)
def test_fresh_results_share_memory_with_nothing(sample: Sample) -> None:
    operator = sample.operator.bind(LARGE)
    types = [t.bind(LARGE) for t in sample.types(DType.float32)]
    tensors = [TORCH.from_host(a) for a in sample.arrays(LARGE, DType.float32)]
    outputs = operator.infer_types(types)
    results = [r for _ in range(2) for r in apply(operator, types, outputs, tensors, TORCH)]
    places = [memory(t) for t in results if t.numel()]
    assert len(set(places)) == len(places)
    assert not set(places) & set(map(memory, tensors))


def memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


@pytest.mark.parametrize("operator", [ew.Relu(), ew.ReluGrad()], ids=repr)
def test_the_bits_in_place_are_those_of_the_kernel(operator: ew.Relu | ew.ReluGrad) -> None:
    specials = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1.5], dtype=np.float32)
    given = [np.repeat(specials, 7), np.tile(specials, 7)][: operator.arity[0]]
    types = (TensorType(given[0].shape, DType.float32),) * len(given)
    beside, over = (TORCH.compile(operator, types, types[:1], overwrites=o) for o in (False, True))
    expected, first = run(beside, given)
    assert memory(expected) != memory(first)
    found, first = run(over, given)
    assert memory(found) == memory(first)
    assert found.numpy().tobytes() == expected.numpy().tobytes()


def run(kernel: Kernel, arrays: list[Array]) -> list[torch.Tensor]:
    """The result, and the first operand."""
    with TORCH.scope():
        tensors = [torch.tensor(a) for a in arrays]
        return [kernel(*tensors), tensors[0]]


def read_once(x: Value, w: Value) -> dict[str, Value]:
    return {"y": relu(x * w)}


def read_again_later(x: Value, w: Value) -> dict[str, Value]:
    product = x * w
    return {"y": relu(product) * product}


def also_an_output(x: Value, w: Value) -> dict[str, Value]:
    product = x * w
    return {"y": relu(product), "product": product}


def seen_through_a_view(x: Value, w: Value) -> dict[str, Value]:
    product = x * w
    return {"y": relu(product), "rows": product.reshape((7, 5)) * 2.0}


def an_input(x: Value, w: Value) -> dict[str, Value]:
    return {"y": relu(x), "again": x * w}


def a_view_of_an_input(x: Value, w: Value) -> dict[str, Value]:
    return {"y": relu(x.reshape((7, 5))), "again": x * w, "parameter": relu(w)}


@pytest.mark.parametrize(
    "write", [read_once, read_again_later, also_an_output, seen_through_a_view, an_input, a_view_of_an_input]
)
def test_programs_overwrite_what_nobody_else_reads(write: Callable[[Value, Value], dict[str, Value]]) -> None:
    builder = Builder()
    for name, value in write(builder.input("x", X.shape), builder.parameter("w", X.shape)).items():
        builder.output(name, value)
    graph = builder.graph()
    tensors = {"x": X, "w": X[::-1].copy()}
    expected = evaluate(graph, tensors, TORCH)
    with local(graph, backend="torch-cpu") as session:
        session.put({"w": tensors["w"]})
        for _ in range(2):  # the parameters and feeds are what they were
            found = session.forward({"x": X}).outputs
            assert {n: a.tobytes() for n, a in found.items()} == {n: a.tobytes() for n, a in expected.items()}
