"""`Remote`: a module of PyTorch whose forward and backward passes run on the service."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch.utils import _pytree as pytree

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.graph import Graph

from ...session import Session
from .autograd import run
from .captures import Capture, Captures
from .exporter import LOCK, capture, named_arguments
from .pool import Tensors
from .runner import RANDOM_KEY, Runner
from .sizes import Named
from .translator import Output, Translator

Opener = Callable[[Graph], Session]


class Remote(torch.nn.Module):
    """`module`, computed by the service: a training loop changes in one line.

    ::

        model = rg.torch.Remote(model, "localhost:50051")      # the one line
        for x, y in batches:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()                                    # fills .grad of the module's parameters
            optimizer.step()

    `target` is a server's "host:port", `None` for this process, or a function that opens a session for a
    graph. Options are those of `rg.connect` or `rg.local`.

    A forward pass puts the parameters and buffers that have changed, and runs with the module in the mode
    (training or evaluation) in which it is; running statistics follow. Where PyTorch wants gradients, its
    backward pass runs on the service with the cotangents that PyTorch brings; else it is an evaluation.
    Gradients of gradients (`create_graph`), of any order, and further backward passes through a graph that
    PyTorch retains are those of the module. Dropout draws the service's own masks; a program that runs again
    with the same seed draws them again. Several forward passes may wait for their backward passes: each that
    does holds a session of its own.

    The module is captured as by `from_torch` when it is first called in a mode with inputs of certain types,
    and again when its parts, the types of its tensors, or something else that its code reads has changed
    (docs/capture.md says what counts, and what is refused). At most `captures` are kept, those used last; a
    warning says when they are more. Sizes that `dynamic_shapes` names may differ between calls, others make
    another capture. Thread-safe, as far as the module is.

    Raises what `from_torch` and sessions raise.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        target: str | Opener | None = None,
        *,
        dynamic_shapes: Any = None,
        captures: int = 16,
        **options: Any,
    ) -> None:
        super().__init__()
        if isinstance(module, Remote) or not isinstance(module, torch.nn.Module):
            raise ConfigurationError(f"Remote needs a torch.nn.Module, got {type(module).__name__}")
        self.module = module
        self._open = _opener(target, options)
        self._dynamic_shapes = dynamic_shapes
        self._most = captures
        self._captures = Captures(captures)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module returns. `torch.compile` calls it as it is."""
        with LOCK:  # another thread's capture exchanges the tensors of the module for a time
            tensors = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
            found = self._capture(args, kwargs, tensors)
        program, leaves = found.program, pytree.tree_leaves((args, kwargs))
        feeds = {name: t for name, t in zip(program.inputs, leaves, strict=True) if name is not None}
        # A state changes with this pass, and a backward pass may need what it was.
        states = {name: tensors[name].detach().clone() for name in program.states}
        results = run(found.runner, {**feeds, **_fed(found.runner, states)}, tensors)
        with torch.no_grad():
            for name in program.states:
                tensors[name].copy_(results[name])
        outputs = [results[o.name] if isinstance(o, Output) else o for o in program.outputs]
        return pytree.tree_unflatten(outputs, program.structure)

    def close(self) -> None:
        """Close the sessions; a later call opens others."""
        with LOCK:
            self._captures.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy has sessions of its own."""
        return {**self.__dict__, "_captures": Captures(self._most)}

    def _capture(self, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: Tensors) -> Capture:
        """The capture for the module as it is now, and these inputs."""
        key = (*self._key(args, kwargs), tuple(map(_tensor_key, tensors.items())))
        found = self._captures.find(key)
        if found is None:
            reason = self._captures.why(key)
            found = self._captured(args, kwargs, tensors)
            self._captures.keep(key, found, f"{reason} changed" if reason else _NEW_TYPES)
        return found

    def _captured(self, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: Tensors) -> Capture:
        captured = capture(self.module, args, kwargs, self._dynamic_shapes)
        program = Translator(captured, for_remote=True).program()
        constants = {name: a for name, a in program.tensors.items() if name not in tensors}
        assert captured.guards is not None
        return Capture(program, captured.guards, Runner(program.graph, constants, self._open))

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, ...]:
        """What a program depends on beside the tensors: parts of the module, modes, the types of inputs."""
        leaves, structure = pytree.tree_flatten((args, kwargs))
        names: Iterable[Any] = itertools.repeat(None)
        if self._dynamic_shapes is not None:
            names = pytree.tree_leaves(named_arguments(self.module, args, kwargs, self._dynamic_shapes))
        parts = tuple([(part, part.training) for part in self.module.modules()])
        return parts, _modes(), structure, tuple(map(_leaf_key, leaves, names))


_NEW_TYPES = (
    "an input had another shape or dtype, or an argument another value: sizes that `dynamic_shapes` names, "
    "as in dynamic_shapes={'x': {0: 'N'}}, may differ within one capture"
)


def _fed(runner: Runner, states: Tensors) -> Tensors:
    """The inputs that the caller does not give: states of the module, and what keys its random draws."""
    found = {name: t for name, t in states.items() if name in runner.graph.inputs}
    if runner.draws:
        found[RANDOM_KEY] = torch.randint(1 << 32, (4,))
    return found


def _modes() -> Hashable:
    """The modes of PyTorch that decide what operators compute in."""
    autocast = tuple(
        torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        for device in ("cpu", "cuda")
    )
    return autocast, torch.get_default_dtype()


def _tensor_key(named: tuple[str, torch.Tensor]) -> Hashable:
    name, tensor = named
    return name, tensor.shape, tensor.dtype, tensor.requires_grad


def _leaf_key(leaf: Any, named: Any) -> Hashable:
    if not isinstance(leaf, torch.Tensor):
        return type(leaf), repr(leaf)
    if named is None:
        return leaf.shape, leaf.dtype
    assert isinstance(named, Named)
    sizes = tuple(size if name is None else name for size, name in zip(leaf.shape, named.axes, strict=True))
    return sizes, leaf.dtype


def _opener(target: str | Opener | None, options: dict[str, Any]) -> Opener:
    """How a session is opened."""
    if callable(target):
        if options:
            raise ConfigurationError("a function that opens sessions takes no options: give them inside")
        return target
    return _Opener(target, options)


@dataclass(frozen=True)
class _Opener:
    """Opens sessions on a server, or in this process. It can be pickled, unlike functions inside others."""

    target: str | None
    options: dict[str, Any]

    def __call__(self, graph: Graph) -> Session:
        if self.target is None:
            from ...local import local

            return local(graph, **self.options)
        from ...connect import connect

        return connect(self.target, graph, **self.options)
