"""How operators, tensors and names are put into few letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..operators.base import Operator
from ..operators.source import Constant, NamedTensor, SizeOf
from ..reading import printable, telling_attributes
from ..tensor import DType, TensorType, split_product

_LONGEST = 44
_LEFT_OUT = frozenset({"tensor", "shape", "spatial", "dtype", "data", "sizes", "eps"})
"""The types say the others, and eps is never looked for."""


def attributes_in_words(operator: Operator) -> tuple[str, ...]:
    """The attributes that say more than the types and are not at their defaults: "stride 2"."""
    telling = (
        (n, v) for n, v in telling_attributes(operator) if n not in _LEFT_OUT and v not in (False, None)
    )
    return tuple(elided(name if value is True else f"{name} {_in_words(value)}") for name, value in telling)


def _in_words(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"({_in_words(v)})" if isinstance(v, tuple) else _in_words(v) for v in value) or "()"
    if isinstance(value, DType):
        return value.value
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def source_in_words(operator: Operator, type: TensorType) -> str:
    """A parameter, buffer, constant or size, as it stands in the box that reads it."""
    if isinstance(operator, NamedTensor):
        return ": ".join(filter(None, (elided(operator.tensor), sizes_in_words(type))))
    if isinstance(operator, SizeOf):
        number, names = split_product(operator.sizes)
        return "·".join(([str(number)] if number != 1 or not names else []) + list(names))
    if isinstance(operator, Constant) and not operator.shape:
        return f"{operator.array.item():.6g}"
    return f"{operator.name.lower()} {sizes_in_words(type)}"


def sizes_in_words(type: TensorType) -> str:
    """32×1×5×5; nothing for a scalar."""
    return "×".join(map(str, type.shape))


def elided(text: str) -> str:
    """The text on one line, without its middle if it is long."""
    text = printable(text)
    half = (_LONGEST - 1) // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}"


def common_name(names: Sequence[str]) -> str:
    """One name for several that differ in a number: "layer.{0…11}.weight"; else the first, and "…"."""
    parts = [re.split(r"(\d+)", name) for name in names]
    if len(set(names)) == 1:
        return names[0]
    if len({len(p) for p in parts}) > 1:
        return f"{names[0]} …"
    columns = list(zip(*parts, strict=True))
    if any(len(set(c)) > 1 and not c[0].isdecimal() for c in columns):
        return f"{names[0]} …"
    between = "…" if len(names) > 2 else ","
    return "".join(c[0] if len(set(c)) == 1 else f"{{{c[0]}{between}{c[-1]}}}" for c in columns)
