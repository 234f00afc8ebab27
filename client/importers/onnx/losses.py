"""Losses. Each function names the page of its operator.

Classes lie along axis 1; the targets (N, *places) are class numbers.
"""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import Result, converts


@converts("NegativeLogLikelihoodLoss")
def negative_log_likelihood(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html"""
    return _loss(call, call.value(0))


@converts("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html"""
    log_probabilities = f.log_softmax(call.value(0), 1)
    return _loss(call, log_probabilities), log_probabilities


def _loss(call: Call, log_probabilities: Value) -> Value:
    reduction, ignored = call.attribute("reduction", "mean"), call.attribute("ignore_index")
    return f.nll_loss(log_probabilities, call.value(1), reduction, call.optional(2), ignored, axis=1)
