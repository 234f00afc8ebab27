"""Slide 28: a siamese network. Both branches have the same weights; each runs on a worker of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from places import Place, run

import raygrad as rg

F = rg.functions


def embed(x: Any, w: Any, v: Any) -> Any:
    """The sub-network that is there twice."""
    return F.tanh(x @ w) @ v


def network(weights: tuple[str, str]) -> rg.Graph:
    """The mean squared distance of two embeddings. Each branch takes its weights by these names."""
    g = rg.Builder()
    shapes = {"w": (8, 16), "v": (16, 4)}
    layers = {
        name: [g.parameter(f"{layer}{name}", shape) for layer, shape in shapes.items()]
        for name in dict.fromkeys(weights)
    }
    branches = []
    for side, name in zip(("left", "right"), weights, strict=True):
        with g.label(side):
            branches.append(embed(g.input(side, ("N", 8)), *layers[name]))
    g.output("loss", (branches[0] - branches[1]).square().mean())
    return g.graph()


def gradients(place: Place, graph: rg.Graph, put: dict[str, Any], pair: dict[str, Any]) -> rg.Gradients:
    """The left branch on stage 0, the right one and the distance on stage 1."""
    placement = {n.id: 0 if n.label == "left" else 1 for n in graph if not n.operator.source}
    with place.session(graph, placement=placement) as session:
        session.put(put)
        session.accumulate([pair], progress=False)
        assert len(session.plan().workers) == 2
        return session.gradients()


def main(place: Place) -> None:
    """The gradient of shared weights is the sum of those that each branch would have for its own."""
    rng = np.random.default_rng(0)
    pair = {side: rng.normal(size=(6, 8)).astype(np.float32) for side in ("left", "right")}
    w, v = rng.normal(size=(8, 16)).astype(np.float32), rng.normal(size=(16, 4)).astype(np.float32)

    shared = gradients(place, network(("", "")), {"w": w, "v": v}, pair)
    own = gradients(place, network(("1", "2")), {"w1": w, "v1": v, "w2": w, "v2": v}, pair)
    for name in ("w", "v"):
        assert np.allclose(shared[name], own[f"{name}1"] + own[f"{name}2"], rtol=1e-5, atol=1e-6)
    print("the branches ran on two workers, and their gradients add up in the weights that they share")


if __name__ == "__main__":
    run(main)
