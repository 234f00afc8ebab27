"""Whole networks of the format ONNX against onnxruntime: nine architectures with random weights.

The package onnx holds the "light" models: real architectures whose weights are constants of one number. Here
they begin as in He et al., "Delving deep into rectifiers" (2015), so that every weight matters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR

import raygrad as rg
from raygrad.proto.tensor import Array

from .suite import Case, Suite

TOLERANCE = 1e-4
"""The largest difference of logits, relative to the largest logit."""


def suite() -> Suite:
    """The nine light models."""
    return Suite("onnx-networks", cases, at_least=9)


def cases() -> Iterator[Case]:
    """One case a model."""
    for path in sorted(Path(DATA_DIR, "light").glob("*.onnx")):
        yield Case(path.stem, functools.partial(run, path))


def run(path: Path) -> None:
    """The logits that raygrad and onnxruntime compute agree."""
    model = with_random_weights(onnx.load(path))
    without_softmax(model)
    (info,) = (i for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer})
    shape = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
    feeds = {info.name: np.random.default_rng(1).standard_normal(shape).astype(np.float32)}
    assert_close(evaluate(model, feeds), onnxruntime_output(model, feeds))


def onnxruntime_output(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> Array:
    """The one output of a model, as onnxruntime computes it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # weights have shapes that nothing reads any more: no warnings
    runtime = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (output,) = runtime.run(None, dict(feeds))
    return np.asarray(output)


def evaluate(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> Array:
    """The one output of a model, through the importer and a session."""
    imported = rg.from_onnx(model)
    with rg.local(imported.graph) as session:
        session.put(imported.tensors)
        (output,) = session.forward(feeds).outputs.values()
    return output


def assert_close(got: Array, expected: Array) -> None:
    scale = np.abs(expected).max()
    assert scale > 0
    assert np.isfinite(got).all()
    assert np.abs(got - expected).max() <= TOLERANCE * scale


def with_random_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with an initializer for each node that fills a weight with one number."""
    rng = np.random.default_rng(0)
    constants = {n.output[0]: n for n in model.graph.node if n.op_type == "Constant"}
    shapes = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    shapes |= {name: numpy_helper.to_array(n.attribute[0].t) for name, n in constants.items()}
    filled = [n for n in model.graph.node if n.op_type == "ConstantOfShape"]
    assert filled
    for node in filled:
        role = role_of(node.output[0], model.graph)
        array = weight(rng, tuple(shapes[node.input[0]].tolist()), role)
        model.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), node.output[0]))
        model.graph.node.remove(node)
    return model


def role_of(name: str, graph: onnx.GraphProto) -> str:
    """What a weight is to the node that reads it: "Conv 1", "BatchNormalization 4"."""
    node = next(n for n in graph.node if name in n.input)
    return f"{node.op_type} {list(node.input).index(name)}"


def weight(rng: np.random.Generator, shape: tuple[int, ...], role: str) -> Array:
    """Scales and variances around 1, shifts and means small, weights N(0, 2 / fan-in)."""
    if role in ("BatchNormalization 1", "BatchNormalization 4"):
        return rng.uniform(0.5, 1.5, shape)
    if len(shape) < 2:
        return 0.1 * rng.standard_normal(shape)
    return math.sqrt(2 / math.prod(shape[1:])) * rng.standard_normal(shape)


def without_softmax(model: onnx.ModelProto) -> None:
    """The model with its logits as output."""
    last = next(n for n in model.graph.node if model.graph.output[0].name in n.output)
    if last.op_type == "Softmax":
        model.graph.node.remove(last)
        model.graph.output[0].name = last.input[0]
        model.graph.output[0].type.tensor_type.ClearField("shape")
