"""``python -m raygrad.client.demo``: train on a server that runs; exit status 0 if the network has learnt."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from raygrad.proto.errors import RaygradError

from ..connect import connect
from ..networks import lenet
from ..optimizers import Adam
from . import digits
from .terminal import Terminal
from .training import Recipe, accuracy, train

LEARNT = 0.97
"""The test accuracy that the demo promises."""


def main() -> int:
    """Run the demo; the exit status: 1 if the network has not learnt, 2 for an error, 130 for Ctrl-C."""
    try:
        return demonstrate(_options())
    except RaygradError as exc:
        sys.stderr.write(f"raygrad: {exc}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("raygrad: stopped\n")
        return 130


def demonstrate(options: argparse.Namespace) -> int:
    """Train and test a LeNet on the server; 0 if it has learnt, else 1."""
    terminal, recipe = Terminal(), Recipe(epochs=options.epochs)
    training, test = digits.load()
    network = lenet(seed=options.seed)
    optimizer = Adam(network.parameters, recipe.rate)
    with connect(options.target, network.graph) as session:
        session.put(network.parameters)
        terminal.plan(session.plan({"N": recipe.images}), options.svg)
        losses = train(session, optimizer, training, recipe, np.random.default_rng(options.seed))
        seconds = terminal.training(losses, recipe, len(training))
        reached = accuracy(session, test)
    terminal.say(f"\nTest accuracy {reached:.1%} on {len(test):,} digits, after {seconds:.0f} s of training.")
    if reached < LEARNT:
        sys.stderr.write(f"raygrad: the demo promises {LEARNT:.0%}\n")
    return int(reached < LEARNT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m raygrad.client.demo", description=__doc__)
    parser.add_argument("--target", required=True, metavar="HOST:PORT", help="where a server listens")
    parser.add_argument("--seed", type=int, default=0, help="of the parameters, the order and the shifts")
    parser.add_argument("--epochs", type=int, default=Recipe.epochs, help="times through the digits")
    parser.add_argument("--svg", type=Path, default=Path("plan.svg"), help="where to draw the plan")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
