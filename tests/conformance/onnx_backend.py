"""The backend suite of the package onnx: one model a case, with inputs and the outputs that they must give.

Which node cases there are is a list of names (`data/onnx_node_cases.json`): onnx's own harness counts a
case that its backend calls unsupported as passed. Inputs whose content determines shapes are static.
Source: https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import _NodeTestCases, collect_testcases
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

import raygrad as rg
from raygrad.client.importers.onnx import static_inputs
from raygrad.proto.tensor import Array

from .suite import Case, Suite

NODE_CASES = Path(__file__).parent / "data" / "onnx_node_cases.json"

DataSet = tuple[Sequence[Array], Sequence[Array]]


def suite() -> Suite:
    """The node cases, and those converted from PyTorch."""
    return Suite("onnx-backend", cases, at_least=len(node_names()) + 82 + 35)


def cases() -> Iterator[Case]:
    """All cases, by the names that onnx gives them."""
    for name in node_names():
        yield Case(name, functools.partial(run_node_case, name))
    for kind in ("pytorch-converted", "pytorch-operator"):
        for found in sorted(load_model_tests(kind=kind), key=lambda case: case.name):
            yield Case(found.name, functools.partial(run_model_case, found))


def node_names() -> list[str]:
    """The names of the node cases."""
    names: list[str] = json.loads(NODE_CASES.read_text())
    return names


def run_node_case(name: str) -> None:
    """Run a node case; `KeyError` if onnx has none of this name."""
    run_data_sets(node_cases()[name])


def run_data_sets(found: TestCase) -> None:
    """Run a case that is in memory."""
    for data_set in found.data_sets:
        check(found.model, data_set, found.rtol, found.atol)


@functools.cache
def node_cases() -> Mapping[str, TestCase]:
    """All node cases of onnx by name: it computes them, with warnings, when they are asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in collect_testcases(None)}


def cases_of(operator: str) -> Iterator[Case]:
    """The cases on the list of one operator, without computing those of all the others."""
    for found in _cases_of(operator):
        yield Case(found.name, functools.partial(run_data_sets, found))


def models_of(operator: str) -> Iterator[onnx.ModelProto]:
    """The models of these cases."""
    return (found.model for found in _cases_of(operator))


def _cases_of(operator: str) -> Iterator[TestCase]:
    import_module(f"onnx.backend.test.case.node.{operator.lower()}")
    listed = set(node_names())
    for found in _NodeTestCases:
        if found.name in listed and [node.op_type for node in found.model.graph.node] == [operator]:
            yield found


def run_model_case(found: TestCase) -> None:
    """Run a case that lies in files."""
    folder = Path(found.model_dir)
    model = onnx.load(folder / "model.onnx")
    for data in sorted(folder.glob("test_data_set_*")):
        check(model, (tensors(data, "input"), tensors(data, "output")), found.rtol, found.atol)


def tensors(folder: Path, kind: str) -> list[Array]:
    """The inputs or outputs of a data set, in order."""
    count = len(list(folder.glob(f"{kind}_*.pb")))
    return [numpy_helper.to_array(onnx.load_tensor(folder / f"{kind}_{i}.pb")) for i in range(count)]


def check(model: onnx.ModelProto, data_set: DataSet, rtol: float, atol: float) -> None:
    """The model gives the outputs for the inputs, within the tolerances, in shape and dtype."""
    inputs, expected = data_set
    outputs = run(model, inputs)
    assert len(outputs) == len(expected)
    for got, wanted in zip(outputs, map(array_of, expected), strict=True):
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol)


def array_of(given: Array | onnx.TensorProto) -> Array:
    """An input or output as an array; some cases give messages."""
    return numpy_helper.to_array(given) if isinstance(given, onnx.TensorProto) else np.asarray(given)


def run(model: onnx.ModelProto, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of the model, through the importer and a session."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    names = [info.name for info in model.graph.input if info.name not in defaults]
    feeds = dict(zip(names, map(array_of, inputs), strict=True))
    static = {name: feeds.pop(name) for name in static_inputs(model)}
    imported = rg.from_onnx(model, static=static)
    refs = [imported.graph.outputs[info.name] for info in model.graph.output]
    numbered = replace(imported.graph, outputs={f"output{i}": ref for i, ref in enumerate(refs)})
    with rg.local(numbered, backend="numpy") as session:  # by number: an output "loss" would be a step's loss
        session.put(imported.tensors)
        outputs = session.forward(feeds).outputs
    return [outputs[f"output{i}"] for i in range(len(refs))]
