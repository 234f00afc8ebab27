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

        Of what is differentiated further only what the program holds counts. Other activations are many, and
        a backward pass that comes later makes them anew, from those that are kept.
        """
        of, port = self
        held = of.tensors.get(port)
        tensor = held() if held is not None else None
        if tensor is not None and tensor.output == self:
            return True
        return not of.history and of.is_used_beside(run)


@dataclass(slots=True)
class Total:
    """The gradient of a leaf so far. Leaves that replace each other as one tensor's data share it."""

    tensor: Tensor | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, found: Tensor) -> Tensor:
        """The sum so far, with one more gradient. Threads add one after the other."""
        with self.lock:
            self.tensor = found if self.tensor is None else self.tensor + found
            return self.tensor


_NOBODY: dict[int, weakref.ref[Tensor]] = {}


class Recorded:
    """One use of an operator, or data that the program gave (without operator)."""

    __slots__ = (
        *(
            "__weakref__",
            "_total",
            "_users",
            "history",
            "home",
            "id",
            "inputs",
            "label",
            "number",
            "operator",
        ),
        *("requires_grad", "tensors", "together", "types", "values"),
    )

    def __init__(
        self,
        id: int,
        types: tuple[TensorType, ...],
        operator: Operator | None = None,
        number: int = -1,
        inputs: tuple[Output, ...] = (),
        home: int = -1,
        label: str = "",
        *,
        differentiable: bool = False,
        values: list[Array | None],
    ) -> None:
        self.id = id  # ids grow: inputs have smaller ones
        self.types = types
        self.operator = operator
        self.number = number  # equal operators have the same
        self.inputs = inputs
        self.home = home  # the id of the use beside which it is placed
        self.label = label
        self.requires_grad = differentiable
        self.history = differentiable  # whether differentiation goes on to the inputs; without, it is a leaf
        self.values = values  # by output, as far as they are known
        self.tensors = _NOBODY  # of the program, by output
        self.together: list[weakref.ref[Tensor]] = []  # computed when this is
        self._users: list[weakref.ref[Recorded]] | None = None  # from before it was known
        self._total: Total | None = None

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All outputs."""
        if len(self.types) == 1:
            return (Output(self, 0),)
        return tuple(Output(self, port) for port in range(len(self.types)))

    @property
    def total(self) -> Total:
        """The gradient so far, if this is a leaf."""
        if self._total is None:
            with _making_total:
                self._total = self._total or Total()
        return self._total

    @total.setter
    def total(self, shared: Total) -> None:
        self._total = shared

    def stands_for(self, port: int, tensor: weakref.ref[Tensor]) -> None:
        """A tensor of the program is an output of this."""
        if self.tensors is _NOBODY:
            self.tensors = {}
        self.tensors[port] = tensor

    def used_by(self, use: weakref.ref[Recorded]) -> None:
        """Another use takes an output that is not known yet."""
        if self._users is None:
            self._users = []
        self._users.append(use)

    def is_used_beside(self, run: Collection[Recorded]) -> bool:
        """Whether another use than these, which still lives, takes an output of this."""
        for ref in self._users or ():
            use = ref()
            if use is not None and use not in run:
                return True
        return False

    def learn(self, port: int, value: Array) -> None:
        """The elements of an output are known now; what made them is let go of if nobody needs it."""
        self.values[port] = value
        if all(v is not None for v in self.values):
            self._users = None
            self.inputs = self.inputs if self.history else ()


_making_total = threading.Lock()
