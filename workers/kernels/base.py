"""Kernels: code that computes an operator on one backend, and how to find it.

A kernel is a factory: it receives the operator and the site (array namespace, types, device) once,
when a program is compiled, and returns the function that runs for every mini-batch. It sees only
operands in the physical layout that their type determines on the backend, so that a cut through the
graph changes no bit; whatever layout its results have, the program brings them into theirs.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from raygrad.proto.errors import ConfigurationError, UnknownOperatorError
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import Array, TensorType

Tensor = Any
"""An array of a backend: numpy.ndarray or torch.Tensor."""

Kernel = Callable[..., Any]
"""What runs for every mini-batch: input tensors in, one tensor or a tuple of them out."""

COMMON = "common"


@dataclass(frozen=True)
class Site:
    """Where a kernel is compiled for: the backend, and the bound types of one node."""

    backend: Backend
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]

    @property
    def xp(self) -> Any:
        """The array-API namespace of the backend (array-api-compat)."""
        return self.backend.xp

    @property
    def output(self) -> TensorType:
        """The type of the one output."""
        return self.outputs[0]

    def constant(self, array: Array) -> Tensor:
        """`array` as a tensor on the backend's device, in its layout."""
        return self.backend.from_host(array)


Factory = Callable[[Any, Site], Kernel]


class Backend(ABC):
    """An array library on a device: how tensors come in, lie, and go out."""

    family: ClassVar[str]
    name: str
    xp: Any

    @abstractmethod
    def from_host(self, array: Array) -> Tensor:
        """A tensor in its layout on the device. May share memory with `array`, which nobody changes."""

    @abstractmethod
    def to_host(self, tensor: Tensor) -> Array:
        """A NumPy array (logical axis order; any strides) with the tensor's elements."""

    def all_to_host(self, tensors: Sequence[Tensor]) -> list[Array]:
        """`to_host` of each. A device with a queue of its own is waited for once, not for each tensor."""
        return [self.to_host(tensor) for tensor in tensors]

    @abstractmethod
    def layout(self, type: TensorType) -> Callable[[Tensor], Tensor]:
        """The function that brings a tensor of this type into its physical layout (itself if it is)."""

    @abstractmethod
    def fingerprint(self) -> str:
        """What the bits depend on: backend, library versions, instruction set or GPU model, threads."""

    def memory(self) -> int:
        """Bytes of memory that the device has."""
        return host_memory()

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Around every run: one compute thread, no autograd, deterministic algorithms; restored after."""
        yield

    def synchronize(self) -> None:  # noqa: B027 (nothing to wait for, on most)
        """Wait for the device, so that a clock read next is true."""

    def compile(
        self,
        operator: Operator,
        inputs: tuple[TensorType, ...],
        outputs: tuple[TensorType, ...],
        *,
        overwrites: bool = False,
    ) -> Kernel:
        """The kernel of `operator` for these bound types.

        With `overwrites`, nobody else reads the memory of the first operand, which has the type of the
        output: the result may lie there, in the same bits.
        """
        site = Site(self, inputs, outputs)
        if overwrites and (factory := _in_place.get((self.family, type(operator)))):
            return factory(operator, site)
        return find(operator, self.family)(operator, site)

    def is_fresh(self, operator: Operator) -> bool:
        """Whether results of this operator never share memory with its operands or with a constant."""
        family = self.family if (self.family, type(operator)) in _factories else COMMON
        return (family, type(operator)) in _fresh


_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def host_memory() -> int:
    """Bytes of memory of this machine, or of the container that this process runs in."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no control group, or no limit ("max")
        return min(physical, int(_CGROUP_LIMIT.read_text()))
    return physical


_factories: dict[tuple[str, type[Operator]], Factory] = {}
_exact: set[type[Operator]] = set()
_fresh: set[tuple[str, type[Operator]]] = set()
_in_place: dict[tuple[str, type[Operator]], Factory] = {}


def kernel(
    *operators: type[Operator], family: str = COMMON, exact: bool = False, fresh: bool = False
) -> Callable[[Factory], Factory]:
    """Register a factory for operators, for all backends (`common`) or for one family.

    `exact` says that each output element is an exactly rounded function of its input elements, so
    that strides cannot change bits, and operands may be views (a broadcast need not be written out).
    `fresh` says that results lie in memory of their own, which an `in_place` kernel may overwrite.
    """

    def register(factory: Factory) -> Factory:
        for operator in operators:
            if (family, operator) in _factories:
                raise ConfigurationError(f"{operator.name} has two kernels on {family}")
            _factories[family, operator] = factory
            if exact:
                _exact.add(operator)
            if fresh:
                _fresh.add((family, operator))
        return factory

    return register


def in_place(*operators: type[Operator], family: str) -> Callable[[Factory], Factory]:
    """Register a factory beside that of `kernel`: the same bits, written over the first operand."""

    def register(factory: Factory) -> Factory:
        _in_place.update(dict.fromkeys(((family, operator) for operator in operators), factory))
        return factory

    return register


def find(operator: Operator, family: str) -> Factory:
    """The factory for an operator on a backend family: its own, else the common one."""
    kind = type(operator)
    found = _factories.get((family, kind)) or _factories.get((COMMON, kind))
    if found is None:
        raise UnknownOperatorError(f"{operator.name} has no kernel on {family}")
    return found


def takes_views(operator: Operator) -> bool:
    """Whether operands of this operator may be views: strides change no bit of its result."""
    return type(operator) in _exact


def has_kernel(operator: type[Operator], family: str) -> bool:
    """Whether `find` would succeed."""
    return (family, operator) in _factories or (COMMON, operator) in _factories
