"""Kernels in the array-API dialect, which serve every backend; one module per family of operators.

A backend's own kernel for an operator takes precedence over the one here.
"""

from . import elementwise, linear, movement, random, reduction, resampling, scan, source, special

__all__ = [
    "elementwise",
    "linear",
    "movement",
    "random",
    "reduction",
    "resampling",
    "scan",
    "source",
    "special",
]
