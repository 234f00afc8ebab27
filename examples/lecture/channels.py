"""Slide 35: a C×H×W input and D kernels of size C×h×w give a D×(H − h + 1)×(W − w + 1) output."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg

C, H, W = 3, 12, 10
D, h, w = 5, 4, 3


def main(place: Place) -> None:
    """A kernel moves over rows and columns, and takes in all channels at each place."""
    rng = np.random.default_rng(0)
    x, kernels = rng.normal(size=(C, H, W)), rng.normal(size=(D, C, h, w))
    with place.device():
        y = rg.functions.conv(rg.tensor(x)[None], rg.tensor(kernels))[0]
        assert y.shape == (D, H - h + 1, W - w + 1)
        patches = np.lib.stride_tricks.sliding_window_view(x, (C, h, w))[0]  # (rows, columns, C, h, w)
        assert np.allclose(y, np.einsum("ijchw,dchw->dij", patches, kernels))
        print(f"{C}×{H}×{W} with {D} kernels of {C}×{h}×{w} gives {'×'.join(map(str, y.shape))}")


if __name__ == "__main__":
    run(main)
