"""Families of operators: what they are to people who look at a graph."""

from __future__ import annotations

from .operators.base import Operator

_KINDS = {"elementwise": "elementwise", "logic": "elementwise", "layer_norm": "normalization"}


def family_of(operator: Operator) -> str:
    """The module of the catalogue that the operator stands in: "convolution", "pooling" …

    Whatever derives from the classes of the module `elementwise` is elementwise.
    """
    modules = [cls.__module__.rpartition(".")[2] for cls in type(operator).__mro__]
    return next((_KINDS[module] for module in modules if module in _KINDS), modules[0])
