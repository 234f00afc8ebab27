"""Looks over msgpack bytes without building anything: structure, depth, number and length of what is there.

Unpacking hostile bytes can take seventy times their size in objects, and a header of five bytes can
announce 2³² elements. So the bytes are walked first, by the format's table alone
(https://github.com/msgpack/msgpack/blob/master/spec.md), in memory that grows only with the depth.
"""

from __future__ import annotations

from typing import NamedTuple

from .errors import DocumentSyntaxError, LimitError
from .limits import Limits


class _Format(NamedTuple):
    """What a first byte announces: `width` bytes that hold a length, or the fixed `length` itself."""

    width: int
    length: int
    items: int  # msgpack values per unit of length; 0: a unit is a byte of payload
    text: bool = False


def _formats() -> list[_Format | None]:
    """By first byte; `None` for ext types and the byte that is never used."""
    found: list[_Format | None] = [None] * 256
    found[0x00:0x80] = [_Format(0, 0, 0)] * 128  # positive fixint
    found[0x80:0x90] = [_Format(0, n, 2) for n in range(16)]  # fixmap
    found[0x90:0xA0] = [_Format(0, n, 1) for n in range(16)]  # fixarray
    found[0xA0:0xC0] = [_Format(0, n, 0, True) for n in range(32)]  # fixstr
    found[0xC0] = found[0xC2] = found[0xC3] = _Format(0, 0, 0)  # nil, false, true
    found[0xC4:0xC7] = [_Format(w, 0, 0) for w in (1, 2, 4)]  # bin
    found[0xCA:0xCC] = [_Format(0, n, 0) for n in (4, 8)]  # float
    found[0xCC:0xD0] = found[0xD0:0xD4] = [_Format(0, n, 0) for n in (1, 2, 4, 8)]  # uint, int
    found[0xD9:0xDC] = [_Format(w, 0, 0, True) for w in (1, 2, 4)]  # str
    found[0xDC:0xDE] = [_Format(w, 0, 1) for w in (2, 4)]  # array
    found[0xDE:0xE0] = [_Format(w, 0, 2) for w in (2, 4)]  # map
    found[0xE0:0x100] = [_Format(0, 0, 0)] * 32  # negative fixint
    return found


_FORMATS = _formats()


def scan(data: bytes, limits: Limits) -> None:
    """Check that `data` is exactly one msgpack value without ext types, and within the limits.

    Raises `DocumentSyntaxError` for bytes that are not, and `LimitError` for too many or too deeply
    nested values, or too long a string. Takes under a second per million values.
    """
    at, end, announced = 0, len(data), 1
    missing = [1]  # how many values each open container still lacks
    while missing:
        if not missing[-1]:
            missing.pop()
            continue
        missing[-1] -= 1
        if at >= end:
            raise DocumentSyntaxError(f"the document ends after {end} bytes, in the middle of a value")
        width, length, items, text = _format(data[at], at)
        at += 1
        if width:
            length = int.from_bytes(data[at : at + width], "big")
            at += width
        if length * (items or 1) > end - at:
            what = f"{length * items} values" if items else f"{length} bytes"
            raise DocumentSyntaxError(f"{what} are announced before byte {at}, of {end} in all")
        if text and length > limits.string:
            raise LimitError(f"a string of {length} bytes at byte {at}; at most {limits.string} are allowed")
        if items:
            missing.append(length * items)
            announced += length * items
            _check_counts(announced, len(missing) - 1, limits)
        else:
            at += length
    if at != end:
        raise DocumentSyntaxError(f"{end - at} bytes follow the end of the document")


def _format(first: int, at: int) -> _Format:
    found = _FORMATS[first]
    if found is None:
        kind = "is never used" if first == 0xC1 else "is an ext type, which documents do not hold"
        raise DocumentSyntaxError(f"byte {at} (0x{first:02x}) {kind}")
    return found


def _check_counts(items: int, depth: int, limits: Limits) -> None:
    if items > limits.items:
        raise LimitError(f"the document holds at least {items} values; at most {limits.items} are allowed")
    if depth > limits.depth:
        raise LimitError(f"the document nests {depth} deep; at most {limits.depth} are allowed")
