"""Running a suite: each case once, and what came of all of them."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .suite import Case, Declined, Suite

WHOLE = "as a whole"


def group_of(case: str) -> str:
    """The operator that a case named operator#number is of."""
    return case.partition("#")[0]


@dataclass
class Result:
    """What became of a suite's cases: each is passed, left out or failed."""

    suite: str
    passed: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)  # reasons
    failures: dict[str, str] = field(default_factory=dict)  # what went wrong; also of the suite as a whole
    cases: int = 0
    seconds: float = 0.0

    @property
    def reasons(self) -> Counter[str]:
        """How many cases each reason leaves out."""
        return Counter(self.left_out.values())

    @property
    def groups(self) -> dict[str, tuple[int, int]]:
        """How many cases passed and how many there are, by what stands before a `#` in their names."""
        passed = Counter(map(group_of, self.passed))
        every = passed + Counter(map(group_of, self.left_out)) + Counter(map(group_of, self.failures))
        return {group: (passed[group], every[group]) for group in every if group != WHOLE}

    def figures(self) -> dict[str, float]:
        """The numbers by dotted names, as benchmarks have them."""
        numbers = {
            "cases": self.cases,
            "passed": len(self.passed),
            "left_out": len(self.left_out),
            "failed": len(self.failures),
            "seconds": round(self.seconds, 1),
        }
        return {f"{self.suite}.{name}": number for name, number in numbers.items()}


def run(suite: Suite, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> Result:
    """Run all cases of a suite; `progress` wraps them as they are taken."""
    start = time.monotonic()
    result = Result(suite.name)
    known = suite.left_out()
    for case in progress(suite.cases()):
        result.cases += 1
        _run(case, known.pop(case.name, None), result)
    for name in known:
        result.failures[name] = "is left out, and there is no such case: strike it from the list"
    if len(result.passed) < suite.at_least:
        result.failures[WHOLE] = f"{len(result.passed)} passed, and {suite.at_least} must"
    result.seconds = time.monotonic() - start
    return result


def _run(case: Case, known: str | None, result: Result) -> None:
    try:
        case.run()
    except Declined as declined:
        result.left_out[case.name] = str(declined)
        if known is not None:
            result.failures[case.name] = f"is left out twice: by its list, and since: {declined}"
    except Exception as exc:
        if known is None:
            result.failures[case.name] = "".join(traceback.format_exception(exc)).rstrip()
        else:
            result.left_out[case.name] = known
    else:
        if known is None:
            result.passed.append(case.name)
        else:
            result.failures[case.name] = f"passes, and is left out ({known}): strike it from the list"
