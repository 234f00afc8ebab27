"""The programs that users copy: of the README, and in examples/. Each is run as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import raygrad as rg
from tests.serving import running

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def programs() -> list[str]:
    """The blocks of Python in the README."""
    return re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run(program: str, *options: str) -> str:
    """What a program prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-", *options],
        input=program,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sin_is_learnt(output: str) -> bool:
    found = re.fullmatch(r"sin is learnt up to a mean square of (\d\.\d+)\n", output)
    return found is not None and float(found[1]) < 0.005


def test_the_first_program() -> None:
    first = programs()[0]
    assert sin_is_learnt(run(first))
    assert first == (ROOT / "examples" / "first.py").read_text()


def test_the_first_program_on_a_server() -> None:
    """The README says that nothing changes but one line."""
    first, line = programs()[:2]
    here, there = "with rg.local(g) as session:\n", '"127.0.0.1:50051"'
    assert first.count(here) == line.count(there) == 1
    with running() as server:
        output = run(first.replace(here, line.replace(there, repr(server.address))))
    assert sin_is_learnt(output)


def test_looking_at_graphs() -> None:
    """What the README shows of LeNet is what comes out."""
    program = next(p for p in programs() if "summary()" in p)
    table, code = re.findall(r"^```text\n(.*?)^```$", section("Looking at graphs"), re.MULTILINE | re.DOTALL)
    assert run(program) == table
    assert {*code.splitlines()} < {line.strip() for line in str(rg.networks.lenet().graph).splitlines()}


def section(title: str) -> str:
    """A section of the README."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_define_by_run() -> None:
    """In this process, and with the one line that the README names around it."""
    imported, rest = next(p for p in programs() if "requires_grad" in p).split("\n\n", 1)
    assert '`with rg.Device("127.0.0.1:50051"):`' in README
    with running() as server:
        inside = f"with rg.Device({server.address!r}, stages=2):\n" + textwrap.indent(rest, "    ")
        outputs = [run(f"{imported}\n{program}") for program in (rest, inside)]
    assert outputs == ["135.0 [16.200000762939453, 21.600000381469727]\n[18.0, 24.0]\n"] * 2


def test_pytorch_models() -> None:
    program = next(p for p in programs() if "from_torch" in p)
    assert run(program) == "(3, 1)\n"


@pytest.mark.parametrize("example", ["train.py", "remote.py"])
def test_training(example: str) -> None:
    program = (ROOT / "examples" / example).read_text()
    with running() as server:
        for options in ((), ("--target", server.address)):
            found = re.search(r"test accuracy (\d+\.\d)%", run(program, *options))
            assert found is not None
            assert float(found[1]) > 98


def test_every_example_is_listed_and_run_here() -> None:
    assert [path.name for path in EXAMPLES] == ["first.py", "remote.py", "train.py"]
    listed = (ROOT / "examples" / "README.md").read_text()
    assert all(f"`{path.name}`" in listed for path in EXAMPLES)


@pytest.mark.parametrize("path", re.findall(r"`((?:proto|client|scheduler|workers)/[^`]+)`", README))
def test_files_that_the_readme_names_exist(path: str) -> None:
    assert (ROOT / path).exists()


def test_files_that_the_architecture_lists_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = page.partition("The four folders:")[2].partition("**Who may")[0]
    built = "\n".join(line for line in listed.splitlines() if "not built yet" not in line)
    names = {
        path.name
        for folder in ("proto", "client", "scheduler", "workers", "src", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert set(re.findall(r"\b\w+\.py\b", built)) - names == set()


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]), ids=str)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (page.parent / target).exists()] == []
