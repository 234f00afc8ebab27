"""The PyTorch backend: one layout per type, no copies that are not needed, settings that are restored."""

from __future__ import annotations

import importlib.util
import itertools
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from raygrad.proto.errors import ConfigurationError, DependencyError, ResourceError
from raygrad.proto.operators import convolution, normalization, pooling
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import DType, TensorType
from raygrad.workers.backends import open_backend
from raygrad.workers.kernels.base import Site
from raygrad.workers.kernels.numpy import NumpyBackend
from raygrad.workers.kernels.torch import TorchBackend
from raygrad.workers.kernels.torch.indices import checked
from raygrad.workers.kernels.torch.layout import canonical
from raygrad.workers.kernels.torch.scan import doubling
from tests.derivatives import drawn
from tests.evaluate import Array

BACKEND = TorchBackend("cpu")
SHAPES = [(), (1,), (5,), (2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 1, 4, 5), (1, 3, 1, 1), (1, 1, 1, 1)]
SHAPES += [(0, 3, 2, 2), (2, 3, 4, 5, 2), (2, 1, 1, 3, 1)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
every_dtype = pytest.mark.parametrize("dtype", list(DType), ids=lambda d: d.value)


def numbers(shape: tuple[int, ...], dtype: DType) -> Array:
    return np.asarray(np.abs(drawn(*shape)) * 3).astype(dtype.numpy)


def lying(x: torch.Tensor) -> Iterator[torch.Tensor]:
    """The same elements with other strides."""
    for order in itertools.islice(itertools.permutations(range(x.ndim)), 24):
        inverse = [order.index(axis) for axis in range(x.ndim)]
        yield x.permute(order).contiguous().permute(inverse)
    wide = x.new_zeros((*x.shape, 2))
    wide[..., 1] = x
    yield wide[..., 1]
    if x.ndim:
        yield torch.cat([x, x])[: len(x)]


@every_shape
def test_any_strides_in_the_canonical_strides_out(shape: tuple[int, ...]) -> None:
    x = torch.from_numpy(drawn(*shape).reshape(shape))
    place = BACKEND.layout(TensorType(shape, DType.float64))
    for variant in lying(x):
        placed = place(variant)
        assert placed.stride() == canonical(shape)
        assert torch.equal(placed, x)
        assert place(placed) is placed


@every_shape
def test_canonical_strides_are_channels_last(shape: tuple[int, ...]) -> None:
    place = BACKEND.layout(TensorType(shape, DType.float32))
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    x = torch.zeros(shape).contiguous(memory_format=formats.get(len(shape), torch.contiguous_format))
    assert place(x).data_ptr() == x.data_ptr()  # a copy only where the order of the elements differs


def test_an_expanded_tensor_is_written_out() -> None:
    x = torch.arange(3.0).reshape(1, 3, 1, 1).expand(2, 3, 4, 5)
    placed = BACKEND.layout(TensorType((2, 3, 4, 5), DType.float32))(x)
    assert placed.stride() == (60, 1, 15, 3)
    assert torch.equal(placed, x)


@every_shape
@every_dtype
def test_arrays_come_and_go_without_change(shape: tuple[int, ...], dtype: DType) -> None:
    array = numbers(shape, dtype)
    back = BACKEND.to_host(BACKEND.from_host(array))
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())


@every_shape
@every_dtype
def test_what_came_out_goes_in_again_without_change_or_warning(shape: tuple[int, ...], dtype: DType) -> None:
    tensor = BACKEND.from_host(numbers(shape, dtype))
    again = _again(tensor)
    assert (again.dtype, again.stride()) == (tensor.dtype, tensor.stride())
    assert torch.equal(again, tensor)


@every_dtype
def test_what_came_out_goes_in_again_without_copy(dtype: DType) -> None:
    tensor = BACKEND.from_host(numbers((2, 3, 32, 32), dtype))  # small ones are sooner copied
    again = _again(tensor)
    assert (again.data_ptr(), again.stride()) == (tensor.data_ptr(), tensor.stride())


def _again(tensor: torch.Tensor) -> torch.Tensor:
    array = BACKEND.to_host(tensor)
    array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return BACKEND.from_host(array)


def test_bytes_are_read_where_they_lie() -> None:
    data = numbers((20, 60), DType.float32).tobytes()
    tensor = BACKEND.from_host(np.frombuffer(data, dtype=np.float32))
    expected = np.frombuffer(data, dtype=np.float32).__array_interface__["data"][0]
    assert tensor.data_ptr() == expected
    del data
    assert np.array_equal(BACKEND.to_host(tensor), numbers((20, 60), DType.float32).reshape(-1))


