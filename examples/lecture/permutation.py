"""Slide 42: pooling is invariant to any permutation inside a cell, and nearly so to small translations."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from places import Place, run

import raygrad as rg


def pooled(x: np.ndarray) -> list[np.ndarray]:
    """The largest and the mean of cells of three."""
    signal = rg.tensor(x.reshape(1, 1, -1))
    return [pool(signal, 3).numpy() for pool in (rg.functions.max_pool, rg.functions.avg_pool)]


def main(place: Place) -> None:
    """Whole numbers, so that the mean too is exact in any order."""
    x = np.random.default_rng(0).permutation(12).astype(np.float32)
    cells = x.reshape(4, 3)
    with place.device():
        expected = pooled(x)
        for order in permutations(range(3)):
            assert all(map(np.array_equal, pooled(cells[:, order]), expected))
        assert not np.array_equal(pooled(cells.T)[0], expected[0])  # from one cell to another
        print("all orders inside the cells give", expected[0].ravel(), "and", expected[1].ravel())

        spike = np.zeros(12, np.float32)
        spike[3] = 1
        moved = [pooled(np.roll(spike, by))[0] for by in (0, 1, 2)]
        assert all(np.array_equal(m, moved[0]) for m in moved)  # it stays in its cell


if __name__ == "__main__":
    run(main)
