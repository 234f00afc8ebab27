"""`from_torch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram

from ..model import Imported
from .exporter import capture
from .translator import Translator


def from_torch(
    model: torch.nn.Module | ExportedProgram,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
) -> Imported:
    """A module, in the mode (training or evaluation) in which it is, as a graph; or an exported program.

    ::

        model = rg.from_torch(module, (x, y), dynamic_shapes={"x": {0: "N"}, "y": {0: "N"}})

    `args` and `kwargs` are example inputs. `dynamic_shapes` is that of `torch.export.export`, where a name
    may stand for a `torch.export.Dim`: those sizes are named in the graph, all others are numbers.

    Inputs have the names of `forward`'s arguments (elements of structures "name_key"), parameters and buffers
    those of the state dict; what the module does not use is left out, and a parameter without `requires_grad`
    is a buffer. A single output is "output", one of a tuple "output.0", one of a dictionary has its key. The
    new value of a buffer that the module changes, like the running statistics of a batch norm in training,
    is an output of the buffer's name: after this one mini-batch, from the value that was put.

    Gradients are those of the operations that compute the outputs, without those under `torch.no_grad`.
    docs/capture.md says what of a module is captured. What a graph would drop is refused by name: a backward
    pass of the module's own (`torch.autograd.Function`), hooks on gradients, numbers that Python reads from
    tensors or draws at random, and changes that `forward` makes to anything but buffers.

    Raises `UnsupportedOperatorError` with all operators that have no translation and their places,
    `SizeError` for a size that a graph cannot express, and `GraphError` if the module cannot be captured.
    """
    return Translator(capture(model, args, kwargs, dynamic_shapes)).program()
