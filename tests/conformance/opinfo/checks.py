"""Running a sample in a session of raygrad, and comparing it with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

import raygrad as rg
from raygrad.proto.tensor import Array
from tests.conformance.suite import Declined

from .samples import Sample
from .writing import Written, write

BACKENDS = ("numpy", "torch")
TOLERANCE = 1e-10  # relative to an array's largest element, and absolute where that is less than 1


def forward(sample: Sample, backends: Sequence[str] = BACKENDS) -> None:
    """The outputs, their dtypes and shapes."""
    written = write(sample)
    expected = sample.expected(sample.fresh())
    assert len(written.outputs) == len(expected), "another number of outputs"
    for backend in backends:
        with rg.local(written.builder, backend=backend) as session:
            session.put(written.parameters)
            outputs = session.forward(written.feeds).outputs
        for number, y in enumerate(expected):
            agree(outputs[f"y{number}"], y, f"output {number} on {backend}")


def gradient(sample: Sample, backends: Sequence[str] = BACKENDS) -> None:
    """The gradient of Σ⟨cotangent, output⟩ by every tensor that PyTorch differentiates by."""
    tensors = sample.fresh()
    outputs = sample.expected(tensors)
    cotangents = cotangents_of(sample, outputs)
    written = write(sample)
    wrt = [tensors[i] for i in written.differentiated]
    found = torch.autograd.grad(
        [outputs[i] for i in cotangents], wrt, list(cotangents.values()), allow_unused=True
    )
    seeds = {f"y{i}": c.numpy() for i, c in cotangents.items()}
    names = (f"t{i}" for i in written.differentiated)
    compare(written, seeds, dict(zip(names, found, strict=True)), backends)


def second_gradient(sample: Sample) -> None:
    """The gradient of Σ⟨gradient, vector⟩ by the same tensors and by the cotangents."""
    tensors = sample.fresh()
    outputs = sample.expected(tensors)
    cotangents = {i: c.requires_grad_() for i, c in cotangents_of(sample, outputs).items()}
    written = write(sample)
    wrt = [tensors[i] for i in written.differentiated]
    first = torch.autograd.grad(
        [outputs[i] for i in cotangents], wrt, list(cotangents.values()), create_graph=True, allow_unused=True
    )
    pairs = dict(zip(written.differentiated, first, strict=True))
    vectors = {i: torch.randn_like(tensors[i]).detach() for i in pairs}
    terms = [(g * vectors[i]).sum() for i, g in pairs.items() if g is not None]
    inner = torch.stack([torch.zeros((), dtype=torch.float64), *terms]).sum()
    names = [f"t{i}" for i in pairs] + [f"c{i}" for i in cotangents]
    second: Sequence[torch.Tensor | None] = [None] * len(names)  # such as of a sign
    if inner.requires_grad:
        second = torch.autograd.grad(inner, [*wrt, *cotangents.values()], allow_unused=True)
    expected = dict(zip(names, second, strict=True))
    if written.inner({i: c.detach() for i, c in cotangents.items()}, vectors):
        compare(written, {"inner": np.ones(())}, expected)
    else:
        assert not any(theirs.any() for theirs in second if theirs is not None), "there is no gradient"


def cotangents_of(sample: Sample, outputs: Sequence[torch.Tensor]) -> dict[int, torch.Tensor]:
    """Normally distributed ones of the outputs that have a derivative, the same every time."""
    torch.manual_seed(0)
    found = {i: torch.randn_like(outputs[i]).detach() for i in sample.differentiable(outputs)}
    if not found:
        raise Declined("PyTorch has no gradient for these arguments")
    return found


def compare(
    written: Written,
    seeds: Mapping[str, Array],
    expected: Mapping[str, torch.Tensor | None],
    backends: Sequence[str] = BACKENDS,
) -> None:
    """Backward in a session of each backend; where PyTorch has no gradient, it is zero."""
    for backend in backends:
        with rg.local(written.builder, backend=backend) as session:
            session.put(written.parameters)
            session.backward(session.forward(written.feeds, keep=True).lease, seeds)
            gradients = session.gradients()
        for name, theirs in expected.items():
            shape = written.parameters[name].shape
            target = torch.zeros(shape, dtype=torch.float64) if theirs is None else theirs
            agree(gradients.get(name, np.zeros(shape)), target, f"gradient of {name} on {backend}")


def agree(ours: Array, theirs: torch.Tensor, what: str) -> None:
    """Assert equal shapes, dtypes and, relative to the largest finite element, values."""
    expected = theirs.numpy(force=True)
    assert ours.shape == expected.shape, f"{what}: shape {ours.shape}, not {expected.shape}"
    assert ours.dtype == expected.dtype, f"{what}: dtype {ours.dtype}, not {expected.dtype}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(ours, expected, err_msg=what)
        return
    scale = np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected)).max(initial=1.0)
    np.testing.assert_allclose(ours, expected, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=what)
