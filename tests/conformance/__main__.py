"""The command line: `python -m tests.conformance [--suite NAME] [--json FILE]`, at the repository's root."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.progress import track

from .runner import WHOLE, Result, group_of, run
from .suite import Case
from .suites import SUITES, make

COLUMNS = ("suite", "cases", "passed", "left out", "failed", "seconds")


def main() -> int:
    """Run suites and print the table; 1 if anything failed that is not left out."""
    options = arguments()
    results = [outcome(name) for name in options.suite or SUITES]
    for result in results:
        explain(result, options.verbose)
    if any("#" in name for result in results for name in result.passed):
        print(breakdown(results), end="\n\n")
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


def outcome(name: str) -> Result:
    """What became of a suite; one that cannot be run at all, such as for want of a package, has failed."""
    try:
        return run(make(name), bar(name))
    except Exception as exc:
        return Result(name, failures={WHOLE: "".join(traceback.format_exception(exc)).rstrip()})


def bar(name: str) -> Callable[[Iterable[Case]], Iterable[Case]]:
    """Shows how far a suite is: a bar on a terminal, and otherwise a line that it began."""
    if sys.stdout.isatty():
        return lambda cases: track(list(cases), name)
    print(f"{name} …", flush=True)
    return iter


def explain(result: Result, verbose: bool) -> None:
    """Reasons with their counts, and the failures, those of one group and kind together."""
    for reason, count in result.reasons.most_common():
        print(f"{result.suite}: {count} left out: {reason}")
    alike: dict[tuple[str, str], list[str]] = {}
    for name, words in result.failures.items():
        alike.setdefault((group_of(name), words if verbose else words.splitlines()[-1]), []).append(name)
    for (_, words), names in alike.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"{result.suite}: FAILED {names[0]}{more}: {words}")


def breakdown(results: Sequence[Result]) -> str:
    """A line per group of cases: passed of all, in each suite that has groups."""
    grouped = [r for r in results if any("#" in name for name in r.passed)]
    names = dict.fromkeys(name for r in grouped for name in r.groups)
    cells = [[f"{a}/{b}" if b else "" for a, b in (r.groups.get(n, (0, 0)) for r in grouped)] for n in names]
    rows = [("", *(r.suite for r in grouped)), *((n, *c) for n, c in zip(names, cells, strict=True))]
    return aligned(rows)


def table(results: Sequence[Result]) -> str:
    """One line a suite."""
    return aligned([COLUMNS, *((r.suite, *map("{:,}".format, r.figures().values())) for r in results)])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of a name and numbers, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


if __name__ == "__main__":
    sys.exit(main())
