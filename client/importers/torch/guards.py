"""What a captured forward pass reads beside what it is fed: while that stays, the capture is right."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .description import Describer, Description, is_library

HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
"""What is registered with a module, to be called around its passes."""

INTERNAL = frozenset(vars(torch.nn.Module())) | {"_is_full_backward_hook"}
"""Attributes by which PyTorch runs modules: what lies in them is fed, or tells captures apart."""


@dataclass(frozen=True)
class Root:
    """A namespace that a forward pass reads names of."""

    of: str  # how messages call it
    namespace: Mapping[str, Any]  # as it is at any time
    names: Callable[[], Iterable[str]]


class Guards:
    """Namespaces, and what the names in them stood for when this was made."""

    def __init__(self, roots: Iterable[Root], names: Collection[str] | None, tracing: bool = False) -> None:
        """Of what the roots name, only attributes called `names` count; all, if that is `None`."""
        self._roots, self._names, self._tracing = list(roots), names, tracing
        self._before, self._described_by = self._described()

    @property
    def differentiated(self) -> Mapping[int, str]:
        """The tensors among them that require a gradient: their addresses, and what they were read as."""
        return self._described_by.differentiated

    def changed(self) -> str | None:
        """What a name stands for something else now, if there is one: "'alpha' of module 'head'"."""
        if all(unchanged() for unchanged in self._described_by.unchanged):
            return None
        now, describer = self._described()
        for root, before, after in zip(self._roots, self._before, now, strict=True):
            if (name := _differing(before, after)) is not None:
                return f"{name!r} of {root.of}"
        self._described_by = (
            describer  # other objects, but equal ones: they are what is looked at from now on
        )
        return None

    def _described(self) -> tuple[list[Description], Describer]:
        describer = Describer(self._names, self._tracing)
        found = [describer.root(root.of, root.namespace, root.names()) for root in self._roots]
        return found, describer


def _differing(before: Description, after: Description) -> str | None:
    """The first name whose description differs."""
    known, found = dict(before), dict(after)
    return next((n for n in {**known, **found} if known.get(n) != found.get(n)), None)


def module_roots(model: torch.nn.Module, names: Collection[str] | None) -> Iterator[Root]:
    """The attributes of a module's parts and of their classes, as far as they are called `names`."""
    kinds: dict[type, None] = {}
    for path, part in model.named_modules():
        wanted = functools.partial(_attributes, part, names)
        yield Root(f"module {path!r}" if path else "the module", vars(part), wanted)
        kinds.update(dict.fromkeys(type(part).__mro__))
    for kind in kinds:
        if not is_library(kind.__module__):
            yield Root(f"class {kind.__qualname__}", vars(kind), functools.partial(_own, kind, names))


def _attributes(part: torch.nn.Module, names: Collection[str] | None) -> list[str]:
    """Those that are read, also where the module has them from its class so far; and the hooks."""
    known = {**vars(part), **{n: None for kind in type(part).__mro__ for n in _plain(kind)}}
    made = {name for hook in part._forward_pre_hooks.values() for name in _made_by(hook)}
    wanted = [n for n in known if n not in INTERNAL and n not in made and _counts(n, names)]
    return [*wanted, "forward", *HOOKS]


def _made_by(hook: Any) -> Iterator[str]:
    """The attribute that a hook of PyTorch computes anew before each pass: a normalized or pruned weight."""
    if str(type(hook).__module__).startswith("torch.nn.utils."):
        yield from (getattr(hook, name) for name in ("name", "_tensor_name") if hasattr(hook, name))


def _own(kind: type, names: Collection[str] | None) -> list[str]:
    return [n for n in vars(kind) if n == "forward" or _counts(n, names)]


def _plain(kind: type) -> Iterator[str]:
    return (n for n, v in vars(kind).items() if not callable(v) and not hasattr(v, "__get__"))


def _counts(name: str, names: Collection[str] | None) -> bool:
    return not name.startswith("__") and (names is None or name in names)


def function_root(function: types.FunctionType) -> Root:
    """The variables around a function that it reads, and its defaults."""
    around = Surroundings(function)
    return Root(f"function {function.__qualname__}", around, lambda: around)


class Surroundings(Mapping[str, Any]):
    """What a function has from outside of its calls: the variables around it, and defaults."""

    def __init__(self, function: types.FunctionType) -> None:
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        self._read: dict[str, Callable[[], Any]] = {
            "defaults": lambda: function.__defaults__,
            "keyword defaults": lambda: function.__kwdefaults__,
        }
        for name, cell in cells.items():
            self._read[name] = functools.partial(getattr, cell, "cell_contents")

    def __getitem__(self, name: str) -> Any:
        try:
            return self._read[name]()
        except ValueError:  # a variable that has no value yet
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)
