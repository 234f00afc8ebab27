"""The frame of `make conformance`: what counts as passed, left out and failed. Its suites run there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance import __main__ as command_line
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


def lacks_a_package() -> Suite:
    raise ModuleNotFoundError("No module named 'onnxruntime'")


def breaks_off() -> Iterator[Case]:
    yield Case("a", lambda: None)
    raise FileNotFoundError("the models of the suite")


@pytest.mark.parametrize(
    ("make", "says", "status"),
    [
        (lambda: Suite("any", lambda: [Case("a", lambda: None)], at_least=1), "", 0),
        (lambda: Suite("any", lambda: [Case("a", fails)]), "FAILED a: and their end", 1),
        (lambda: Suite("any", lambda: [Case("a", declines)], at_least=1), "0 passed, and 1 must", 1),
        (lambda: Suite("any", list, at_least=1), "0 passed, and 1 must", 1),
        (lacks_a_package, "No module named 'onnxruntime'", 1),
        (lambda: Suite("any", breaks_off), "the models of the suite", 1),
    ],
)
def test_the_exit_status_says_whether_anything_failed(
    make: Callable[[], Suite],
    says: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command_line, "make", lambda name: make())
    monkeypatch.setattr(sys, "argv", ["conformance", "--suite", "onnx-backend"])
    assert command_line.main() == status
    printed = capsys.readouterr().out
    assert says in printed
    assert printed.splitlines()[-2].split()[:2] == ["suite", "cases"]  # the table, in any case


def test_every_list_belongs_to_a_suite() -> None:
    assert {path.stem for path in suite_module.LISTS.glob("*.txt")} <= set(SUITES)


def test_the_command_line_names_the_suites() -> None:
    command = [sys.executable, "-m", "tests.conformance", "--help"]
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(command, check=True, cwd=root, timeout=60, capture_output=True, text=True)
    assert all(name in done.stdout for name in SUITES)
