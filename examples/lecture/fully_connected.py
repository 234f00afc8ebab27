"""Slide 30: a fully connected layer between 256×256 RGB images is too large, a convolution is not."""

from __future__ import annotations

import numpy as np
from places import Place, run

import raygrad as rg

SIDE = 256


def main(place: Place) -> None:
    """The layer's (256·256·3)² parameters, about 150 GB, are refused before anything is allocated."""
    pixels = SIDE * SIDE * 3
    g = rg.Builder()
    image = g.input("image", ("N", pixels))
    g.output("y", image @ g.parameter("weight", (pixels, pixels)))
    refused = ""
    try:
        place.session(g)
    except rg.errors.LimitError as error:
        refused = str(error)
    assert "3.87e10 parameters" in refused
    assert "155 GB" in refused
    print("refused:", refused)

    g = rg.Builder()
    image = g.input("image", ("N", 3, SIDE, SIDE))
    h = rg.functions.conv(image, g.parameter("weight", (3, 3, 3, 3)), padding="same")
    g.output("y", h + g.parameter("bias", (3, 1, 1)))
    with place.session(g) as session:
        session.put({"weight": np.ones((3, 3, 3, 3), np.float32), "bias": np.zeros((3, 1, 1), np.float32)})
        y = session.forward({"image": np.ones((1, 3, SIDE, SIDE), np.float32)}).outputs["y"]
    assert y.shape == (1, 3, SIDE, SIDE)
    assert y[0, 0, 1, 1] == 27  # in the middle of ones, kernels of ones count their elements
    print("runs: a convolution to an image of the same size, with 84 parameters")


if __name__ == "__main__":
    run(main)
