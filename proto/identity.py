"""What tells mini-batches apart and how much they count: an index within the step, a weight."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import ConfigurationError, LimitError

LARGEST_INDEX = 2**64 - 1
MOST_INDICES = 1 << 20
"""How many indices of mini-batches can be listed."""

_TRUTHS = (bool, np.bool_)
_TEXTS = (str, bytes, bytearray)


def checked_index(given: Any) -> int | None:
    """The index of a mini-batch, 0 to 2⁶⁴ − 1, or `None`; `ConfigurationError` for anything else."""
    return None if given is None else _index(given)


def _index(given: Any) -> int:
    try:
        index = -1 if isinstance(given, _TRUTHS) else operator.index(given)
    except TypeError:
        index = -1
    if not 0 <= index <= LARGEST_INDEX:
        raise ConfigurationError(f"a mini-batch's index is an integer from 0 to 2⁶⁴ − 1, got {given!r:.80}")
    return index


def checked_weight(given: Any) -> float:
    """What multiplies a mini-batch's gradients, as a float: any finite real number.

    `ConfigurationError` for infinities, NaN, complex numbers, truth values, texts and arrays of several.
    """
    if type(given) is float and math.isfinite(given):
        return given
    weight = math.nan if _is_no_number(given) else _as_float(given)
    if not math.isfinite(weight):
        raise ConfigurationError(f"a mini-batch's weight is a finite real number, got {given!r:.80}")
    return weight


def checked_expect(given: Any) -> int | frozenset[int] | None:
    """How many mini-batches a step must hold, or their indices, or `None`; else `ConfigurationError`."""
    if given is None:
        return None
    single = isinstance(given, _TRUTHS + _TEXTS) or getattr(given, "shape", None) == ()
    if single or not isinstance(given, Iterable):
        return _index(given)
    first = None if _are_many(given) else tuple(itertools.islice(given, MOST_INDICES + 1))
    if first is None or len(first) > MOST_INDICES:
        raise LimitError(f"more than {MOST_INDICES} indices are expected: give their number")
    return frozenset(map(_index, first))


def _are_many(given: Iterable[Any]) -> bool:
    """Whether these say that they are more than can be listed."""
    try:
        return operator.length_hint(given) > MOST_INDICES
    except OverflowError:  # of a range
        return True


def _is_no_number(given: Any) -> bool:
    dtype = getattr(given, "dtype", None)
    return (
        given is None
        or isinstance(given, _TRUTHS + _TEXTS)
        or np.iscomplexobj(given)
        or (isinstance(dtype, np.dtype) and dtype.kind == "b")
        or getattr(given, "shape", ()) != ()
    )


def _as_float(given: Any) -> float:
    try:
        return float(given)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan
