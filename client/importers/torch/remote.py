"""`Remote`: a module of PyTorch whose forward and backward passes run on the service."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch.utils import _pytree as pytree

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.graph import Graph

from ...session import Session
from .exporter import capture, named_arguments
from .runner import Runner, Tensors, run
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
    Dropout draws the service's own masks; a program that runs again with the same seed draws them again.
    Several forward passes may wait for their backward passes: each that does holds a session of its own.
    The module is captured by `from_torch` when it is first called in a mode with inputs of certain types, and
    again when its parts or the types of its tensors have changed; other attributes count as they were then.
    Sizes that `dynamic_shapes` names may differ between calls, others make another graph and session.

    Raises what `from_torch` and sessions raise; `LeaseError` for a second backward pass through one forward.
    Gradients of gradients are not available through it: PyTorch says so.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        target: str | Opener | None = None,
        *,
        dynamic_shapes: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if isinstance(module, Remote) or not isinstance(module, torch.nn.Module):
            raise ConfigurationError(f"Remote needs a torch.nn.Module, got {type(module).__name__}")
        self.module = module
        self._open = _opener(target, options)
        self._dynamic_shapes = dynamic_shapes
        self._runners: dict[Hashable, Runner] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module returns."""
        leaves = pytree.tree_leaves((args, kwargs))
        tensors = dict(self.module.named_parameters()) | dict(self.module.named_buffers())
        runner = self._runner(args, kwargs, tensors)
        runner.read(tensors)
        program = runner.program
        feeds = {name: t for name, t in zip(program.inputs, leaves, strict=True) if name is not None}
        results = dict(zip(program.output_names, run(runner, feeds), strict=True))
        found = [results[o.name] if isinstance(o, Output) else o for o in program.outputs]
        return pytree.tree_unflatten(found, program.structure)

    def close(self) -> None:
        """Close the sessions; a later call opens others."""
        runners, self._runners = list(self._runners.values()), {}
        for runner in runners:
            runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """A copy has sessions of its own."""
        return {**self.__dict__, "_runners": {}}

    def _runner(self, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: Tensors) -> Runner:
        """The program for the module as it is now, and these inputs."""
        key = (*self._key(args, kwargs), tuple(map(_tensor_key, tensors.items())))
        if key not in self._runners:
            captured = capture(self.module, args, kwargs, self._dynamic_shapes)
            program = Translator(captured, for_remote=True).program()
            self._runners[key] = Runner(program, tensors, self._open)
        return self._runners[key]

    def _key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, ...]:
        """What a program depends on beside the tensors: parts of the module, modes, the types of inputs."""
        names, structure = pytree.tree_flatten(
            named_arguments(self.module, args, kwargs, self._dynamic_shapes)
        )
        leaves = pytree.tree_leaves((args, kwargs))
        parts = tuple((part, part.training) for part in self.module.modules())
        return parts, _autocast(), str(structure), tuple(map(_leaf_key, leaves, names))


def _autocast() -> Hashable:
    """The dtype that `torch.autocast` has operators compute in at present, by device."""
    return tuple(
        torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        for device in ("cpu", "cuda")
    )


def _tensor_key(named: tuple[str, torch.Tensor]) -> Hashable:
    name, tensor = named
    return name, tensor.shape, tensor.dtype, tensor.requires_grad


def _leaf_key(leaf: Any, named: Any) -> Hashable:
    if not isinstance(leaf, torch.Tensor):
        return type(leaf), repr(leaf)
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
