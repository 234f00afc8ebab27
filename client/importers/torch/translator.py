"""An exported program as a graph: each node of it written on values, by the table."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch.utils import _pytree as pytree

from raygrad.proto.builder import Builder
from raygrad.proto.errors import GraphError, RaygradError, SizeError, TypeMismatchError
from raygrad.proto.graph import Graph
from raygrad.proto.operators.shape import StopGradient
from raygrad.proto.operators.source import INLINE_BYTES
from raygrad.proto.tensor import Array, Shape, TensorType
from raygrad.proto.value import Value

from ..model import Imported
from ..unsupported import Missing, unsupported
from .arrays import dtype_of, to_array
from .exporter import Captured
from .factored import LOOKS_THROUGH, Factored
from .registry import TABLE, Call, Translation
from .sizes import Sizes

SILENT = {
    "aten._assert_scalar.default",
    "aten._assert_tensor_metadata.default",
    "aten.sym_constrain_range.default",
    "aten.sym_constrain_range_for_size.default",
    "aten._assert_async.msg",
}
"""What only checks: the types of a graph hold it, or its kernels do."""


@dataclass(frozen=True, eq=False, repr=False)
class Program(Imported):
    """An imported program that also knows how its inputs and outputs lie in the caller's structures."""

    inputs: tuple[str | None, ...]  # of each leaf of (args, kwargs); None for what is no tensor
    outputs: tuple[Any, ...]  # of each leaf of the result: an `Output`, or the constant that it is
    structure: pytree.TreeSpec  # of the result
    states: tuple[str, ...]  # the buffers that change; their new values are outputs of the same name

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs that are leaves of the result, in order."""
        return tuple(o.name for o in self.outputs if isinstance(o, Output))


@dataclass(frozen=True)
class Output:
    """A leaf of the result that is an output of the graph."""

    name: str


class Translator:
    """Writes one graph."""

    def __init__(self, captured: Captured, for_remote: bool = False) -> None:
        """`for_remote`: buffers that the program changes are inputs; the names of outputs mean nothing."""
        self._program = captured.program
        self._signature = captured.program.graph_signature
        self._sizes = Sizes(captured.names)
        self._for_remote = for_remote
        self._differentiated = captured.guards.differentiated if captured.guards is not None else {}
        self._lost: list[tuple[Value, str]] = []  # constants by which the program is differentiated
        self._builder = Builder()
        self._values: dict[Node, Any] = {}
        self._sources: dict[str, Value] = {}
        self._parameters: dict[str, Array] = {}
        self._buffers: dict[str, Array] = {}

    def program(self) -> Program:
        """The whole program; `UnsupportedOperatorError` lists all that the table lacks."""
        nodes = list(self._program.graph.nodes)
        if missing := [Missing(str(n.target), place(n)) for n in nodes if self._is_missing(n)]:
            raise unsupported(missing)
        self._placeholders(n for n in nodes if n.op == "placeholder")
        for node in nodes:
            if node.op == "call_function" and not self._skipped(node):
                self._values[node] = self._translated(node)
        outputs, structure = self._outputs(nodes[-1])
        self._check_lost()
        return Program(
            graph=self._builder.graph(),
            parameters=self._parameters,
            buffers=self._buffers,
            inputs=self._inputs(),
            outputs=outputs,
            structure=structure,
            states=tuple(self._signature.buffers_to_mutate.values()),
        )

    # -- nodes --------------------------------------------------------------------------------

    def _is_missing(self, node: Node) -> bool:
        if node.op in ("placeholder", "output"):
            return False
        return node.op != "call_function" or not (
            node.target is operator.getitem or str(node.target) in TABLE or self._skipped(node)
        )

    def _skipped(self, node: Node) -> bool:
        """Whether a node has no tensor: a check, or arithmetic on sizes, which is read where it is used."""
        return str(node.target) in SILENT or isinstance(
            node.meta.get("val"), (torch.SymInt, torch.SymFloat, torch.SymBool, int, float, bool)
        )

    def _translated(self, node: Node) -> Any:
        if node.target is operator.getitem:
            return self._item(node)
        call = Call(self._builder, lambda: self._types(node), lambda: self._factors(node))
        args, kwargs = self._argument(node.args), self._argument(node.kwargs)
        try:
            with self._builder.label(_module(node)):
                found = self._translation(node, args)(call, *args, **kwargs)
            self._check(call, found)
        except RaygradError as exc:
            raise exc.at(f"{node.target} ({place(node)})") from None
        return found

    def _translation(self, node: Node, args: tuple[Any, ...]) -> Translation:
        """The table's, unless a size is a product, which only some operators look through."""
        target = str(node.target)
        through = any(isinstance(a, Factored) for a in args)
        if not through and target in LOOKS_THROUGH and isinstance(node.meta["val"], torch.Tensor):
            through = any(len(factors) > 1 for factors in self._factors(node))
        if not through:
            return TABLE[target]
        return LOOKS_THROUGH.get(target, _refuse)

    def _factors(self, node: Node) -> tuple[Shape, ...]:
        return tuple(self._sizes.factors(size) for size in node.meta["val"].shape)

    def _item(self, node: Node) -> Any:
        source, index = node.args
        assert isinstance(source, Node)
        assert isinstance(index, int)
        found = self._values[source][index]
        if found is None and node.users:
            raise unsupported([Missing(f"output {index} of {source.target}", place(source))])
        return found

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, Node):
            symbolic = argument.meta.get("val")
            if argument in self._values:
                return self._values[argument]
            if free_unbacked_symbols(symbolic):
                raise GraphError(
                    f"takes a number that Python reads from a tensor (`item()`), {place(argument)}: "
                    "a graph has tensors only; compute with a tensor of one element"
                )
            return symbolic if isinstance(symbolic, (float, bool)) else self._sizes.number(symbolic)
        if isinstance(argument, (list, tuple)):
            return tuple(self._argument(a) for a in argument)
        if isinstance(argument, Mapping):
            return {key: self._argument(a) for key, a in argument.items()}
        if isinstance(argument, torch.dtype):
            return dtype_of(argument)
        return self._sizes.number(argument) if isinstance(argument, torch.SymInt) else argument

    def _types(self, node: Node) -> tuple[TensorType | None, ...]:
        value = node.meta["val"]
        return tuple(self._type(v) for v in (value if isinstance(value, (list, tuple)) else (value,)))

    def _type(self, value: Any) -> TensorType | None:
        if not isinstance(value, torch.Tensor):
            return None
        return TensorType(self._sizes.shape(value.shape), dtype_of(value.dtype))

    def _check(self, call: Call, found: Any) -> None:
        values = found if isinstance(found, (list, tuple)) else (found,)
        if isinstance(found, Factored):
            return
        for value, wanted in zip(values, call.types, strict=False):
            if value is not None and wanted is not None and value.type != wanted:
                raise TypeMismatchError(f"torch says that this is {wanted}, its translation is {value.type}")

    # -- sources ------------------------------------------------------------------------------

    def _placeholders(self, nodes: Iterable[Node]) -> None:
        for node, spec in zip(nodes, self._signature.input_specs, strict=True):
            if node.users:
                self._values[node] = self._source(node, spec.kind.name, spec.target)

    def _source(self, node: Node, kind: str, target: str | None) -> Any:
        if kind == "USER_INPUT":
            return self._input(node.name, node.meta["val"])
        if kind not in ("PARAMETER", "BUFFER", "CONSTANT_TENSOR") or target is None:
            raise unsupported([Missing(f"an input of kind {kind}", place(node))])
        tensor = self._tensor(kind, target)
        name = self._canonical(tensor, target)
        if name not in self._sources:
            self._sources[name] = self._tensor_source(kind, name, tensor)
        return self._sources[name]

    def _input(self, name: str, value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        found = self._type(value)
        assert found is not None
        return self._builder.input(name, found.shape, found.dtype)

    def _tensor(self, kind: str, target: str) -> torch.Tensor:
        program = self._program
        held: Mapping[str, Any] = program.constants if kind == "CONSTANT_TENSOR" else program.state_dict
        found: torch.Tensor = held[target] if target in held else program.constants[target]
        return found

    def _canonical(self, tensor: torch.Tensor, target: str) -> str:
        """The first of the names of a tensor that has several: what is tied is one parameter."""
        return next((name for name, other in self._program.state_dict.items() if other is tensor), target)

    def _tensor_source(self, kind: str, name: str, tensor: torch.Tensor) -> Value:
        array = to_array(tensor)
        if kind == "PARAMETER" and tensor.requires_grad:
            self._parameters[name] = array
            return self._builder.parameter(name, array.shape, array.dtype)
        if name in self._signature.buffers_to_mutate.values() and self._for_remote:
            return self._builder.input(name, array.shape, array.dtype)
        value = self._constant(kind, name, array)
        if (reader := self._differentiated.get(tensor.data_ptr())) is not None and kind == "CONSTANT_TENSOR":
            self._lost.append((value, f"{name!r}, which {reader} refers to,"))
        return value

    def _constant(self, kind: str, name: str, array: Array) -> Value:
        if kind == "CONSTANT_TENSOR" and array.nbytes <= INLINE_BYTES:
            return self._builder.constant(array, array.dtype)
        self._buffers[name] = array
        return self._builder.buffer(name, array.shape, array.dtype)

    def _check_lost(self) -> None:
        """Refuse a gradient that nobody would get."""
        graph = self._builder.graph()
        reached = differentiated(graph, graph.outputs)
        for value, what in self._lost:
            if value.ref.node in reached:
                raise GraphError(
                    f"the tensor {what} requires a gradient, but is no parameter of the module: make it one"
                )

    def _inputs(self) -> tuple[str | None, ...]:
        used = self._builder.graph().inputs
        specs = (s for s in self._signature.input_specs if s.kind.name == "USER_INPUT")
        return tuple(s.arg.name if s.arg.name in used else None for s in specs)

    # -- outputs ------------------------------------------------------------------------------

    def _outputs(self, node: Node) -> tuple[tuple[Any, ...], pytree.TreeSpec]:
        structure = self._program.call_spec.out_spec
        assert structure is not None
        names = iter(_output_names(structure))
        found: list[Any] = []
        arguments: Any = node.args[0]
        for spec, argument in zip(self._signature.output_specs, arguments, strict=True):
            if spec.kind.name == "BUFFER_MUTATION":
                self._builder.output(str(spec.target), self._values[argument])
            elif spec.kind.name == "USER_OUTPUT":
                name = next(names)
                found.append(self._output(f"output {name}" if self._for_remote else name, argument))
            else:
                what = spec.kind.name.lower().replace("_", " ")
                raise GraphError(f"the module has a {what} of {spec.target}: it must not change its inputs")
        return tuple(found), structure

    def _output(self, name: str, argument: Any) -> Any:
        value = self._argument(argument)
        if isinstance(value, Factored):
            self._type(argument.meta["val"])  # which has no expression, and says so
        if not isinstance(value, Value):
            return value
        self._builder.output(name, value)
        return Output(name)


def _refuse(call: Call, *_: Any, **__: Any) -> Any:
    """The error that names the size that cannot be said."""
    assert call.types
    raise SizeError("takes a value of which a size is a product: export with numbers for its symbols")


def _output_names(structure: pytree.TreeSpec) -> list[str]:
    """Names for the leaves of a result: the path of keys, after "output" where it begins with an index."""
    tree = pytree.tree_unflatten(list(range(structure.num_leaves)), structure)
    return [_path(keys) for keys, _ in pytree.tree_flatten_with_path(tree)[0]]


def _path(keys: tuple[Any, ...]) -> str:
    parts = [str(getattr(k, "key", getattr(k, "idx", getattr(k, "name", k)))) for k in keys]
    named = bool(keys) and hasattr(keys[0], "key")
    return ".".join(parts if named else ["output", *parts])


def _module(node: Node) -> str:
    """The path of the module that a node comes from; empty for the outermost."""
    stack = node.meta.get("nn_module_stack") or {}
    path, _ = next(reversed(stack.values()), ("", None))
    return "" if str(path).startswith("_empty") else str(path)


def place(node: Node) -> str:
    """Where a node stands: its name, the module, and the line of the program."""
    trace = str(node.meta.get("stack_trace") or "").splitlines()
    lines = [s for s in trace if s.strip().startswith("File") and "/raygrad/client/" not in s]
    inside = _module(node)
    parts = [node.name, f"in {inside}" if inside else "", f"at {_line(lines[-1])}" if lines else ""]
    return " ".join(filter(None, parts))


def differentiated(graph: Graph, outputs: Iterable[str]) -> set[int]:
    """The nodes by which these outputs have a derivative."""
    refs = [graph.outputs[name] for name in outputs]
    found = {ref.node for ref in refs if graph.type(ref).dtype.is_floating}
    for node in reversed(graph.nodes):
        if node.id in found and not isinstance(node.operator, StopGradient):
            found.update(ref.node for ref in node.inputs if graph.type(ref).dtype.is_floating)
    return found


def _line(frame: str) -> str:
    """`File "/a/b.py", line 7, in f` as b.py:7."""
    file, line, *_ = frame.strip().split(", ")
    name = file.rstrip('"').rsplit("/", 1)[-1]
    return f"{name}:{line.removeprefix('line ')}"
