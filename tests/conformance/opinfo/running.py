"""Running a written sample: in a session, as users do, or quickly by the tests' reference interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import raygrad as rg
from raygrad.proto.autodiff import differentiate
from raygrad.proto.builder import Builder
from raygrad.proto.tensor import Array
from raygrad.proto.value import Value
from tests.backends import NUMPY
from tests.evaluate import evaluate

from .writing import Written

Seeds = Mapping[str, Array]
"""Cotangents by output; without any, there is only a forward pass."""


@dataclass(frozen=True)
class Found:
    """Outputs by name, and gradients by parameter, where one is known not to be zero."""

    outputs: Mapping[str, Array]
    gradients: Mapping[str, Array]


Runner = Callable[[Written, Seeds], Found]


def on_numpy(written: Written, seeds: Seeds) -> Found:
    """In a session on NumPy's kernels."""
    return _in_session(written, seeds, "numpy")


def on_torch(written: Written, seeds: Seeds) -> Found:
    """In a session on PyTorch's kernels."""
    return _in_session(written, seeds, "torch")


def interpreted(written: Written, seeds: Seeds) -> Found:
    """Kernel by kernel on NumPy, without a scheduler."""
    given = {**written.parameters, **written.feeds, **seeds}
    if not seeds:
        return Found(evaluate(written.builder.graph(), given, NUMPY), {})
    back = differentiate(written.builder.graph(), seeds)
    builder = Builder(back.graph)
    for name, ref in back.parameters.items():
        builder.output(f"gradient of {name}", Value(builder, ref))
    found = evaluate(builder.graph(), given, NUMPY)
    gradients = {name: found.pop(f"gradient of {name}") for name in back.parameters}
    return Found(found, gradients)


def _in_session(written: Written, seeds: Seeds, backend: str) -> Found:
    with rg.local(written.builder, backend=backend) as session:
        session.put(written.parameters)
        if not seeds:
            return Found(session.forward(written.feeds).outputs, {})
        kept = session.forward(written.feeds, keep=True)
        session.backward(kept.lease, seeds)
        return Found(kept.outputs, session.gradients())
