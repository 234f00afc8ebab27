"""A sample as a graph: its tensors are parameters and inputs, its call is the adapter's."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.tensor import Array, DType
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .adapters import ADAPTERS
from .samples import Sample

REFUSED = re.compile("needs a floating-point dtype|does not fit int")


@dataclass(frozen=True)
class Written:
    """A graph with outputs y0, y1, … of a sample, and what it is fed with."""

    builder: Builder
    outputs: Sequence[Value]
    differentiated: Mapping[int, Value]  # the parameters, by the number of their tensor
    parameters: dict[str, Array]
    feeds: dict[str, Array]

    def seeds(self, cotangents: Mapping[int, torch.Tensor]) -> dict[Value, Value]:
        """Outputs by number with their cotangents, which become parameters c0, c1, …"""
        found = {}
        for number, tensor in cotangents.items():
            self.parameters[f"c{number}"] = tensor.numpy()
            found[self.outputs[number]] = self.builder.parameter(
                f"c{number}", tensor.shape, self.outputs[number].dtype
            )
        return found

    def inner(self, cotangents: Mapping[int, torch.Tensor], vectors: Mapping[int, torch.Tensor]) -> bool:
        """Add the output `inner`: Σ⟨gradient, vector⟩ over the parameters. Whether there is a gradient."""
        found = gradients(self.seeds(cotangents), list(self.differentiated.values()))
        terms = []
        for number, gradient in zip(self.differentiated, found, strict=True):
            if gradient is not None:
                self.feeds[f"v{number}"] = vectors[number].numpy()
                vector = self.builder.input(f"v{number}", gradient.shape, gradient.dtype)
                terms.append((gradient * vector).sum())
        if terms:
            self.builder.output("inner", sum(terms[1:], start=terms[0]))
        return bool(terms)


def write(sample: Sample) -> Written:
    """The sample's graph; `Declined` if it asks for what the adapter does not take."""
    builder = Builder()
    arrays = [array_of(tensor) for tensor in sample.tensors]
    values, parameters, feeds = [], {}, {}
    for number, (tensor, array) in enumerate(zip(sample.tensors, arrays, strict=True)):
        name = f"t{number}"
        declare = builder.parameter if tensor.requires_grad else builder.input
        values.append(declare(name, array.shape, array.dtype))
        (parameters if tensor.requires_grad else feeds)[name] = array
    outputs = _call(sample, values)
    for number, y in enumerate(outputs):
        builder.output(f"y{number}", y)
    differentiated = {i: v for i, v in enumerate(values) if sample.tensors[i].requires_grad}
    return Written(builder, outputs, differentiated, parameters, feeds)


def array_of(tensor: torch.Tensor) -> Array:
    """A tensor's elements as NumPy has them."""
    if tensor.is_complex():
        raise Declined("complex numbers")
    dense = tensor.detach().contiguous()
    if dense.dtype is torch.bfloat16:
        found: Array = dense.view(torch.int16).numpy().view(DType.bfloat16.numpy)
        return found
    return dense.numpy(force=True)


def _call(sample: Sample, values: Sequence[Value]) -> Sequence[Value]:
    adapter = ADAPTERS[sample.operator]
    args, kwargs = sample.arguments(values)
    try:
        inspect.signature(adapter).bind(*args, **kwargs)
    except TypeError as exc:
        raise Declined(f"an argument that raygrad's function does not have: {exc}") from None
    try:
        found: Any = adapter(*args, **kwargs)
    except TypeMismatchError as exc:
        if any(v.dtype.is_floating for v in values) or not REFUSED.search(str(exc)):
            raise
        raise Declined("integers in a function of floating-point numbers: refused by name") from None
    return (found,) if isinstance(found, Value) else tuple(found)
