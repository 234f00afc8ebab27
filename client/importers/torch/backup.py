"""A module as it was: whatever a capture does to it is undone."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import torch

from .guards import INTERNAL


class Backup:
    """Within `with`, a module may change; at the end its attributes are what they were before.

    That goes for the attributes of all parts, and for the elements of lists, dictionaries, sets and plain
    tensors among them.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._parts = list(model.named_modules())
        self.written: list[str] = []  # the tensors whose elements were not what they were

    def __enter__(self) -> Self:
        self._attributes = [(path, part, _attributes(part)) for path, part in self._parts]
        self._contents = [
            (f"{path}.{name}" if path else name, value, _copy(value))
            for path, _, attributes in self._attributes
            for name, value in attributes.items()
        ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, part, attributes in self._attributes:
            now = vars(part)
            for name in [n for n in now if n not in INTERNAL and n not in attributes]:
                del now[name]
            now.update((n, v) for n, v in attributes.items() if now.get(n, self) is not v)
        for name, value, copied in self._contents:
            self._restore(name, value, copied)

    def _restore(self, name: str, value: Any, copied: Any) -> None:
        if isinstance(value, torch.Tensor):
            if copied is not None and not torch.equal(value, copied) and not _both_nan(value, copied):
                self.written.append(name)
                value.detach().copy_(copied)
        elif type(value) is list:
            value[:] = copied
        elif type(value) in (dict, set):
            value.clear()
            value.update(copied)


def _attributes(part: torch.nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if name not in INTERNAL}


def _copy(value: Any) -> Any:
    """A copy of what can change, or `None`."""
    if isinstance(value, torch.Tensor):
        strided = value.layout is torch.strided and not value.is_meta
        return value.detach().clone() if strided else None
    return value.copy() if type(value) in (list, dict, set) else None


def _both_nan(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether they are equal but for NaNs, which are in the same places."""
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
