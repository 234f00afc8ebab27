"""The suites of OpInfo: each operator's samples forward, differentiated, and differentiated twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial

from tests.conformance.suite import Case, Suite

from . import checks
from .adapters import ADAPTERS
from .samples import Sample, samples


@cache
def all_samples() -> tuple[Sample, ...]:
    """The samples of every operator that has an adapter."""
    return tuple(sample for name in ADAPTERS for sample in samples(name))


def cases(check: Callable[[Sample], None], applies: Callable[[Sample], bool]) -> Iterator[Case]:
    """A case per sample to which a check applies."""
    return (Case(sample.name, partial(check, sample)) for sample in all_samples() if applies(sample))


def forward() -> Suite:
    """Outputs."""
    return Suite("opinfo-forward", lambda: cases(checks.forward, lambda sample: True), at_least=1800)


def gradient() -> Suite:
    """First-order gradients."""
    return Suite("opinfo-gradient", lambda: cases(checks.gradient, lambda s: s.has_gradient), at_least=1500)


def second_gradient() -> Suite:
    """Second-order gradients, where PyTorch has them."""
    return Suite(
        "opinfo-second-gradient", lambda: cases(checks.second_gradient, lambda s: s.has_second_gradient)
    )
