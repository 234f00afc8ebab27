"""Attention: values averaged by how queries match keys.

Vaswani et al., "Attention Is All You Need" (2017), https://arxiv.org/abs/1706.03762, section 3.2.
"""

from __future__ import annotations

import math

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from .activations import softmax
from .creation import places
from .dropout import dropout
from .elementwise import where
from .shapes import flatten, repeat_interleave, swapaxes


def scaled_dot_product_attention(
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    training: bool = True,
) -> Value:
    """softmax(query · keyᵀ · scale + mask) · value: (*, L, E), (*, S, E) and (*, S, V) give (*, L, V).

    A bool mask, which broadcasts to (*, L, S), says which keys a query sees; `is_causal` those that do not
    come after it. A query that sees none gives 0. The scale is 1/√E by default. With `enable_gqa`, several
    heads (axis −3) of the query share one of the key and value.
    """
    if min(query.rank, key.rank, value.rank) < 2:
        raise TypeMismatchError(f"attention needs matrices, got {query.type}, {key.type} and {value.type}")
    if enable_gqa:
        key, value = (_shared_heads(query, shared) for shared in (key, value))
    scores = (query * _scale(query, scale)) @ swapaxes(key, -1, -2)
    weights = _weights(scores, _seen(scores, mask, is_causal), mask)
    return dropout(weights, dropout_p, training) @ value


def multi_head_attention(
    query: Value,
    key: Value,
    value: Value,
    heads: int,
    mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    training: bool = True,
) -> Value:
    """`scaled_dot_product_attention` of (*, L, E), (*, S, E) and (*, S, V) in `heads` parts of the last axes.

    A mask broadcasts to (*, heads, L, S): one per sample has an axis of size 1 for the heads.
    The projections before and after are the caller's (`linear`).
    """
    parts = [_split_heads(x, heads) for x in (query, key, value)]
    found = scaled_dot_product_attention(
        parts[0], parts[1], parts[2], mask, dropout_p, is_causal=is_causal, training=training
    )
    return flatten(swapaxes(found, -2, -3), -2)


def _split_heads(x: Value, heads: int) -> Value:
    """(*, L, heads · E) as (*, heads, L, E)."""
    width = x.shape[-1] if x.rank >= 2 else "none"
    if isinstance(width, str) or heads < 1 or width % heads:
        raise TypeMismatchError(f"the last axis of {x.type} does not divide into {heads} heads")
    return swapaxes(x.reshape((*x.shape[:-1], heads, width // heads)), -2, -3)


def _shared_heads(query: Value, shared: Value) -> Value:
    """The heads of key or value, each repeated beside the query's heads that share it."""
    sizes = [x.shape[-3] if x.rank >= 3 else 1 for x in (query, shared)]
    heads, groups = (size if isinstance(size, int) else 0 for size in sizes)
    if not groups or heads % groups:
        raise TypeMismatchError(f"the heads of {query.type} do not share those of {shared.type}")
    return repeat_interleave(shared, heads // groups, -3)


def _scale(query: Value, scale: float | None) -> float:
    width = query.shape[-1]
    if scale is not None:
        return scale
    if isinstance(width, str):
        raise SizeError(f"the scale of attention over {query.type} needs a number for {width!r}")
    return 1.0 / math.sqrt(width) if width else 1.0


def _seen(scores: Value, mask: Value | None, is_causal: bool) -> Value | None:
    """Which keys each query sees, if not all."""
    seen = mask if mask is not None and mask.dtype is DType.bool else None
    if not is_causal:
        return seen
    length, keys = scores.shape[-2:]
    row, column = places(scores.builder, length), places(scores.builder, keys)
    before = column <= row.reshape((length, 1))
    return before if seen is None else seen & before


def _weights(scores: Value, seen: Value | None, mask: Value | None) -> Value:
    """The softmax of the scores with the mask; 0 where a query sees nothing, instead of 0 / 0."""
    if scores.shape[-1] == 0:
        return scores
    if mask is not None and mask.dtype is not DType.bool:
        scores = scores + mask
    elif seen is None:
        return softmax(scores)
    if seen is not None:
        scores = where(seen, scores, -math.inf)
    blind = scores.max(-1, keepdims=True).equals(-math.inf)
    return where(blind, 0.0, softmax(where(blind, 0.0, scores)))
