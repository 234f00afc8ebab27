"""Slide 17: the network of three nodes on a vector of 5, recorded while it is computed."""

from __future__ import annotations

import numpy as np
from places import Place, run
from three_nodes import by_jacobians, drawn, network

import raygrad as rg


def main(place: Place) -> None:
    """The gradients are those of the slides' formulas."""
    given = drawn((5, 5), (5, 5), (5,))
    with place.device():
        w1, w2, x = (rg.tensor(array, requires_grad=True) for array in given)
        q = network(w1, w2, x)
        q.backward()

    expected = by_jacobians(*given)
    assert np.isclose(q.item(), expected["q"], rtol=1e-12)
    for name, leaf in {"w1": w1, "w2": w2, "x": x}.items():
        assert np.allclose(leaf.grad.numpy(), expected[name], rtol=1e-12), name
    print(f"q = {q:.4f}, and the gradients that it left in w1, w2 and x are those of the Jacobian products")


if __name__ == "__main__":
    run(main)
