"""How the demo trains: an optimizer in this process, gradients from the session."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from raygrad.proto.messages import MiniBatch

from ..optimizers import Optimizer
from ..session import Session
from .digits import Digits


@dataclass(frozen=True)
class Recipe:
    """What is chosen by hand. A step is one update of the parameters."""

    epochs: int = 30
    images: int = 32  # in a mini-batch
    batches: int = 2  # mini-batches in a step
    rate: float = 2e-3  # the first step's; it falls to 0 along half a cosine
    shift: int = 2  # pixels by which images are moved at most

    def steps(self, digits: int) -> int:
        """The number of steps in an epoch of so many digits."""
        return math.ceil(digits / (self.images * self.batches))


def train(
    session: Session, optimizer: Optimizer, digits: Digits, recipe: Recipe, rng: np.random.Generator
) -> Iterator[float]:
    """Train; the mean loss of each step, in nats, when it is done."""
    total = recipe.epochs * recipe.steps(len(digits))
    first = optimizer.rate
    for number, step in enumerate(_steps(digits, recipe, rng)):
        optimizer.rate = first * (1 + math.cos(math.pi * number / total)) / 2
        batches = _mini_batches(step, recipe.images)
        session.put(optimizer.parameters)
        results = session.accumulate(batches, progress=False)
        optimizer.step(session.gradients())
        yield sum(b.weight * float(r.outputs["loss"]) for b, r in zip(batches, results, strict=True))
    session.put(optimizer.parameters)


def accuracy(session: Session, digits: Digits, images: int = 250) -> float:
    """The share of digits whose largest logit is that of their label, `images` at a time."""
    right = 0
    for piece in digits.pieces(images):
        logits = np.asarray(session.forward(piece.feeds()).outputs["logits"])
        right += int(np.sum(logits.argmax(axis=1) == piece.labels))
    return right / len(digits)


def _mini_batches(step: Digits, images: int) -> list[MiniBatch]:
    """The mini-batches of a step, weighted so that the sum of their mean gradients is the step's mean."""
    return [MiniBatch(piece.feeds(), weight=len(piece) / len(step)) for piece in step.pieces(images)]


def _steps(digits: Digits, recipe: Recipe, rng: np.random.Generator) -> Iterator[Digits]:
    """The digits of each step: every epoch in another order, and moved otherwise."""
    for _ in range(recipe.epochs):
        seen = digits.shuffled(rng).shifted(rng, recipe.shift)
        yield from seen.pieces(recipe.images * recipe.batches)
