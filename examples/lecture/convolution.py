"""Slide 33: (1, 2, 3, 4) ⊛ (3, 2) = (7, 12, 17), dot products of neighbours with the kernel."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg


def convolve(x: rg.Tensor, u: rg.Tensor) -> rg.Tensor:
    """x (W,) ⊛ u (w,), of size W − w + 1."""
    return rg.functions.conv(x.reshape((1, 1, -1)), u.reshape((1, 1, -1))).reshape((-1,))


def main(place: Place) -> None:
    """The slide's numbers, and its definition on random ones."""
    with place.device():
        found = convolve(rg.tensor([1.0, 2.0, 3.0, 4.0]), rg.tensor([3.0, 2.0]))
        assert found.tolist() == [7, 12, 17]
        print(f"(1, 2, 3, 4) ⊛ (3, 2) = {found}")

        rng = np.random.default_rng(0)
        x, u = rng.normal(size=10), rng.normal(size=4)
        found = convolve(rg.tensor(x), rg.tensor(u))
        assert found.shape == (10 - 4 + 1,)
        assert np.allclose(found, [x[i : i + 4] @ u for i in range(7)])


if __name__ == "__main__":
    run(main)
