"""Normalization, embedding, attention and dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter, axis_of


def layer_norm(
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
) -> Value:
    return f.layer_norm(x, len(normalized_shape), weight, bias, eps)


def rms_norm(
    x: Value, normalized_shape: Sequence[int], weight: Value | None = None, eps: float | None = None
) -> Value:
    smallest = 2.0**-52  # PyTorch's default: the dtype's epsilon
    return f.rms_norm(x, len(normalized_shape), weight, smallest if eps is None else eps)


def group_norm(
    x: Value, num_groups: int, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5
) -> Value:
    return f.group_norm(x, num_groups, weight, bias, eps)


def instance_norm(
    x: Value,
    running_mean: Value | None = None,
    running_var: Value | None = None,
    weight: Value | None = None,
    bias: Value | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if not use_input_stats:
        raise Declined("instance norm by running statistics")
    return f.instance_norm(x, weight, bias, eps)


def batch_norm(
    x: Value,
    running_mean: Value | None,
    running_var: Value | None,
    weight: Value | None = None,
    bias: Value | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Value:
    if x.rank < 2:
        raise Declined("batch norm without channels")
    channels = x.shape[1:2]
    scale = weight if weight is not None else _filled(x, 1.0, channels)
    shift = bias if bias is not None else _filled(x, 0.0, channels)
    if training or running_mean is None or running_var is None:
        return f.batch_norm(x, scale, shift, eps)[0]
    return f.batch_norm_inference(x, scale, shift, running_mean, running_var, eps)


def _filled(x: Value, number: float, shape: Any) -> Value:
    return x.builder.constant(x.dtype.numpy.type(number)).broadcast_to(shape)


def local_response_norm(
    x: Value, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Value:
    return f.local_response_norm(x, size, alpha, beta, k)


def embedding(
    weight: Value,
    indices: Value,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    """The sample's first argument is the table."""
    if max_norm is not None or scale_grad_by_freq:
        raise Declined("embedding with a largest norm or gradients by frequency")
    return f.embedding(indices, weight, padding_idx)


def bilinear(a: Value, b: Value, weight: Value, bias: Value | None = None) -> Value:
    return f.bilinear(a, b, weight, bias)


def attention(
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    if dropout_p:
        raise Declined("random numbers of PyTorch")
    return f.scaled_dot_product_attention(
        query, key, value, attn_mask, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa
    )


def dropout(x: Value, p: float = 0.5, training: bool = True) -> Value:
    if training and p > 0.0:
        raise Declined("random numbers of PyTorch")
    return f.dropout(x, p, training)


def normalize(x: Value, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Value:
    return f.normalize(x, p, axis_of(x, dim), eps)


ADAPTERS: dict[str, Adapter] = {
    "nn.functional.layer_norm": layer_norm,
    "nn.functional.rms_norm": rms_norm,
    "nn.functional.group_norm": group_norm,
    "nn.functional.instance_norm": instance_norm,
    "nn.functional.batch_norm": batch_norm,
    "nn.functional.local_response_norm": local_response_norm,
    "nn.functional.embedding": embedding,
    "nn.functional.bilinear": bilinear,
    "nn.functional.scaled_dot_product_attention": attention,
    "nn.functional.dropout": dropout,
    "nn.functional.normalize": normalize,
}
