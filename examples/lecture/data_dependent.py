"""Slide 24: what is differentiated is what was computed; the data decides what that is.

A layer x → w·x is repeated until the signal is long enough, and a bias is added where it begins negative.
"""

from __future__ import annotations

from typing import Any

from places import Place, run

import raygrad as rg


def network(x: Any, w: Any, bias: Any) -> tuple[Any, int]:
    """The length of the signal in the end, and how many layers that took."""
    h = x + bias if x[0] < 0 else x
    layers = 0
    while rg.functions.norm(h) < 100:
        h = w * h
        layers += 1
    return rg.functions.norm(h), layers


def main(place: Place) -> None:
    """q = wᵏ‖x‖ has the derivative k·wᵏ⁻¹‖x‖ by w, with a k of its own for every x."""
    with place.device():
        for x, expected in (([3.0, 4.0], 5), ([0.375, 0.5], 8)):
            w, bias = rg.tensor(2.0, requires_grad=True), rg.tensor([0.0, 1.0], requires_grad=True)
            q, layers = network(rg.tensor(x), w, bias)
            slope, unused = rg.grad(q, [w, bias], allow_unused=True)
            length = rg.functions.norm(rg.tensor(x)).item()
            assert layers == expected
            assert q.item() == 2**layers * length
            assert slope.item() == layers * 2 ** (layers - 1) * length
            assert unused is None  # the bias is no part of this graph
            print(f"x = {x}: {layers} layers, q = {q:g}, dq/dw = {slope:g}")

        q, _ = network(rg.tensor([-3.0, 3.0]), w, bias)
        assert all(gradient is not None for gradient in rg.grad(q, [w, bias]))


if __name__ == "__main__":
    run(main)
