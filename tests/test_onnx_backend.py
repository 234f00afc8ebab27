"""Some cases of onnx's backend suite, an operator of each family; `make conformance` runs all."""

from __future__ import annotations

import pytest

from tests.conformance.onnx_backend import cases_of, node_names
from tests.conformance.suite import Case

OPERATORS = (
    "Reshape",
    "Clip",
    "Concat",
    "Conv",
    "Gather",
    "Gemm",
    "MatMul",
    "Pad",
    "PRelu",
    "Slice",
    "Where",
)
QUICK = [case for operator in OPERATORS for case in cases_of(operator)]


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_a_case_gives_its_outputs(case: Case) -> None:
    case.run()


def test_there_are_cases() -> None:
    assert len(QUICK) >= 50
    assert len(set(node_names())) == 1122
