"""Numbers of pieces that a function makes one by one: checked before it begins."""

from __future__ import annotations

import math

from raygrad.proto.errors import ConfigurationError, LimitError
from raygrad.proto.limits import DEFAULT


def pieces(count: int, what: str) -> int:
    """`count`, if a document may list so many; else `LimitError`."""
    if count > DEFAULT.list_length:
        raise LimitError(f"{what} makes {count} pieces; at most {DEFAULT.list_length} are allowed")
    return count


def whole(number: float, what: str, *, upwards: bool = False) -> int:
    """A computed number of places, rounded; `ConfigurationError` or `LimitError` for what is none."""
    if math.isnan(number) or number == -math.inf:
        raise ConfigurationError(f"{what} makes no number of elements")
    if number > DEFAULT.elements:
        raise LimitError(f"{what} makes {number:.3g} elements; at most {DEFAULT.elements} are allowed")
    return math.ceil(number) if upwards else math.floor(number)
