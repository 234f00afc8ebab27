"""Slide 10: the network of three nodes as a static graph of 5×5 matrices, which is sent once."""

from __future__ import annotations

import numpy as np
from places import Place, run
from three_nodes import by_jacobians, drawn, network

import raygrad as rg


def main(place: Place) -> None:
    """The gradients are those of the slides' formulas."""
    g = rg.Builder()
    w1, w2 = g.parameter("w1", (5, 5), "float64"), g.parameter("w2", (5, 5), "float64")
    g.output("q", network(w1, w2, g.input("x", (5, 5), "float64")))

    given = dict(zip(("w1", "w2", "x"), drawn((5, 5), (5, 5), (5, 5)), strict=True))
    with place.session(g, loss="q") as session:
        session.put({"w1": given["w1"], "w2": given["w2"]})
        forward = session.forward({"x": given["x"]}, keep=True)
        by_input = session.backward(forward.lease, input_gradients=["x"])
        found = {**session.gradients(), **by_input, **forward.outputs}

    for name, expected in by_jacobians(**given).items():
        assert np.allclose(np.ravel(found[name]), np.ravel(expected), rtol=1e-12), name
    print(f"q = {found['q']:.4f}, and its gradients by w1, w2 and x are those of the Jacobian products")


if __name__ == "__main__":
    run(main)
