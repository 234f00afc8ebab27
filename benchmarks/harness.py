"""What the benchmarks share: fair timing side by side, and figures that can be kept and compared.

Importing this module sets NumPy's libraries to one thread, so that a figure is one of one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import threadpoolctl

threadpoolctl.threadpool_limits(1)


def interleave(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call of each candidate, by name; `rounds` of them each.

    The candidates take turns, each round in the opposite order of the one before, so that what else the
    machine does meets them all alike. One round before the first warms up and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name in list(candidates)[:: -1 if number % 2 else 1]:
            start = time.perf_counter()
            candidates[name]()
            elapsed = time.perf_counter() - start
            if number:
                seconds[name].append(elapsed)
    return seconds


def medians(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each candidate, in the unit that came in."""
    return {name: statistics.median(values) for name, values in seconds.items()}


def parser(description: str | None, rounds: int) -> argparse.ArgumentParser:
    """The command line that every benchmark has: `--rounds N`, by default `rounds`, and `--json FILE`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="measurements of each (default: %(default)s)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures as one flat map of names"
    )
    return parser


def report(figures: Mapping[str, float], json_file: Path | None) -> None:
    """Print figures by their dotted names, and write them to `json_file` if one is given."""
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value:12.4g}")
    if json_file is not None:
        json_file.write_text(json.dumps(dict(figures), indent=2) + "\n")
