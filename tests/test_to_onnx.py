"""Writing models of the format ONNX: onnxruntime computes from them what the operators' kernels do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest

import raygrad as rg
from raygrad.client.importers.onnx.export.table import export_of
from raygrad.client.networks import Network
from raygrad.proto.attributes import names_in_attributes
from raygrad.proto.builder import Builder
from raygrad.proto.errors import (
    InvalidReferenceError,
    MissingTensorError,
    SizeError,
    TensorShapeError,
    UnsupportedOperatorError,
)
from raygrad.proto.graph import Graph
from raygrad.proto.operators.convolution import ConvInputGrad
from raygrad.proto.operators.elementwise import ReluGrad
from raygrad.proto.operators.pooling import MaxPool
from raygrad.proto.operators.random import Dropout
from raygrad.proto.operators.resampling import Resample
from raygrad.proto.operators.scan import Recurrence
from raygrad.proto.tensor import Array, DType, names_in
from raygrad.workers.backends import open_backend
from tests.evaluate import evaluate
from tests.samples import SAMPLES
from tests.sampling import LARGE, Sample

BACKEND = open_backend("numpy")
EXPORTED = [sample for sample in SAMPLES if export_of(sample.operator) is not None]

NETWORKS = (rg.networks.lenet(), rg.networks.resnet14(size=16))

NOT_IN_ONNXRUNTIME = {
    "Cast(dtype=bfloat16) [N,5]": "no bfloat16",
    "Iota(size=3, dtype=bfloat16)": "no bfloat16",
    "Where() [N], [N], [N]": "no choice of truth values",
}


def run(model: onnx.ModelProto, feeds: dict[str, Array]) -> dict[str, Array]:
    """What onnxruntime computes, as the model says it: no operators merged."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [info.name for info in model.graph.output]
    return dict(zip(names, session.run(names, feeds), strict=True))


def graph_of(sample: Sample) -> Graph:
    """The sample as a graph, its inputs called a, b, …"""
    builder = Builder()
    values = [
        builder.input(name, spec.type(DType.float32).shape, spec.type(DType.float32).dtype)
        for name, spec in zip("abcdef", sample.inputs, strict=False)
    ]
    for port, value in enumerate(builder.add(sample.operator, values)):
        builder.output(f"y{port}", value)
    return builder.graph()


def bound_if_needed(graph: Graph) -> Graph:
    """Sizes that only operators name have no input to be read from; transposed convolution needs numbers."""
    named = {s for node in graph for t in node.types for s in names_in(t.shape)}
    named = named.union(*(names_in_attributes(node.operator) for node in graph))
    transposed = any(isinstance(node.operator, ConvInputGrad) for node in graph)
    return graph if named <= graph.sizes and not transposed else graph.bind(LARGE)


def is_comparable(sample: Sample) -> bool:
    """Dropout draws other numbers there, some resampling cannot be written, and some is not computed."""
    op = sample.operator
    if isinstance(op, Dropout):
        return False
    if isinstance(op, Resample):
        return op.kernel != "area" and not op.scale and sample.inputs[0].dtype is None
    if isinstance(op, MaxPool):  # padding below the kernel, whatever the dilation
        return all(max(pair) < size for pair, size in zip(op.padding, op.kernel, strict=True))
    return str(sample) not in NOT_IN_ONNXRUNTIME


@pytest.mark.parametrize("sample", [*filter(is_comparable, EXPORTED)], ids=str)
def test_onnxruntime_computes_what_the_operator_means(sample: Sample) -> None:
    graph, arrays = bound_if_needed(graph_of(sample)), sample.arrays(LARGE, DType.float32)
    feeds = dict(zip("abcdef", arrays, strict=False))
    expected = evaluate(graph.bind(LARGE), feeds, BACKEND)
    got = run(rg.to_onnx(graph), feeds)
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        assert got[name].shape == array.shape
        assert got[name].dtype == array.dtype
        np.testing.assert_allclose(got[name], array, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("network", NETWORKS, ids=("lenet", "resnet"))
def test_a_network_computes_the_same_elsewhere_and_when_it_is_read_again(network: Network) -> None:
    rng = np.random.default_rng(0)
    shape = network.graph.inputs["x"].types[0].bind({"N": 3}).static
    feeds = {"x": rng.standard_normal(shape).astype(np.float32), "y": np.array([1, 0, 9])}
    model = rg.to_onnx(network.graph, network.parameters)
    again = rg.from_onnx(model)
    assert again.graph.sizes == {"N"}
    expected = outputs(network.graph, network.parameters, feeds)
    for got in (run(model, feeds), outputs(again.graph, again.tensors, feeds)):
        for name in ("logits", "loss"):
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-4)


def outputs(graph: Graph, tensors: Mapping[str, Array], feeds: dict[str, Array]) -> Mapping[str, Array]:
    with rg.local(graph, backend="numpy") as session:
        session.put(tensors)
        return session.forward(feeds).outputs


def test_nodes_have_the_labels_of_the_program_and_sizes_their_names() -> None:
    model = rg.to_onnx(rg.networks.lenet().graph)
    assert "conv1/Conv" in {node.name for node in model.graph.node}
    assert {"x", "y", "conv1.weight"} <= {info.name for info in model.graph.input}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_all_operators_without_a_form_in_onnx_are_named_at_once() -> None:
    builder = Builder()
    x = builder.input("x", (4,))
    builder.output("y", builder.add(Recurrence(0), (x, x))[0] + builder.add(ReluGrad(), (x, x))[0])
    with pytest.raises(UnsupportedOperatorError, match=r"(?s)2 operators.*Recurrence.*ReluGrad"):
        rg.to_onnx(builder)


def test_a_dtype_that_onnx_does_not_have_an_operator_for_is_an_error() -> None:
    builder = Builder()
    builder.output("y", -builder.input("x", (4,), DType.uint8))
    with pytest.raises(UnsupportedOperatorError, match=r"Neg.*unsupported type: tensor\(uint8\)"):
        rg.to_onnx(builder)


def test_an_output_needs_a_name_of_its_own() -> None:
    builder = Builder()
    builder.output("x", builder.input("x", (4,)))
    with pytest.raises(InvalidReferenceError, match=r"the same names \['x'\]"):
        rg.to_onnx(builder)


def test_tensors_must_be_there_and_fit() -> None:
    network = rg.networks.lenet()
    with pytest.raises(MissingTensorError, match=r"'conv1\.weight' is missing"):
        rg.to_onnx(network.graph, {})
    with pytest.raises(TensorShapeError, match=r"'conv1.bias' is float32\[32\], got float32\[3\]"):
        rg.to_onnx(network.graph, {**network.parameters, "conv1.bias": np.zeros(3, np.float32)})


def test_a_size_that_no_input_has_is_an_error_that_names_the_node() -> None:
    builder = Builder()
    builder.output("n", builder.size_of(("N",), DType.int64))
    with pytest.raises(SizeError, match="no input has the size 'N'"):
        rg.to_onnx(builder)
