"""The backends that are there, for tests of kernels: NumPy, PyTorch, and PyTorch on CUDA with a GPU."""

from __future__ import annotations

import pytest
import torch

from raygrad.workers.kernels.base import Backend
from raygrad.workers.kernels.numpy import NumpyBackend
from raygrad.workers.kernels.torch import TorchBackend

NUMPY = NumpyBackend()
TORCH = TorchBackend("cpu")
CUDA: tuple[Backend, ...] = (TorchBackend("cuda"),) if torch.cuda.is_available() else ()
BACKENDS: tuple[Backend, ...] = (NUMPY, TORCH, *CUDA)

every_backend = pytest.mark.parametrize(
    "backend",
    [
        pytest.param(backend, id=backend.name, marks=[pytest.mark.gpu] if backend in CUDA else [])
        for backend in BACKENDS
    ],
)
