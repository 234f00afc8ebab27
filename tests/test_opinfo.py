"""One of PyTorch's own samples of each operator, forward and differentiated; `make conformance` runs all."""

from __future__ import annotations

import pytest

from tests.conformance.opinfo.adapters import ADAPTERS
from tests.conformance.suite import Declined

QUICK = ("numpy",)


@pytest.mark.parametrize("operator", ADAPTERS)
def test_a_sample_agrees_with_pytorch(operator: str) -> None:
    """The first sample of some that the adapter does not decline."""
    from tests.conformance.opinfo import checks, samples  # the table of operators takes seconds to import

    for sample in samples.samples(operator, most=4):
        try:
            checks.forward(sample, QUICK)
            if sample.has_gradient:
                checks.gradient(sample, QUICK)
        except Declined:
            continue
        return
    pytest.fail("every sample is declined")
