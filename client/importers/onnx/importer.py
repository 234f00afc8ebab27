"""`from_onnx`: a model of the format ONNX as a graph, and the values that its parameters begin with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx

from raygrad.proto.errors import (
    SizeError,
    TensorDTypeError,
    TensorShapeError,
    UnexpectedTensorError,
)
from raygrad.proto.given import plain
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.limits import check_bound
from raygrad.proto.tensor import Array, DType, Size, bind_size, names_in

from ..model import Imported
from .bodies import Node, frame_of, nodes_of
from .content import needed_content
from .conversion import Conversion
from .functions import check_supported, with_functions
from .operand import Known
from .protos import array_of, dtype_of, shape_of
from .reading import Source, read

Choice = Callable[[str, Array], bool] | Collection[str]
"""Which floating-point weights are parameters: their names, or a function of name and array."""


def from_onnx(
    model: Source,
    *,
    parameters: Choice | None = None,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[Size]] | None = None,
    static: Mapping[str, npt.ArrayLike] | None = None,
) -> Imported:
    """The model as a graph, with the values of its parameters and buffers. Opset 7 and up.

    ::

        model = rg.from_onnx("model.onnx", sizes={"height": 224, "width": 224})
        with rg.local(model.graph) as session:
            session.put(model.tensors)

    `model` is a path, the bytes of a model, or an `onnx.ModelProto`.

    `parameters` says which floating-point weights are differentiated, by name, or by a function of name and
    array; the others are buffers, or constants where they are small. By default these are all initializers
    with at least one axis, and, of models whose weights are nodes `Constant`, those with several elements;
    never what shapes depend on, nor the running statistics of a batch normalization.

    Sizes that the model names (`dim_param`) stay named, unless `sizes` gives numbers; a size without a name
    is called `<input>_<axis>`. `shapes` gives an input another shape altogether. An input whose content
    determines shapes is no input of the graph: give its value in `static` (`static_inputs` lists them).

    Raises `UnsupportedOperatorError`, which lists all operators that are not supported, with their places;
    `SizeError` where a number must be known, or for one that has no place; `UnexpectedTensorError` for names
    that the model does not have; a `DocumentError` or `InvalidReferenceError` for a model that
    is none, goes over a limit, or refers to files outside of its folder.
    """
    whole = read(model)
    nodes = _nodes(whole)
    check_supported(nodes)
    content = needed_content(nodes)
    conversion = Conversion(_chooser(parameters, content))
    _check_weights(whole.graph, nodes, parameters)
    _define_initializers(conversion, whole.graph)
    _define_inputs(conversion, whole.graph, sizes or {}, shapes or {}, static or {}, content)
    conversion.run(nodes)
    return Imported(_finished(conversion, whole.graph), conversion.parameters, conversion.buffers)


def static_inputs(model: Source) -> tuple[str, ...]:
    """The inputs of a model whose content determines shapes: those that `from_onnx` needs in `static`."""
    whole = read(model)
    content = needed_content(_nodes(whole))
    return tuple(info.name for info in _inputs(whole.graph) if info.name in content)


def _nodes(model: onnx.ModelProto) -> list[Node]:
    return list(with_functions(nodes_of(model.graph.node, frame_of(model))))


def _chooser(choice: Choice | None, content: Collection[str]) -> Callable[[str, Array, bool], bool]:
    """Whether an array (an initializer, or else a constant) is a parameter."""

    def chosen(name: str, array: Array, initializer: bool) -> bool:
        if not DType.of(array.dtype).is_floating or name in content:
            return False
        if choice is None:
            return array.ndim >= 1 if initializer else array.size > 1
        return choice(name, array) if callable(choice) else name in choice

    return chosen


def _check_weights(graph: onnx.GraphProto, nodes: Iterable[Node], parameters: Choice | None) -> None:
    """`UnexpectedTensorError` for names of parameters that no weight has."""
    if parameters is None or callable(parameters):
        return
    constants = (name for node in nodes if node.operator == "Constant" for name in node.outputs)
    weights = {*(tensor.name for tensor in graph.initializer), *constants}
    if unknown := sorted(set(parameters) - weights):
        raise UnexpectedTensorError(f"the model has no weights {unknown}; it has {sorted(weights)}")


def _define_initializers(conversion: Conversion, graph: onnx.GraphProto) -> None:
    for tensor in graph.initializer:
        array = array_of(tensor)
        parameter = conversion.chosen(tensor.name, array, True)
        conversion.define(tensor.name, Known(array, tensor.name, parameter))


def _inputs(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    """The inputs that must be fed: an initializer of the same name is a default, which is kept."""
    defaults = {tensor.name for tensor in graph.initializer}
    return (info for info in graph.input if info.name not in defaults)


def _define_inputs(
    conversion: Conversion,
    graph: onnx.GraphProto,
    sizes: Mapping[str, int],
    shapes: Mapping[str, Sequence[Size]],
    static: Mapping[str, npt.ArrayLike],
    content: Collection[str],
) -> None:
    inputs = {info.name: info for info in _inputs(graph)}
    for name in (*shapes, *static):
        if name not in inputs:
            raise UnexpectedTensorError(f"the model has no input {name!r}; it has {sorted(inputs)}")
    if missing := [name for name in inputs if name in content and name not in static]:
        raise SizeError(
            f"shapes depend on the content of the inputs {missing}: give their values in `static`"
        )
    declared = {
        name: tuple(shapes[name]) if name in shapes else shape_of(info)
        for name, info in inputs.items()
        if name not in static
    }
    named = {size for shape in declared.values() for size in names_in(shape)}
    if unknown := sorted(set(sizes) - named):
        raise SizeError(f"the model's inputs have no sizes {unknown}; they have {sorted(named)}")
    for name, info in inputs.items():
        if name in static:
            conversion.define(name, Known(_static(info, static[name]), name))
        else:
            shape = tuple(bind_size(size, sizes) for size in declared[name])
            conversion.define(name, conversion.builder.input(name, shape, _dtype(info)))


def _dtype(info: onnx.ValueInfoProto) -> DType:
    return dtype_of(info.type.tensor_type.elem_type, f"input {info.name!r}")


def _static(info: onnx.ValueInfoProto, value: npt.ArrayLike) -> Array:
    """The value of a static input, which must be of its declared type."""
    array, dtype = plain(value), _dtype(info)
    if not isinstance(value, (np.ndarray, np.generic)):
        array = array.astype(dtype.numpy)
    if array.dtype != dtype.numpy:
        raise TensorDTypeError(f"static input {info.name!r} is {dtype!r}, got {array.dtype}")
    declared = shape_of(info) if info.type.tensor_type.HasField("shape") else array.shape
    fits = len(declared) == array.ndim and all(
        isinstance(d, str) or d == s for d, s in zip(declared, array.shape, strict=True)
    )
    if not fits:
        raise TensorShapeError(f"static input {info.name!r} has shape {declared}, got {array.shape}")
    return array


def _finished(conversion: Conversion, model: onnx.GraphProto) -> Graph:
    """The graph with its outputs; nodes that nothing needs go, inputs stay."""
    builder = conversion.builder
    for info in model.output:
        builder.output(info.name, conversion.lift(conversion.given(info.name)))
    graph = builder.graph()
    kept = [*graph.outputs.values(), *(Ref(node.id) for node in graph.inputs.values())]
    finished = graph.prune(kept).renumbered()
    check_bound(finished)
    return finished
