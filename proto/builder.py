"""Writing graphs: a builder infers types, shares equal nodes, and carries the home.

::

    g = Builder()
    x = g.input("x", ("N", 4))
    w = g.parameter("w", (4, 3))
    g.output("loss", (x @ w).square().mean())
    graph = g.graph()

Arithmetic on values inserts the `Broadcast` and `Cast` nodes that the strict operators need: shapes
broadcast as in NumPy, a Python number takes the dtype of the value it meets, and floating-point
dtypes promote to the wider one.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence

import msgpack
import numpy as np
import numpy.typing as npt

from .arguments import public
from .attributes import to_plain
from .errors import GraphError, InvalidReferenceError, RaygradError, SizeError, TensorError
from .given import plain
from .graph import Graph, Node, Ref, label_of, title_of
from .operators.base import Operator
from .operators.random import Random, RandomKey
from .operators.source import Buffer, Constant, Input, Parameter, SizeOf
from .sizes import listed
from .tensor import DType, Shape, TensorType, check_size
from .value import Operand, Value

_named = functools.partial(public, unchecked=("shape",))

_Key = tuple[str, bytes, tuple[Ref, ...], int | None]


class Builder:
    """Collects the nodes of one graph. Not thread-safe."""

    def __init__(self, graph: Graph | None = None) -> None:
        """An empty builder, or one that goes on where `graph` ends (its nodes keep their ids)."""
        if graph is not None and not isinstance(graph, Graph):
            raise GraphError(f"a builder goes on where a Graph ends, got {type(graph).__name__}")
        self._nodes: dict[int, Node] = {n.id: n for n in graph} if graph else {}
        self._outputs: dict[str, Ref] = dict(graph.outputs) if graph else {}
        self._names: set[str] = {*graph.inputs, *graph.parameters, *graph.buffers} if graph else set()
        self._next = max(self._nodes, default=-1) + 1
        self._streams = max((_stream(n.operator) for n in self._nodes.values()), default=-1)  # given out
        self._shared: dict[_Key, int] = {}
        self._home: int | None = None
        self._label = ""

    # -- sources ------------------------------------------------------------------------------

    @_named
    def input(self, name: str, shape: Sequence[int | str], dtype: npt.DTypeLike | DType = "float32") -> Value:
        """A tensor fed with every mini-batch."""
        return self._named(Input(name, _shape(shape), DType.of(dtype)))

    @_named
    def parameter(self, name: str, shape: Sequence[int], dtype: npt.DTypeLike | DType = "float32") -> Value:
        """A tensor that the service differentiates; floating-point."""
        return self._named(Parameter(name, _shape(shape), DType.of(dtype)))

    @_named
    def buffer(self, name: str, shape: Sequence[int], dtype: npt.DTypeLike | DType = "float32") -> Value:
        """A constant too large for the document (over 4 KiB), put like a parameter."""
        return self._named(Buffer(name, _shape(shape), DType.of(dtype)))

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike | DType | None = None) -> Value:
        """A constant of at most 4 KiB. Python floats become float32 unless `dtype` says otherwise."""
        try:
            array = plain(value, DType.of(dtype).numpy if dtype is not None else None)
        except (TypeError, ValueError, RuntimeError) as exc:
            raise TensorError(f"this does not make a constant: {exc}") from exc
        if dtype is None and not isinstance(value, (np.ndarray, np.generic)) and array.dtype == np.float64:
            array = array.astype(np.float32)
        return self.add(Constant.of(array))[0]

    def size_of(self, sizes: Shape, dtype: DType) -> Value:
        """The product of (named) sizes as a scalar."""
        return self.add(SizeOf(sizes, dtype))[0]

    def random_key(self) -> Value:
        """What (seed, step, index) of the mini-batch make, for operators that draw at random."""
        return self.add(RandomKey())[0]

    def stream(self) -> int:
        """A stream of random bits that no other node has: two draws are never the same."""
        self._streams += 1
        return self._streams

    def _named(self, operator: Input | Parameter | Buffer) -> Value:
        return self.values(self.append(operator, (), label=self._label).id)[0]

    # -- nodes --------------------------------------------------------------------------------

    def add(self, operator: Operator, inputs: Sequence[Value] = ()) -> tuple[Value, ...]:
        """The outputs of a node of `operator`; an equal node of the same home is used again."""
        for value in inputs:
            if value.builder is not self:
                raise GraphError(f"{operator.name} got a value of another graph: {value!r}")
        refs = tuple(v.ref for v in inputs)
        home = None if operator.source else self._home
        key = (operator.name, canonical(operator), refs, home)
        known = self._shared.get(key)
        if known is None:
            known = self._shared[key] = self.append(operator, refs, home=home, label=self._label).id
        return self.values(known)

    def append(
        self, operator: Operator, inputs: tuple[Ref, ...], *, home: int | None = None, label: str = ""
    ) -> Node:
        """A new node, one to one: nothing is merged or inserted. This is how documents are replayed."""
        try:
            types = operator.infer_types([self.type_of(r) for r in inputs])
            self._reserve(operator)
        except RaygradError as exc:
            raise exc.at(title_of(self._next, operator.name, label_of(operator, label))) from None
        node = Node(self._next, operator, inputs, types, self._next if home is None else home, label)
        self._nodes[node.id] = node
        self._next += 1
        self._streams = max(self._streams, _stream(operator))
        return node

    def _reserve(self, operator: Operator) -> None:
        """Take the name of an input, parameter or buffer; names are used once."""
        if not isinstance(operator, (Input, Parameter, Buffer)):
            return
        if operator.tensor in self._names:
            raise InvalidReferenceError(f"two inputs, parameters or buffers are called {operator.tensor!r}")
        self._names.add(operator.tensor)

    def type_of(self, ref: Ref) -> TensorType:
        """The type of a value; `InvalidReferenceError` if there is none."""
        node = self._nodes.get(ref.node)
        if node is None or not 0 <= ref.port < len(node.types):
            raise InvalidReferenceError(f"refers to {ref}, which is not an earlier node's output")
        return node.types[ref.port]

    def binary(self, operator: Operator, a: Operand, b: Operand) -> Value | None:
        """An operator of two operands, if this builder has a shorter way than to make values of one type."""
        return None

    def values(self, node: int) -> tuple[Value, ...]:
        """The outputs of a node as values."""
        return tuple(Value(self, Ref(node, port)) for port in range(len(self._nodes[node].types)))

    def value(self, ref: Ref) -> Value:
        """A value by its reference; `InvalidReferenceError` if there is none."""
        self.type_of(ref)
        return Value(self, ref)

    def node(self, id: int) -> Node:
        """A node by its id."""
        return self._nodes[id]

    def output(self, name: str, value: Value) -> Value:
        """Name a value, so that it is returned; a name is used once."""
        if not isinstance(name, str) or not isinstance(value, Value):
            raise GraphError(f"an output is a name and a value, got {name!r:.80} and {type(value).__name__}")
        if not name or name in self._outputs:
            raise InvalidReferenceError(f"output name {name!r} is empty or used twice")
        if value.builder is not self:
            raise GraphError(f"output {name!r} is a value of another graph")
        self._outputs[name] = value.ref
        return value

    def graph(self) -> Graph:
        """The graph written so far."""
        return Graph(tuple(self._nodes.values()), self._outputs)

    def __repr__(self) -> str:
        return repr(self.graph()).replace("<Graph", "<Builder", 1)

    def _repr_svg_(self) -> str | None:
        """What notebooks show: the graph written so far, to its outputs, or to all that nobody reads yet."""
        graph = self.graph()
        every = [Ref(node.id, port) for node in graph for port in range(len(node.types))]
        unread = {str(ref): ref for ref in every if ref not in graph.consumers}
        return graph.svg() if graph.outputs else Graph(graph.nodes, unread).svg()

    @contextlib.contextmanager
    def at(self, home: int | None) -> Iterator[None]:
        """Nodes added inside are placed beside the node `home` (sources excepted)."""
        before, self._home = self._home, home
        try:
            yield
        finally:
            self._home = before

    @contextlib.contextmanager
    def label(self, label: str) -> Iterator[None]:
        """Nodes added inside carry this label (joined with '/' to the one around it) in messages."""
        if not isinstance(label, str):
            raise GraphError(f"a label is a text, got {label!r:.80}")
        before = self._label
        self._label = f"{before}/{label}" if before else label
        try:
            yield
        finally:
            self._label = before


def canonical(operator: Operator) -> bytes:
    """The attributes as bytes: what tells 0.0 from -0.0 and 1 from True."""
    packed: bytes = msgpack.packb([to_plain(v) for v in vars(operator).values()])
    return packed


def _stream(operator: Operator) -> int:
    """The stream that an operator draws from; −1 if it draws nothing."""
    return operator.stream if isinstance(operator, Random) else -1


def _shape(shape: Sequence[int | str]) -> Shape:
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise SizeError(f"a shape is a sequence of numbers and names, got {shape!r}")
    shape = listed((shape,))
    return tuple(check_size(s) for s in shape)


def graph_of(graph: Graph | Builder) -> Graph:
    """The graph that a builder has written so far, or the graph itself; `GraphError` for anything else."""
    if isinstance(graph, Builder):
        return graph.graph()
    if not isinstance(graph, Graph):
        raise GraphError(f"a Graph or a Builder is wanted here, not {type(graph).__name__}")
    return graph
