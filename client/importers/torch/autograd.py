"""A graph on the service as a node of PyTorch's graph, which can be differentiated as often as one likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from raygrad.proto.errors import LeaseError, SessionNotFoundError
from raygrad.proto.tensor import Array

from .arrays import as_array, to_tensor
from .pool import Tensors
from .runner import Gradients, Pass, Runner, cotangent_of, gradient_by


def run(runner: Runner, feeds: Tensors, held: Tensors) -> dict[str, torch.Tensor]:
    """The outputs by name, differentiable where PyTorch wants it. `held` are parameters and buffers."""
    call = _Call(runner, tuple(feeds), (*runner.parameters, *runner.buffers))
    tensors = (*feeds.values(), *(held[name] for name in call.held))
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        apply: Any = RunGraph.apply
        return dict(zip(runner.graph.outputs, apply(call, *tensors), strict=True))
    return runner.evaluate(feeds, held)


@dataclass(frozen=True)
class _Call:
    """What the tensors are that a node of PyTorch's graph takes, in order."""

    runner: Runner
    feeds: tuple[str, ...]
    held: tuple[str, ...]  # parameters, then buffers

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tensors."""
        return (*self.feeds, *self.held)

    def split(self, tensors: Sequence[torch.Tensor]) -> tuple[Tensors, Tensors]:
        """The feeds, and what is put."""
        count = len(self.feeds)
        feeds = dict(zip(self.feeds, tensors[:count], strict=True))
        return feeds, dict(zip(self.held, tensors[count:], strict=True))


class RunGraph(torch.autograd.Function):
    """A forward pass on the service: (inputs, parameters, buffers) to outputs.

    The first backward pass uses the activations that are kept for it. A second one, through a graph that
    PyTorch was told to retain, runs the forward pass again; so does one whose session is gone. Where the
    gradients are to be differentiated in turn (`create_graph`), they are another graph on the service.
    """

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: torch.Tensor) -> Any:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        ctx.call, ctx.devices = call, {name: t.device for name, t in zip(call.names, tensors, strict=True)}
        results, ctx.waiting = call.runner.forward(*call.split(tensors))
        needed = {name for name, need in zip(call.names, ctx.needs_input_grad[1:], strict=True) if need}
        ctx.mark_non_differentiable(
            *(r for name, r in results.items() if not needed & call.runner.reached(frozenset([name])))
        )
        return tuple(results[name] for name in call.runner.graph.outputs)

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> Any:
        call: _Call = ctx.call
        given = {n: g for n, g in zip(call.runner.graph.outputs, cotangents, strict=True) if g is not None}
        needed = {name for name, need in zip(call.names, ctx.needs_input_grad[1:], strict=True) if need}
        wanted = frozenset(needed) & call.runner.reached(frozenset(given))
        gradients = _differentiable if torch.is_grad_enabled() else _plain
        found = gradients(ctx, given, wanted) if wanted else {}
        return None, *(found.get(name) for name in call.names)


def _differentiable(ctx: Any, given: Tensors, wanted: frozenset[str]) -> Tensors:
    """The gradients, by a graph whose inputs are those of the forward pass and the cotangents."""
    call: _Call = ctx.call
    feeds, held = call.split(ctx.saved_tensors)
    graph = call.runner.backward(frozenset(given), wanted)
    inputs = {**feeds, **{cotangent_of(name, graph.order): g for name, g in given.items()}}
    found = run(graph, {name: t for name, t in inputs.items() if name in graph.graph.inputs}, held)
    # A derivative that a rule leaves out is 0 everywhere.
    known = {**feeds, **held}
    return {name: found.get(gradient_by(name), torch.zeros_like(known[name])) for name in wanted}


def _plain(ctx: Any, given: Tensors, wanted: frozenset[str]) -> Tensors:
    """The gradients as numbers."""
    call: _Call = ctx.call
    cotangents = {name: as_array(g) for name, g in given.items()}
    inputs = [name for name in call.feeds if name in wanted]
    by_parameter, by_input = _backward(ctx, cotangents, inputs)
    found: dict[str, Array] = {**by_parameter, **by_input}
    return {name: to_tensor(found[name], ctx.devices[name]) for name in wanted}


def _backward(ctx: Any, cotangents: Mapping[str, Array], inputs: Sequence[str]) -> Gradients:
    call: _Call = ctx.call
    waiting: Pass = ctx.waiting
    if waiting.waits:
        try:
            return waiting.backward(cotangents, inputs)
        except (SessionNotFoundError, LeaseError):
            if call.runner.closed:
                raise
    tensors = ctx.saved_tensors  # PyTorch raises, if it was not told to retain them
    _, again = call.runner.forward(*call.split(tensors))
    return again.backward(cotangents, inputs)
