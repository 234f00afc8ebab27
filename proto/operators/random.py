"""Randomness that a mini-batch determines: the same on every worker, backend, replica and attempt.

Random bits come from a counter-based generator, keyed by the session's seed, the step and the mini-batch's
index; they reach a graph as the source `RandomKey`. Each use has a `stream` of its own, which the builder
gives out, so that no two draw the same bits and equal nodes of different streams never merge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import DType, TensorType
from .base import Cotangents, Operator, floating, require
from .source import Source

if TYPE_CHECKING:
    from ..value import Value

KEY = TensorType((4,), DType.int64)
"""Four words of 32 bits; all −1 in an evaluation, which is no mini-batch of a step."""

STREAMS = 1 << 32
"""How many streams there are."""


class RandomKey(Source):
    """What (seed, step, index) of the mini-batch make: four words of 32 bits, from the worker. No attempt."""

    def infer(self) -> TensorType:
        return KEY


class Random(Operator, abstract=True):
    """An operator that draws from its `stream` under the key."""

    stream: int

    def check_stream(self, key: TensorType) -> None:
        """The key and the stream are what they should be."""
        require(key == KEY, self, f"needs a key {KEY}, got {key}")
        require(0 <= self.stream < STREAMS, self, f"stream {self.stream} is not within 32 bits")


class Dropout(Random):
    """x / (1 − p) where a draw keeps the element, else 0, which has probability p; x itself in an evaluation.

    Element i (in C order) is dropped if word i of the stream is at least (1 − p) · 2³², rounded. Srivastava
    et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (2014).
    """

    p: float

    def infer(self, x: TensorType, key: TensorType) -> TensorType:
        self.check_stream(key)
        require(0 <= self.p <= 1, self, f"the probability {self.p} is not within 0 to 1")
        return floating(self, x)

    def vjp(self, g: Value, y: Value, x: Value, key: Value) -> Cotangents:
        dropped: Value = Dropout(self.stream, self.p)(g, key)
        return dropped, None
