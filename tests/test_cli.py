"""The command line: a server as a process of its own, plans, the doctor, and where settings come from."""

import contextlib
import itertools
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import raygrad as rg
from raygrad.proto.errors import ConfigurationError, DeadlineError, UnavailableError
from raygrad.scheduler import cli
from raygrad.scheduler.cli import app
from raygrad.scheduler.config import is_loopback, load
from tests.serving import DEADLINE, mean_square, mini_batches, weights


@contextlib.contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`raygrad serve` in a process of its own, and the line that says it is ready."""
    command = [sys.executable, "-c", "from raygrad.scheduler.cli import main; main()", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert process.stdout
        threading.Thread(target=lambda out: lines.put(out.readline()), args=(process.stdout,)).start()
        try:
            yield process, lines.get(timeout=60)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_until_a_signal(number: signal.Signals) -> None:
    with serving("--ray", "none", "--listen", "127.0.0.1:0", "--backend", "numpy") as (process, ready):
        found = re.fullmatch(r"raygrad \S+ ready at (127\.0\.0\.1:\d+) \(2 workers, ray: none\)\n", ready)
        assert found
        with rg.connect(found[1], mean_square(), timeout=DEADLINE) as session:
            session.put(weights())
            session.accumulate(mini_batches(3), progress=False)
            assert np.isfinite(session.gradients()["w"]).all()
        process.send_signal(number)
        _, logs = process.communicate(timeout=60)
        assert process.returncode == 0, logs
    assert "draining" in logs
    assert "closed" in logs
    assert "Traceback" not in logs


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--listen", "0.0.0.0:0"), "tls_cert"),
        (("--listen", "nowhere"), "HOST:PORT"),
        (("--workers", "0"), "workers"),
        (("--backend", "abacus"), "backend"),
        (("--ray", "nonsense"), "nonsense"),
        (("--tls-cert", __file__), "tls_key"),
        (("--token-file", "missing"), "missing"),
        (("--config", "missing.toml"), "missing.toml"),
        (("--insecure", "--listen", "203.0.113.1:0"), "203.0.113.1"),  # an address of no machine
    ],
)
def test_serve_refuses(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """One line on standard error, and no server."""
    command = [sys.executable, "-c", "from raygrad.scheduler.cli import main; main()", "serve"]
    done = subprocess.run(
        [*command, "--ray", "none", *options],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_in_use_is_refused() -> None:
    options = ("--ray", "none", "--backend", "numpy")
    with serving(*options, "--listen", "127.0.0.1:0") as (_, ready):
        address = ready.split()[4]
        with serving(*options, "--listen", address) as (second, nothing):
            assert nothing == ""
            _, logs = second.communicate(timeout=60)
            assert (second.returncode, address in logs) == (1, True)


def test_ports_of_others() -> None:
    """Somebody else listens on the port for metrics; nobody where Ray should be."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        metrics = ("--ray", "none", "--backend", "numpy", "--listen", "127.0.0.1:0", "--metrics-port")
        with serving(*metrics, str(port)) as (first, _):
            _, logs = first.communicate(timeout=60)
    assert (first.returncode, f"metrics_port: cannot listen on {port}" in logs) == (1, True)
    assert "Traceback" not in logs
    with serving("--ray", f"127.0.0.1:{port}", "--listen", "127.0.0.1:0") as (second, _):
        _, logs = second.communicate(timeout=60)
    assert (second.returncode, f"no Ray answers at 127.0.0.1:{port}" in logs) == (1, True)


def test_a_server_that_is_killed() -> None:
    """Its clients get a typed error within their deadline."""
    with serving("--ray", "none", "--listen", "127.0.0.1:0", "--backend", "numpy") as (process, ready):
        session = rg.connect(ready.split()[4], mean_square(), timeout=3.0)
        session.put(weights())
        results = session.stream(mini_batches(200))
        next(results)
        process.kill()
        process.wait(timeout=60)
        begin = time.monotonic()
        with pytest.raises((UnavailableError, DeadlineError)):
            for _ in itertools.chain(results, iter(session.gradients, None)):
                pass
        assert time.monotonic() - begin < 10.0


@pytest.mark.ray
def test_serve_on_ray() -> None:
    """The whole path: this process, a socket, the server's process, and Ray's."""
    batches = mini_batches(6)
    with rg.local(mean_square(), backend="numpy") as here:
        here.put(weights())
        here.accumulate(batches, progress=False)
        expected = here.gradients()["w"].tobytes()
    options = ("--ray", "local", "--listen", "127.0.0.1:0", "--backend", "numpy")
    with serving(*options) as (process, ready):
        assert ready, process.communicate(timeout=60)
        with rg.connect(ready.split()[4], mean_square(), replicas=2, timeout=60) as session:
            session.put(weights())
            session.accumulate(batches, progress=False)
            assert session.gradients()["w"].tobytes() == expected
        process.terminate()
        _, logs = process.communicate(timeout=60)
        assert process.returncode == 0, logs


