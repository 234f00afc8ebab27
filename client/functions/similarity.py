"""Vectors compared: their lengths, angles and distances."""

from __future__ import annotations

from raygrad.proto.value import Value, unify

from .elementwise import maximum
from .reductions import norm


def normalize(x: Value, p: float = 2.0, axis: int = 1, eps: float = 1e-12) -> Value:
    """x / max(‖x‖ₚ, eps), the norm along `axis`."""
    return x / maximum(norm(x, axis, keepdims=True, p=p), eps)


def cosine_similarity(a: Value, b: Value, axis: int = 1, eps: float = 1e-8) -> Value:
    """⟨a, b⟩ / (max(‖a‖, eps) · max(‖b‖, eps)) along `axis` of what a and b broadcast to."""
    first, second = unify(a, b)
    return (normalize(first, 2.0, axis, eps) * normalize(second, 2.0, axis, eps)).sum(axis)


def pairwise_distance(a: Value, b: Value, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False) -> Value:
    """‖a − b + eps‖ₚ along the last axis."""
    return norm(a - b + eps, -1, keepdims, p)
