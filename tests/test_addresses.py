"""Where a client connects to: addresses, tokens, proxies, and the one event loop that all calls run on."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import raygrad as rg
from tests.serving import mean_square, running

MALFORMED: list[Any] = [
    "localhost",
    "localhost:",
    ":50051",
    "localhost:port",
    "localhost:0",
    "localhost:99999",
    "local host:50051",
    " localhost:50051",
    "localhost:50051 ",
    "localhost:50051/path",
    "http://localhost:50051",
    "grpc://localhost:50051",
    "::1:50051",
    "localhost:-1",
    "",
    None,
    50051,
]


@pytest.mark.parametrize("target", MALFORMED, ids=repr)
def test_a_malformed_address_is_refused_at_once(target: Any) -> None:
    with pytest.raises(rg.errors.ConfigurationError, match="HOST:PORT"):
        rg.connect(target, mean_square(), timeout=60)


@pytest.mark.parametrize("token", ["secret\n", "two words", "a\r\nb", "geheim\u00fc", "tab\t"], ids=repr)
def test_a_token_that_no_header_carries_is_refused_at_once(token: str) -> None:
    with pytest.raises(rg.errors.ConfigurationError, match="token"):
        rg.connect("127.0.0.1:50051", mean_square(), timeout=60, token=token)


def test_a_server_on_this_machine_is_not_looked_for_at_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running() as server:
        port = server.address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost"):
            rg.connect(f"{host}:{port}", mean_square(), timeout=20).close()


TOGETHER = """
import sys, threading
from raygrad.client import transport
sys.setswitchinterval(1e-7)
found = []
together = threading.Barrier(8)
def work():
    together.wait()
    found.append(transport.event_loop())
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
sys.exit(len(set(map(id, found))) != 1)
"""


def test_threads_that_begin_together_share_one_event_loop() -> None:
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", TOGETHER], timeout=60, check=False).returncode == 0
