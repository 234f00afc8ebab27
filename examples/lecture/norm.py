"""Slides 15 and 16: x = (1, 2, 2) has the norm 3, whose gradient is x / 3."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg


def main(place: Place) -> None:
    """Once returned, and once accumulated in the leaf."""
    with place.device():
        x = rg.tensor([1.0, 2.0, 2.0], requires_grad=True)
        length = rg.functions.norm(x)
        (returned,) = rg.grad(length, x)
        assert x.grad is None
        length.backward()

        assert length.item() == 3
        for gradient in (returned, x.grad):
            assert np.allclose(gradient, [1 / 3, 2 / 3, 2 / 3])
        print(f"‖x‖ = {length:g}, gradient {x.grad}")


if __name__ == "__main__":
    run(main)
