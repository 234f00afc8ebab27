"""Values of a Python program as comparable descriptions: what a captured forward pass has been made with."""

from __future__ import annotations

import argparse
import enum
import functools
import hashlib
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from operator import is_
from typing import Any, TypeAlias

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensor

Description: TypeAlias = "tuple[Any, ...]"
Check: TypeAlias = "Callable[[], bool]"
"""Whether something is as it was: quick, and `False` at times when only its identity has changed."""

PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, enum.Enum)
"""What does not change, and is told apart by its type and `repr`."""

DEEPEST = 50
"""How far a description goes from one value into the next; what lies deeper is told apart by identity."""

LIBRARIES = frozenset(sys.stdlib_module_names) | {
    *("torch", "numpy", "sympy", "mpmath", "raygrad", "functorch", "torchgen", "typing_extensions"),
    *("networkx", "jinja2", "optree"),
}
"""Packages whose functions, types and modules are taken to stay what they are."""

_OPEN = (
    torch.nn.Module,
    types.SimpleNamespace,
    argparse.Namespace,
    type,
    types.ModuleType,
    types.FunctionType,
)
"""Of a library's types, those whose objects hold what a program puts there."""

_OF_MODULES = ("_parameters", "_buffers", "_modules", "training")


def is_library(name: str | None) -> bool:
    """Whether a module of this name belongs to a library."""
    return _root(name) in LIBRARIES


def _root(name: str | None) -> str:
    return (name or "").partition(".")[0]


class Describer:
    """Describes values; remembers each changeable thing that it came by, to see cheaply that none changed.

    Of the attributes of an object only those called `names` count (all of them, if that is `None`). While
    PyTorch traces, the elements of tensors cannot be had: with `tracing`, tensors are told apart by identity.
    """

    def __init__(self, names: Collection[str] | None = None, tracing: bool = False) -> None:
        self._tracing = tracing
        self._names = None if names is None else frozenset(names)
        self._inside: list[int] = []  # the objects that hold what is being described
        self._root = ""
        self.unchanged: list[Check] = []
        self.differentiated: dict[int, str] = {}  # by address: tensors that require a gradient
        self.alive: list[Any] = []  # told apart by identity: their ids must not be used again

    def describe(self, value: Any) -> Description:
        """What `value` is, to be compared with `==`."""
        if isinstance(value, PLAIN):
            return type(value), repr(value)
        if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
            return self._array(value)
        if id(value) in self._inside or len(self._inside) >= DEEPEST:
            return self._same(value)
        self._inside.append(id(value))
        try:
            return self._structured(value)
        finally:
            self._inside.pop()

    def root(self, of: str, namespace: Mapping[str, Any], names: Iterable[str]) -> Description:
        """The entries called `names` of a namespace that messages call `of`."""
        self._root = of
        return self.namespace(namespace, names)

    def namespace(self, namespace: Mapping[str, Any], names: Iterable[str]) -> Description:
        """The entries called `names`, as far as they exist."""
        present = tuple(name for name in names if name in namespace)
        self.unchanged.append(_entries(namespace, present))
        return tuple((name, self.describe(namespace[name])) for name in present)

    # -- kinds of values ----------------------------------------------------------------------

    def _structured(self, value: Any) -> Description:
        if isinstance(value, (list, tuple, deque)):
            self.unchanged.append(_elements(value))
            return type(value), tuple(map(self.describe, value))
        if isinstance(value, (dict, types.MappingProxyType)):
            self.unchanged.append(_items(value))
            return type(value), tuple((self.describe(k), self.describe(v)) for k, v in value.items())
        if isinstance(value, (set, frozenset)):
            self.unchanged.append(_elements(value))
            return type(value), frozenset(map(self.describe, value))
        if isinstance(value, (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)):
            if self._tracing and isinstance(value, torch.Generator):
                return self._same(value)
            self.unchanged.append(_state(value))
            return *self._same(value), state_of(value)
        if isinstance(value, types.MethodType):
            return types.MethodType, self._same(value.__func__), self.describe(value.__self__)
        if is_library(type(value).__module__) and not isinstance(value, _OPEN):
            return self._same(value)  # loggers and operators keep caches
        if isinstance(value, functools.partial):
            return functools.partial, *map(self.describe, (value.func, value.args, value.keywords))
        return self._object(value)

    def _object(self, value: Any) -> Description:
        """Something with attributes: an object, a type or a module of the program."""
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType)):
            return self._same(value)
        if isinstance(value, (type, types.ModuleType)):
            home = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
            if is_library(home):
                return self._same(value)
            return *self._same(value), self.namespace(vars(value), self._wanted(vars(value), value))
        attributes = getattr(value, "__dict__", None)
        found = self._same(value) if not isinstance(attributes, dict) else (type(value),)
        if isinstance(attributes, dict):
            found += (self.namespace(attributes, self._wanted(attributes, value)),)
            found += (self._of_class(type(value)),)
        return *found, *self._slots(value)

    def _of_class(self, kind: type) -> Description:
        """The attributes that an object has from its class, where a program defines that."""
        found = [c for c in kind.__mro__ if not is_library(c.__module__)]
        return tuple(self.namespace(vars(c), self._wanted(vars(c), c)) for c in found)

    def _wanted(self, namespace: Mapping[str, Any], value: Any) -> list[str]:
        names = [n for n in list(namespace) if isinstance(n, str) and self._is_wanted(n)]
        if isinstance(value, torch.nn.Module):
            return [n for n in names if not n.startswith("_")] + [n for n in _OF_MODULES if n in namespace]
        return names

    def _is_wanted(self, name: str) -> bool:
        if name.startswith("__"):
            return False
        return self._names is None or name in self._names

    def _slots(self, value: Any) -> Description:
        names = [n for kind in type(value).__mro__ for n in _listed(getattr(kind, "__slots__", ()))]
        wanted = [n for n in names if self._is_wanted(n) and hasattr(value, n)]
        if wanted:
            self.unchanged.append(_slots(value, wanted))
        return tuple((n, self.describe(getattr(value, n))) for n in wanted)

    def _array(self, value: Any) -> Description:
        if isinstance(value, FakeTensor) or (self._tracing and isinstance(value, torch.Tensor)):
            return self._same(value)
        self.unchanged.append(_content(value))
        if isinstance(value, torch.Tensor):
            if value.requires_grad:
                self.differentiated[value.data_ptr()] = self._root
            return torch.Tensor, value.dtype, tuple(value.shape), value.requires_grad, digest_of(value)
        return type(value), str(value.dtype), value.shape, digest_of(value)

    def _same(self, value: Any) -> Description:
        self.alive.append(value)
        return "the same", id(value)


