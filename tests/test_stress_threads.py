"""Threads and shared objects: whatever many do at once comes out as if one had done it after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from raygrad.client.importers.torch import Remote

THREADS = 8
SECONDS = 120.0


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
