"""`==` and `!=` compare elements, like `<`; values stay dictionary keys by identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import raygrad as rg
from raygrad.proto.errors import DifferentiationError, TensorShapeError, TypeMismatchError
from raygrad.proto.value import Value


def test_tensors_compare_elements() -> None:
    x = rg.tensor([0.0, 2.0])
    assert (x == 0).tolist() == [True, False]  # type: ignore[comparison-overlap]
    assert (x != 0).tolist() == [False, True]
    assert (np.array([0.0, 2.0]) == x).tolist() == [True, True]
    assert (x == [0.0, 1.0]).tolist() == [True, False]  # type: ignore[comparison-overlap]
    assert (x == rg.tensor([[0.0], [2.0]])).tolist() == [[True, False], [False, True]]
    assert "taken" if rg.tensor(0.0) == 0 else ""
    with pytest.raises(TensorShapeError):
        bool(x == x)
    with pytest.raises(TypeMismatchError, match="do not broadcast"):
        x == rg.tensor([1.0, 2.0, 3.0])  # noqa: B015


def test_what_is_no_operand_is_not_equal_as_a_whole() -> None:
    x = rg.tensor([0.0, 2.0])
    assert (x == None) is False  # noqa: E711
    assert (x != "a") is True


def test_values_of_a_graph_compare_elements_and_have_no_truth() -> None:
    g = rg.Builder()
    x, y = g.input("x", (2,)), g.input("y", (2,))
    g.output("equal", x == y)  # type: ignore[arg-type]
    g.output("zero", x != 0)  # type: ignore[arg-type]
    feeds = {"x": [0.0, 2.0], "y": [0.0, 3.0]}
    with rg.local(g.graph()) as session:
        found = session.forward(feeds).outputs
    assert found["equal"].tolist() == [True, False]
    assert found["zero"].tolist() == [False, True]
    asks: list[Callable[[], Any]] = [lambda: bool(x == y), lambda: x in [y], lambda: [y, x].index(x)]
    for ask in asks:
        with pytest.raises(TypeMismatchError, match="no truth value"):
            ask()


def test_values_are_keys_by_identity() -> None:
    x, y = rg.tensor([1.0]), rg.tensor([1.0])
    assert {x: "x", y: "y"}[y] == "y"
    assert x in [x]
    assert isinstance(x, Value)
    assert {x} == {x}


ARRAYS: dict[str, Callable[[rg.Tensor, rg.Tensor], Any]] = {
    "concatenate": lambda x, c: np.concatenate([c, x]),
    "stack": lambda x, c: np.stack([x, c]),
    "where": lambda x, c: np.where([True, False], x, c),
    "dot": lambda x, c: np.dot(c, x),
    "array": lambda x, c: np.array([x, x]),
    "asarray": lambda x, c: np.asarray(x * 2),
    "full": lambda x, c: np.full(2, x[0]),
    "a tensor of tensors": lambda x, c: rg.tensor([x[0], x[1]]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_tensors_that_require_gradients_are_refused(name: str) -> None:
    x, c = rg.tensor([1.0, 2.0], requires_grad=True), rg.tensor([1.0, 2.0])
    with pytest.raises(DifferentiationError, match="has no history"):
        ARRAYS[name](x, c)
    ARRAYS[name](c, c)
    ARRAYS[name](x.detach(), c)


def test_elements_are_still_to_be_had() -> None:
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    assert x.numpy().tolist() == x.tolist() == [1.0, 2.0]
    assert x[0].item() == float(x[0]) == 1.0
