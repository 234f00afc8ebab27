"""A program of a module on sessions of the service: forward passes, and their backward passes in any order.

A step holds what is between a forward and its backward pass, and its gradients are taken whole: forward
passes that wait for their backward at the same time have a session each, and later ones use them again.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from raygrad.proto.errors import LeaseError, RaygradError
from raygrad.proto.graph import Graph
from raygrad.proto.operators.random import Random
from raygrad.proto.operators.shape import StopGradient
from raygrad.proto.tensor import Array

from ...session import Session
from .arrays import as_array, to_array, to_tensor
from .translator import Program

Tensors = Mapping[str, torch.Tensor]


class _Member:
    """A session of the pool, and what was last put into it."""

    def __init__(self, session: Session, constants: Mapping[str, Array]) -> None:
        self.session = session
        self._put: dict[str, Array] = {}
        session.put(constants)

    def put(self, tensors: Tensors) -> None:
        """Put what differs from what was put last. Content is compared: `.data` changes without a trace."""
        changed = {name: t for name, t in tensors.items() if not self._has(name, t)}
        if changed:
            arrays = {name: to_array(t) for name, t in changed.items()}
            self.session.put(arrays)
            self._put.update(arrays)

    def _has(self, name: str, tensor: torch.Tensor) -> bool:
        known = self._put.get(name)
        return known is not None and np.array_equal(known, as_array(tensor))


class Runner:
    """A program, the sessions that run it, and the tensors of the module that it reads."""

    def __init__(self, program: Program, tensors: Tensors, open_session: Callable[[Graph], Session]) -> None:
        self.program = program
        self._constants = {name: a for name, a in program.tensors.items() if name not in tensors}
        self.read(tensors)
        self._open = open_session
        self._draws = any(isinstance(node.operator, Random) for node in program.graph)
        self._idle: list[_Member] = []
        self._members: list[_Member] = []
        self._abandoned: deque[tuple[_Member, str]] = deque()
        self._reached: dict[frozenset[str], frozenset[str]] = {}

    def read(self, tensors: Tensors) -> None:
        """Take the module's tensors from here: it may hold others than before under the same names."""
        program = self.program
        self.parameters = {name: tensors[name] for name in program.parameters}
        self._tensors = {name: tensors[name] for name in program.tensors if name not in self._constants}
        self._states = {name: tensors[name] for name in program.states}

    def reached(self, outputs: frozenset[str]) -> frozenset[str]:
        """The inputs and parameters by which these outputs have a gradient; PyTorch gives the others none."""
        if outputs not in self._reached:
            self._reached[outputs] = _reached(self.program.graph, outputs)
        return self._reached[outputs]

    def evaluate(self, feeds: Tensors) -> list[torch.Tensor]:
        """The outputs, without a backward pass."""
        member = self._ready()
        with self._kept(member):
            outputs = self._evaluated(member.session, self._feeds(feeds))
        self._idle.append(member)
        return self._results(outputs)

    def _evaluated(self, session: Session, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Dropout is for mini-batches of a step only; PyTorch drops in training without gradients, too."""
        if not self._draws:
            return session.forward(feeds).outputs
        result = session.forward(feeds, keep=True, index=self._index())
        session.release(result.lease)
        return result.outputs

    def forward(self, feeds: Tensors) -> tuple[list[torch.Tensor], Pass]:
        """The outputs, and what their backward pass needs."""
        member = self._ready()
        with self._kept(member):
            result = member.session.forward(self._feeds(feeds), keep=True, index=self._index())
        return self._results(result.outputs), Pass(self, member, result.lease)

    def backward(
        self, member: _Member, lease: str, cotangents: Mapping[str, Array], inputs: Sequence[str]
    ) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
        """The gradients of parameters and inputs; the session is free again."""
        with self._kept(member):
            by_input = member.session.backward(lease, cotangents, inputs)
            by_parameter = member.session.gradients(expect=1)  # which ends the step
        self._idle.append(member)
        return by_parameter, by_input

    def abandon(self, member: _Member, lease: str) -> None:
        """Nobody will ask for this backward pass. Called by the garbage collector: it must not wait."""
        self._abandoned.append((member, lease))

    def close(self) -> None:
        """Close all sessions."""
        members, self._members, self._idle = self._members, [], []
        self._abandoned.clear()
        for member in members:
            member.session.close()

    def _index(self) -> int | None:
        """What keys the masks of a forward pass, if it draws any: PyTorch's seed decides."""
        return int(torch.randint(2**62, ())) if self._draws else None

    # -- the pool -----------------------------------------------------------------------------

    def _ready(self) -> _Member:
        """An idle session with the module's present tensors."""
        while self._abandoned:
            member, lease = self._abandoned.popleft()
            with self._kept(member):
                member.session.release(lease)
            self._idle.append(member)
        member = self._idle.pop() if self._idle else self._opened()
        with self._kept(member):
            member.put(self._tensors)
        return member

    def _opened(self) -> _Member:
        member = _Member(self._open(self.program.graph), self._constants)
        self._members.append(member)
        return member

    @contextlib.contextmanager
    def _kept(self, member: _Member) -> Any:
        """Give a session up when a call on it fails: nobody knows what its step holds."""
        try:
            yield
        except BaseException:
            if member in self._members:
                self._members.remove(member)
            with contextlib.suppress(RaygradError):
                member.session.close()
            raise

    # -- tensors ------------------------------------------------------------------------------

    def _feeds(self, feeds: Tensors) -> dict[str, Array]:
        return {name: to_array(t) for name, t in {**feeds, **self._fed_states()}.items()}

    def _fed_states(self) -> Tensors:
        return {name: t for name, t in self._states.items() if name in self.program.graph.inputs}

    def _results(self, outputs: Mapping[str, Array]) -> list[torch.Tensor]:
        """The outputs of the program as tensors; the module's states take their new values."""
        with torch.no_grad():
            for name, state in self._states.items():
                state.copy_(to_tensor(outputs[name], state.device))
        return [to_tensor(outputs[name], self._device) for name in self.program.output_names]

    @property
    def _device(self) -> torch.device:
        known = next(iter(self._tensors.values()), None)
        return torch.device("cpu") if known is None else known.device


class Pass:
    """A forward pass that waits for its backward pass."""

    def __init__(self, runner: Runner, member: _Member, lease: str) -> None:
        self._runner = runner
        self._abandon = weakref.finalize(self, runner.abandon, member, lease)
        self._abandon.atexit = False
        self._lease: tuple[_Member, str] | None = (member, lease)

    def backward(
        self, cotangents: Mapping[str, Array], inputs: Sequence[str]
    ) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
        """The gradients of parameters and inputs, once."""
        if self._lease is None:
            raise LeaseError("activations are kept for one backward pass: run the forward pass again")
        member, lease = self._lease
        self._lease = None
        self._abandon.detach()
        return self._runner.backward(member, lease, cotangents, inputs)


class RunProgram(torch.autograd.Function):
    """A forward pass on the service as a node of PyTorch's graph: (inputs, parameters) to outputs."""

    @staticmethod
    def forward(ctx: Any, runner: Runner, names: Sequence[str], *tensors: torch.Tensor) -> Any:
        ctx.set_materialize_grads(False)
        results, ctx.waiting = runner.forward(dict(zip(names, tensors, strict=False)))
        ctx.runner, ctx.names = runner, names
        ctx.devices = [t.device for t in tensors]
        sources = zip((*names, *runner.parameters), ctx.needs_input_grad[2:], strict=True)
        needed = {name for name, need in sources if need}
        given = zip(runner.program.output_names, results, strict=True)
        ctx.mark_non_differentiable(
            *(r for name, r in given if not needed & runner.reached(frozenset([name])))
        )
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *cotangents: torch.Tensor | None) -> Any:
        names = ctx.runner.program.output_names
        given = {n: to_array(g) for n, g in zip(names, cotangents, strict=True) if g is not None}
        needed = [n for n, need in zip(ctx.names, ctx.needs_input_grad[2:], strict=False) if need]
        reached = ctx.runner.reached(frozenset(given))
        by_parameter, by_input = ctx.waiting.backward(given, [n for n in needed if n in reached])
        found = [by_input.get(name) for name in ctx.names]
        found += [by_parameter[name] if name in reached else None for name in ctx.runner.parameters]
        pairs = zip(found, ctx.devices, strict=True)
        return None, None, *(None if a is None else to_tensor(a, device) for a, device in pairs)


def _reached(graph: Graph, outputs: Iterable[str]) -> frozenset[str]:
    refs = [graph.outputs[name] for name in outputs]
    wanted = {ref.node for ref in refs if graph.type(ref).dtype.is_floating}
    for node in reversed(graph.nodes):
        if node.id in wanted and not isinstance(node.operator, StopGradient):
            wanted.update(ref.node for ref in node.inputs if graph.type(ref).dtype.is_floating)
    sources = (*graph.inputs.items(), *graph.parameters.items())
    return frozenset(name for name, node in sources if node.id in wanted)


def run(runner: Runner, feeds: Tensors) -> list[torch.Tensor]:
    """The outputs of a program, differentiable where PyTorch wants them to be."""
    parameters = list(runner.parameters.values())
    if torch.is_grad_enabled() and any(t.requires_grad for t in (*feeds.values(), *parameters)):
        apply: Any = RunProgram.apply
        return list(apply(runner, tuple(feeds), *feeds.values(), *parameters))
    return runner.evaluate(feeds)
