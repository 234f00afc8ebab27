"""The PyTorch backend: tensors on a CPU or CUDA device, one compute thread, the same bits every time."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch.utils import deterministic

from raygrad.proto.errors import ResourceError
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import Array, TensorType

from .. import common  # noqa: F401  (registers the common kernels)
from ..base import Backend, Kernel, Tensor
from . import wide_unsigned
from .host import to_array, to_tensor
from .layout import placing

FAMILY = "torch"


def best_device() -> str:
    """The device that PyTorch computes fastest on here."""
    return "cuda" if torch.cuda.is_available() else "cpu"


class TorchBackend(Backend):
    """PyTorch on `device`: "cpu" or "cuda"; `ResourceError` if there is no such device."""

    family = FAMILY
    xp: Any = xp

    def __init__(self, device: str = "cpu") -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise ResourceError("PyTorch finds no CUDA device: use the backend torch-cpu or check the driver")
        self.device = torch.device(device)
        self.name = f"torch-{device}"
        if device == "cuda":
            # cuBLAS reads it when it starts, and is deterministic only with a workspace of fixed size.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

    def from_host(self, array: Array) -> Tensor:
        tensor = to_tensor(np.asarray(array))
        if self.device.type != "cpu":
            tensor = tensor.to(self.device)
        return placing(tuple(tensor.shape))(tensor) if tensor.dim() else tensor

    def to_host(self, tensor: Tensor) -> Array:
        return to_array(tensor.cpu())

    def all_to_host(self, tensors: Sequence[Tensor]) -> list[Array]:
        if self.device.type == "cpu":
            return super().all_to_host(tensors)
        pinned = [to_array(tensor.to("cpu", non_blocking=True)) for tensor in tensors]
        self.synchronize()
        # Pinned memory is scarce and slow to get: it goes back at once, and receivers keep ordinary memory.
        return [array.copy(order="K") for array in pinned]

    def layout(self, type: TensorType) -> Callable[[Tensor], Tensor]:
        return placing(type.static)

    def compile(
        self,
        operator: Operator,
        inputs: tuple[TensorType, ...],
        outputs: tuple[TensorType, ...],
        *,
        overwrites: bool = False,
    ) -> Kernel:
        if wide_unsigned.lacks(operator, (*inputs, *outputs)):
            return wide_unsigned.on_host(self, operator, inputs, outputs)
        return super().compile(operator, inputs, outputs, overwrites=overwrites)

    def memory(self) -> int:
        if self.device.type == "cpu":
            return super().memory()
        return int(torch.cuda.get_device_properties(self.device).total_memory)

    def fingerprint(self) -> str:
        return f"torch {torch.__version__}; {self._device_model()}; 1 thread"

    def _device_model(self) -> str:
        if self.device.type == "cpu":
            return f"{_cpu_model()} {torch.backends.cpu.get_cpu_capability()}"
        major, minor = torch.cuda.get_device_capability(self.device)
        name = torch.cuda.get_device_name(self.device)
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        return f"{name} sm_{major}{minor}; CUDA {torch.version.cuda}; cuDNN {cudnn}"

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        with torch.inference_mode(), _one_thread(), self._deterministic():
            yield

    def _deterministic(self) -> contextlib.AbstractContextManager[None]:
        return _deterministic_cuda() if self.device.type == "cuda" else contextlib.nullcontext()

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _deterministic_cuda() -> Iterator[None]:
    """No TF32, no algorithm chosen by timing, and an error where an algorithm is not deterministic."""
    with (
        _deterministic_algorithms(),
        _setting(deterministic, "fill_uninitialized_memory", False),  # kernels write all that they allocate
        _setting(torch.backends.cuda.matmul, "allow_tf32", False),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield


@contextlib.contextmanager
def _deterministic_algorithms() -> Iterator[None]:
    """Not by use_deterministic_algorithms, which loads a compiler for seconds to tell it the same."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


@contextlib.contextmanager
def _setting(holder: Any, name: str, value: bool) -> Iterator[None]:
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def _cpu_model() -> str:
    """The processor's name: libraries choose instructions and block sizes by it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
