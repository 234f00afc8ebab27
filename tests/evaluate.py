"""The tests' reference interpreter: it walks a bound graph and calls one kernel after the other.

It shares nothing with the executor but the kernels, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.random import RandomKey
from raygrad.proto.operators.source import NamedTensor
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.kernels.base import Backend
from raygrad.workers.kernels.philox import mini_batch_key

Array = npt.NDArray[Any]


def evaluate(graph: Graph, feeds: Mapping[str, Array], backend: Backend) -> dict[str, Array]:
    """The outputs of a bound graph, given its inputs, parameters, buffers and cotangents by name."""
    values: dict[Ref, Any] = {}
    for node in graph:
        if isinstance(node.operator, RandomKey):
            results = [backend.from_host(mini_batch_key(0, 0, 0))]
        elif isinstance(node.operator, NamedTensor):
            results = [backend.from_host(feeds[node.operator.tensor])]
        else:
            types = tuple(graph.type(r) for r in node.inputs)
            results = apply(node.operator, types, node.types, [values[r] for r in node.inputs], backend)
        values.update({Ref(node.id, port): result for port, result in enumerate(results)})
    return {name: np.array(backend.to_host(values[ref])) for name, ref in graph.outputs.items()}


def apply(
    operator: Operator,
    inputs: Sequence[TensorType],
    outputs: Sequence[TensorType],
    tensors: Sequence[Any],
    backend: Backend,
) -> list[Any]:
    """One kernel's results, each in the layout of its type."""
    with backend.scope():
        results = backend.compile(operator, tuple(inputs), tuple(outputs))(*tensors)
        results = (results,) if len(outputs) == 1 else results
        return [backend.layout(t)(result) for t, result in zip(outputs, results, strict=True)]


def run(operator: Operator, arrays: Sequence[Array], backend: Backend) -> list[Array]:
    """The results of one operator on arrays, which come in as feeds do."""
    inputs = [TensorType(a.shape, DType.of(a.dtype)) for a in arrays]
    outputs = operator.infer_types(inputs)
    results = apply(operator, inputs, outputs, [backend.from_host(a) for a in arrays], backend)
    return [np.array(backend.to_host(r)) for r in results]
