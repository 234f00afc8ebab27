"""One node of one operator with one output: what most functions of values are."""

from __future__ import annotations

from typing import Any

from raygrad.proto.operators.base import Operator
from raygrad.proto.value import Value


def is_number(x: Any, number: float) -> bool:
    """Whether an argument is this number: `==` of a value compares its elements."""
    return not isinstance(x, Value) and bool(x == number)


def node(operator: Operator, *inputs: Value) -> Value:
    """The one output of a node of `operator`."""
    return inputs[0].builder.add(operator, inputs)[0]
