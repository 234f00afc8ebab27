"""Slides 22 and 23: backward passes add up in `grad`, to the gradient of the sum."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg


def main(place: Place) -> None:
    """‖x‖, then x·(−10, 10), at x = (3, 4); then both at once."""
    with place.device():
        direction = rg.tensor([-10.0, 10.0])
        x = rg.tensor([3.0, 4.0], requires_grad=True)
        rg.functions.norm(x).backward()
        assert np.allclose(x.grad, [0.6, 0.8])
        rg.functions.dot(x, direction).backward()
        one_by_one = x.grad

        x.zero_grad()
        (rg.functions.norm(x) + rg.functions.dot(x, direction)).backward()
        for gradient in (one_by_one, x.grad):
            assert np.allclose(gradient, [-9.4, 10.8])
        print(f"one by one {one_by_one}, at once {x.grad}")


if __name__ == "__main__":
    run(main)
