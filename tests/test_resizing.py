"""Resizing against PyTorch and ONNX's reference; pooling into a number of windows against PyTorch."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx.reference
import pytest
import torch
import torch.nn.functional as tf

from raygrad.client import functions as f
from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, RaygradError, SizeError, TypeMismatchError
from raygrad.proto.operators.resampling import Resample
from raygrad.proto.value import Value
from raygrad.workers.kernels.base import Backend
from tests.backends import every_backend
from tests.comparing import NUMPY, compare
from tests.evaluate import Array, evaluate

RNG = np.random.default_rng(0)
SIGNAL = RNG.standard_normal((2, 3, 9))
IMAGES = RNG.standard_normal((2, 3, 7, 6))
VOLUME = RNG.standard_normal((1, 2, 4, 5, 3))


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (SIGNAL, {"size": 4}),
        (SIGNAL, {"scale_factor": 1.7, "mode": "nearest-exact"}),
        (SIGNAL, {"size": 20, "mode": "linear"}),
        (SIGNAL, {"size": 5, "mode": "linear", "align_corners": True}),
        (SIGNAL, {"size": 1, "mode": "linear", "align_corners": True}),
        (SIGNAL, {"size": 4, "mode": "area"}),
        (IMAGES, {"scale_factor": 2.0}),
        (IMAGES, {"scale_factor": (0.5, 1.7), "mode": "nearest"}),
        (IMAGES, {"scale_factor": (2.3, 0.7), "mode": "bilinear"}),
        (IMAGES, {"size": (3, 11), "mode": "bilinear", "align_corners": True}),
        (IMAGES, {"size": (3, 11), "mode": "bilinear", "antialias": True}),
        (IMAGES, {"size": (2, 2), "mode": "bicubic", "antialias": True}),
        (IMAGES, {"size": (10, 4), "mode": "bicubic"}),
        (IMAGES, {"scale_factor": 1.5, "mode": "bicubic", "align_corners": True}),
        (IMAGES, {"size": (4, 9), "mode": "area"}),
        (VOLUME, {"size": (6, 3, 3), "mode": "trilinear"}),
        (VOLUME, {"size": (2, 9, 3), "mode": "nearest-exact"}),
    ],
)
@every_backend
def test_interpolate_agrees_with_pytorch(x: Array, options: dict[str, Any], backend: Backend) -> None:
    compare(lambda v: f.interpolate(v, **options), lambda t: tf.interpolate(t, **options), (x,), backend)


def by_onnx(x: Array, attributes: dict[str, Any], scales: Any, sizes: Any, roi: Any) -> Array:
    """ONNX's own reference of Resize."""
    names = ["x", "roi", "scales" if scales is not None else "", "sizes" if sizes is not None else ""]
    node = onnx.helper.make_node("Resize", names, ["y"], **attributes)
    declared = {
        "x": onnx.TensorProto.DOUBLE,
        "roi": onnx.TensorProto.FLOAT,
        "scales": onnx.TensorProto.FLOAT,
        "sizes": onnx.TensorProto.INT64,
    }
    inputs = [onnx.helper.make_tensor_value_info(n, declared[n], None) for n in names if n]
    outputs = [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "resize", inputs, outputs),
        opset_imports=[onnx.helper.make_opsetid("", 19)],
    )
    feeds = {"x": x, "roi": np.asarray(roi, np.float32)}
    feeds |= {} if scales is None else {"scales": np.asarray(scales, np.float32)}
    feeds |= {} if sizes is None else {"sizes": np.asarray(sizes, np.int64)}
    found: Array = onnx.reference.ReferenceEvaluator(model).run(None, feeds)[0]
    return found


COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", [*COORDINATES, "tf_crop_and_resize"])
@pytest.mark.parametrize(
    ("scales", "sizes"), [((0.6, 1.6), None), ((2.0, 0.3), None), (None, (3, 7)), (None, (1, 9))]
)
def test_resize_agrees_with_onnx(mode: Any, coordinates: str, scales: Any, sizes: Any) -> None:
    x = RNG.standard_normal((4, 5))
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    crops, extrapolation = [(0.2, 1.1), (-0.15, 0.7)], 3.5
    roi = [crops[0][0], crops[1][0], crops[0][1], crops[1][1]]
    rounded = [tuple(float(np.float32(v)) for v in crop) for crop in crops]
    given = None if scales is None else [float(np.float32(s)) for s in scales]
    for more, named in [
        ({}, {}),
        ({"nearest_mode": "ceil"}, {"rounding": "ceil"}) if mode == "nearest" else ({}, {}),
        ({"cubic_coeff_a": -0.5, "exclude_outside": 1}, {"coefficient": -0.5, "exclude_outside": True})
        if mode == "cubic"
        else ({}, {}),
        ({"antialias": 1}, {"antialias": True}) if mode != "nearest" else ({}, {}),
    ]:
        builder = Builder()
        y = f.resize(
            builder.input("x", x.shape, "float64"),
            sizes,
            given,
            mode=mode,
            coordinates=coordinates,
            extrapolation=extrapolation,
            crop=rounded if coordinates == "tf_crop_and_resize" else None,  # type: ignore[arg-type]
            **named,  # type: ignore[arg-type]
        )
        builder.output("y", y)
        wanted = by_onnx(x, {**attributes, **more, "extrapolation_value": extrapolation}, scales, sizes, roi)
        found = evaluate(builder.graph(), {"x": x}, NUMPY)["y"]
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=f"{more}")


