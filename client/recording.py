"""What is recorded of define-by-run tensors: uses of operators that live as long as somebody needs them.

A use holds those whose results it takes, and a tensor holds the use that makes it; so what no tensor can
ask for any more is gone, as with any other object.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Collection, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import Array, TensorType

if TYPE_CHECKING:
    from .tensor import Tensor

_grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)


@contextlib.contextmanager
def grad_mode(enabled: bool) -> Iterator[None]:
    """Whether what is recorded inside can be differentiated."""
    token = _grad_enabled.set(enabled)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


def no_grad() -> contextlib.AbstractContextManager[None]:
    """What is recorded inside is not differentiated: its `requires_grad` is False."""
    return grad_mode(False)


def grad_enabled() -> bool:
    """Whether this thread (or task) is outside of `no_grad`."""
    return _grad_enabled.get()


class Output(NamedTuple):
    """One output of a use: what a tensor stands for."""

    of: Recorded
    port: int = 0

    @property
    def type(self) -> TensorType:
        """Shape and dtype."""
        return self.of.types[self.port]

    @property
    def value(self) -> Array | None:
        """The elements, if they are known."""
        return self.of.values[self.port]

    @property
    def requires_grad(self) -> bool:
        """Whether it is differentiated by."""
        return self.of.requires_grad and self.type.dtype.is_floating

    def is_needed_after(self, run: Collection[Recorded]) -> bool:
        """Whether something asks for this again once these uses have run: a tensor of the program, or a use.

        What is differentiated further does not count: activations are many, and a backward pass that
        comes later makes them anew.
        """
        if self.of.history:
            return False
        held = self.of.tensors.get(self.port)
        tensor = held() if held is not None else None
        if tensor is not None and tensor.output == self:
            return True
        return any(use not in run for use in self.of.users)


@dataclass(slots=True)
class Total:
    """The gradient of a leaf so far. Leaves that replace each other as one tensor's data share it."""

    tensor: Tensor | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, found: Tensor) -> Tensor:
        """The sum so far, with one more gradient. Threads add one after the other."""
        with self.lock:
            self.tensor = found if self.tensor is None else self.tensor + found
            assert self.tensor is not None
            return self.tensor


@dataclass(eq=False, slots=True, weakref_slot=True)
class Recorded:
    """One use of an operator, or data that the program gave (without operator)."""

    id: int  # ids grow: inputs have smaller ones
    types: tuple[TensorType, ...]
    operator: Operator | None = None
    inputs: tuple[Output, ...] = ()
    home: int = -1  # the id of the use beside which it is placed
    label: str = ""
    requires_grad: bool = False
    history: bool = False  # whether differentiation goes on to the inputs; without, it is a leaf
    values: list[Array | None] = field(default_factory=list)  # by output, as far as they are known
    total: Total = field(default_factory=Total)
    users: weakref.WeakSet[Recorded] = field(default_factory=weakref.WeakSet)  # from before it was known
    tensors: dict[int, weakref.ref[Tensor]] = field(default_factory=dict)  # of the program, by output
    together: list[weakref.ref[Tensor]] = field(default_factory=list)  # computed when this is

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs."""
        return tuple(Output(self, port) for port in range(len(self.types)))

    def learn(self, port: int, value: Array) -> None:
        """The elements of an output are known now; what made them is let go of if nobody needs it."""
        self.values[port] = value
        if all(v is not None for v in self.values):
            self.users.clear()
            self.inputs = self.inputs if self.history else ()
