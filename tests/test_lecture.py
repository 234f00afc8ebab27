"""The scripts of the lecture: each asserts its numbers, in this process and on two stages on Ray."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from raygrad.scheduler.ray_cluster import RayCluster
from tests.serving import running

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "lecture"
SHARED = {"places.py", "three_nodes.py"}
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.name not in SHARED)
every_script = pytest.mark.parametrize("name", SCRIPTS)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Run a script at a target; its folder is where it finds what it shares."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def run(name: str, target: str | None) -> None:
        script: dict[str, Any] = runpy.run_path(str(FOLDER / f"{name}.py"))
        script["main"](script["Place"](target))

    return run


@pytest.fixture(scope="module")
def on_ray(ray_started: None) -> Iterator[str]:
    """The address of a server with two workers on Ray."""
    with running(cluster=cast("Any", RayCluster(2, "numpy"))) as found:
        yield found.address


@every_script
def test_in_this_process(run: Callable[[str, str | None], None], name: str) -> None:
    run(name, None)


@pytest.mark.ray
@every_script
def test_on_two_stages_on_ray(run: Callable[[str, str | None], None], name: str, on_ray: str) -> None:
    run(name, on_ray)


def test_every_script_is_listed() -> None:
    listed = re.findall(r"^\| `(\w+)\.py` \| \d+", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == SCRIPTS
