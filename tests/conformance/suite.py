"""What a suite is made of: cases, and why some are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "left_out"


class Declined(Exception):  # noqa: N818 (it is no error)
    """Raised by a case that asks for what raygrad does not offer, whatever its result: the reason.

    Reasons are few and general ("complex numbers"); they are counted in the table.
    """


@dataclass(frozen=True)
class Case:
    """One check, by a name that stays: `run` raises if it fails, and `Declined` if it does not apply."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True)
class Suite:
    """Cases from one source. Fewer than `at_least` that pass are a failure of the whole suite.

    Cases are named as they like; those named group#number are counted by group in a table besides.
    """

    name: str
    cases: Callable[[], Iterable[Case]]
    at_least: int = 0

    def left_out(self) -> dict[str, str]:
        """Reasons by the names of the cases that are known to fail; empty without a list."""
        path = LISTS / f"{self.name}.txt"
        return parse_list(path.read_text()) if path.exists() else {}


def parse_list(text: str) -> dict[str, str]:
    """A list of cases: `name: reason` a line, and comments after `#` at a line's beginning."""
    found: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        name, _, reason = map(str.strip, line.partition(": "))
        if not reason:
            raise ValueError(f"{name!r} is left out without a reason")
        if name in found:
            raise ValueError(f"{name!r} is left out twice")
        found[name] = reason
    return found
