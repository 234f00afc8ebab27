"""Arguments of public functions: checked by their declared types, under the names of NumPy and of PyTorch.

`public` makes a function refuse, before it does anything, what its signature does not declare: a truth value
for an axis, a text for a number, NaN, an unknown word, a container without a length. `axis` and `dim`,
`keepdims` and `keepdim` name the same parameter. Numbers that belong together may stand alone:
`tile(x, 2, 3)` is `tile(x, (2, 3))`.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar, cast

import numpy as np

from .errors import ConfigurationError, LimitError, RaygradError, TypeMismatchError
from .suggestions import did_you_mean
from .tensor import INTEGERS, DType, TensorType

F = TypeVar("F", bound=Callable[..., Any])
Check = Callable[[Any], bool]

AXES = ("axis", "axes", "dim", "dims")
KEPT = ("keepdims", "keepdim")
PAIRS = ("first", "second")

SPREAD = ("shape", "repeats")
"""Sizes that may stand alone, as in `tile(x, 2, 3)`."""

LONGEST = 4096
"""Elements of a list of numbers, as of an attribute in a document."""
MOST_VALUES = 1 << 16
"""Values in a list, as inputs of an operator."""

MAY_BE_NAN = ("value", "otherwise", "extrapolation")
"""Numbers that become elements, for which NaN is as good as any other."""


def public(function: F, *, counts: Collection[str] = (), unchecked: Collection[str] = ()) -> F:
    """The function with its arguments checked; those of `counts` are numbers of axes, not axes.

    The wrapper raises `TypeMismatchError` for an argument of another type, `ConfigurationError` for a word, a
    keyword or a number that makes no sense, and `LimitError` for numbers beyond 64 bits or lists that are too
    long; each names the function and the argument. Those of `unchecked` are checked by the function itself.
    """
    compiled: list[Parameters] = []  # at the first call: annotations may name what is imported later

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not compiled:
            compiled.append(Parameters(function, counts, unchecked))
        parameters = compiled[0]
        if kwargs or not parameters.fit(args):
            args, kwargs = parameters.bound(args, kwargs)
        return function(*args, **kwargs)

    return cast("F", checked)


def listed(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sizes or axes that were given one by one, or as one list of them.

    Raises `TypeMismatchError` for what is neither, and `LimitError` for lists that are too long.
    """
    found = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], (*INTEGERS, str)) else sizes
    if not _is_list(found):
        raise TypeMismatchError(
            f"sizes and axes are numbers or names, in a list or one by one, got {_brief(found)}"
        )
    if _length(found) > LONGEST:
        raise LimitError(f"{_length(found)} sizes or axes; at most {LONGEST} are allowed")
    for each in found:
        if not isinstance(each, (*INTEGERS, str)) or _is_truth(each):
            raise TypeMismatchError(f"sizes and axes are numbers or names, got {_brief(each)}")
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


def check_fields(instance: Any, names: Collection[str]) -> None:
    """Fields of a dataclass by their declared types; the errors are those of `public`."""
    kind = type(instance)
    hints = _hints_of(kind)
    for name in names:
        value = getattr(instance, name)
        if not _check(name, hints[name])(value):
            raise refusal(kind.__name__, name, hints[name], value)


