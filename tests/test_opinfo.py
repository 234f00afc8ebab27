"""One of PyTorch's own samples of each operator, forward and differentiated; `make conformance` runs all."""

from __future__ import annotations

import pytest

from tests.conformance.opinfo.adapters import ADAPTERS
from tests.conformance.suite import Declined


@pytest.mark.parametrize("operator", ADAPTERS)
def test_a_sample_agrees_with_pytorch(operator: str) -> None:
    """The first sample of some that is not left out."""
    # Imported here, since PyTorch's table of operators takes seconds to import.
    from tests.conformance.opinfo import checks, running, samples, suites

    known = suites.gradient().left_out()
    for sample in samples.samples(operator, first=4):
        if sample.name in known:
            continue
        try:
            (checks.gradient if sample.has_gradient else checks.forward)(sample, [running.interpreted])
        except Declined:
            continue
        return
    pytest.fail("every sample is left out")
