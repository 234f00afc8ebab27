"""Running a sample in a session of raygrad, and comparing it with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from raygrad.proto.tensor import Array
from tests.conformance.suite import Declined

from .running import Found, Runner, on_numpy, on_torch
from .samples import Sample
from .writing import Written, array_of, write

SESSIONS: Sequence[Runner] = (on_numpy, on_torch)
# Relative to an array's largest element, and absolute where that is less than 1.
TOLERANCES = {"float64": 1e-10, "float32": 1e-5, "float16": 2e-3, "bfloat16": 1.6e-2}


def forward(sample: Sample, runners: Sequence[Runner] = SESSIONS) -> None:
    """The outputs, their dtypes and shapes."""
    written = write(sample)
    expected = sample.expected(sample.fresh())
    for run in runners:
        compare_outputs(run(written, {}), expected, run.__name__)


def gradient(sample: Sample, runners: Sequence[Runner] = SESSIONS) -> None:
    """The outputs, and the gradient of Σ⟨cotangent, output⟩ by every tensor that has one in PyTorch."""
    tensors = sample.fresh()
    outputs = sample.expected(tensors)
    cotangents = cotangents_of(sample, outputs)
    written = write(sample)
    wrt = [tensors[i] for i in written.differentiated]
    found = torch.autograd.grad(
        [outputs[i] for i in cotangents], wrt, list(cotangents.values()), allow_unused=True
    )
    expected = dict(zip((f"t{i}" for i in written.differentiated), found, strict=True))
    for run in runners:
        results = run(written, {f"y{i}": c.numpy() for i, c in cotangents.items()})
        compare_outputs(results, outputs, run.__name__)
        compare_gradients(results, written, expected, run.__name__)


def second_gradient(sample: Sample, runners: Sequence[Runner] = SESSIONS) -> None:
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
    if not written.inner({i: c.detach() for i, c in cotangents.items()}, vectors):
        assert not any(theirs.any() for theirs in second if theirs is not None), "there is no gradient"
        return
    for run in runners:
        results = run(written, {"inner": np.ones(())})
        compare_gradients(results, written, dict(zip(names, second, strict=True)), run.__name__)


def cotangents_of(sample: Sample, outputs: Sequence[torch.Tensor]) -> dict[int, torch.Tensor]:
    """Normally distributed ones of the outputs that have a derivative, the same every time."""
    torch.manual_seed(0)
    found = {i: torch.randn_like(outputs[i]).detach() for i in sample.differentiable(outputs)}
    if not found:
        raise Declined("PyTorch has no gradient for these arguments")
    return found


def compare_outputs(found: Found, expected: Sequence[torch.Tensor], how: str) -> None:
    """Compare the outputs y0, y1, …"""
    assert len(found.outputs) == len(expected), "another number of outputs"
    for number, y in enumerate(expected):
        agree(found.outputs[f"y{number}"], y, f"output {number} {how}")


def compare_gradients(
    found: Found, written: Written, expected: Mapping[str, torch.Tensor | None], how: str
) -> None:
    """Compare the gradients by parameters; where PyTorch has none, it is zero."""
    for name, theirs in expected.items():
        zero = np.zeros_like(written.parameters[name])
        ours = found.gradients.get(name, zero)
        agree(ours, torch.from_numpy(zero) if theirs is None else theirs, f"gradient of {name} {how}")


def agree(ours: Array, theirs: torch.Tensor, what: str) -> None:
    """Assert equal shapes, dtypes and, relative to the largest finite element, values."""
    expected = array_of(theirs)
    assert ours.shape == expected.shape, f"{what}: shape {ours.shape}, not {expected.shape}"
    assert ours.dtype == expected.dtype, f"{what}: dtype {ours.dtype}, not {expected.dtype}"
    if not theirs.is_floating_point():
        np.testing.assert_array_equal(ours, expected, err_msg=what)
        return
    tolerance = TOLERANCES[str(expected.dtype)]
    found, target = ours.astype(np.float64), expected.astype(np.float64)
    scale = np.abs(target, where=np.isfinite(target), out=np.zeros_like(target)).max(initial=1.0)
    np.testing.assert_allclose(found, target, rtol=tolerance, atol=tolerance * scale, err_msg=what)
