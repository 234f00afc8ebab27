"""Threads and shared objects: whatever many do at once comes out as if one had done it after the other."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import raygrad as rg
from raygrad.client.importers.torch import Remote

THREADS = 8
SECONDS = 120.0


@pytest.fixture(autouse=True)
def hurry() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(work: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """What each of so many threads returns that start together; the first error of one of them is raised."""
    barrier, results = threading.Barrier(threads), [None] * threads
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(SECONDS)
            results[number] = work(number)
        except BaseException as exc:
            errors.append(exc)

    running = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


def test_a_remote_is_used_first_by_many_threads() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    before = [p.detach().clone() for p in module.parameters()]
    x = torch.randn(4, 3)
    wanted = torch.autograd.grad(module(x).sum(), list(module.parameters()))

    with Remote(module) as remote:
        found = at_once(lambda _: torch.autograd.grad(remote(x).sum(), list(module.parameters())))
    for gradients in found:
        torch.testing.assert_close(gradients, wanted)
    assert all(type(p) is nn.Parameter for p in module.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_many_remotes_are_captured_at_once() -> None:
    module, x = nn.Linear(3, 2), torch.randn(4, 3)
    remotes = [Remote(module) for _ in range(THREADS)]
    for found in at_once(lambda number: remotes[number](x)):
        torch.testing.assert_close(found, module(x))
    for remote in remotes:
        remote.close()


# -- sessions ---------------------------------------------------------------------------------


def regression() -> rg.Graph:
    g = rg.Builder()
    x, y = g.input("x", ("N", 3)), g.input("y", ("N", 2))
    w = g.parameter("w", (3, 2))
    g.output("loss", ((x @ w).tanh() - y).square().sum())
    return g.graph()


def mini_batch(index: int) -> dict[str, Any]:
    """Data of a size that depends on the index, so that threads plan at the same time."""
    draw, count = np.random.default_rng(index), 1 + index % 5
    return {
        "x": draw.normal(size=(count, 3)).astype("float32"),
        "y": draw.normal(size=(count, 2)).astype("float32"),
    }


W = np.linspace(-1.0, 1.0, 6, dtype=np.float32).reshape(3, 2)
COUNT = 40


def gradients_of(session: rg.Session, work: Callable[[int], Any]) -> Any:
    session.put({"w": W})
    at_once(work)
    return session.gradients(expect=COUNT)["w"].tobytes()


def reference() -> Any:
    with rg.local(regression()) as session:
        session.put({"w": W})
        for index in range(COUNT):
            session.accumulate([rg.MiniBatch(mini_batch(index), index)], progress=False)
        return session.gradients(expect=COUNT)["w"].tobytes()


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_share_a_session_in_this_process(workers: int) -> None:
    with rg.local(regression(), workers=workers) as session:

        def accumulate(number: int) -> None:
            for index in range(number, COUNT, THREADS):
                session.accumulate([rg.MiniBatch(mini_batch(index), index)], progress=False)

        def by_lease(number: int) -> None:
            for index in range(number, COUNT, THREADS):
                lease = session.forward(mini_batch(index), keep=True, index=index).lease
                session.forward(mini_batch(index + 1))
                session.backward(lease)

        wanted = reference()
        for _ in range(2):
            assert gradients_of(session, accumulate) == wanted
            assert gradients_of(session, by_lease) == wanted


def test_threads_open_and_close_sessions() -> None:
    graph, wanted = regression(), reference()

    def whole(number: int) -> Any:
        with rg.local(graph) as session:
            session.put({"w": W})
            session.accumulate(
                (rg.MiniBatch(mini_batch(index), index) for index in range(COUNT)), progress=False
            )
            return session.gradients(expect=COUNT)["w"].tobytes()

    assert at_once(whole) == [wanted] * THREADS


# -- define by run ----------------------------------------------------------------------------


def test_backward_passes_add_into_one_leaf() -> None:
    leaf = rg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    rounds = 25

    def backward(number: int) -> None:
        for _ in range(rounds):
            (leaf * float(number)).sum().backward()

    at_once(backward)
    assert leaf.grad is not None
    assert leaf.grad.tolist() == [rounds * sum(range(THREADS))] * 3


def test_threads_record_and_evaluate_on_one_device() -> None:
    shared = rg.tensor([1.0, 2.0], requires_grad=True)
    base = shared * 2.0

    def compute(number: int) -> list[float]:
        found = base
        for step in range(20):
            found = (found + float(number)).tanh() * 3.0
            if step % 7 == number % 7:
                found.tolist()
        (gradient,) = rg.grad(found.sum(), shared)
        assert gradient is not None
        return [*found.tolist(), *gradient.tolist()]

    assert at_once(compute) == [compute(number) for number in range(THREADS)]


def test_threads_evaluate_the_same_tensor() -> None:
    for _ in range(20):
        y = (rg.tensor([1.0, 2.0]) * 3.0).exp().sum()
        assert len(set(at_once(lambda _, y=y: y.item()))) == 1  # type: ignore[misc]
