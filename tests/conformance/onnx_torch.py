"""A model of the format ONNX in PyTorch, for its gradients: the operators of the networks tested here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as f

Attributes = dict[str, Any]
Function = Callable[..., Any]


def evaluate(model: onnx.ModelProto, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The one output, given inputs and (as far as they are to be differentiated) weights by name."""
    values: dict[str, Any] = {t.name: constant(t) for t in model.graph.initializer}
    values.update(tensors)
    for node in model.graph.node:
        if node.output[0] in tensors:
            continue
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        operands = [values[name] if name else None for name in node.input]
        result = FUNCTIONS[node.op_type](attributes, *operands)
        results = result if isinstance(result, (list, tuple)) else [result]
        values.update(zip(node.output, results, strict=False))
    output: torch.Tensor = values[model.graph.output[0].name]
    return output


def constant(tensor: onnx.TensorProto) -> torch.Tensor:
    return torch.from_numpy(np.array(numpy_helper.to_array(tensor)))


def _ints(x: torch.Tensor) -> list[int]:
    return [int(n) for n in x.reshape(-1)]


def _pairs(attributes: Attributes) -> list[int]:
    """Padding as `torch.nn.functional.pad` takes it: last axis first."""
    pads = attributes.get("pads", [0, 0, 0, 0])
    half = len(pads) // 2
    return [p for axis in reversed(range(half)) for p in (pads[axis], pads[axis + half])]


def _conv(a: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    padded = f.pad(x, _pairs(a))
    return f.conv2d(padded, weight, bias, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1))


def _conv_transpose(a: Attributes, x: Any, weight: Any, bias: Any = None) -> Any:
    assert not any(a.get("pads", ()))
    return f.conv_transpose2d(x, weight, bias, a.get("strides", 1), groups=a.get("group", 1))


def _batch_norm(a: Attributes, x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
    return f.batch_norm(x, mean, variance, weight, bias, eps=a.get("epsilon", 1e-5))


def _max_pool(a: Attributes, x: Any) -> Any:
    padded = f.pad(x, _pairs(a), value=-torch.inf)
    return f.max_pool2d(padded, a["kernel_shape"], a.get("strides", 1))


def _average_pool(a: Attributes, x: Any) -> Any:
    assert not any(a.get("pads", ()))
    return f.avg_pool2d(x, a["kernel_shape"], a.get("strides", 1), ceil_mode=bool(a.get("ceil_mode", 0)))


def _hard_sigmoid(a: Attributes, x: Any) -> Any:
    return (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1)


def _reduce_mean(a: Attributes, x: Any) -> Any:
    return x.mean(list(a["axes"]), keepdim=bool(a.get("keepdims", 1)))


def _reshape(a: Attributes, x: Any, shape: Any) -> Any:
    return x.reshape([x.shape[i] if s == 0 else s for i, s in enumerate(_ints(shape))])


def _slice(a: Attributes, x: Any, starts: Any, ends: Any, axes: Any, steps: Any = None) -> Any:
    index = [slice(None)] * x.dim()
    for start, end, axis in zip(_ints(starts), _ints(ends), _ints(axes), strict=True):
        index[axis] = slice(start, end)
    return x[tuple(index)]


def _squeeze(a: Attributes, x: Any, *_: Any) -> Any:
    return x.squeeze(next(iter(a["axes"])))


def _resize(a: Attributes, x: Any, roi: Any, scales: Any, sizes: Any = None) -> Any:
    assert a["mode"] == b"nearest"
    assert a["coordinate_transformation_mode"] == b"asymmetric"
    return f.interpolate(x, scale_factor=scales[2:].tolist(), mode="nearest")


def _cast(a: Attributes, x: Any) -> Any:
    types = {onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.DOUBLE: torch.float64}
    types |= {onnx.TensorProto.INT32: torch.int32, onnx.TensorProto.INT64: torch.int64}
    return x.to(types[a["to"]])


FUNCTIONS: dict[str, Function] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Clip": lambda a, x, low, high: x.clamp(low.item(), high.item()),
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "Constant": lambda a: constant(a["value"]),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": lambda a, x, y: x / y,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda a, x: f.hardswish(x),
    "Identity": lambda a, x: x,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _max_pool,
    "Mul": lambda a, x, y: x * y,
    "Pow": lambda a, x, y: x**y,
    "ReduceMean": _reduce_mean,
    "Relu": lambda a, x: x.relu(),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda a, x: torch.tensor(x.shape),
    "Sigmoid": lambda a, x: x.sigmoid(),
    "Slice": _slice,
    "Softmax": lambda a, x: x.softmax(a.get("axis", 1)),
    "Sqrt": lambda a, x: x.sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda a, x, y: x - y,
    "Transpose": lambda a, x: x.permute(a["perm"]),
}
