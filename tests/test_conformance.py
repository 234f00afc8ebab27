"""The frame of `make conformance`: what counts as passed, left out and failed. Its suites run there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance import suite as suite_module
from tests.conformance.__main__ import table
from tests.conformance.runner import Result, run
from tests.conformance.suite import Case, Declined, Suite, parse_list
from tests.conformance.suites import SUITES


def fails() -> None:
    raise ValueError("two lines\nand their end")


def declines() -> None:
    raise Declined("complex numbers")


def outcome(
    case: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str
) -> Result:
    monkeypatch.setattr(suite_module, "LISTS", tmp_path)
    (tmp_path / "any.txt").write_text(listed)
    return run(Suite("any", lambda: [Case("case", case)]))


@pytest.mark.parametrize(
    ("case", "listed", "passed", "left_out", "failed"),
    [
        (lambda: None, "", 1, 0, 0),
        (fails, "", 0, 0, 1),
        (declines, "", 0, 1, 0),
        (fails, "case: it divides by zero", 0, 1, 0),
        (lambda: None, "case: it divides by zero", 0, 0, 1),
        (declines, "case: it divides by zero", 0, 1, 1),
        (lambda: None, "another: it divides by zero", 1, 0, 1),
    ],
)
def test_what_becomes_of_a_case(
    case: Callable[[], object],
    listed: str,
    passed: int,
    left_out: int,
    failed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = outcome(case, tmp_path, monkeypatch, listed)
    assert (len(result.passed), len(result.left_out), len(result.failures)) == (passed, left_out, failed)
    assert result.cases == 1


def test_too_few_that_pass_are_a_failure() -> None:
    two = [Case("a", lambda: None), Case("b", lambda: None)]
    assert not run(Suite("enough", lambda: two, at_least=2)).failures
    assert run(Suite("too few", lambda: two, at_least=3)).failures


def test_lists_give_reasons() -> None:
    assert parse_list("# comment\n\na: why\n  b:c: why not\n") == {"a": "why", "b:c": "why not"}
    for bad in ("a", "a:", "a: why\na: again"):
        with pytest.raises(ValueError, match="left out"):
            parse_list(bad)


def test_the_table_has_a_line_per_suite() -> None:
    results = [Result("a", passed=["x"] * 1200, cases=1201, left_out={"y": "why"}), Result("longer", cases=2)]
    lines = table(results).splitlines()
    assert lines[0].split() == ["suite", "cases", "passed", "left", "out", "failed", "seconds"]
    assert lines[1].split() == ["a", "1,201", "1,200", "1", "0", "0.0"]
    assert len({len(line) for line in lines}) == 1


def test_every_list_belongs_to_a_suite() -> None:
    assert {path.stem for path in suite_module.LISTS.glob("*.txt")} <= set(SUITES)


def test_the_command_line_names_the_suites() -> None:
    command = [sys.executable, "-m", "tests.conformance", "--help"]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, check=True, cwd=root, timeout=60, capture_output=True, text=True)
    assert all(name in done.stdout for name in SUITES)