@functools.cache
def _hints_of(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


class Parameters:
    """What a function takes."""

    def __init__(
        self, function: Callable[..., Any], counts: Collection[str], unchecked: Collection[str]
    ) -> None:
        named = function.__name__
        self._function = function.__qualname__.split(".")[0] if named.startswith("__") else named
        self._signature = inspect.signature(function)
        hints = typing.get_type_hints(function, localns=_names())
        found = self._signature.parameters
        self._names = [p.name for p in found.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self._rest = next((p.name for p in found.values() if p.kind is p.VAR_POSITIONAL), None)
        self._known = {p.name for p in found.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        self._open = any(p.kind is p.VAR_KEYWORD for p in found.values())  # to keywords that it checks itself
        self._required = [n for n in self._names if found[n].default is inspect.Parameter.empty]
        self._hints = {name: Any if name in unchecked else hints.get(name, Any) for name in found}
        self._checks = {name: _check(name, hint) for name, hint in self._hints.items()}
        self._ordered = [self._checks[name] for name in self._names]
        self._least, self._most = len(self._required), len(self._ordered)
        self._aliases = _aliases(self._function, self._known, counts)
        spread = [n for n in SPREAD if n in self._names and not {int, Any} & set(_options(self._hints[n]))]
        self._spread = self._names.index(spread[0]) if spread else None

    def fit(self, args: tuple[Any, ...]) -> bool:
        """Whether positional arguments alone are a call that needs no more attention."""
        if not self._least <= len(args) <= self._most:
            return False
        for check, value in zip(self._ordered, args, strict=False):  # noqa: SIM110 (a generator takes longer)
            if not check(value):
                return False
        return True

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments as the function takes them; errors for what it does not take."""
        args = self._gathered(args)
        if len(args) > self._most and self._rest is None:
            most = f"{self._most} arguments by position"
            raise ConfigurationError(f"{self._function} takes at most {most}, got {len(args)}")
        for name, value in zip(self._names, args, strict=False):
            self._require(name, value)
        for value in args[self._most :]:
            self._require(self._rest or "", value)
        named = self._renamed(kwargs)
        for name, value in named.items():
            if name in self._names[: len(args)]:
                raise ConfigurationError(f"{self._function} got {name!r} twice")
            self._require(name, value)
        for name in self._required[len(args) :]:
            if name not in named:
                raise ConfigurationError(
                    f"{self._function} needs {name!r}: {self._function}{self._signature}"
                )
        return args, named

    def _gathered(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Sizes that stand alone as one tuple."""
        at = self._spread
        if at is None or at >= len(args) or not isinstance(args[at], (*INTEGERS, str)):
            return args
        end = at
        while end < len(args) and isinstance(args[end], (*INTEGERS, str)) and not _names_a_dtype(args[end]):
            end += 1
        return (*args[:at], args[at:end], *args[end:])

    def _renamed(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for given, value in kwargs.items():
            name = given if given in self._known else self._aliases.get(given)
            if name is None and self._open:
                name = given
            if name is None:
                meant = did_you_mean(given, self._known) or f"; it has {sorted(self._known)}"
                raise ConfigurationError(f"{self._function} has no argument {given!r}{meant}")
            if name in found:
                raise ConfigurationError(f"{self._function} got {name!r} twice, once as {given!r}")
            found[name] = value
        return found

    def _require(self, name: str, value: Any) -> None:
        if name in self._checks and not self._checks[name](value):
            raise refusal(self._function, name, self._hints[name], value)


def refusal(function: str, name: str, hint: Any, value: Any) -> RaygradError:
    """The error that says what an argument should have been."""
    where = f"{function}: {name}"
    if isinstance(value, INTEGERS) and not _is_truth(value) and not _fits(value):
        return LimitError(f"{where} must be within 64 bits, got {float(value):.3g}")
    if _is_list(value) and _length(value) > LONGEST:
        return LimitError(f"{where} has {_length(value)} elements; at most {LONGEST} are allowed")
    shown = f"got {_brief(value)}"
    if words := _choices(hint):
        return ConfigurationError(f"{where} must be one of {words}, {shown}{did_you_mean(value, words)}")
    if isinstance(value, float) and math.isnan(value):
        return ConfigurationError(f"{where} must be a number, {shown}")
    return TypeMismatchError(f"{where} must be {_words(hint)}, {shown}")


def _choices(hint: Any) -> list[str]:
    """The words that a type takes, if it takes nothing else."""
    options = _options(hint)
    literals = [o for o in options if typing.get_origin(o) is Literal]
    return [w for o in literals for w in typing.get_args(o)] if len(literals) == len(options) else []


def _brief(value: Any) -> str:
    """A value for a message, by its type where it is large or its text costs something."""
    plain = value is None or isinstance(
        value, (bool, int, float, complex, str, bytes, list, tuple, dict, set)
    )
    if not plain or (isinstance(value, (list, tuple, dict, set)) and len(value) > 8):
        return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _aliases(function: str, known: Collection[str], counts: Collection[str]) -> Mapping[str, str]:
    """Other names of the parameters."""
    found: dict[str, str] = {}
    for group in (AXES, KEPT):
        for name in group:
            if name in known and name not in counts:
                found |= dict.fromkeys((other for other in group if other not in known), name)
    if set(PAIRS) <= set(known):
        torch = ("dim0", "dim1") if function == "swapaxes" else ("dim1", "dim2")
        for first, second in (("axis1", "axis2"), torch):
            found |= {first: "first", second: "second"}
    return found


# -- what a declared type takes -----------------------------------------------------------------------


@functools.cache
def _names() -> dict[str, Any]:
    """What annotations name that their modules import for type checkers only."""
    from .builder import Builder
    from .value import Value

    operand = Value | bool | int | float | np.ndarray
    return {"Value": Value, "Builder": Builder, "Array": np.ndarray, "Operand": operand}


def _check(name: str, hint: Any) -> Check:
    """Whether a value is of a declared type."""
    options = _options(hint)
    if DType in options:  # `DType.of` says what is none
        return lambda value: value is not None or types.NoneType in options
    checks = [_of(name, option) for option in options]
    if len(checks) == 1:
        return checks[0]
    return lambda value: any(check(value) for check in checks)


def _options(hint: Any) -> tuple[Any, ...]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return tuple(option for part in typing.get_args(hint) for option in _options(part))
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
        return _sequence(_check(name, _element(hint)), _element(hint))
    if origin is Mapping:
        keys, values = (_check(name, arg) for arg in args)
        return lambda value: (
            isinstance(value, Mapping) and all(keys(k) and values(v) for k, v in value.items())
        )
    if origin is tuple:
        parts = [_check(name, arg) for arg in args]
        return lambda value: (
            _is_list(value)
            and _length(value) == len(parts)
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
    return lambda value: _is_list(value) and _length(value) <= most and all(check(v) for v in value)


def _is_list(value: Any) -> bool:
    """Whether a value is a container in order, with a length."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def _length(value: Any) -> int:
    try:
        return len(value)
    except OverflowError:  # of a range
        return 1 << 63


def _is_truth(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _fits(value: Any) -> bool:
    return bool(-(1 << 63) <= value < 1 << 63)


def _is_integer(value: Any) -> bool:
    return isinstance(value, INTEGERS) and not isinstance(value, bool) and _fits(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not _is_truth(value)


def _is_real(value: Any) -> bool:
    return _is_number(value) and value == value


def _is_array_like(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic, *INTEGERS, float)):
        return True
    return isinstance(value, (list, tuple)) or hasattr(value, "__array__")


def _names_a_dtype(value: Any) -> bool:
    return isinstance(value, str) and value in DType.__members__


_SCALARS: dict[Any, Check] = {
    Any: lambda value: True,
    bool: _is_truth,
    int: _is_integer,
    str: lambda value: isinstance(value, str),
    types.NoneType: lambda value: value is None,
}


def _words(hint: Any) -> str:
    """A declared type in words."""
    options = [o for o in _options(hint) if o is not types.NoneType]
    names = list(dict.fromkeys(_word(o) for o in options))
    if types.NoneType in _options(hint):
        names.append("None")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _word(hint: Any) -> str:
    if _is_sequence(hint):
        inner = [o for o in _options(_element(hint)) if o is not types.NoneType]
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
