"""Functions of each element."""

from __future__ import annotations

from raygrad.client import functions as f
from raygrad.proto.value import Operand, Value

from .common import Adapter, binary, unary

UNARY = """
    abs acos acosh asin asinh atan atanh ceil cos cosh erf erfc exp exp2 expm1 floor isfinite isinf isnan
    log log10 log1p log2 logical_not reciprocal round rsqrt sigmoid sign sin sinh sqrt square tan tanh trunc
    bitwise_not frac
"""
BINARY = """
    atan2 bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift fmod floor_divide
    logaddexp logical_and logical_or logical_xor maximum minimum remainder xlogy
"""


def add(x: Operand, y: Operand, *, alpha: float = 1) -> Value:
    return x + (y if alpha == 1 else y * alpha)


def sub(x: Operand, y: Operand, *, alpha: float = 1) -> Value:
    return x - (y if alpha == 1 else y * alpha)


def clamp(x: Value, min: Operand | None = None, max: Operand | None = None) -> Value:
    return f.clip(x, min, max)


def where(x: Value, condition: Value, y: Operand) -> Value:
    return f.where(condition, x, y)  # the sample's first argument is what `Tensor.where` is called on


def masked_fill(x: Value, mask: Value, value: Operand) -> Value:
    return f.masked_fill(x, mask, value)


def rounded(x: Value, *, decimals: int = 0) -> Value:
    return f.round(x, decimals)


def to_dtype(name: str) -> Adapter:
    def convert(x: Value) -> Value:
        return x.astype(name)

    return convert


def as_float(x: Value, y: Operand) -> Value:
    return x.astype("float64") ** (y.astype("float64") if isinstance(y, Value) else y)


ADAPTERS: dict[str, Adapter] = {
    **{name: unary(name) for name in UNARY.split()},
    **{name: binary(name) for name in BINARY.split()},
    "add": add,
    "sub": sub,
    "rsub": lambda x, y, *, alpha=1: sub(y, x, alpha=alpha),
    "mul": lambda x, y: x * y,
    "div/no_rounding_mode": lambda x, y: x / y,
    "true_divide": lambda x, y: x / y,
    "pow": lambda x, y: x**y,
    "float_power": as_float,
    "__radd__": lambda x, y: y + x,
    "__rsub__": lambda x, y: y - x,
    "__rmul__": lambda x, y: y * x,
    "__rdiv__": lambda x, y: y / x,
    "__rpow__": lambda x, y: y**x,
    "__rmod__": lambda x, y: f.remainder(y, x),
    "__rand__": lambda x, y: f.bitwise_and(y, x),
    "__ror__": lambda x, y: f.bitwise_or(y, x),
    "__rxor__": lambda x, y: f.bitwise_xor(y, x),
    "neg": lambda x: -x,
    "eq": lambda x, y: x.equals(y),
    "ne": lambda x, y: x.differs(y),
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "max/binary": binary("maximum"),
    "min/binary": binary("minimum"),
    "clamp": clamp,
    "clamp_min": lambda x, low: f.clip(x, low, None),
    "clamp_max": lambda x, high: f.clip(x, None, high),
    "where": where,
    "masked_fill": masked_fill,
    "round/decimals_0": rounded,
    "round/decimals_3": rounded,
    "round/decimals_neg_3": rounded,
    "lerp": lambda start, end, weight: f.lerp(start, end, weight),
    "double": to_dtype("float64"),
    "float": to_dtype("float32"),
    "half": to_dtype("float16"),
    "int": to_dtype("int32"),
    "long": to_dtype("int64"),
    "short": to_dtype("int16"),
    "char": to_dtype("int8"),
    "byte": to_dtype("uint8"),
    "bool": to_dtype("bool"),
}
