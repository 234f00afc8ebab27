"""The wheel, away from the checkout: what it installs is all that a session and a server need."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src", "proto", "client", "scheduler", "workers")
DEADLINE = 120  # seconds, for each process

PROGRAM = """
import contextlib, json, subprocess, sys
import numpy as np
import raygrad as rg

def gradient(session):
    with session:
        session.put({"w": np.ones((4, 3), "float32")})
        session.accumulate([{"x": np.full((n, 4), 0.1, "float32")} for n in (5, 2)], progress=False)
        return session.gradients(expect=2)["w"].tolist()

@contextlib.contextmanager
def server(command):
    arguments = [sys.executable, "-S", command, "serve"]
    options = ["--ray", "none", "--listen", "127.0.0.1:0", "--backend", "numpy"]
    with subprocess.Popen([*arguments, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split(" ready at ")[1].split()[0]
        finally:
            process.terminate()

g = rg.Builder()
x, w = g.input("x", ("N", 4)), g.parameter("w", (4, 3))
g.output("loss", rg.functions.tanh(x @ w).sum())
local = gradient(rg.local(g, backend="numpy"))
with server(sys.argv[1]) as address:
    served = gradient(rg.connect(address, g, timeout=30))
print(json.dumps({"file": rg.__file__, "path": sys.path, "local": local, "served": served}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the installed wheel. Built from a copy: setuptools writes beside the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    pip("wheel", "--no-deps", "--wheel-dir", str(source / "dist"), str(source))
    (wheel,) = (source / "dist").glob("raygrad-*.whl")
    pip("install", "--no-deps", "--target", str(target), str(wheel))
    return target


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr


def test_sessions_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    """A local session and one of `raygrad serve` run from the wheel alone, and give the same bits.

    Without `site` (-S), no link to an editable checkout that this environment may have is followed.
    """
    path = os.pathsep.join([str(installed), *dict.fromkeys(map(sysconfig.get_path, ("purelib", "platlib")))])
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-S", str(program), str(installed / "bin" / "raygrad")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["file"]).parent == installed / "raygrad"
    assert str(ROOT) not in found["path"]
    assert found["served"] == found["local"]
    assert len(found["local"]) == 4


def test_holds_the_four_folders(installed: Path) -> None:
    """As real folders within the package, whole and with their types; nothing lies beside it."""
    packages = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert packages == {"raygrad", "bin"}
    assert not [path for path in installed.rglob("*") if path.is_symlink()]
    for folder in ("proto", "client", "scheduler", "workers"):
        assert modules(installed / "raygrad" / folder) == modules(ROOT / folder)
    for name in ("py.typed", "proto/v1/raygrad.proto", "proto/v1/raygrad_pb2.pyi"):
        assert (installed / "raygrad" / name).is_file(), name


def modules(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*.py")}
