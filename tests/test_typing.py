"""Programs of users, outside of the checkout: mypy and pyright find the package, and its types fit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from raygrad.client import functions, stubs

PROGRAM = """
import numpy as np
import raygrad as rg

x = rg.tensor([3.0, 4.0], requires_grad=True)
y = rg.functions.norm(x)
while y < 100:
    y = 3 * y
y.backward()
assert x.grad is not None
print(y.item(), x.grad.tolist(), f"{y:.3f}", len(x), bool(y > 2))
(slope,) = rg.grad((x**3).sum(), x, create_graph=True)
assert slope is not None
(curvature,) = rg.grad(slope.sum(), x)
z = (x * 2 + 1).reshape(-1, 1).sum(0, keepdims=True) / np.sqrt(2)
z.sum().backward()
(-abs(x)[0]).backward()
hidden = rg.functions.relu(x @ rg.tensor(np.ones((2, 2), np.float32)))
loss = rg.functions.mse_loss(hidden, rg.tensor([1.0, 2.0]))
loss.backward()
first, second = rg.functions.split(x, [1, 1])
(first * second).sum().backward()
values, indices = rg.functions.topk(x, 1)
print(values.numpy(), indices.tolist(), float(loss), loss.detach().requires_grad)
x.data = x.data - 0.1 * x.grad
rg.functions.softmax(x.reshape(1, 2), dim=1).sum(0, keepdims=True).sum().backward()
rg.functions.maximum(0.0, x).max().backward()
rg.functions.sum(x, dim=0, keepdim=True).backward()
rg.functions.mean(x, axis=0, keepdims=True).backward()
print((rg.functions.zeros(x.builder, 2, 3) + rg.functions.tile(x, 2, 1).sum()).numpy())
print(rg.functions.einsum("i,i->", x, x).item(), rg.functions.concatenate([x, x]).tolist())
for row in x.view(2, 1):
    print(row.item())

g = rg.Builder()
inputs = g.input("x", ("N", 4))
weight = g.parameter("w", (4, 1))
g.output("loss", rg.functions.logsumexp(inputs @ weight, axis=1).sum())
with rg.local(g) as session:
    session.put({"w": np.ones((4, 1))})
    print(session.accumulate([{"x": np.ones((2, 4))}], progress=False)[0].outputs["loss"])
    print(session.gradients(mean=True)["w"].sum())
"""

WRONG = """
import raygrad as rg

rg.functions.softmax(rg.tensor([1.0]), axis="0")
rg.Builder().input("x", (3,)).backward()
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    found = tmp_path / "program.py"
    found.write_text(PROGRAM)
    return found


def checked(command: list[str], program: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, program.name], cwd=program.parent, capture_output=True, text=True, timeout=240, check=False
    )


MYPY = [sys.executable, "-m", "mypy", "--strict"]
PYRIGHT = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_passes_a_program_of_a_user(program: Path) -> None:
    done = checked(MYPY, program)
    assert "Success: no issues found" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("node") is None, reason="pyright needs Node.js")
def test_pyright_passes_a_program_of_a_user(program: Path) -> None:
    done = checked(PYRIGHT, program)
    assert "0 errors" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_sees_what_is_wrong(program: Path) -> None:
    program.write_text(WRONG)
    done = checked(MYPY, program)
    assert "Found 2 errors" in done.stdout, done.stdout + done.stderr


def test_the_program_runs(program: Path) -> None:
    done = checked([sys.executable], program)
    assert done.returncode == 0, done.stderr


def test_the_stub_of_the_functions_is_fresh() -> None:
    """What is committed is what `python -m raygrad.client.stubs` writes."""
    assert functions.__file__ is not None
    assert Path(functions.__file__).with_suffix(".pyi").read_text() == stubs.text()
