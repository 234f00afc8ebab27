"""Dropout of ATen: what is dropped is the service's own draw, keyed by seed, step and mini-batch."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten


@aten("dropout.default")
def dropout(call: Call, x: Value, p: float, train: bool) -> Value:
    return f.dropout(x, p, train)


@aten("native_dropout.default")
def native_dropout(call: Call, x: Value, p: float, train: bool | None) -> tuple[Value, None]:
    return f.dropout(x, p, bool(train)), None


@aten("feature_dropout.default")
def feature_dropout(call: Call, x: Value, p: float, train: bool) -> Value:
    return f.feature_dropout(x, p, train)
