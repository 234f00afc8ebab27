"""What a session takes and gives: the types of its tensors, and the output that it differentiates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from raygrad.proto.errors import ConfigurationError, MissingTensorError, SizeError
from raygrad.proto.feed import check_feed, check_some
from raygrad.proto.graph import Graph, Node
from raygrad.proto.messages import SessionOptions
from raygrad.proto.tensor import Array, TensorType


class Signature:
    """The types of parameters, buffers and feeds of a graph, checked when the session is made."""

    def __init__(self, graph: Graph, loss: str) -> None:
        """`SizeError` for a parameter of unknown size, `ConfigurationError` for an output that is no loss."""
        self.tensors = _static({**graph.parameters, **graph.buffers})
        self.feeds = {name: node.types[0] for name, node in graph.inputs.items()}
        self.outputs = {name: graph.type(ref) for name, ref in graph.outputs.items()}
        self.loss = loss
        self.loss_type = _loss_type(graph, loss)

    def check_tensors(self, tensors: Mapping[str, Array]) -> None:
        """Some parameters and buffers, each of its type; typed errors otherwise."""
        check_some(self.tensors, tensors)

    def check_batch(self, feeds: Mapping[str, Array]) -> dict[str, int]:
        """The sizes that a mini-batch binds; typed errors if it does not fit."""
        return check_feed(self.feeds, feeds)

    def check_step_batch(self, feeds: Mapping[str, Array]) -> dict[str, int]:
        """`check_batch`, and `MissingTensorError` if there is no loss to start the backward pass from."""
        if self.loss_type is None:
            raise MissingTensorError(
                f"there is no scalar output {self.loss!r} to start the backward pass from"
            )
        return self.check_batch(feeds)

    def check_cotangents(self, outputs: Mapping[str, TensorType], given: Mapping[str, Array]) -> None:
        """Cotangents of at least one output, each of its output's type; typed errors otherwise."""
        if not given:
            raise MissingTensorError(f"there is no scalar output {self.loss!r}: give cotangents")
        check_some(outputs, given)

    def one(self) -> dict[str, Array]:
        """The cotangent of the loss in a step: 1; nothing for a graph without loss."""
        return {} if self.loss_type is None else {self.loss: np.ones((), self.loss_type.dtype.numpy)}


def _static(nodes: Mapping[str, Node]) -> dict[str, TensorType]:
    """The types of parameters and buffers: they outlive mini-batches, so their sizes are numbers."""
    for name, node in nodes.items():
        if any(isinstance(size, str) for size in node.types[0].shape):
            raise SizeError(
                f"{name!r} is {node.types[0]}: parameters and buffers need numbers", node=node.title
            )
    return {name: node.types[0] for name, node in nodes.items()}


def _loss_type(graph: Graph, loss: str) -> TensorType | None:
    """The type of the loss, a floating-point scalar; None for a graph without the default loss."""
    if loss not in graph.outputs:
        if loss == SessionOptions.loss:
            return None
        raise ConfigurationError(
            f"there is no output {loss!r} to be the loss; there are {sorted(graph.outputs)}"
        )
    found = graph.type(graph.outputs[loss])
    if found.rank or not found.dtype.is_floating:
        node = graph[graph.outputs[loss].node].title
        raise ConfigurationError(f"the loss {loss!r} must be a floating-point scalar, not {found}", node=node)
    return found
