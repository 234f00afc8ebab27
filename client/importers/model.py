"""What an importer returns: a graph, and the tensors that it begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from raygrad.proto.graph import Graph
from raygrad.proto.tensor import Array


@dataclass(frozen=True, eq=False)
class Imported:
    """A model of another framework as a graph, under the names that it has there.

    ::

        with rg.connect("localhost:50051", model.graph) as session:
            session.put(model.tensors)

    A builder goes on where the graph ends, say with a loss::

        g = rg.Builder(model.graph)
        logits = g.value(model.graph.outputs["output"])
        g.output("loss", rg.functions.cross_entropy(logits, g.input("label", ("N",), "int64")))
    """

    graph: Graph
    parameters: Mapping[str, Array]  # the initial values of what is differentiated
    buffers: Mapping[str, Array]  # constants too large for the document

    @property
    def tensors(self) -> Mapping[str, Array]:
        """Parameters and buffers together: what a session must be given."""
        return {**self.parameters, **self.buffers}

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.graph)} nodes, {len(self.parameters)} parameters>"
