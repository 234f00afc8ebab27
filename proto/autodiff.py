"""Reverse-mode differentiation: gradients of a graph are more graph.

`gradients` walks the nodes backwards and calls each operator's `vjp` at the node's home, so that
everything a rule emits is placed beside the node it differentiates. Rules stay naive; the caller
prunes once, at the end. See EE-559, lecture 4a, for the theory: the cotangent of a value is the sum
of those that its consumers send back, each a Jacobian product.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .builder import Builder
from .errors import DifferentiationError, GraphError, MissingTensorError, RaygradError
from .graph import Graph, Node, Ref
from .operators.source import Cotangent
from .suggestions import did_you_mean
from .value import Value


def gradients(
    outputs: Mapping[Value, Value] | Sequence[Value] | Value, wrt: Sequence[Value] | Value
) -> tuple[Value | None, ...]:
    """The gradients of the outputs, summed, by each value of `wrt`, as new values of the same builder.

    `outputs` maps each output to its cotangent (same type), or lists outputs whose cotangent is one
    (scalars); a single value needs no list. `None` stands where no output depends on the value. Raises
    `DifferentiationError` for what is no value, or has no gradient, and `GraphError` for another graph's.
    """
    ys = list(outputs) if isinstance(outputs, Mapping) else _values(outputs, "outputs")
    xs = _values(wrt, "wrt")
    if not ys:
        raise DifferentiationError("there is no output to differentiate")
    seeds = outputs if isinstance(outputs, Mapping) else {y: _ones(y) for y in ys}
    builder = _builder_of([*ys, *seeds.values(), *xs])
    sweep = _Sweep(builder, {v.ref for v in xs})
    for output, seed in seeds.items():
        sweep.seed(output, seed)
    found = sweep.run()
    return tuple(Value(builder, found[v.ref]) if v.ref in found else None for v in xs)


def _values(given: Sequence[Value] | Value, what: str) -> list[Value]:
    """One value or several as a list."""
    if isinstance(given, Value):
        return [given]
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise DifferentiationError(f"{what} of gradients are values, got {given!r:.80}")
    return list(given)


def _builder_of(values: Sequence[Value]) -> Builder:
    """The one builder that has all the values; `DifferentiationError` for what is none of a graph."""
    for value in values:
        if not isinstance(value, Value):
            raise DifferentiationError(f"gradients are of values by values, got {value!r:.80}")
        if type(value) is not Value:
            raise DifferentiationError(
                f"gradients of tensors are those of `rg.grad`, got {type(value).__name__}"
            )
        if value.builder is not values[0].builder:
            raise GraphError(f"gradients got values of two graphs: {values[0]!r} and {value!r}")
    return values[0].builder


def _ones(output: Value) -> Value:
    _builder_of([output])
    if output.rank:
        raise DifferentiationError(f"{output!r} is no scalar: give its cotangent")
    if not output.dtype.is_floating:
        raise DifferentiationError(f"{output!r} is not floating-point: it has no gradient")
    return output.builder.constant(output.dtype.numpy.type(1))


class _Sweep:
    """One backward walk: cotangents arrive from the nodes behind, and are summed in a fixed order."""

    def __init__(self, builder: Builder, wrt: set[Ref]) -> None:
        self.builder = builder
        self.graph = builder.graph()
        self.wrt = wrt
        self.active = _depending(self.graph, wrt)
        self.arrived: dict[Ref, list[Value]] = {}

    def seed(self, output: Value, seed: Value) -> None:
        if seed.type != output.type:
            raise DifferentiationError(f"the cotangent of {output!r} must be {output.type}, got {seed.type}")
        self.arrived.setdefault(output.ref, []).append(seed)

    def run(self) -> dict[Ref, Ref]:
        found: dict[Ref, Ref] = {}
        for node in reversed(self.graph.nodes):
            if node.id not in self.active:
                continue
            cotangents = [self._total(node, port) for port in range(len(node.types))]
            for port, total in enumerate(cotangents):
                if total is not None and Ref(node.id, port) in self.wrt:
                    found[Ref(node.id, port)] = total.ref
            if any(c is not None for c in cotangents) and not node.operator.source:
                self._differentiate(node, cotangents)
        return found

    def _total(self, node: Node, port: int) -> Value | None:
        """The sum of the cotangents of a value, beside the value (a source's: beside its first consumer)."""
        ref = Ref(node.id, port)
        parts = self.arrived.pop(ref, [])
        if not parts:
            return None
        with self.builder.at(home_of(self.graph, node)):
            total = parts[0]
            for part in parts[1:]:
                total = total + part
        return total

    def _differentiate(self, node: Node, cotangents: list[Value | None]) -> None:
        outputs = self.builder.values(node.id)
        inputs = [Value(self.builder, r) for r in node.inputs]
        single = len(outputs) == 1
        with self.builder.at(node.home), self.builder.label(f"d {node.label or node.operator.name}"):
            try:
                back = node.operator.vjp(
                    cotangents[0] if single else tuple(cotangents), outputs[0] if single else outputs, *inputs
                )
            except RaygradError as exc:
                raise exc.at(node.title) from None
        self._send(node, inputs, back)

    def _send(self, node: Node, inputs: Sequence[Value], back: Sequence[Value | None]) -> None:
        if len(back) != len(inputs):
            counts = f"{len(back)} cotangents for {len(inputs)} inputs"
            raise DifferentiationError(f"vjp gave {counts}", node=node.title)
        for x, cotangent in zip(inputs, back, strict=True):
            if cotangent is None or not x.dtype.is_floating or x.ref.node not in self.active:
                continue
            if cotangent.type != x.type:
                raise DifferentiationError(
                    f"the cotangent of {x!r} came out as {cotangent.type}", node=node.title
                )
            self.arrived.setdefault(x.ref, []).append(cotangent)


def home_of(graph: Graph, node: Node) -> int:
    """A node's home; a source's is its first consumer's."""
    if not node.operator.source:
        return node.home
    readers = graph.consumers.get(Ref(node.id))
    return graph[readers[0]].home if readers else node.id


def _depending(graph: Graph, wrt: Collection[Ref]) -> set[int]:
    """The nodes that depend on a value of `wrt`, those that produce them included."""
    found = {ref.node for ref in wrt}
    for node in graph.nodes:
        if any(ref.node in found for ref in node.inputs):
            found.add(node.id)
    return found


@dataclass(frozen=True)
class Differentiated:
    """A graph with its backward pass, and where to find what the backward pass computes."""

    graph: Graph
    parameters: Mapping[str, Ref]  # gradients; a parameter that no seeded output depends on is absent
    inputs: Mapping[str, Ref]  # gradients of the inputs that were asked for
    cotangents: Mapping[str, int]  # the node fed with each seeded output's cotangent


def differentiate(graph: Graph, seeded: Iterable[str], input_gradients: Iterable[str] = ()) -> Differentiated:
    """The graph with the gradients of its `seeded` outputs by all parameters and the named inputs.

    Each seeded output's cotangent is a source (`Cotangent`): an output that is not seeded has no
    cotangent at all, since zeros are not neutral (0 · ∞, −0).
    """
    builder = Builder(graph)
    named = _outputs(builder, graph, sorted(seeded))
    seeds = {y: _cotangent(builder, name, y) for name, y in named.items()}
    names = [*graph.parameters, *(wanted := sorted(input_gradients))]
    for name in wanted:
        if name not in graph.inputs:
            known = sorted(graph.inputs)
            meant = did_you_mean(name, known)
            raise MissingTensorError(
                f"there is no input {name!r} to differentiate by; there are {known}{meant}"
            )
        declared = graph.inputs[name].types[0]
        if not declared.dtype.is_floating:
            raise DifferentiationError(f"input {name!r} is {declared}: nothing has a gradient by it")
    nodes = [*graph.parameters.values(), *(graph.inputs[name] for name in wanted)]
    found = gradients(seeds, [builder.values(n.id)[0] for n in nodes])
    count = len(graph.parameters)
    pairs = [(name, None if value is None else value.ref) for name, value in zip(names, found, strict=True)]
    return Differentiated(
        builder.graph(),
        {name: ref for name, ref in pairs[:count] if ref is not None},
        {name: ref for name, ref in pairs[count:] if ref is not None},
        {name: seeds[y].ref.node for name, y in named.items()},
    )


def with_gradients(graph: Graph, output: str = "loss") -> Graph:
    """The graph with the gradients of a scalar output by all parameters as more outputs, "∂loss/∂weight".

    A parameter that the output does not depend on has none. The result is a graph like others: to be looked
    at, run, or differentiated again.
    """
    builder = Builder(graph)
    by_name = _outputs(builder, graph, [output])
    names = list(graph.parameters)
    parameters = [builder.values(graph.parameters[name].id)[0] for name in names]
    for name, gradient in zip(names, gradients(list(by_name.values()), parameters), strict=True):
        if gradient is not None:
            builder.output(f"∂{output}/∂{name}", gradient)
    return builder.graph()


def _outputs(builder: Builder, graph: Graph, names: Sequence[str]) -> dict[str, Value]:
    for name in names:
        if name not in graph.outputs:
            meant = did_you_mean(name, graph.outputs)
            raise MissingTensorError(f"there is no output {name!r}; there are {sorted(graph.outputs)}{meant}")
        found = graph.type(graph.outputs[name])
        if not found.dtype.is_floating:
            raise DifferentiationError(f"output {name!r} is {found}: it has no gradient")
    return {name: Value(builder, graph.outputs[name]) for name in names}


def _cotangent(builder: Builder, name: str, output: Value) -> Value:
    return builder.add(Cotangent(name, output.shape, output.dtype))[0]
