"""A client that knows only proto/README.md: bare grpcio and msgpack, without raygrad, in its own process."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import raygrad as rg
from raygrad.proto.codec import decode
from tests.serving import mini_batches, running, weights

ROOT = Path(__file__).resolve().parent.parent

MAIN = """
import sys

arrays = np.load(sys.argv[2])
batches = [{"x": arrays[f"x{i}"], "y": arrays[f"y{i}"]} for i in range(len(arrays.files) // 2)]
found, losses = gradients(sys.argv[1], document, {"w": arrays["w"]}, batches)
np.savez(sys.argv[3], w=found["w"], losses=[losses[i] for i in range(len(batches))])
open(sys.argv[4], "wb").write(document)
assert not [name for name in sys.modules if name.split(".")[0] == "raygrad"]
"""


def programs() -> list[str]:
    """The Python blocks of the page, in order."""
    page = (ROOT / "proto" / "README.md").read_text()
    return re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_the_page_alone_is_enough(tmp_path: Path) -> None:
    batches = mini_batches(5)
    arrays: dict[str, Any] = {f"{name}{i}": batch[name] for i, batch in enumerate(batches) for name in batch}
    np.savez(tmp_path / "in.npz", **arrays, w=weights()["w"])
    (tmp_path / "client.py").write_text("\n".join([*programs(), MAIN]))
    stubs = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python")]
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{ROOT / 'proto' / 'v1'}",
        *stubs,
        "raygrad.proto",
    ]
    subprocess.run(command, check=True, timeout=60)
    with running() as server:
        files = [str(tmp_path / name) for name in ("in.npz", "out.npz", "document")]
        program = [sys.executable, "client.py", server.address, *files]
        subprocess.run(program, cwd=tmp_path, check=True, timeout=60)
    with rg.local(decode((tmp_path / "document").read_bytes()), backend="numpy") as session:
        session.put(weights())
        results = session.accumulate(batches, progress=False)
        expected = session.gradients()["w"]
    found = np.load(tmp_path / "out.npz")
    assert found["w"].tobytes() == expected.tobytes()
    assert found["losses"].tolist() == [float(r.outputs["loss"]) for r in results]
