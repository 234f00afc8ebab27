"""What is installed on this machine, and what a server would use of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from raygrad.proto.codec import catalogue_digest
from raygrad.proto.errors import RaygradError
from raygrad.proto.operators.base import Operator
from raygrad.workers.backends import open_backend

_NEEDED = ("ray", "grpcio", "protobuf", "numpy", "msgpack")
_EXTRAS = {"torch": "torch", "onnx": "onnx", "mlxtend": "demo"}


@dataclass(frozen=True)
class Finding:
    """One line of the report. Not `ok` is no error: it says what would be there with an extra."""

    what: str
    found: str
    ok: bool = True


def examine() -> Iterator[Finding]:
    """Everything that decides how raygrad runs here."""
    version = importlib.metadata.version("raygrad")
    yield Finding("raygrad", f"{version}, {len(Operator.registry)} operators ({catalogue_digest()[:12]})")
    yield Finding("Python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("processor", f"{os.cpu_count()} cores, {platform.machine()}")
    yield from (_package(name, "") for name in _NEEDED)
    yield from (_package(name, extra) for name, extra in _EXTRAS.items())
    yield from (_backend(name) for name in ("numpy", "torch-cpu", "torch-cuda"))
    yield _backend("auto")


def _package(name: str, extra: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        how = f"pip install 'raygrad[{extra}]'" if extra else "pip install --force-reinstall raygrad"
        return Finding(name, f"not installed: {how}", ok=False)


def _backend(name: str) -> Finding:
    """Whether workers can compute with the backend, by opening it."""
    try:
        opened = open_backend(name)
    except RaygradError as exc:
        return Finding(f"backend {name}", exc.message, ok=False)
    return Finding(f"backend {name}", f"{opened.name} ({opened.fingerprint()})")
