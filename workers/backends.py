"""Which backend a worker computes with, by name."""

from __future__ import annotations

import importlib.util

from raygrad.proto.errors import ConfigurationError, DependencyError

from .kernels.base import Backend

NAMES = ("auto", "numpy", "torch", "torch-cpu", "torch-cuda")


def open_backend(name: str = "auto") -> Backend:
    """The backend called `name`: numpy, torch-cpu, torch-cuda, torch (on CUDA if the worker has a GPU), or
    auto (torch if it is installed, numpy otherwise).

    Raises `ConfigurationError` for another name, `DependencyError` if PyTorch is not installed and
    `ResourceError` if there is no GPU.
    """
    if name not in NAMES:
        raise ConfigurationError(f"there is no backend {name!r}; there are {', '.join(NAMES)}")
    if name == "numpy" or (name == "auto" and not _torch_installed()):
        from .kernels.numpy import NumpyBackend

        return NumpyBackend()
    return _open_torch(name)


def _torch_installed() -> bool:
    return importlib.util.find_spec("torch") is not None


def _open_torch(name: str) -> Backend:
    if not _torch_installed():
        raise DependencyError(f"the backend {name} needs PyTorch: pip install 'raygrad[torch]'")
    from .kernels.torch import TorchBackend, best_device

    return TorchBackend(name.removeprefix("torch-") if name.startswith("torch-") else best_device())
