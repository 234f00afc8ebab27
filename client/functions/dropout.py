"""Dropout: elements, or whole channels, set to zero at random."""

from __future__ import annotations

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.operators.random import Dropout
from raygrad.proto.value import Value

from .creation import ones
from .node import node


def dropout(x: Value, p: float = 0.5, training: bool = True) -> Value:
    """x / (1 − p), of which each element is 0 with probability p; x itself if not `training`.

    What is dropped depends on the session's `seed`, the step, the mini-batch's index and this call's place
    in the graph, and on nothing else: neither on the partition, the replica and the backend, nor on what
    has to be run again. A forward pass without `keep` is an evaluation, which drops nothing.
    """
    if not 0 <= p <= 1:
        raise ConfigurationError(f"the probability of dropout must be 0 to 1, got {p}")
    if not training or p == 0:
        return x
    return node(Dropout(x.builder.stream(), p), x, x.builder.random_key())


def feature_dropout(x: Value, p: float = 0.5, training: bool = True) -> Value:
    """x (N, C, *spatial) / (1 − p), of which each channel of each sample is 0 with probability p.

    Tompson et al., "Efficient Object Localization Using Convolutional Networks" (2015), section 3.2.
    """
    if x.rank < 2:
        raise TypeMismatchError(f"feature_dropout needs (N, C, *spatial), got {x.type}")
    channels = ones(x.builder, (*x.shape[:2], *[1] * (x.rank - 2)), x.dtype)
    kept = dropout(channels, p, training)
    return x if kept is channels else x * kept
