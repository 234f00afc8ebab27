"""What a name of an ONNX graph stands for while it is converted: a value of the graph, or a known array."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from raygrad.proto.tensor import Array, Size
from raygrad.proto.value import Value


@dataclass(frozen=True, eq=False)
class Known:
    """An array known while the model is read: a weight, a constant, or sizes computed from shapes.

    Sizes that are names stand in an array of dtype object, beside numbers; they are int64 to the model.
    """

    array: Array
    name: str = ""
    parameter: bool = False  # differentiated once it is used as a value

    @property
    def symbolic(self) -> bool:
        """Whether there are names among the elements."""
        return self.array.dtype == object


Operand: TypeAlias = "Value | Known | None"


def sizes_array(sizes: list[Size] | tuple[Size, ...]) -> Array:
    """Sizes as an array: int64, or object if names are among them."""
    named = any(isinstance(s, str) for s in sizes)
    return np.array(sizes, dtype=object if named else np.int64)


def plain(array: Array) -> Array:
    """An array of objects as int64, if no name is left in it."""
    if array.dtype == object and not any(isinstance(s, str) for s in array.flat):
        return array.astype(np.int64)
    return array


def size_name(text: str) -> str:
    """An ONNX `dim_param`, which may be any text, as the name of a size."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)[:64]
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"[:64]
