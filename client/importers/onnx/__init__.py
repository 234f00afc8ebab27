"""The format ONNX: its models as graphs (`from_onnx`), and graphs as its models (`to_onnx`).

A module per family of operators holds a table: ONNX operator → function on values, by the opset in which its
meaning changed. Operators that ONNX defines by others need no entry; their bodies are converted.

    reading.py      a file, bytes or a message, with limits checked (protos.py: messages as arrays, types)
    bodies.py       nodes in order, with the model's own functions expanded (functions.py: with ONNX's)
    conversion.py   node by node into one graph (call.py: a node's operands; operand.py: known or computed)
    folding.py      what is computed while the model is read (symbolic.py: with sizes that are names;
                    content.py: what must be known)
    table.py        the table; elementwise.py … resize.py and control.py fill it
"""

from importlib.util import find_spec

from raygrad.proto.errors import DependencyError

if find_spec("onnx") is None:
    raise DependencyError("models of the format ONNX need onnx: pip install 'raygrad[onnx]'")

from . import (  # noqa: F401 (they fill the table)
    activations,
    control,
    convolution,
    elementwise,
    indexing,
    losses,
    normalization,
    padding,
    pooling,
    products,
    reductions,
    resize,
    shapes,
)
from .export import to_onnx
from .importer import from_onnx, static_inputs

__all__ = ["from_onnx", "static_inputs", "to_onnx"]
