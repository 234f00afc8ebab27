"""The NumPy backend: the reference that every other backend must agree with.

``backend`` holds the backend itself; each other module the kernels of one family of operators that NumPy
has to spell out.
"""

from . import (  # noqa: F401  (register their kernels)
    convolution,
    elementwise,
    indexing,
    layer_norm,
    linear,
    loss,
    normalization,
    pooling,
    reduction,
    scatter,
    sorting,
)
from .backend import NumpyBackend

__all__ = ["NumpyBackend"]
