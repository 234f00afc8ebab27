"""The catalogue: every operator raygrad knows, one module per family.

An operator is a frozen dataclass that says what a computation means: its types (``infer``), its derivative
(``vjp``) and its cost (``flops``, ``bytes``). ``base`` holds the class they all derive from and the
registry by wire name; each other module is one family (``elementwise``, ``reduction``, ``convolution`` …).
How an operator is computed does not belong here: that is a kernel, in ``raygrad.workers.kernels``.
"""

from . import (
    convolution,
    division,
    elementwise,
    exponential,
    indexing,
    layer_norm,
    linear,
    logic,
    loss,
    normalization,
    pooling,
    random,
    reduction,
    resampling,
    rounding,
    scan,
    scatter,
    shape,
    sorting,
    source,
    special,
    trigonometry,
)

__all__ = [
    "convolution",
    "division",
    "elementwise",
    "exponential",
    "indexing",
    "layer_norm",
    "linear",
    "logic",
    "loss",
    "normalization",
    "pooling",
    "random",
    "reduction",
    "resampling",
    "rounding",
    "scan",
    "scatter",
    "shape",
    "sorting",
    "source",
    "special",
    "trigonometry",
]
