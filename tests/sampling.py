"""What a sample is: an operator, and how to draw inputs of the right types and domains for it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import Array, DType, Shape, TensorType

SMALL = {"N": 2, "T": 3}
"""The named sizes for gradient checks: finite differences cost two evaluations per direction."""

LARGE = {"N": 37, "T": 3}
"""The named sizes for comparing bits: long enough for vector instructions, with a remainder."""

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


@dataclass(frozen=True)
class Spec:
    """One input: its shape (sizes may be names), its domain, and its dtype (None: the one in test)."""

    shape: Shape
    draw: Draw
    dtype: DType | None = None

    def type(self, floating: DType) -> TensorType:
        return TensorType(self.shape, self.dtype or floating)

    def array(self, rng: np.random.Generator, sizes: Mapping[str, int], floating: DType) -> Array:
        bound = self.type(floating).bind(sizes)
        return np.asarray(self.draw(rng, bound.static), dtype=bound.dtype.numpy)


def real(*shape: int | str) -> Spec:
    """Normally distributed numbers."""
    return Spec(shape, lambda rng, s: rng.standard_normal(s))


def positive(*shape: int | str) -> Spec:
    """Between 0.5 and 2."""
    return Spec(shape, lambda rng, s: rng.uniform(0.5, 2.0, s))


def nonzero(*shape: int | str) -> Spec:
    """Between 0.2 and 2 in magnitude, either sign: away from a kink at 0."""
    return Spec(shape, lambda rng, s: rng.choice([-1.0, 1.0], s) * rng.uniform(0.2, 2.0, s))


def above_one(*shape: int | str) -> Spec:
    """Between 1.2 and 3."""
    return Spec(shape, lambda rng, s: rng.uniform(1.2, 3.0, s))


def unit(*shape: int | str) -> Spec:
    """Between −0.9 and 0.9."""
    return Spec(shape, lambda rng, s: rng.uniform(-0.9, 0.9, s))


def share(*shape: int | str) -> Spec:
    """Between 0.1 and 0.9."""
    return Spec(shape, lambda rng, s: rng.uniform(0.1, 0.9, s))


def distinct(*shape: int | str) -> Spec:
    """Numbers that differ by at least 0.01 from each other: no ties, not even nearly."""

    def draw(rng: np.random.Generator, s: tuple[int, ...]) -> Array:
        count = int(np.prod(s))
        return (rng.permutation(count) - count / 2 + rng.uniform(0.1, 0.9)).reshape(s) * 0.05

    return Spec(shape, draw)


def digit(*shape: int | str) -> Spec:
    """−1, 0, 1 or 2: many zeros."""
    return Spec(shape, lambda rng, s: rng.integers(-1, 3, s))


def boolean(*shape: int | str) -> Spec:
    """True or False."""
    return Spec(shape, lambda rng, s: rng.random(s) < 0.5, DType.bool)


def integer(*shape: int | str) -> Spec:
    """Between −5 and 5."""
    return Spec(shape, lambda rng, s: rng.integers(-5, 6, s), DType.int64)


def natural(*shape: int | str) -> Spec:
    """Integers between 1 and 5."""
    return Spec(shape, lambda rng, s: rng.integers(1, 6, s), DType.int64)


def index(below: int, *shape: int | str, dtype: DType = DType.int64) -> Spec:
    """Integers from 0 on, below `below`."""
    return Spec(shape, lambda rng, s: rng.integers(0, below, s), dtype)


@dataclass(frozen=True)
class Sample:
    """An operator with inputs that it accepts."""

    operator: Operator
    inputs: tuple[Spec, ...]

    def types(self, floating: DType) -> list[TensorType]:
        """The input types, with named sizes."""
        return [spec.type(floating) for spec in self.inputs]

    def arrays(self, sizes: Mapping[str, int], floating: DType) -> list[Array]:
        """Inputs, the same on every call."""
        rng = np.random.default_rng(zlib.crc32(repr(self).encode()))
        return [spec.array(rng, sizes, floating) for spec in self.inputs]

    def __repr__(self) -> str:
        shapes = ", ".join(f"[{','.join(map(str, s.shape))}]" for s in self.inputs)
        return f"{self.operator!r} {shapes}".strip()


def sample(operator: Operator, *inputs: Spec) -> Sample:
    """A sample in one line."""
    return Sample(operator, inputs)
