"""Whether a value is of a declared type, by the annotation of a parameter, and the error if it is not."""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .errors import ConfigurationError, LimitError, RaygradError, TypeMismatchError
from .suggestions import did_you_mean
from .tensor import INTEGERS, DType

Check = Callable[[Any], bool]

LONGEST = 4096
"""Elements of a list of numbers, as of an attribute in a document."""
MOST_VALUES = 1 << 16
"""Values in a list, as inputs of an operator."""

MAY_BE_NAN = ("value", "otherwise", "extrapolation")
"""Numbers that become elements, for which NaN is as good as any other."""


def refusal(function: str, name: str, hint: Any, value: Any) -> RaygradError:
    """The error that says what an argument should have been."""
    where = f"{function}: {name}"
    if isinstance(value, INTEGERS) and not is_truth(value) and not _fits(value):
        return LimitError(f"{where} must be within 64 bits, got {int(value).bit_length()}")
    if is_list(value) and length(value) > LONGEST:
        return LimitError(f"{where} has {length(value)} elements; at most {LONGEST} are allowed")
    shown = f"got {brief(value)}"
    if words := _choices(hint):
        return ConfigurationError(f"{where} must be one of {words}, {shown}{did_you_mean(value, words)}")
    if isinstance(value, float) and math.isnan(value):
        return ConfigurationError(f"{where} must be a number, {shown}")
    return TypeMismatchError(f"{where} must be {_words(hint)}, {shown}")


def _choices(hint: Any) -> list[str]:
    """The words that a type takes, if it takes nothing else."""
    literals = [o for o in options(hint) if typing.get_origin(o) is Literal]
    return [w for o in literals for w in typing.get_args(o)] if len(literals) == len(options(hint)) else []


def brief(value: Any) -> str:
    """A value for a message, by its type where it is large or its text costs something."""
    plain = value is None or isinstance(
        value, (bool, int, float, complex, str, bytes, list, tuple, dict, set)
    )
    if not plain or (isinstance(value, (list, tuple, dict, set)) and len(value) > 8):
        return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


@functools.cache
def names() -> dict[str, Any]:
    """What annotations name that their modules import for type checkers only."""
    from .builder import Builder
    from .value import Value

    operand = Value | bool | int | float | np.ndarray
    return {"Value": Value, "Builder": Builder, "Array": np.ndarray, "Operand": operand}


def check_of(name: str, hint: Any) -> Check:
    """Whether a value is of a declared type."""
    kinds = options(hint)
    if DType in kinds:  # `DType.of` says what is none
        return lambda value: value is not None or types.NoneType in kinds
    checks = [_of(name, option) for option in kinds]
    if len(checks) == 1:
        return checks[0]
    return lambda value: any(check(value) for check in checks)


def options(hint: Any) -> tuple[Any, ...]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return tuple(option for part in typing.get_args(hint) for option in options(part))
    return (hint,)


def _of(name: str, hint: Any) -> Check:
    """Whether a value is of a declared type that is no union."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if hint is float:
        return _is_number if name in MAY_BE_NAN else _is_real
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in args
    if hint is np.ndarray or origin is np.ndarray:
        return _is_array_like
    if _is_sequence(hint):
        return _sequence(check_of(name, _element(hint)), _element(hint))
    if origin is Mapping:
        keys, values = (check_of(name, arg) for arg in args)
        return lambda value: (
            isinstance(value, Mapping) and all(keys(k) and values(v) for k, v in value.items())
        )
    if origin is tuple:
        parts = [check_of(name, arg) for arg in args]
        return lambda value: (
            is_list(value)
            and length(value) == len(parts)
            and all(check(v) for check, v in zip(parts, value, strict=True))
        )
    if isinstance(origin or hint, type):
        kind = origin or hint
        return lambda value: isinstance(value, kind)
    return lambda value: True


def _is_sequence(hint: Any) -> bool:
    args = typing.get_args(hint)
    variadic = typing.get_origin(hint) is tuple and len(args) == 2 and args[1] is Ellipsis
    return variadic or typing.get_origin(hint) is Sequence


def _element(hint: Any) -> Any:
    return typing.get_args(hint)[0]


def _sequence(check: Check, element: Any) -> Check:
    most = MOST_VALUES if isinstance(element, type) and element not in (int, float) else LONGEST
    return lambda value: is_list(value) and length(value) <= most and all(check(v) for v in value)


def is_list(value: Any) -> bool:
    """Whether a value is a container in order, with a length."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def length(value: Any) -> int:
    try:
        return len(value)
    except OverflowError:  # of a range
        return 1 << 63


def is_truth(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _fits(value: Any) -> bool:
    return bool(-(1 << 63) <= value < 1 << 63)


def _is_integer(value: Any) -> bool:
    return isinstance(value, INTEGERS) and not isinstance(value, bool) and _fits(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not is_truth(value)


def _is_real(value: Any) -> bool:
    return _is_number(value) and value == value


def _is_array_like(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic, *INTEGERS, float)):
        return True
    return isinstance(value, (list, tuple)) or hasattr(value, "__array__")


def names_a_dtype(value: Any) -> bool:
    return isinstance(value, str) and value in DType.__members__


_SCALARS: dict[Any, Check] = {
    Any: lambda value: True,
    bool: is_truth,
    int: _is_integer,
    str: lambda value: isinstance(value, str),
    types.NoneType: lambda value: value is None,
}


def _words(hint: Any) -> str:
    """A declared type in words."""
    names = list(dict.fromkeys(_word(o) for o in options(hint) if o is not types.NoneType))
    if types.NoneType in options(hint):
        names.append("None")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _word(hint: Any) -> str:
    if _is_sequence(hint):
        inner = [o for o in options(_element(hint)) if o is not types.NoneType]
        return f"a list or tuple of {' or '.join(dict.fromkeys(_several(o) for o in inner))}"
    if typing.get_origin(hint) is tuple:
        return f"a tuple of {len(typing.get_args(hint))}"
    kind = typing.get_origin(hint) or hint
    name = getattr(kind, "__name__", str(kind))
    return _ONE.get(name, name)


def _several(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return f"tuples of {len(typing.get_args(hint))}"
    name = getattr(hint, "__name__", str(hint))
    return _MANY.get(name, name)


_ONE = {
    "bool": "True or False",
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "ndarray": "an array",
    "DType": "a dtype",
    "Value": "a value of a graph, or a tensor",
    "Builder": "a builder",
    "Iterable": "an iterable",
    "Mapping": "a mapping",
}
_MANY = {"int": "integers", "float": "numbers", "str": "names", "Value": "values of a graph, or tensors"}
