"""Every operator on every dtype that its types allow: the backends agree, and refuse nothing."""

from __future__ import annotations

import numpy as np
import pytest

from raygrad.proto.errors import RaygradError
from raygrad.proto.operators.elementwise import Pow
from raygrad.proto.tensor import DType, TensorType
from tests.backends import BACKENDS
from tests.evaluate import Array, run
from tests.samples import SAMPLES
from tests.sampling import SMALL, Sample
from tests.test_operators import assert_close

OTHERS = [d for d in DType if d not in (DType.float64, DType.float32)]  # these two are in every test


@pytest.mark.parametrize("dtype", OTHERS, ids=lambda d: d.value)
def test_backends_agree(dtype: DType) -> None:
    tried = 0
    for sample in SAMPLES:
        operator, arrays = sample.operator.bind(SMALL), _arrays(sample, dtype)
        try:
            outputs = operator.infer_types([TensorType(a.shape, DType.of(a.dtype)) for a in arrays])
        except RaygradError:
            continue
        reference, *others = (run(operator, arrays, backend) for backend in BACKENDS)
        assert [(y.shape, y.dtype) for y in reference] == [(t.static, t.dtype.numpy) for t in outputs], sample
        for results in others:
            for expected, found in zip(reference, results, strict=True):
                assert_close(found, expected)
        tried += 1
    assert tried > (150 if dtype.is_floating else 30 if dtype is DType.bool else 60)


def _arrays(sample: Sample, dtype: DType) -> list[Array]:
    """The sample's inputs, those of no fixed dtype in this one: integers spread, and no negative powers."""
    drawn = zip(sample.inputs, sample.arrays(SMALL, DType.float64), strict=True)
    return [a if spec.dtype else _converted(a, dtype, sample) for spec, a in drawn]


def _converted(x: Array, dtype: DType, sample: Sample) -> Array:
    spread = x if dtype.is_floating else x * 3
    unsigned = dtype.value.startswith("u") or isinstance(sample.operator, Pow)
    return (np.abs(spread) if unsigned else spread).astype(dtype.numpy)
