"""Slide 37: a 3-D convolution over frames of a video, whose first axis is time, finds what moves."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg

FRAMES, SIDE = 8, 9


def main(place: Place) -> None:
    """A kernel of 2×3×3 takes a blurred frame from the next one."""
    still = np.zeros((FRAMES, SIDE, SIDE), np.float32)
    still[:, 4, 4] = 1
    moving = np.stack([np.roll(frame, t // 2, axis=1) for t, frame in enumerate(still)])  # every other frame
    kernel = np.stack([np.full((3, 3), -1 / 9), np.full((3, 3), 1 / 9)]).astype(np.float32)
    with place.device():
        videos = rg.tensor(np.stack([still, moving])[:, None])  # (2 videos, 1 channel, time, rows, columns)
        y = rg.functions.conv(videos, rg.tensor(kernel[None, None]))[:, 0]
        assert y.shape == (2, FRAMES - 2 + 1, SIDE - 3 + 1, SIDE - 3 + 1)
        moved = abs(y).max((2, 3)) > 0
        assert not moved[0].numpy().any()
        assert moved[1].tolist() == [t % 2 == 1 for t in range(FRAMES - 1)]
        print(f"something moves at the steps {np.flatnonzero(moved[1])}")


if __name__ == "__main__":
    run(main)
