"""Arguments of public functions: checked by their declared types, under the names of NumPy and of PyTorch.

`public` makes a function refuse, before it does anything, what its signature does not declare: a truth value
for an axis, a text for a number, NaN, an unknown word, a container without a length. `axis` and `dim`,
`keepdims` and `keepdim` name the same parameter. Numbers that belong together may stand alone:
`tile(x, 2, 3)` is `tile(x, (2, 3))`.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from .declared import check_of, names, names_a_dtype, options, refusal
from .errors import ConfigurationError
from .suggestions import did_you_mean
from .tensor import INTEGERS

F = TypeVar("F", bound=Callable[..., Any])

AXES = ("axis", "axes", "dim", "dims")
KEPT = ("keepdims", "keepdim")
PAIRS = ("first", "second")

SPREAD = ("shape", "repeats")
"""Sizes that may stand alone, as in `tile(x, 2, 3)`."""


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


def check_fields(instance: Any, names: Collection[str]) -> None:
    """Fields of a dataclass by their declared types; the errors are those of `public`."""
    kind = type(instance)
    hints = _hints_of(kind)
    for name in names:
        value = getattr(instance, name)
        if not check_of(name, hints[name])(value):
            raise refusal(kind.__name__, name, hints[name], value)


def _hints_of(kind: type) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind)
    return _HINTS[kind]


_HINTS: dict[type, dict[str, Any]] = {}


class Parameters:
    """What a function takes."""

    def __init__(
        self, function: Callable[..., Any], counts: Collection[str], unchecked: Collection[str]
    ) -> None:
        named = function.__name__
        self._function = function.__qualname__.split(".")[0] if named.startswith("__") else named
        self._signature = inspect.signature(function)
        hints = typing.get_type_hints(function, localns=names())
        found = self._signature.parameters
        self._names = [p.name for p in found.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        self._rest = next((p.name for p in found.values() if p.kind is p.VAR_POSITIONAL), None)
        self._known = {p.name for p in found.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
        self._open = any(p.kind is p.VAR_KEYWORD for p in found.values())  # to keywords that it checks itself
        self._required = [n for n in self._names if found[n].default is inspect.Parameter.empty]
        self._hints = {name: Any if name in unchecked else hints.get(name, Any) for name in found}
        self._checks = {name: check_of(name, hint) for name, hint in self._hints.items()}
        self._ordered = [self._checks[name] for name in self._names]
        self._least, self._most = len(self._required), len(self._ordered)
        self._aliases = _aliases(self._function, self._known, counts)
        spread = [n for n in SPREAD if n in self._names and not {int, Any} & set(options(self._hints[n]))]
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
        while end < len(args) and isinstance(args[end], (*INTEGERS, str)) and not names_a_dtype(args[end]):
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
