"""Attributes of operators: what types they may have, and how they travel.

An attribute's declared type is one of bool, int, float, str, bytes, `DType`, `Size`, a tuple of
these (`tuple[int, ...]`, `Shape`), a tuple of pairs, or one of them `| None`. A document spells an
attribute in plain msgpack; it is coerced here by the declared type, so that 1 and 1.0 are the same
number where a float is declared.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .errors import AttributeValueError, LimitError, RaygradError
from .suggestions import did_you_mean
from .tensor import DType, Size, bind_size, check_size

if TYPE_CHECKING:
    from .operators.base import Operator

_T = TypeVar("_T")


def _once(compute: Callable[[type[Operator]], _T]) -> Callable[[type[Operator]], _T]:
    """`functools.cache`, whose type does not take classes that define a hash for their instances."""
    return typing.cast("Callable[[type[Operator]], _T]", functools.cache(compute))


def bind_attributes(operator: Operator, sizes: Mapping[str, int]) -> dict[str, Any]:
    """All attributes, with the named sizes replaced in those that are declared to hold sizes."""
    found = {f.name: getattr(operator, f.name) for f in dataclasses.fields(operator)}  # type: ignore[arg-type]
    for name in sized(type(operator)):
        found[name] = _bind(found[name], sizes)
    return found


def names_in_attributes(operator: Operator) -> set[str]:
    """The named sizes that the attributes hold."""
    return set().union(*(_names(getattr(operator, name)) for name in sized(type(operator))))


def _bind(value: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(value, tuple):
        return tuple(_bind(v, sizes) for v in value)
    return bind_size(value, sizes) if isinstance(value, str) else value


def _names(value: Any) -> set[str]:
    if isinstance(value, tuple):
        return set().union(*map(_names, value))
    return {value} if isinstance(value, str) else set()


@_once
def sized(operator: type[Operator]) -> tuple[str, ...]:
    """The attributes whose declared type mentions `Size`."""
    return tuple(name for name, hint in declared(operator).items() if _mentions_size(hint))


def _mentions_size(hint: Any) -> bool:
    return hint == Size or any(map(_mentions_size, typing.get_args(hint)))


def python_numbers(value: Any) -> Any:
    """An attribute with Python's numbers where it has NumPy's, also in tuples; integers have 64 bits."""
    if isinstance(value, tuple):
        return tuple(map(python_numbers, value))
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise LimitError(f"a size or a place of {value.bit_length()} bits is beyond 64 bits")
    return value.item() if isinstance(value, np.generic) else value


def to_plain(value: Any) -> Any:
    """An attribute as msgpack can hold it: tuples as lists, dtypes as names."""
    if isinstance(value, tuple):
        return [to_plain(v) for v in value]
    return value.value if isinstance(value, DType) else value


def spelled(hint: Any) -> str:
    """A declared type in words that do not depend on the Python version: `tuple[int | str, ...]`."""
    if isinstance(hint, types.UnionType):
        return " | ".join(map(spelled, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return f"tuple[{', '.join(map(spelled, typing.get_args(hint)))}]"
    if hint is Ellipsis or hint is types.NoneType:
        return "..." if hint is Ellipsis else "None"
    name: str = hint.__name__
    return name


@_once
def declared(operator: type[Operator]) -> dict[str, Any]:
    """The declared types of an operator's attributes, by name."""
    hints = typing.get_type_hints(operator)
    return {f.name: hints[f.name] for f in dataclasses.fields(operator)}  # type: ignore[arg-type]


def from_plain(operator: type[Operator], plain: Mapping[str, Any]) -> Operator:
    """The operator with these attributes; `AttributeValueError` for an unknown, missing or ill-typed one."""
    hints = declared(operator)
    if unknown := sorted(set(plain) - set(hints)):
        meant = did_you_mean(unknown[0], hints)
        raise AttributeValueError(
            f"{operator.name} has no attribute {unknown[0]!r}; it has {sorted(hints)}{meant}"
        )
    required = {f.name for f in dataclasses.fields(operator) if f.default is dataclasses.MISSING}  # type: ignore[arg-type]
    if missing := sorted(required - set(plain)):
        raise AttributeValueError(f"{operator.name} lacks the attribute {missing[0]!r}")
    return operator(**{k: _coerce(operator.name, k, hints[k], v) for k, v in plain.items()})


def _coerce(operator: str, name: str, hint: Any, plain: Any) -> Any:
    try:
        return _as(hint, plain)
    except (TypeError, ValueError, OverflowError, RaygradError) as exc:
        raise AttributeValueError(
            f"{operator}.{name} must be {spelled(hint)}, got {_brief(plain)}: {exc}"
        ) from exc


def _brief(plain: Any) -> str:
    shown = repr(plain)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _as(hint: Any, plain: Any) -> Any:
    """`plain` as a value of the declared type, or an error that says why not."""
    if hint == Size:
        return check_size(integer(plain) if not isinstance(plain, str) else plain)
    if isinstance(hint, types.UnionType):
        return None if plain is None else _as(_without_none(hint), plain)
    if typing.get_origin(hint) is tuple:
        return _tuple(typing.get_args(hint), plain)
    return _SCALARS[hint](plain)


def _without_none(hint: types.UnionType) -> Any:
    kept = [a for a in typing.get_args(hint) if a is not types.NoneType]
    return functools.reduce(lambda a, b: a | b, kept)


def _tuple(args: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if not isinstance(plain, (list, tuple)):
        raise TypeError("not a list")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_as(args[0], p) for p in plain)
    if len(args) != len(plain):
        raise ValueError(f"{len(args)} elements wanted")
    return tuple(_as(a, p) for a, p in zip(args, plain, strict=True))


def integer(plain: Any) -> int:
    """A number of any msgpack spelling as an integer of 64 bits, or the error that says why not."""
    if isinstance(plain, bool) or not isinstance(plain, (int, float)) or plain != math.floor(plain):
        raise TypeError("not an integer")
    if not -(2**63) <= plain < 2**63:
        raise OverflowError("outside 64 bits")
    return int(plain)


def _number(plain: Any) -> float:
    if isinstance(plain, bool) or not isinstance(plain, (int, float)):
        raise TypeError("not a number")
    return float(plain)


def _exactly(kind: type) -> Any:
    def check(plain: Any) -> Any:
        if not isinstance(plain, kind):
            raise TypeError(f"not {kind.__name__}")
        return plain

    return check


def _dtype(plain: Any) -> DType:
    return plain if isinstance(plain, DType) else DType(_exactly(str)(plain))


_SCALARS: dict[Any, Any] = {
    bool: _exactly(bool),
    int: integer,
    float: _number,
    str: _exactly(str),
    bytes: _exactly(bytes),
    DType: _dtype,
}
