"""The suites of OpInfo: each operator's samples forward, differentiated, and differentiated twice.

`at_least` is how many samples pass with the PyTorch that pyproject.toml pins: one that is declined since, or
no longer drawn, fails its suite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

import torch

from tests.conformance.suite import Case, Suite

from . import checks
from .adapters import ADAPTERS
from .samples import Sample, operators, samples


@cache
def all_samples() -> tuple[Sample, ...]:
    """The samples of every operator that has an adapter."""
    return tuple(sample for name in ADAPTERS for sample in samples(name))


def cases(check: Callable[[Sample], None], applies: Callable[[Sample], bool]) -> Iterator[Case]:
    """A case per sample to which a check applies."""
    return (Case(sample.name, partial(check, sample)) for sample in all_samples() if applies(sample))


def forward() -> Suite:
    """Outputs."""
    return Suite("opinfo-forward", lambda: cases(checks.forward, lambda sample: True), at_least=2986)


def gradient() -> Suite:
    """First-order gradients."""
    return Suite("opinfo-gradient", lambda: cases(checks.gradient, lambda s: s.has_gradient), at_least=2552)


def second_gradient() -> Suite:
    """Second-order gradients, where PyTorch has them."""
    return Suite(
        "opinfo-second-gradient",
        lambda: cases(checks.second_gradient, lambda sample: sample.has_second_gradient),
        at_least=2550,
    )


SPOT = 4  # samples of an operator in a dtype other than float64


def float16() -> Suite:
    """Outputs in half precision."""
    return _in_dtype(torch.float16, at_least=964)


def bfloat16() -> Suite:
    """Outputs in the other half precision."""
    return _in_dtype(torch.bfloat16, at_least=971)


def int64() -> Suite:
    """Outputs of integers, where PyTorch has them."""
    return _in_dtype(torch.int64, at_least=554)


def _in_dtype(dtype: torch.dtype, at_least: int) -> Suite:
    return Suite(f"opinfo-{dtype}".replace("torch.", ""), lambda: _spots(dtype), at_least)


def _spots(dtype: torch.dtype) -> Iterator[Case]:
    names = [name for name in ADAPTERS if dtype in operators()[name].supported_dtypes("cpu")]
    every = (sample for name in names for sample in samples(name, dtype, first=SPOT))
    return (Case(sample.name, partial(checks.forward, sample)) for sample in every)
