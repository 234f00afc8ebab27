"""Sizes and axes that a program gives one by one, or as one list of them."""

from __future__ import annotations

from typing import Any

from .declared import LONGEST, brief, is_list, is_truth, length
from .errors import LimitError, TypeMismatchError
from .tensor import INTEGERS, TensorType


def listed(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sizes or axes that were given one by one, or as one list of them.

    Raises `TypeMismatchError` for what is neither, and `LimitError` for lists that are too long.
    """
    found = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], (*INTEGERS, str)) else sizes
    if not is_list(found):
        raise TypeMismatchError(
            f"sizes and axes are numbers or names, in a list or one by one, got {brief(found)}"
        )
    if length(found) > LONGEST:
        raise LimitError(f"{length(found)} sizes or axes; at most {LONGEST} are allowed")
    for each in found:
        if not isinstance(each, (*INTEGERS, str)) or is_truth(each):
            raise TypeMismatchError(f"sizes and axes are numbers or names, got {brief(each)}")
    return tuple(found)


def refuse_ambiguous(type: TensorType, axes: tuple[Any, ...]) -> None:
    """`transpose(0, 1)` exchanges two axes in PyTorch, and says their order in NumPy."""
    places = [type.axis(axis) for axis in listed(axes)]
    if type.rank != 2 or places[0] <= places[1]:
        a, b = axes
        raise TypeMismatchError(
            f"transpose({a}, {b}) of {type} exchanges two axes in PyTorch, and orders all in NumPy: "
            f"`rg.functions.swapaxes(x, {a}, {b})`, or `x.permute(…)`"
        )
