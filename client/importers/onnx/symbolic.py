"""Arithmetic on sizes of which some are names: what holds whatever the names stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from raygrad.proto.tensor import Array

_UNKNOWN = object()


def symbolic_binary(operator: str, a: Array, b: Array) -> Array | None:
    """The operator elementwise; None if it depends on a name. Comparisons give bool."""
    rule = _RULES.get(operator)
    if rule is None:
        return None
    left, right = np.broadcast_arrays(a, b)
    found = [rule(x, y) for x, y in zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)]
    if any(f is _UNKNOWN for f in found):
        return None
    is_bool = all(isinstance(f, bool) for f in found)
    return np.array(found, dtype=bool if is_bool else object).reshape(left.shape)


def _neutral(number: int, compute: Callable[[Any, Any], Any], commutes: bool) -> Callable[[Any, Any], Any]:
    """Arithmetic in which `number` on the right (or on both sides) changes nothing."""

    def run(x: Any, y: Any) -> Any:
        if not isinstance(x, str) and not isinstance(y, str):
            return compute(x, y)
        if not isinstance(y, str) and y == number:
            return x
        return y if commutes and not isinstance(x, str) and x == number else _UNKNOWN

    return run


def _equal(x: Any, y: Any) -> Any:
    if isinstance(x, str) != isinstance(y, str):
        return False if (y if isinstance(x, str) else x) < 0 else _UNKNOWN  # a size is not negative
    return True if x == y else False if not isinstance(x, str) else _UNKNOWN


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "Add": _neutral(0, lambda x, y: x + y, True),
    "Sub": _neutral(0, lambda x, y: x - y, False),
    "Mul": _neutral(1, lambda x, y: x * y, True),
    "Div": _neutral(1, lambda x, y: x // y, False),
    "Equal": _equal,
}