@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_nearest_rounds_as_it_is_told(rounding: str) -> None:
    x = np.arange(4.0)
    builder = Builder()
    y = f.resize(builder.input("x", (4,), "float64"), [8], rounding=rounding, coordinates="asymmetric")
    builder.output("y", y)
    wanted = by_onnx(
        x,
        {"mode": "nearest", "nearest_mode": rounding, "coordinate_transformation_mode": "asymmetric"},
        None,
        [8],
        [],
    )
    np.testing.assert_array_equal(evaluate(builder.graph(), {"x": x}, NUMPY)["y"], wanted)


@pytest.mark.parametrize(
    ("x", "sizes"), [(SIGNAL, 3), (SIGNAL, 4), (IMAGES, (7, 1)), (IMAGES, (None, 4)), (VOLUME, (2, 3, 3))]
)
@every_backend
def test_adaptive_pooling(x: Array, sizes: Any, backend: Backend) -> None:
    average = (tf.adaptive_avg_pool1d, tf.adaptive_avg_pool2d, tf.adaptive_avg_pool3d)[x.ndim - 3]
    largest = (tf.adaptive_max_pool1d, tf.adaptive_max_pool2d, tf.adaptive_max_pool3d)[x.ndim - 3]
    compare(lambda v: f.adaptive_avg_pool(v, sizes), lambda t: average(t, sizes), (x,), backend)
    compare(lambda v: f.adaptive_max_pool(v, sizes), lambda t: largest(t, sizes), (x,), backend)


@pytest.mark.parametrize(("x", "sizes"), [(SIGNAL, 3), (SIGNAL, 4), (IMAGES, (3, 4)), (VOLUME, (2, 3, 2))])
def test_where_adaptive_pooling_finds_the_largest(x: Array, sizes: Any) -> None:
    largest = (tf.adaptive_max_pool1d, tf.adaptive_max_pool2d, tf.adaptive_max_pool3d)[x.ndim - 3]
    builder = Builder()
    y, indices = f.adaptive_max_pool_with_indices(builder.input("x", x.shape, "float64"), sizes)
    builder.output("y", y)
    builder.output("indices", indices)
    found = evaluate(builder.graph(), {"x": x}, NUMPY)
    wanted = largest(torch.tensor(x), sizes, return_indices=True)
    np.testing.assert_array_equal(found["y"], wanted[0].numpy())
    np.testing.assert_array_equal(found["indices"], wanted[1].numpy())


def test_adaptive_pooling_of_an_axis_longer_than_a_constant_holds() -> None:
    x = RNG.standard_normal((1, 1, 3001))
    compare(lambda v: f.adaptive_max_pool(v, 1000), lambda t: tf.adaptive_max_pool1d(t, 1000), (x,))


def test_a_long_axis_takes_memory_by_its_length() -> None:
    """A matrix of its weights would take 320 MB."""
    x = RNG.standard_normal((1, 1, 2000))
    tracemalloc.start()
    try:
        compare(
            lambda v: f.interpolate(v, scale_factor=10.0, mode="linear"),
            lambda t: tf.interpolate(t, scale_factor=10.0, mode="linear"),
            (x,),
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64e6


def test_named_sizes() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 3, "H", "W"))
    assert f.adaptive_avg_pool(x, (7, 5)).shape == ("N", 3, 7, 5)
    assert f.adaptive_avg_pool(x, 1).shape == ("N", 3, 1, 1)
    assert f.adaptive_max_pool(x, (1, None)).shape == ("N", 3, 1, "W")
    assert f.interpolate(x, (8, 8), mode="bilinear").shape == ("N", 3, 8, 8)
    assert f.interpolate(x, scale_factor=(1.0, 1.0)) is x


@pytest.mark.parametrize(
    ("write", "error", "match"),
    [
        (f.interpolate, ConfigurationError, "size or a scale"),
        (lambda x: f.interpolate(x, 3, mode="round"), ConfigurationError, "'round'"),  # type: ignore[arg-type]
        (lambda x: f.interpolate(x, scale_factor=2.0), SizeError, "'T'"),
        (lambda x: f.interpolate(x, (2, 3)), TypeMismatchError, "1 axes"),
        (lambda x: f.interpolate(x, 0), TypeMismatchError, "places"),
        (f.resize, ConfigurationError, "sizes or scales"),
        (lambda x: f.resize(x, [4, 4, 4], coordinates="elsewhere"), TypeMismatchError, "elsewhere"),
        (lambda x: f.resize(x, [4, 4, 4], rounding="up"), TypeMismatchError, "'up'"),
        (lambda x: f.adaptive_max_pool(x, 3), SizeError, "axis 2"),
        (lambda x: f.adaptive_avg_pool(x, 0), TypeMismatchError, "at least 1"),
        (Resample(0, 3, "linear", scale=-1.0), TypeMismatchError, "negative"),
        (Resample(1, 1, "linear", scale=1e-9, antialias=True), TypeMismatchError, "scale 1e-09"),
        (lambda x: Resample(0, 3, "linear")(x.astype("int32")), TypeMismatchError, "floating"),
    ],
)
def test_what_does_not_fit(write: Callable[[Value], Any], error: type[RaygradError], match: str) -> None:
    x = Builder().input("x", ("N", 4, "T"))
    with pytest.raises(error, match=match):
        write(x)