def state_of(generator: Any) -> str:
    """The state of a generator of random numbers."""
    if isinstance(generator, torch.Generator):
        return digest_of(generator.get_state())
    if isinstance(generator, random.Random):
        return repr(hash(generator.getstate()))
    if isinstance(generator, np.random.RandomState):
        return repr(generator.get_state(legacy=False))
    return repr(generator.bit_generator.state)


def digest_of(array: torch.Tensor | np.ndarray[Any, Any] | np.generic) -> str:
    """A hash of the elements."""
    if isinstance(array, torch.Tensor):
        if array.layout is not torch.strided or array.is_meta:
            return f"the same {id(array)}"
        dense = array.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    else:
        dense = np.ascontiguousarray(array)
        if dense.dtype.hasobject:
            return repr(dense.tolist())
    return hashlib.blake2b(dense.tobytes(), digest_size=16).hexdigest()


# -- what has not changed ---------------------------------------------------------------------


def _entries(namespace: Mapping[str, Any], names: tuple[str, ...]) -> Check:
    values, count = tuple(namespace[name] for name in names), len(namespace)

    def check() -> bool:
        if len(namespace) != count:
            return False
        return all(map(is_, map(namespace.get, names), values))

    return check


def _elements(sequence: Collection[Any]) -> Check:
    before = list(sequence)
    return lambda: len(sequence) == len(before) and all(map(is_, sequence, before))


def _items(mapping: Mapping[Any, Any]) -> Check:
    keys, values = list(mapping), list(mapping.values())
    return lambda: (
        len(mapping) == len(keys) and all(map(is_, mapping, keys)) and all(map(is_, mapping.values(), values))
    )


def _slots(value: Any, names: list[str]) -> Check:
    before = [getattr(value, name) for name in names]
    return lambda: all(getattr(value, name, None) is found for name, found in zip(names, before, strict=True))


def _state(generator: Any) -> Check:
    before = state_of(generator)
    return lambda: state_of(generator) == before


def _content(array: Any) -> Check:
    if not isinstance(array, torch.Tensor):
        before = digest_of(array)
        return lambda: digest_of(array) == before
    kept, wanted = array.detach().clone(), array.requires_grad
    return lambda: array.requires_grad == wanted and _equal(array, kept)


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether they have one type and the same elements; a NaN makes this say no."""
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


def _listed(slots: Any) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots
