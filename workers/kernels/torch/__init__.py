"""The PyTorch backend, on a CPU or a CUDA device.

``backend`` holds the backend itself; each other module the kernels of one family of operators that PyTorch
does better than the common kernels. Nothing outside this package imports torch but the importer of its
models, and nothing imports this package until a worker asks for the backend.
"""

from . import (  # noqa: F401  (register their kernels)
    convolution,
    elementwise,
    indexing,
    layer_norm,
    loss,
    movement,
    normalization,
    pooling,
    reduction,
    scan,
    scatter,
    sorting,
)
from .backend import TorchBackend, best_device

__all__ = ["TorchBackend", "best_device"]
