"""What a program reaches of the functions: with their arguments checked, and hints for what is not here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raygrad.proto.arguments import public
from raygrad.proto.suggestions import FUNCTIONS, nearest

_COUNTS = ("layer_norm", "rms_norm")
"""Functions whose `axes` is how many of the last ones."""

_OPERATORS = {
    "add": "a + b",
    "div": "a / b",
    "divide": "a / b",
    "eq": "equal(a, b)",
    "mul": "a * b",
    "multiply": "a * b",
    "ne": "not_equal(a, b)",
    "neg": "-x",
    "negative": "-x",
    "reshape": "x.reshape(shape)",
    "sub": "a - b",
    "subtract": "a - b",
    "true_divide": "a / b",
}
"""Functions of PyTorch and NumPy that are operators and methods here."""


def expose(module: dict[str, Any], names: Sequence[str]) -> None:
    """Check the arguments of the functions of a module by these names, and let it explain the others.

    Inside, the families call each other without.
    """
    FUNCTIONS.update(names)
    for name in names:
        module[name] = public(module[name], counts=("axes",) if name in _COUNTS else ())
        module[name].__module__ = module["__name__"]  # where `pickle` finds it again

    def explain(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = nearest(name, names)
        meant = _OPERATORS.get(name) or (found and f"rg.functions.{found}")
        hint = f": did you mean `{meant}`?" if meant else ""
        raise AttributeError(f"rg.functions has no {name!r}{hint}")

    module["__getattr__"] = explain
