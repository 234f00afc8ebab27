"""The command line: `python -m tests.conformance [--suite NAME] [--json FILE]`, at the repository's root."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.progress import track

from .runner import Result, run
from .suite import Case
from .suites import SUITES, make

COLUMNS = ("suite", "cases", "passed", "left out", "failed", "seconds")


def main() -> int:
    """Run suites and print the table; 1 if anything failed that is not left out."""
    options = arguments()
    results = [run(make(name), bar(name)) for name in options.suite or SUITES]
    for result in results:
        explain(result, options.verbose)
    print(table(results))
    if options.json is not None:
        figures = {name: number for result in results for name, number in result.figures().items()}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(result.failures for result in results))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--suite", action="append", choices=SUITES, help="this suite; repeat it for several")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as one map of names")
    parser.add_argument("--verbose", action="store_true", help="failures with their tracebacks")
    return parser.parse_args()


def bar(name: str) -> Callable[[Iterable[Case]], Iterable[Case]]:
    """Shows how far a suite is: a bar on a terminal, and otherwise a line that it began."""
    if sys.stdout.isatty():
        return lambda cases: track(list(cases), name)
    print(f"{name} …", flush=True)
    return iter


def explain(result: Result, verbose: bool) -> None:
    """Reasons with their counts, and every failure."""
    for reason, count in result.reasons.most_common():
        print(f"{result.suite}: {count} left out: {reason}")
    for name, words in result.failures.items():
        print(f"{result.suite}: FAILED {name}: {words if verbose else words.splitlines()[-1]}")


def table(results: Sequence[Result]) -> str:
    """One line a suite."""
    rows = [COLUMNS] + [(r.suite, *map(_number, r.figures().values())) for r in results]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _number(number: float) -> str:
    return f"{number:,}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = row
    return "  ".join([name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))])


if __name__ == "__main__":
    sys.exit(main())
