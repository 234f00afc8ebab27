"""A graph on sessions of the service, with tensors of PyTorch: forward passes, and their backward passes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import torch

from raygrad.proto.autodiff import differentiate
from raygrad.proto.graph import Graph, Node
from raygrad.proto.operators.random import KEY, RandomKey
from raygrad.proto.operators.source import Cotangent, Input
from raygrad.proto.tensor import Array

from .arrays import as_array, to_tensor
from .pool import Member, Opener, Pool, Tensors
from .translator import differentiated

Gradients = tuple[Mapping[str, Array], Mapping[str, Array]]
"""By parameters, and by inputs."""

RANDOM_KEY = "random key"
"""The input that keys what a graph draws at random: PyTorch's seed decides, once for a forward pass."""


class Runner:
    """A graph, the sessions that run it, and the graphs of its gradients. Thread-safe."""

    def __init__(
        self, graph: Graph, constants: Mapping[str, Array], open_session: Opener, order: int = 0
    ) -> None:
        """`constants` are parameters and buffers that stay; the others come with each call.

        `order` says how often the module was differentiated.
        """
        self.graph = _with_key_fed(graph)
        self.constants = {n: a for n, a in constants.items() if n in graph.parameters or n in graph.buffers}
        self.parameters = tuple(n for n in graph.parameters if n not in self.constants)
        self.buffers = tuple(n for n in graph.buffers if n not in self.constants)
        self.order = order
        self._open = open_session
        self._pool = Pool(self.graph, self.constants, open_session)
        self._reached: dict[frozenset[str], frozenset[str]] = {}
        self._backward: dict[tuple[frozenset[str], frozenset[str]], Runner] = {}
        self._lock = threading.Lock()

    @property
    def draws(self) -> bool:
        """Whether the graph draws at random."""
        return RANDOM_KEY in self.graph.inputs

    def reached(self, outputs: frozenset[str]) -> frozenset[str]:
        """The inputs and parameters by which these outputs have a gradient; PyTorch gives the others none."""
        if outputs not in self._reached:
            self._reached[outputs] = _reached(self.graph, outputs)
        return self._reached[outputs]

    def evaluate(self, feeds: Tensors, held: Tensors) -> dict[str, torch.Tensor]:
        """The outputs, without a backward pass. `held` are the tensors that are put, by name."""

        def work(member: Member) -> Mapping[str, Array]:
            found = member.session.forward(_arrays(feeds)).outputs
            self._pool.give_back(member)
            return found

        return _tensors(self._pool.run(self._put(held), work), _device(held, feeds))

    def forward(self, feeds: Tensors, held: Tensors) -> tuple[dict[str, torch.Tensor], Pass]:
        """The outputs, and what their backward pass needs."""

        def work(member: Member) -> tuple[Mapping[str, Array], Pass]:
            result = member.session.forward(_arrays(feeds), keep=True)
            return result.outputs, Pass(self._pool, member, result.lease)

        outputs, waiting = self._pool.run(self._put(held), work)
        return _tensors(outputs, _device(held, feeds)), waiting

    def backward(self, outputs: frozenset[str], wanted: frozenset[str]) -> Runner:
        """The graph of the gradients of `outputs` by the inputs and parameters `wanted`.

        Its inputs are those of this graph and `cotangent_of` the outputs at its order, its outputs
        `gradient_by` what is wanted.
        """
        with self._lock:
            key = outputs, wanted
            if key not in self._backward:
                graph = _backward(self.graph, outputs, wanted, self.order + 1)
                self._backward[key] = Runner(graph, self.constants, self._open, self.order + 1)
            return self._backward[key]

    @property
    def closed(self) -> bool:
        """Whether it is no longer in use."""
        return self._pool.closed

    def retire(self) -> None:
        """Close the sessions as soon as nothing waits for a backward pass on them."""
        self._pool.retire()
        for runner in self._backward.values():
            runner.retire()

    def close(self) -> None:
        """Close all sessions."""
        self._pool.close()
        for runner in self._backward.values():
            runner.close()

    def _put(self, held: Tensors) -> Tensors:
        return {name: held[name] for name in (*self.parameters, *self.buffers)}


class Pass:
    """A forward pass that waits for its backward pass, which it has once."""

    def __init__(self, pool: Pool, member: Member, lease: str) -> None:
        self._pool = pool
        self._abandon = weakref.finalize(self, pool.abandon, member, lease)
        self._abandon.atexit = False
        self._lease: tuple[Member, str] | None = (member, lease)

    @property
    def waits(self) -> bool:
        """Whether its activations are still there."""
        return self._lease is not None

    def backward(self, cotangents: Mapping[str, Array], inputs: Sequence[str]) -> Gradients:
        """The gradients of parameters and of `inputs`; the session is free again."""
        assert self._lease is not None
        (member, lease), self._lease = self._lease, None
        self._abandon.detach()
        with self._pool.keeping(member):
            by_input = member.session.backward(lease, cotangents, inputs)
            by_parameter = member.session.gradients(expect=1)  # which ends the step
        self._pool.give_back(member)
        return by_parameter, by_input


def cotangent_of(output: str, order: int) -> str:
    """The input of a graph of gradients, of this order, that is the cotangent of an output."""
    return f"cotangent {order} of {output}"


def gradient_by(name: str) -> str:
    """The output of a graph of gradients that is the gradient by an input or parameter."""
    return f"gradient by {name}"


def _backward(graph: Graph, outputs: Collection[str], wanted: Collection[str], order: int) -> Graph:
    found = differentiate(graph, outputs, [name for name in wanted if name in graph.inputs])
    refs = {gradient_by(n): r for n, r in {**found.parameters, **found.inputs}.items() if n in wanted}
    nodes = tuple(_with_cotangent_fed(node, order) for node in found.graph)
    return Graph(nodes, refs).prune(refs.values()).renumbered()


def _with_cotangent_fed(node: Node, order: int) -> Node:
    if not isinstance(node.operator, Cotangent):
        return node
    name = cotangent_of(node.operator.tensor, order)
    return replace(node, operator=Input(name, node.operator.shape, node.operator.dtype))


def _with_key_fed(graph: Graph) -> Graph:
    """The graph with its key of random draws as an input: what runs again draws what it drew."""
    key = Input(RANDOM_KEY, KEY.shape, KEY.dtype)
    nodes = (replace(n, operator=key) if isinstance(n.operator, RandomKey) else n for n in graph)
    return Graph(tuple(nodes), graph.outputs)


def _reached(graph: Graph, outputs: Iterable[str]) -> frozenset[str]:
    found = differentiated(graph, outputs)
    sources = (*graph.inputs.items(), *graph.parameters.items())
    return frozenset(name for name, node in sources if node.id in found)


def _arrays(tensors: Tensors) -> dict[str, Array]:
    return {name: as_array(t) for name, t in tensors.items()}


def _tensors(arrays: Mapping[str, Array], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: to_tensor(a, device) for name, a in arrays.items()}


def _device(*tensors: Tensors) -> torch.device:
    """Where results go: beside the parameters, or the inputs of a module without."""
    found = (t.device for given in tensors for t in given.values())
    return next(found, torch.device("cpu"))
