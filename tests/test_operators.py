"""The completeness test: every operator of the catalogue has all that it promises, on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from raygrad.proto import operators  # noqa: F401  (fills the registry)
from raygrad.proto.builder import Builder
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.random import RandomKey
from raygrad.proto.operators.shape import StopGradient
from raygrad.proto.operators.source import NamedTensor
from raygrad.proto.tensor import DType
from raygrad.workers.kernels.base import Backend, has_kernel, takes_views
from tests.backends import BACKENDS, every_backend
from tests.evaluate import Array, apply, run
from tests.finite_differences import Differentiable, check_gradient
from tests.samples import SAMPLES
from tests.sampling import LARGE, SMALL, Sample

FLOATING = (DType.float64, DType.float32)
RELATIVE = {DType.float64: 1e-12, DType.float32: 2e-5, DType.float16: 2e-3, DType.bfloat16: 2e-2}

every_operator = pytest.mark.parametrize("operator", Operator.registry.values(), ids=lambda op: op.name)
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=repr)
every_dtype = pytest.mark.parametrize("floating", FLOATING, ids=lambda d: d.value)


@every_operator
def test_every_operator_has_a_sample_and_its_kernels(operator: type[Operator]) -> None:
    if issubclass(operator, (NamedTensor, RandomKey)):
        return  # it comes with the mini-batch and is not computed
    assert any(type(s.operator) is operator for s in SAMPLES)
    assert [b.family for b in BACKENDS if not has_kernel(operator, b.family)] == []


@every_sample
@every_dtype
def test_named_sizes_bind_to_the_types_of_numbers(sample: Sample, floating: DType) -> None:
    named = sample.types(floating)
    bound = [t.bind(SMALL) for t in named]
    inferred = sample.operator.bind(SMALL).infer_types(bound)
    assert inferred == tuple(t.bind(SMALL) for t in sample.operator.infer_types(named))


@every_sample
@every_dtype
@every_backend
def test_results_have_the_inferred_types(sample: Sample, floating: DType, backend: Backend) -> None:
    operator, arrays = sample.operator.bind(SMALL), sample.arrays(SMALL, floating)
    inferred = operator.infer_types([t.bind(SMALL) for t in sample.types(floating)])
    results = run(operator, arrays, backend)
    assert [(r.shape, r.dtype) for r in results] == [(t.static, t.dtype.numpy) for t in inferred]


@every_sample
@every_dtype
def test_backends_agree(sample: Sample, floating: DType) -> None:
    operator, arrays = sample.operator.bind(LARGE), sample.arrays(LARGE, floating)
    reference, *others = ([*run(operator, arrays, backend)] for backend in BACKENDS)
    for results in others:
        for expected, found in zip(reference, results, strict=True):
            assert_close(found, expected)


def assert_close(found: Array, expected: Array) -> None:
    """Exactly for integers and bool; for floating-point, relative to the largest element."""
    dtype = DType.of(expected.dtype)
    if not dtype.is_floating:
        np.testing.assert_array_equal(found, expected)
        return
    a, b = (np.asarray(x, dtype=np.float64) for x in (found, expected))
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    np.testing.assert_allclose(a, b, rtol=RELATIVE[dtype], atol=RELATIVE[dtype] * scale)


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.inputs], ids=repr)
@every_dtype
@every_backend
def test_bits_do_not_depend_on_how_operands_lie(sample: Sample, floating: DType, backend: Backend) -> None:
    operator, arrays = sample.operator.bind(LARGE), sample.arrays(LARGE, floating)
    expected = bits(run(operator, arrays, backend))
    for name, variants in zip(LYING, zip(*map(lying, arrays), strict=True), strict=True):
        assert bits(run(operator, variants, backend)) == expected, name
    written_out = [np.array(expanded(a)) for a in arrays]
    expected = bits(run(operator, written_out, backend))
    assert bits(run(operator, [expanded(a) for a in arrays], backend)) == expected, "expanded"


LYING = ("strided", "permuted", "offset by an element", "offset by a byte", "round-tripped")


def lying(x: Array) -> Iterator[Array]:
    """The same elements lying in memory in other ways."""
    wide = np.zeros((*x.shape, 2), dtype=x.dtype)
    wide[..., 0] = x
    yield wide[..., 0]
    yield np.array(x.T, order="C").T
    for offset in (x.itemsize, 1):
        memory = np.zeros(x.nbytes + offset, dtype=np.uint8)
        memory[offset:] = np.frombuffer(x.tobytes(), dtype=np.uint8)
        yield memory[offset:].view(x.dtype).reshape(x.shape)
    yield np.frombuffer(x.tobytes(), dtype=x.dtype).reshape(x.shape)


def expanded(x: Array) -> Array:
    """The first element along each axis but the last, repeated as a view."""
    return np.broadcast_to(first(x), x.shape)


def first(x: Array) -> Array:
    return np.array(x[tuple([slice(0, 1)] * (x.ndim - 1))])


def bits(arrays: list[Array]) -> list[bytes]:
    return [a.tobytes() for a in arrays]


EXACT = [s for s in SAMPLES if takes_views(s.operator) and s.inputs]


@pytest.mark.parametrize("sample", EXACT, ids=repr)
@every_dtype
@every_backend
def test_exact_kernels_take_views(sample: Sample, floating: DType, backend: Backend) -> None:
    operator = sample.operator.bind(LARGE)
    types = [t.bind(LARGE) for t in sample.types(floating)]
    outputs = operator.infer_types(types)
    for special in (False, True):
        arrays = [with_specials(a) if special else a for a in sample.arrays(LARGE, floating)]
        arrays = [np.array(expanded(a)) for a in arrays]
        tensors = [backend.from_host(a) for a in arrays]
        expected = [np.array(backend.to_host(r)) for r in apply(operator, types, outputs, tensors, backend)]
        for views in zip(*(viewed(a, backend) for a in arrays), strict=True):
            results = apply(operator, types, outputs, views, backend)
            assert bits([np.array(backend.to_host(r)) for r in results]) == bits(expected)


def with_specials(x: Array) -> Array:
    """Floating-point elements replaced by zeros of both signs, infinities and the smallest numbers."""
    if not DType.of(x.dtype).is_floating:
        return x
    tiny = np.finfo(x.dtype).smallest_subnormal
    specials = np.array([0.0, -0.0, np.inf, -np.inf, tiny, -tiny, 1.0], dtype=x.dtype)
    return np.resize(specials, x.shape)


def viewed(x: Array, backend: Backend) -> Iterator[object]:
    """Tensors of the backend that are views: strided, permuted, expanded."""
    wide = np.repeat(x[..., None], 2, axis=-1)
    yield backend.from_host(wide)[..., 0]
    yield backend.xp.permute_dims(backend.from_host(np.array(x.T)), tuple(range(x.ndim))[::-1])
    yield backend.xp.broadcast_to(backend.from_host(first(x)), x.shape)


def as_function(sample: Sample) -> Differentiable:
    """The sample as a graph in float64, with every input fed."""
    builder = Builder()
    types = [t.bind(SMALL) for t in sample.types(DType.float64)]
    inputs = [builder.input(f"x{i}", t.static, t.dtype) for i, t in enumerate(types)]
    for port, value in enumerate(builder.add(sample.operator.bind(SMALL), inputs)):
        builder.output(f"y{port}", value)
    feeds = {f"x{i}": a for i, a in enumerate(sample.arrays(SMALL, DType.float64))}
    return Differentiable(builder.graph(), feeds)


SMOOTH = [
    s
    for s in SAMPLES
    if s.inputs
    and as_function(s).outputs
    and as_function(s).inputs
    and not isinstance(s.operator, StopGradient)  # says that it has no derivative, which is not what it has
]


@pytest.mark.parametrize("sample", SMOOTH, ids=repr)
def test_first_and_second_derivatives(sample: Sample) -> None:
    rng = np.random.default_rng(0)
    function = as_function(sample)
    first = check_gradient(function, rng, tolerance=1e-7)
    if first.outputs:
        check_gradient(first, rng, tolerance=1e-6)


@pytest.mark.parametrize("sample", [s for s in SMOOTH if len(as_function(s).outputs) > 1], ids=repr)
def test_derivatives_with_cotangents_missing(sample: Sample) -> None:
    function = as_function(sample)
    for output in function.outputs:
        check_gradient(function, np.random.default_rng(0), tolerance=1e-7, outputs=[output])
