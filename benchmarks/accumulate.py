"""Exact against fast accumulation: milliseconds per million parameters and addition, on one core.

Exact sums are measured on ordinary gradients (normally distributed), on ones whose magnitudes spread over
2**60 (a pair of limbs everywhere) and over 2**90 (widened), with a weight, and in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, cycle

import numpy as np
from harness import interleave, medians, parser, report

from raygrad.workers.accumulator import Accumulator

PARAMETERS = 4_000_000
MINI_BATCHES = 4  # different gradients, used in turn
WARM_UP = 4  # additions before the first that counts: the first of all only copies

Gradients = list[dict[str, np.ndarray]]


def main() -> None:
    args = parser(__doc__, rounds=15).parse_args()
    figures = {f"accumulate.{name}": value for name, value in measure(args.rounds).items()}
    report(figures, args.json)


def measure(rounds: int) -> dict[str, float]:
    """Milliseconds per million parameters, by kind of sum and of gradient; and the ratio of the two sums."""
    ordinary, pair, wide = gradients(0, np.float32), gradients(60, np.float32), gradients(90, np.float32)
    candidates = {
        "exact": adding(ordinary),
        "exact_weighted": adding(ordinary, weight=64.0),
        "exact_pair": adding(pair),
        "exact_wide": adding(wide),
        "exact_float64": adding(gradients(0, np.float64)),
        "fast": adding(ordinary, exact=False),
    }
    figures = {
        f"{name}_ms_per_million": 1e3 * seconds * 1e6 / PARAMETERS
        for name, seconds in medians(interleave(candidates, rounds)).items()
    }
    figures["ratio"] = figures["exact_ms_per_million"] / figures["fast_ms_per_million"]
    return figures | rounding(ordinary, rounds)


def rounding(mini_batches: Gradients, rounds: int) -> dict[str, float]:
    """Milliseconds per million parameters of taking the gradients, once a step."""
    accumulator = Accumulator(types(mini_batches))
    for index, gradient in enumerate(mini_batches * 3):
        accumulator.add(index, gradient)
    candidates = {
        "round": accumulator.gradients,
        "round_mean": lambda: accumulator.gradients(mean=True),
        "snapshot": accumulator.snapshot,
    }
    times = medians(interleave(candidates, max(rounds // 5, 1)))
    return {f"{name}_ms_per_million": 1e3 * seconds * 1e6 / PARAMETERS for name, seconds in times.items()}


def adding(mini_batches: Gradients, *, exact: bool = True, weight: float = 1.0) -> Callable[[], None]:
    """A call that adds the next gradients to an accumulator that already holds a few."""
    accumulator = Accumulator(types(mini_batches), exact)
    turns: Iterator[tuple[int, dict[str, np.ndarray]]] = zip(count(), cycle(mini_batches), strict=False)

    def add() -> None:
        index, gradient = next(turns)
        accumulator.add(index, gradient, weight)

    for _ in range(WARM_UP):
        add()
    return add


def gradients(octaves: int, dtype: type[np.floating]) -> Gradients:
    """Gradients of two parameters, whose magnitudes spread over `octaves` powers of two."""
    rng = np.random.default_rng(octaves)

    def array(size: int) -> np.ndarray:
        exponents = rng.integers(-octaves // 2, octaves // 2 + 1, size)
        return np.ldexp(rng.standard_normal(size), exponents).astype(dtype)

    sizes = {"large": PARAMETERS - 1000, "small": 1000}
    return [{name: array(size) for name, size in sizes.items()} for _ in range(MINI_BATCHES)]


def types(mini_batches: Gradients) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    return {name: (x.shape, x.dtype) for name, x in mini_batches[0].items()}


if __name__ == "__main__":
    main()
