"""Numbers that depend on named sizes: polynomials, found by evaluating at a few sizes.

Costs are computed on bound graphs. Bound to a grid of sizes, they determine their coefficients exactly, as
long as no size comes with a power over two; one more evaluation tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from .errors import SizeError

Powers = tuple[int, ...]  # of each name

_DEGREE = 2
_UNIT = 64
"""Sizes are bound to multiples of this: large enough for every window that slides over them."""

_MOST_NAMES = 3


@dataclass(frozen=True)
class Polynomial:
    """Σ coefficient · Π nameᵏ; without names, a number."""

    names: tuple[str, ...]
    coefficients: Mapping[Powers, Fraction]

    def at(self, sizes: Mapping[str, int]) -> int:
        """Its value for these sizes."""
        values = [sizes[name] for name in self.names]
        return int(sum(c * math.prod(map(pow, values, powers)) for powers, c in self.coefficients.items()))

    def text(self, units: Callable[[float], str]) -> str:
        """Its terms, the highest first, with coefficients in words: "1.5 K·N² + 3·N"."""
        terms = sorted(((p, c) for p, c in self.coefficients.items() if c), reverse=True)
        words = ("·".join(filter(None, (units(float(c)), self._names(p)))) for p, c in terms)
        return " + ".join(word.removeprefix("1·") for word in words) or units(0)

    def _names(self, powers: Powers) -> str:
        signs = {1: "", 2: "²"}
        return "·".join(f"{n}{signs[k]}" for n, k in zip(self.names, powers, strict=True) if k)

    def __int__(self) -> int:
        return self.at({})


def fitted(
    names: Sequence[str], evaluate: Callable[[Mapping[str, int]], Sequence[int]]
) -> tuple[Polynomial | None, ...]:
    """Each of the numbers that `evaluate` gives for sizes; `None` for one that is no such polynomial."""
    if len(names) > _MOST_NAMES:
        raise SizeError(f"costs in {len(names)} named sizes {sorted(names)} are not shown: bind some of them")
    grid = list(product(range(1, _DEGREE + 2), repeat=len(names)))
    values = [evaluate(_sizes(names, point)) for point in grid]
    columns = (dict(zip(grid, column, strict=True)) for column in zip(*values, strict=True))
    found = [_interpolated(tuple(names), column) for column in columns]
    if not names:
        return tuple(found)
    check = _sizes(names, (_DEGREE + 2,) * len(names))
    expected = evaluate(check)
    return tuple(p if p.at(check) == e else None for p, e in zip(found, expected, strict=True))


def _sizes(names: Sequence[str], point: Sequence[int]) -> dict[str, int]:
    return {name: _UNIT * k for name, k in zip(names, point, strict=True)}


def _interpolated(names: tuple[str, ...], values: Mapping[Powers, int]) -> Polynomial:
    """The polynomial with these values at multiples of the unit, one name after the other."""
    table = {point: Fraction(value) for point, value in values.items()}
    for axis in range(len(names)):
        lines = {p[:axis] + p[axis + 1 :] for p in table}
        fresh: dict[Powers, Fraction] = {}
        for rest in lines:
            line = [table[(*rest[:axis], k + 1, *rest[axis:])] for k in range(_DEGREE + 1)]
            for power, c in enumerate(_parabola(line)):
                fresh[(*rest[:axis], power + 1, *rest[axis:])] = c / _UNIT**power
        table = fresh
    return Polynomial(names, {tuple(k - 1 for k in p): c for p, c in table.items()})


def _parabola(values: Sequence[Fraction]) -> tuple[Fraction, Fraction, Fraction]:
    """The coefficients (of 1, t, t²) of the parabola with these values at t = 1, 2, 3."""
    a, b, c = values
    square = (a - 2 * b + c) / 2
    linear = b - a - 3 * square
    return a - linear - square, linear, square
