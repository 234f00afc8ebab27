"""Slides 40 and 41: pooling in 1-D with a kernel of 2 keeps the largest, or the mean, of cells of two."""

from __future__ import annotations

from places import Place, run

import raygrad as rg


def main(place: Place) -> None:
    """The signal's structure stays at half its size; the gradient goes to the largest, or to both."""
    with place.device():
        x = rg.tensor([1.0, 3.0, 2.0, 3.0, 0.0, -1.0, 6.0, 4.0], requires_grad=True)
        signal = x.reshape((1, 1, -1))
        largest, mean = rg.functions.max_pool(signal, 2), rg.functions.avg_pool(signal, 2)
        assert largest.tolist() == [[[3, 3, 0, 6]]]
        assert mean.tolist() == [[[2, 2.5, -0.5, 5]]]
        assert rg.grad(largest.sum(), x)[0].tolist() == [0, 1, 0, 1, 1, 0, 1, 0]
        assert rg.grad(mean.sum(), x)[0].tolist() == [0.5] * 8
        print(f"largest {largest.tolist()[0][0]}, mean {mean.tolist()[0][0]}")


if __name__ == "__main__":
    run(main)
