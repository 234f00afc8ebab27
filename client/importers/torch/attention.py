"""Attention of ATen."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten


@aten("scaled_dot_product_attention.default")
def attention(
    call: Call,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    return f.scaled_dot_product_attention(query, key, value, mask, dropout_p, is_causal, scale, enable_gqa)
