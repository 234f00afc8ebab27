"""Activations. The pages: https://onnx.ai/onnx/operators/onnx__<Operator>.html"""

from __future__ import annotations

from collections.abc import Callable

from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import converts

Activation = Callable[[Call, Value], Value]

_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875

ACTIVATIONS: dict[str, Activation] = {
    "Celu": lambda call, x: f.celu(x, call.attribute("alpha", 1.0)),
    "Elu": lambda call, x: f.elu(x, call.attribute("alpha", 1.0)),
    "Gelu": lambda call, x: f.gelu(x, call.attribute("approximate", "none")),
    "HardSigmoid": lambda call, x: f.hard_sigmoid(
        x, call.attribute("alpha", 0.2), call.attribute("beta", 0.5)
    ),
    "HardSwish": lambda call, x: f.hard_swish(x),
    "LeakyRelu": lambda call, x: f.leaky_relu(x, call.attribute("alpha", 0.01)),
    "Mish": lambda call, x: f.mish(x),
    "Relu": lambda call, x: f.relu(x),
    "Sigmoid": lambda call, x: f.sigmoid(x),
    "Softplus": lambda call, x: f.softplus(x),
    "Softsign": lambda call, x: f.softsign(x),
    "Swish": lambda call, x: x * f.sigmoid(x * call.attribute("alpha", 1.0)),
    "ThresholdedRelu": lambda call, x: f.thresholded_relu(x, call.attribute("alpha", 1.0)),
}


def _activation(function: Activation) -> Callable[[Call], Value]:
    return lambda call: function(call, call.value(0))


for _name, _function in ACTIVATIONS.items():
    converts(_name)(_activation(_function))


@converts("Selu")
def selu(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Selu.html"""
    alpha: float = call.attribute("alpha", _SELU_ALPHA)
    gamma: float = call.attribute("gamma", _SELU_GAMMA)
    return f.elu(call.value(0), alpha) * gamma


@converts("PRelu")
def prelu(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__PRelu.html; up to opset 6 a slope per channel, or one."""
    x, slope = call.value(0), call.value(1)
    if call.opset < 7 and slope.rank == 1 and slope.shape != (1,):
        slope = slope.reshape((*slope.shape, *(1,) * (x.rank - 2)))
    return f.maximum(x, 0) + slope * f.minimum(x, 0)


@converts("Shrink")
def shrink(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Shrink.html"""
    x, bias, lambd = call.value(0), float(call.attribute("bias", 0.0)), float(call.attribute("lambd", 0.5))
    return f.where(x < -lambd, x + bias, f.where(x > lambd, x - bias, 0))


@converts("Softmax", "LogSoftmax", "Hardmax", since=1)
def softmax_flattened(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Softmax.html; up to opset 12 over all axes from `axis` on."""
    x = call.value(0)
    axis = x.type.axis(call.attribute("axis", 1))
    return _SOFTMAXES[call.node.operator](f.flatten(x, axis), axis).reshape(x.shape)


@converts("Softmax", "LogSoftmax", "Hardmax", since=13)
def softmax(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Softmax.html"""
    x = call.value(0)
    return _SOFTMAXES[call.node.operator](x, x.type.axis(call.attribute("axis", -1)))


def hardmax(x: Value, axis: int) -> Value:
    """1 at the first largest element along `axis`, else 0."""
    return f.one_hot(f.argmax(x, axis), x.shape[axis], axis, x.dtype)


_SOFTMAXES: dict[str, Callable[[Value, int], Value]] = {
    "Hardmax": hardmax,
    "LogSoftmax": f.log_softmax,
    "Softmax": f.softmax,
}
