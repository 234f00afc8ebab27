"""Graphs whose outputs ask for little: none at all, parameters, inputs, constants, one value twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import raygrad as rg
from tests.serving import Running, running

ONES = np.ones(2, np.float32)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(params=["in process", "two workers", "server"])
def opened(request: pytest.FixtureRequest) -> Callable[[rg.Graph], rg.Session]:
    def open_(graph: rg.Graph) -> rg.Session:
        if request.param == "server":
            return rg.connect(request.getfixturevalue("server").address, graph)
        return rg.local(graph, backend="numpy", workers=1 + (request.param == "two workers"))

    return open_


def test_a_graph_without_outputs_has_none(opened: Callable[[rg.Graph], rg.Session]) -> None:
    g = rg.Builder()
    rg.functions.tanh(g.input("x", (2,)) * g.parameter("w", (2,)))
    with opened(g.graph()) as session:
        session.put({"w": ONES})
        assert session.forward({"x": ONES}).outputs == {}
        lease = session.forward({"x": ONES}, keep=True).lease
        with pytest.raises(rg.errors.MissingTensorError):
            session.backward(lease)
        session.release(lease)
        with pytest.raises(rg.errors.MissingTensorError):
            session.accumulate([{"x": ONES}], progress=False)


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("kind", ["parameter", "input", "computed"])
@pytest.mark.parametrize("beside", [True, False], ids=["beside a loss", "alone"])
def test_a_value_may_have_several_names(
    opened: Callable[[rg.Graph], rg.Session], names: tuple[str, ...], kind: str, beside: bool
) -> None:
    g = rg.Builder()
    x, p, q = g.input("x", (2,)), g.parameter("p", (2,)), g.parameter("q", (2,))
    for name in names:
        g.output(name, {"parameter": p, "input": x, "computed": p * x}[kind])
    if beside:
        g.output("loss", (q * q).sum())
    with opened(g.graph()) as session:
        session.put({"p": ONES, "q": ONES})
        result = session.forward({"x": ONES}, keep=True)
        for outputs in (session.forward({"x": ONES}).outputs, result.outputs):
            assert all(outputs[name].tolist() == [1.0, 1.0] for name in names)
        wanted = [] if kind == "parameter" else ["x"]
        by_input = session.backward(result.lease, dict.fromkeys(names, ONES), wanted)
        count = float(len(names))
        assert all(found.tolist() == [count] * 2 for found in by_input.values())
        by_p = 0.0 if kind == "input" else count
        if beside:
            session.accumulate([{"x": ONES}], progress=False)
        found = session.gradients()
        assert found["p"].tolist() == [by_p] * 2
        assert found["q"].tolist() == [2.0 * beside] * 2


def test_a_loss_that_depends_on_nothing(opened: Callable[[rg.Graph], rg.Session]) -> None:
    g = rg.Builder()
    g.parameter("p", (2,))
    g.output("loss", g.constant(np.float32(3)))
    with opened(g.graph()) as session:
        session.put({"p": ONES})
        (result,) = session.accumulate([{}], progress=False)
        assert result.outputs["loss"] == 3
        assert session.gradients()["p"].tolist() == [0.0, 0.0]
