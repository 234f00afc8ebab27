"""Slide 25: a gradient is a tensor, so a function of it has a gradient too, at x = (1, 2, 3)."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg


def main(place: Place) -> None:
    """s1 = Σx² has the gradient g = 2x; s2 = exp(g₁) − exp(g₃) has (2·exp(g₁), 0, −2·exp(g₃))."""
    with place.device():
        x = rg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        s1 = (x**2).sum()
        (g1,) = rg.grad(s1, x, create_graph=True)
        s2 = rg.functions.exp(g1[0]) - rg.functions.exp(g1[2])
        (g2,) = rg.grad(s2, x)

        rg.evaluate(g1, g2)
        assert g1.tolist() == [2, 4, 6]
        assert np.allclose(g2, [14.7781, 0, -806.8576], atol=1e-4)
        print(f"first {g1}, second {g2}")


if __name__ == "__main__":
    run(main)
