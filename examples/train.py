"""A classifier of two spirals, trained and tested: in this process, or on a server.

python examples/train.py
python examples/train.py --target 127.0.0.1:50051      # after `raygrad serve`
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import raygrad as rg

SIZES = (2, 32, 32, 2)  # of the layers, from points to classes
STEPS, BATCHES, POINTS = 400, 4, 64


def network() -> rg.Graph:
    """Two hidden layers, for any number of points (N, 2) at once."""
    g = rg.Builder()
    h = g.input("x", ("N", SIZES[0]))
    for number, (inputs, outputs) in enumerate(pairwise(SIZES)):
        with g.label(f"layer{number}"):
            h = rg.functions.tanh(h) if number else h
            weight, bias = g.parameter(f"w{number}", (inputs, outputs)), g.parameter(f"b{number}", (outputs,))
            h = rg.functions.linear(h, weight, bias)
    g.output("logits", h)
    g.output("loss", rg.functions.cross_entropy(h, g.input("label", ("N",), "int64")))
    return g.graph()


def initial(rng: np.random.Generator) -> dict[str, Any]:
    """Weights of deviation 1 / √inputs, biases 0."""
    found: dict[str, Any] = {}
    for number, (inputs, outputs) in enumerate(pairwise(SIZES)):
        found[f"w{number}"] = (rng.normal(size=(inputs, outputs)) / math.sqrt(inputs)).astype(np.float32)
        found[f"b{number}"] = np.zeros(outputs, np.float32)
    return found


def spirals(rng: np.random.Generator, points: int) -> dict[str, Any]:
    """Points on two arms, one turn each, with a little noise; the label is the arm."""
    label = rng.integers(0, 2, points)
    radius = rng.uniform(0.2, 2.0, points)
    angle = math.pi * (radius + label)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return {"x": (x + rng.normal(scale=0.05, size=x.shape)).astype(np.float32), "label": label}


def train(session: rg.Session, rng: np.random.Generator) -> Iterator[float]:
    """The loss of each step. The learning rate falls to 0 along half a cosine."""
    optimizer = rg.optimizers.Adam(initial(rng))
    for step in range(STEPS):
        optimizer.rate = 0.01 * (1 + math.cos(math.pi * step / STEPS))
        session.put(optimizer.parameters)
        batches = [spirals(rng, POINTS) for _ in range(BATCHES)]
        results = session.accumulate(batches, progress=False)
        optimizer.step(session.gradients(mean=True))
        yield float(np.mean([result.outputs["loss"] for result in results]))
    session.put(optimizer.parameters)


def main() -> None:
    """Train, then test on points that were not seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--target", metavar="HOST:PORT", help="a server; without, this process does the work")
    target = parser.parse_args().target
    rng = np.random.default_rng(0)
    with rg.connect(target, network()) if target else rg.local(network()) as session:
        for number, loss in enumerate(train(session, rng)):
            if number % 50 == 49:
                print(f"step {number + 1}  loss {loss:.4f}")
        test = spirals(rng, 2000)
        logits: Any = session.forward(test).outputs["logits"]
    print(f"test accuracy {np.mean(logits.argmax(axis=1) == test['label']):.1%}")


if __name__ == "__main__":
    main()