@pytest.mark.parametrize("offset", [1, 4])
def test_arrays_that_are_reversed_or_not_aligned(offset: int) -> None:
    array = numbers((3, 4), DType.float64)
    memory = np.zeros(array.nbytes + offset, dtype=np.uint8)
    memory[offset:] = np.frombuffer(array.tobytes(), dtype=np.uint8)
    shifted = memory[offset:].view(np.float64).reshape(3, 4)
    for variant in (shifted, array[::-1], shifted[:, ::-1]):
        tensor = BACKEND.from_host(variant)
        assert np.array_equal(BACKEND.to_host(tensor), variant)
        assert tensor.data_ptr() % 8 == 0


IMAGES = [
    (convolution.Conv((1, 1), ((0, 0), (0, 0)), (1, 1), 1), [(64, 1, 12, 12), (8, 1, 5, 5), (8,)]),
    (convolution.Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1), [(4, 3, 8, 8), (16, 3, 3, 3)]),
    (convolution.Conv((2, 2), ((0, 0), (0, 0)), (1, 1), 1), [(4, 16, 8, 8), (32, 16, 1, 1)]),
    (convolution.Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 1), [(1, 16, 1, 1), (8, 16, 3, 3)]),
    (convolution.ConvInputGrad((1, 1), ((1, 1), (1, 1)), (1, 1), 1, (8, 8)), [(4, 16, 8, 8), (16, 3, 3, 3)]),
    (convolution.ConvWeightGrad((1, 1), ((1, 1), (1, 1)), (1, 1), 1, (3, 3)), [(4, 3, 8, 8), (4, 16, 8, 8)]),
    (pooling.MaxPool((2, 2), ((0, 0), (0, 0)), (2, 2), (1, 1)), [(4, 16, 8, 8)]),
    (pooling.AvgPool((2, 2), ((0, 0), (0, 0)), (2, 2), True), [(4, 16, 8, 8)]),
    (pooling.AvgPoolGrad((2, 2), ((0, 0), (0, 0)), (2, 2), True, (8, 8)), [(4, 16, 4, 4)]),
    (normalization.BatchNorm(1e-5), [(4, 16, 8, 8), (16,), (16,)]),
]


@pytest.mark.parametrize(("operator", "shapes"), IMAGES, ids=lambda x: repr(x)[:60])
def test_kernels_of_images_return_their_layout(operator: Operator, shapes: list[tuple[int, ...]]) -> None:
    """Nothing is copied behind them: channels-last in, channels-last out, in the same order in memory."""
    types = tuple(TensorType(shape, DType.float32) for shape in shapes)
    outputs = operator.infer_types(types)
    tensors = [BACKEND.from_host(drawn(*shape).astype(np.float32)) for shape in shapes]
    with BACKEND.scope():
        results = BACKEND.compile(operator, types, outputs)(*tensors)
    results = results if isinstance(results, tuple) else (results,)
    for result, expected in zip(results, outputs, strict=True):
        assert BACKEND.layout(expected)(result).data_ptr() == result.data_ptr()


def test_a_run_has_one_thread_and_no_autograd() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with BACKEND.scope():
            assert (torch.get_num_threads(), torch.is_inference_mode_enabled()) == (1, True)
            with BACKEND.scope():
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
        assert (torch.get_num_threads(), torch.is_inference_mode_enabled()) == (2, False)
        with pytest.raises(RuntimeError), BACKEND.scope():
            raise RuntimeError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_fingerprint_names_what_bits_depend_on() -> None:
    found = BACKEND.fingerprint()
    assert torch.__version__ in found
    assert torch.backends.cpu.get_cpu_capability() in found


def test_backends_open_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [open_backend(name).name for name in ("auto", "torch", "torch-cpu", "numpy")] == [
        "torch-cpu",
        "torch-cpu",
        "torch-cpu",
        "numpy",
    ]
    with pytest.raises(ResourceError, match="no CUDA device"):
        open_backend("torch-cuda")
    with pytest.raises(ConfigurationError, match="auto, numpy"):
        open_backend("jax")


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert isinstance(open_backend("auto"), NumpyBackend)
    for name in ("torch", "torch-cpu", "torch-cuda"):
        with pytest.raises(DependencyError, match=r"pip install 'raygrad\[torch\]'"):
            open_backend(name)


@pytest.mark.gpu
def test_settings_of_cuda_are_restored() -> None:
    backend = TorchBackend("cuda")
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with backend.scope():
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_indices_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(BACKEND, (), ())
    indices = torch.tensor([0, 4, 2])
    assert checked(site, 5)(indices) is indices
    with pytest.raises(ValueError, match="from 0 to 4 do not all lie within 0 to 3"):
        checked(site, 4)(indices)
    monkeypatch.setattr(torch, "aminmax", None)
    assert checked(site, 5)(indices) is indices
    assert checked(site, 6)(indices) is indices


def test_cumulative_sums_by_doubling_are_those_of_pytorch() -> None:
    for size in (0, 1, 2, 7, 64, 100):
        x = torch.from_numpy(np.random.default_rng(0).standard_normal((3, size, 2)))
        torch.testing.assert_close(doubling(x, 1, torch.float64), x.cumsum(1))
