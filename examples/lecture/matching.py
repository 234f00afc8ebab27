"""Slide 34: convolutions that differentiate a signal and that find a template in it, wherever it lies."""

from __future__ import annotations

import numpy as np
from convolution import convolve
from places import Place, run

import raygrad as rg


def main(place: Place) -> None:
    """Both results move with the signal."""
    with place.device():
        x = rg.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0])
        differences = convolve(x, rg.tensor([-1.0, 1.0]))
        assert differences.tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
        print(f"differences {differences}")

        template = np.array([-1.0, 2.0, -1.0, 1.0, -1.0])  # of mean 0 but for the spike
        for start in (3, 9):
            signal = np.zeros(20)
            signal[start : start + 5] = template
            scores = convolve(rg.tensor(signal), rg.tensor(template)).numpy()
            assert scores.argmax() == start
            assert scores.max() == template @ template
            print(f"the template at {start} has the best score, {scores.max():g}, there")


if __name__ == "__main__":
    run(main)
