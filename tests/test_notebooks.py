"""What a prompt or a notebook shows of builders, sessions and devices, and of mini-batches on their way."""

from __future__ import annotations

import asyncio
import sys
import types
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import raygrad as rg


def graph() -> rg.Builder:
    g = rg.Builder()
    x, w = g.input("x", ("N", 4)), g.parameter("w", (4, 1))
    g.output("loss", (x @ w).square().sum())
    return g


def test_a_builder_says_what_it_has_written() -> None:
    assert repr(rg.Builder()) == "<Builder: 0 nodes, 0 parameters>"
    assert repr(graph()).startswith("<Builder: ")
    assert "inputs 'x', outputs 'loss'" in repr(graph())
    assert repr(rg.tensor(1.0).builder) == "<Tape of <Device in this process>>"


def texts(svg: str | None) -> str:
    assert svg is not None
    return " ".join(element.text or "" for element in ElementTree.fromstring(svg).iter())


def test_a_builder_is_drawn_before_it_has_outputs() -> None:
    g = rg.Builder()
    g.input("x", ("N", 4)).square()
    assert "float32[N,4]" in texts(g._repr_svg_())
    assert texts(graph()._repr_svg_()) == texts(graph().graph().svg())
    assert rg.Builder()._repr_svg_()


def test_a_session_shows_its_graph() -> None:
    with rg.local(graph()) as session:
        assert "1 parameter, inputs 'x', outputs 'loss'" in repr(session)
        assert session._repr_svg_() == session.graph.svg()
    assert "closed" in repr(session)


def test_a_session_that_awaits_does_too() -> None:
    async def shown() -> tuple[str, str]:
        async with await rg.aio.local(graph()) as session:
            return repr(session), session._repr_svg_()

    text, svg = asyncio.run(shown())
    assert "outputs 'loss'" in text
    assert svg == graph().graph().svg()


def test_a_device_says_where_it_is_and_what_it_keeps() -> None:
    device = rg.Device(seed=3)
    assert str(device) == "<Device in this process>"
    assert repr(device) == "<Device in this process: 0 of its sessions open, seed=3>"
    assert repr(rg.Device("host:1")) == "<Device host:1: 0 of its sessions open>"
    with device:
        (rg.tensor([1.0, 2.0]) * 2).numpy()
    assert "1 of its sessions open" in repr(device)
    rows = ElementTree.fromstring(device._repr_html_())
    assert "Session" in "".join(rows.itertext())
    device.close()


class Kernel:
    """What a notebook's kernel has of IPython."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.kernel = object()

    def display(self, thing: Any, display_id: bool) -> Kernel:
        assert display_id
        self.update(thing)
        return self

    def update(self, thing: Any) -> None:
        self.shown.append(thing._repr_html_())


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    ipython.get_ipython = lambda: found  # type: ignore[attr-defined]
    display.display = found.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return found


BATCHES = [{"x": np.ones((2, 4), np.float32)}] * 3


def test_a_bar_shows_in_a_notebook(kernel: Kernel) -> None:
    with rg.local(graph()) as session:
        session.put({"w": np.ones((4, 1))})
        session.accumulate(BATCHES)
        assert '<progress value="0" max="3">' in kernel.shown[0]
        assert '<progress value="3" max="3">' in kernel.shown[-1]
        assert "mini-batches 3/3" in kernel.shown[-1]
        session.accumulate(iter(BATCHES))
        assert "<progress" not in kernel.shown[-1]
        before = len(kernel.shown)
        session.accumulate(BATCHES, progress=False)
        assert len(kernel.shown) == before


def test_a_bar_shows_in_a_notebook_that_awaits(kernel: Kernel) -> None:
    async def run() -> None:
        async with await rg.aio.local(graph()) as session:
            await session.put({"w": np.ones((4, 1))})
            await session.accumulate(BATCHES)

    asyncio.run(run())
    assert "mini-batches 3/3" in kernel.shown[-1]


def test_no_bar_shows_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    with rg.local(graph()) as session:
        session.put({"w": np.ones((4, 1))})
        session.accumulate(BATCHES)
    assert capfd.readouterr().err == ""
