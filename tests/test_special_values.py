"""Values and gradients at special points are PyTorch's, on both backends.

The tables are in `special_rows`. The registries are walked: what is not in a table fails.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import raygrad as rg
from raygrad.client import functions
from raygrad.client.importers.torch import from_torch
from raygrad.client.importers.torch.exporter import capture
from raygrad.client.importers.torch.registry import TABLE
from tests.special_aten import ATEN, WITHOUT
from tests.special_rows import FUNCTIONS, Function, Row

FAMILIES = (
    *("activations", "elementwise", "exponentials", "rounding", "trigonometry", "logic", "reductions"),
    *("pooling", "losses", "margins", "classification", "similarity"),
)
"""The modules of `rg.functions` of which each function has a row."""

OF_INTEGERS = {name for name in functions.__all__ if name.startswith("bitwise_")}

Results = Mapping[str, np.ndarray[Any, Any]]


def home(name: str) -> str:
    """The family of a function."""
    return str(getattr(functions, name).__module__).rsplit(".", 1)[-1]


def test_every_function_has_a_row() -> None:
    wanted = {name for name in functions.__all__ if home(name) in FAMILIES} - OF_INTEGERS
    assert {name.split(",")[0].split(" of ")[0] for name in FUNCTIONS} >= wanted


def test_few_rows_depart() -> None:
    assert sum(bool(row.departs) for row in FUNCTIONS.values()) <= 5


def torch_results(row: Row) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    """PyTorch's value, and its gradients of the sum."""
    if row.each:
        # PyTorch's vector instructions and its loops disagree at NaNs: one element is always a loop's.
        found = [
            _torch_results(row.theirs, [a[i : i + 1] for a in row.arrays]) for i in range(row.arrays[0].size)
        ]
        gradients = zip(*(g for _, g in found), strict=True)
        return np.concatenate([y for y, _ in found]), [np.concatenate(g) for g in gradients]
    return _torch_results(row.theirs, row.arrays)


def _torch_results(
    function: Function, arrays: Sequence[np.ndarray[Any, Any]]
) -> tuple[np.ndarray[Any, Any], list[np.ndarray[Any, Any]]]:
    xs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = function(*xs)
    if not y.requires_grad:
        return y.numpy(), [np.zeros_like(a) for a in arrays]
    found = torch.autograd.grad(y, xs, torch.ones_like(y), allow_unused=True)
    pairs = zip(found, arrays, strict=True)
    return y.detach().numpy(), [np.zeros_like(a) if g is None else g.numpy(force=True) for g, a in pairs]


@pytest.fixture(scope="module", params=["numpy", "torch-cpu"])
def results(request: pytest.FixtureRequest) -> Iterator[Results]:
    """All rows in one graph: outputs by row, gradients by row and number."""
    g = rg.Builder()
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    cotangents: dict[str, np.ndarray[Any, Any]] = {}
    for name, row in FUNCTIONS.items():
        xs = [g.parameter(f"{name}/{n}", a.shape, "float64") for n, a in enumerate(row.arrays)]
        tensors.update({f"{name}/{n}": a for n, a in enumerate(row.arrays)})
        y = g.output(name, row.ours(*xs))
        if y.dtype.is_floating:
            cotangents[name] = np.ones(y.type.static, y.dtype.numpy)
    with rg.local(g.graph(), backend=request.param) as session:
        session.put(tensors)
        result = session.forward({}, keep=True)
        session.backward(result.lease, cotangents)
        yield {**result.outputs, **session.gradients()}


def assert_same(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], row: Row) -> None:
    """Equal but for rounding, NaN where there is one."""
    same = np.isclose(found, wanted, rtol=1e-7, atol=1e-12, equal_nan=True)
    if same.all():
        return
    shown = [np.broadcast_to(a, same.shape)[~same][:6] if a.shape == same.shape else a for a in row.arrays]
    raise AssertionError(f"at {shown}: ours {found[~same][:6]}, PyTorch's {wanted[~same][:6]}")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, results: Results) -> None:
    row = FUNCTIONS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, gradients = torch_results(row)
    if row.departs:
        pytest.skip(row.departs)
    assert_same(results[name], value, row)
    for number, gradient in enumerate(gradients):
        assert_same(results[f"{name}/{number}"], gradient, row)


# -- the importer's table ---------------------------------------------------------------------

ATEN_FAMILIES = ("activations", "elementwise", "losses", "pooling", "reductions")


class Everything(torch.nn.Module):
    """All rows of the table in one module, each with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        for place, row in enumerate(ATEN.values()):
            for number, array in enumerate(row.arrays):
                self.register_parameter(f"p{place}_{number}", torch.nn.Parameter(torch.tensor(array)))

    def forward(self) -> tuple[torch.Tensor, ...]:
        return tuple(
            row.theirs(*(getattr(self, f"p{place}_{number}") for number in range(len(row.arrays))))
            for place, row in enumerate(ATEN.values())
        )


def test_every_operator_of_the_table_has_a_row() -> None:
    program = capture(Everything(), (), {}, None).program
    used = {str(node.target).split(".")[1] for node in program.graph.nodes if "aten." in str(node.target)}
    wanted = {
        name.split(".")[1]
        for name, translation in TABLE.items()
        if translation.__module__.rsplit(".", 1)[-1] in ATEN_FAMILIES
    }
    assert wanted - used - WITHOUT.keys() == set()
    assert WITHOUT.keys() & used == set()


@pytest.fixture(scope="module", params=["numpy", "torch-cpu"])
def imported(request: pytest.FixtureRequest) -> Iterator[Results]:
    model = from_torch(Everything())
    kinds = {name: model.graph.type(ref).dtype for name, ref in model.graph.outputs.items()}
    with rg.local(model.graph, backend=request.param) as session:
        session.put(model.tensors)
        result = session.forward({}, keep=True)
        floating = {name: result.outputs[name] for name, dtype in kinds.items() if dtype.is_floating}
        session.backward(result.lease, {name: np.ones_like(y) for name, y in floating.items()})
        yield {**result.outputs, **session.gradients()}


@pytest.mark.parametrize("name", ATEN)
def test_aten(name: str, imported: Results) -> None:
    row, place = ATEN[name], list(ATEN).index(name)
    if row.departs:
        pytest.skip(row.departs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value, gradients = torch_results(row)
    assert_same(imported[f"output.{place}"], value, row)
    for number, gradient in enumerate(gradients):
        found = imported.get(f"p{place}_{number}", np.zeros_like(gradient))
        assert_same(found, gradient, row)
