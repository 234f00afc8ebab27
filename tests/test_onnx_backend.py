"""Some cases of onnx's backend suite, an operator of each family; `make conformance` runs all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import onnx
import onnx.defs
import onnx.helper
import pytest

import raygrad as rg
from raygrad.client.importers.onnx.table import rule_of
from raygrad.proto.errors import RaygradError
from tests.conformance.onnx_backend import cases_of, models_of, node_names
from tests.conformance.suite import Case

OPERATORS = (
    "Reshape",
    "Clip",
    "Concat",
    "Conv",
    "DepthToSpace",
    "Gather",
    "Gemm",
    "MatMul",
    "Pad",
    "PRelu",
    "Slice",
    "SpaceToDepth",
    "Where",
)
QUICK = [case for operator in OPERATORS for case in cases_of(operator)]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_case_gives_its_outputs(case: Case) -> None:
    case.run()


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_node_without_one_of_its_parts_is_read_or_refused(operator: str) -> None:
    """Without an operand or attribute, or with one of another kind, there is a graph or a typed error."""
    tried, read = 0, 0
    for model in models_of(operator):
        for broken in spoilt(model):
            tried += 1
            with contextlib.suppress(RaygradError):
                rg.from_onnx(broken)
                read += 1
    assert read < tried


def spoilt(model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """The model with one part of its node missing or of another kind."""
    node = model.graph.node[0]
    for at in range(len(node.input)):
        yield changed(model, lambda n, at=at: n.input.__setitem__(at, ""))
    for at in range(len(node.attribute)):
        yield changed(model, lambda n, at=at: n.attribute.__delitem__(at))
        for value in (-7, [99, -99], "x", 0.5):
            other = onnx.helper.make_attribute(node.attribute[at].name, value)
            yield changed(model, lambda n, at=at, other=other: n.attribute[at].CopyFrom(other))


def changed(model: onnx.ModelProto, change: Callable[[onnx.NodeProto], object]) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    change(copied.graph.node[0])
    return copied


def test_what_is_read_in_the_newest_opset_is_read_in_all_from_7_on() -> None:
    newest = onnx.defs.onnx_opset_version()
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    read = {name for name in names if is_read(name, newest)}
    assert len(read) > 100
    assert not [(name, opset) for name in read for opset in range(7, newest) if not is_read(name, opset)]


def is_read(operator: str, opset: int) -> bool:
    """Whether there is a conversion; true of what is not an operator yet, or no longer."""
    if not onnx.defs.has(operator, opset) or onnx.defs.get_schema(operator, opset).deprecated:
        return True
    schema = onnx.defs.get_schema(operator, opset)
    body = schema.has_function or schema.has_context_dependent_function
    return body or rule_of("", operator, opset) is not None


def test_there_are_cases() -> None:
    assert len(QUICK) >= 50
    assert len(set(node_names())) == 1122