# -- plan and doctor ------------------------------------------------------------------------------


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "net.raygrad"
    path.write_bytes(rg.encode(mean_square()))
    return path


def test_plan(document: Path, tmp_path: Path) -> None:
    drawing = tmp_path / "plan.svg"
    options = ["--size", "N=64", "--stages", "2", "--backend", "numpy", "--svg", str(drawing)]
    done = CliRunner().invoke(app, ["plan", str(document), *options])
    assert done.exit_code == 0, done.output
    assert "stage" in done.output
    assert "  replica 0 stage 1: worker 1 (numpy)\n" in done.output
    assert "<svg" in drawing.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "N"], "NAME=NUMBER"),
        (["--size", "N=4", "--stages", "99"], "99"),
        (["--loss", "prediction", "--size", "N=4"], "prediction"),
    ],
)
def test_plan_refuses(document: Path, options: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["plan", str(document), "--backend", "numpy", *options])
    assert isinstance(done.exception, rg.RaygradError)
    assert words in str(done.exception)


def test_show(document: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["show", str(document)])
    assert done.exit_code == 0, done.output
    assert done.output == f"{mean_square().summary()}\n"
    assert "·N" in done.output
    bound = CliRunner().invoke(app, ["show", str(document), "--size", "N=8"])
    assert bound.output == f"{mean_square().bind({'N': 8}).summary()}\n"


def test_show_draws(document: Path, tmp_path: Path) -> None:
    svg, dot = tmp_path / "net.svg", tmp_path / "net.dot"
    options = ["--gradients", "--code", "--svg", str(svg), "--dot", str(dot)]
    done = CliRunner().invoke(app, ["show", str(document), *options])
    whole = rg.decode(document.read_bytes()).with_gradients()  # a document sorts the outputs
    assert done.output == f"{whole}\ndrawn in {svg}\ndrawn in {dot}\n"
    assert (svg.read_text(), dot.read_text()) == (whole.svg(), whole.dot())


def test_a_picture_is_written_in_any_locale(document: Path, tmp_path: Path) -> None:
    svg = tmp_path / "net.svg"
    command = [sys.executable, "-c", "from raygrad.scheduler.cli import main; main()", "show", str(document)]
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    options = ["--gradients", "--svg", str(svg)]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=DEADLINE, env=ascii_only)
    drawn = rg.decode(document.read_bytes()).with_gradients().svg()
    assert not drawn.isascii()
    assert svg.read_text(encoding="utf-8") == drawn


def test_a_picture_that_cannot_be_written(document: Path) -> None:
    done = CliRunner().invoke(app, ["plan", str(document), "--size", "N=4", "--svg", "/nowhere/plan.svg"])
    assert isinstance(done.exception, ConfigurationError)
    assert "/nowhere/plan.svg cannot be written" in str(done.exception)


@pytest.mark.parametrize("command", ["plan", "show"])
def test_no_document(command: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for name in ("text", "missing"):
        done = CliRunner().invoke(app, [command, str(tmp_path / name)])
        assert isinstance(done.exception, rg.RaygradError)
        assert str(tmp_path / name) in str(done.exception)


def test_doctor() -> None:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    assert re.search(r"backend numpy +numpy \(", done.output)
    assert re.search(r"ray +\d", done.output)


@pytest.mark.parametrize("command", ["serve", "plan", "show", "demo", "doctor"])
def test_help_teaches(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    written = getattr(cli, f"{command.upper()}_HELP")
    examples = [
        [line for line in text.splitlines() if line.strip().startswith(f"raygrad {command}")]
        for text in (written, done.output)
    ]
    assert len(examples[0]) == len(examples[1]) > 0  # each on a line of its own


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"raygrad {rg.__version__}\n"


# -- settings -------------------------------------------------------------------------------------


def test_command_line_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "raygrad.toml"
    file.write_text('workers = 3\nbackend = "numpy"\nlisten = "127.0.0.1:3"\n')
    monkeypatch.setenv("RAYGRAD_WORKERS", "4")
    monkeypatch.setenv("RAYGRAD_LISTEN", "127.0.0.1:4")
    found = load(file, listen="127.0.0.1:5", backend=None)
    assert (found.backend, found.workers, found.listen) == ("numpy", 4, "127.0.0.1:5")


@pytest.mark.parametrize("text", ["speed = 3\n", "workers = \n", 'workers = "many"\n'])
def test_files_that_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "raygrad.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        load(file)


def test_beyond_loopback(tmp_path: Path) -> None:
    secured = {name: tmp_path / name for name in ("tls_cert", "tls_key", "token_file")}
    for file in secured.values():
        file.touch()
    assert load(listen="0.0.0.0:1", **secured).host == "0.0.0.0"
    assert load(listen="[::]:1", insecure=True).host == "::"
    with pytest.raises(ConfigurationError, match="insecure"):
        load(listen="[::]:1")
    for left_out in secured:
        with pytest.raises(ConfigurationError):
            load(listen="0.0.0.0:1", **{k: v for k, v in secured.items() if k != left_out})


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("example.com", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
