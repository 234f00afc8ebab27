"""Small work beside PyTorch: define by run, a session in this process, and a module through `Remote`.

CPU seconds of this process, one thread, in turns. Where the structure of the work is new each time (random
trees of operators) nothing that was prepared helps.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import harness
import numpy as np
import torch
import torch.nn.functional as tf
from torch import nn

import raygrad as rg

f = rg.functions
CHAINS = (30, 300)
TREE = 100
RATE = 0.05
WARM = 3

_DRAW = np.random.default_rng(0)
X = _DRAW.normal(size=(64, 10)).astype(np.float32)
Y = np.sin(X.sum(1, keepdims=True)).astype(np.float32)
START = [(_DRAW.normal(size=s) * 0.3).astype(np.float32) for s in ((10, 32), (32,), (32, 1))]


def chain(x: Any, tanh: Callable[[Any], Any], count: int) -> Any:
    """`count` operators one after the other, three at a time."""
    for _ in range(count // 3):
        x = tanh(x * 1.01 + 0.1)
    return x.numpy()


Tree = list[tuple[int, int, int]]
"""Of each operator its kind and two operands."""


def random_tree(seed: int) -> Tree:
    """A tree that no other seed has."""
    draw = np.random.default_rng(seed)
    return [
        (int(draw.integers(3)), int(draw.integers(place + 1)), int(draw.integers(place + 1)))
        for place in range(TREE)
    ]


def tree(x: Any, tanh: Callable[[Any], Any], nodes: Tree) -> Any:
    """What a tree computes."""
    values = [x]
    for kind, first, second in nodes:
        a, b = values[first], values[second]
        values.append(a + b if kind == 0 else a * b if kind == 1 else tanh(a))
    total = values[-1]
    for value in values[-8:-1]:
        total = total + value
    return total.numpy()


def eager_step(parameters: list[torch.Tensor]) -> Callable[[], float]:
    """A step of a small MLP in PyTorch."""

    def step() -> float:
        u, v, w = parameters
        loss = tf.mse_loss(torch.tanh(torch.tensor(X) @ u + v) @ w, torch.tensor(Y))
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for parameter in parameters:
                assert parameter.grad is not None
                parameter -= RATE * parameter.grad
                parameter.grad = None
        return loss.item()

    return step


def recorded_step(parameters: list[rg.Tensor]) -> Callable[[], float]:
    """The same step define by run."""

    def step() -> float:
        u, v, w = parameters
        loss = f.mse_loss(f.tanh(rg.tensor(X) @ u + v) @ w, rg.tensor(Y))
        loss.backward()
        for parameter in parameters:
            assert parameter.grad is not None
            parameter.data = parameter.data - RATE * parameter.grad
            parameter.zero_grad()
        return float(loss.item())

    return step


def session_step(session: rg.Session) -> Callable[[], object]:
    """The same step by a session in this process."""
    optimizer = rg.optimizers.SGD(dict(zip("uvw", (a.copy() for a in START), strict=True)), rate=RATE)

    def step() -> None:
        session.put(optimizer.parameters)
        session.accumulate([{"x": X, "y": Y}], progress=False)
        optimizer.step(session.gradients())

    return step


def graph() -> rg.Graph:
    """The MLP."""
    g = rg.Builder()
    x, y = g.input("x", ("N", 10)), g.input("y", ("N", 1))
    u, v, w = (g.parameter(name, a.shape) for name, a in zip("uvw", START, strict=True))
    g.output("loss", f.mse_loss(f.tanh(x @ u + v) @ w, y))
    return g.graph()


def module_step(module: nn.Module, forward: nn.Module) -> Callable[[], object]:
    """A step of a module with PyTorch's optimizer."""
    optimizer = torch.optim.SGD(module.parameters(), RATE)
    x, y = torch.tensor(X), torch.tensor(Y)

    def step() -> None:
        optimizer.zero_grad()
        tf.mse_loss(forward(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))


def trees(make: Callable[[], Any], tanh: Callable[[Any], Any], count: int) -> Callable[[], object]:
    """Each call another tree."""
    drawn = iter([random_tree(seed) for seed in range(count)])
    return lambda: tree(make(), tanh, next(drawn))


def ratio(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> float:
    """CPU seconds of ours by theirs: medians of calls in turns."""
    spent: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(rounds + WARM):
        for name, call in (("ours", ours), ("theirs", theirs)):
            before = time.process_time()
            call()
            if number >= WARM:
                spent[name].append(time.process_time() - before)
    return statistics.median(spent["ours"]) / statistics.median(spent["theirs"])


def pairs(
    session: rg.Session, remote: nn.Module, module: nn.Module, rounds: int
) -> Mapping[str, tuple[Any, Any]]:
    """What is compared: ours, and PyTorch's."""
    ones, small = np.ones((4, 4), np.float32), np.full((4, 4), 0.1, np.float32)
    plain = mlp()
    eager = eager_step([torch.tensor(a, requires_grad=True) for a in START])
    found: dict[str, tuple[Any, Any]] = {}
    for count in CHAINS:
        found[f"define_by_run.{count}_operators"] = (
            lambda count=count: chain(rg.tensor(ones), f.tanh, count),
            lambda count=count: chain(torch.tensor(ones), torch.tanh, count),
        )
    found["define_by_run.mlp_step"] = recorded_step([rg.tensor(a, requires_grad=True) for a in START]), eager
    found["define_by_run.random_trees"] = (
        trees(lambda: rg.tensor(small), f.tanh, rounds + WARM),
        trees(lambda: torch.tensor(small), torch.tanh, rounds + WARM),
    )
    found["session.mlp_step"] = session_step(session), eager
    found["remote.mlp_step"] = module_step(module, remote), module_step(plain, plain)
    return found


def main() -> None:
    """Run, print, and write the figures if asked to."""
    options = harness.parser(__doc__, rounds=60).parse_args()
    torch.set_num_threads(1)
    module = mlp()
    with rg.local(graph()) as session, rg.torch.Remote(module) as remote:
        figures = {
            f"small_work.{name}.ratio_to_torch": ratio(ours, theirs, options.rounds)
            for name, (ours, theirs) in pairs(session, remote, module, options.rounds).items()
        }
    harness.report(figures, options.json)


if __name__ == "__main__":
    main()
