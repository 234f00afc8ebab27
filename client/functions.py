"""What programs write graphs with: functions of values, in the style of `numpy` and `torch.nn.functional`.

::

    h = relu(linear(flatten(x), w, b))
    graph.output("loss", cross_entropy(linear(h, v), labels))

Each is one operator or a few; broadcasting and promotion are those of arithmetic on values. Axes may be
counted from the back. Errors are `TypeMismatchError` and `SizeError`, and name the operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import indexing, loss, shape
from raygrad.proto.operators.base import Operator
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.value import Axes, Operand, Value, binary, same_dtype, unify

from .layers import avg_pool, batch_norm, batch_norm_inference, conv, max_pool

__all__ = [
    "abs",
    "avg_pool",
    "batch_norm",
    "batch_norm_inference",
    "concatenate",
    "conv",
    "cross_entropy",
    "dot",
    "embedding",
    "exp",
    "flatten",
    "gather",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "max_pool",
    "maximum",
    "mean",
    "minimum",
    "mse_loss",
    "norm",
    "pad",
    "relu",
    "sigmoid",
    "sign",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "stack",
    "sum",
    "tanh",
    "where",
]

Reduction = Literal["mean", "sum", "none"]


def _node(operator: Operator, *inputs: Value) -> Value:
    """The one output of a node of `operator`."""
    return inputs[0].builder.add(operator, inputs)[0]


# -- elementwise ------------------------------------------------------------------------------------


def exp(x: Value) -> Value:
    """eˣ."""
    return _node(ew.Exp(), x)


def log(x: Value) -> Value:
    """The natural logarithm: NaN below 0, −∞ at 0."""
    return _node(ew.Log(), x)


def sqrt(x: Value) -> Value:
    """√x: NaN below 0; its derivative at 0 is ∞."""
    return _node(ew.Sqrt(), x)


def abs(x: Value) -> Value:  # noqa: A001 (NumPy's name)
    """|x|, with derivative 0 at 0."""
    return _node(ew.Abs(), x)


def sign(x: Value) -> Value:
    """−1, 0 or 1; without derivative."""
    return _node(ew.Sign(), x)


def relu(x: Value) -> Value:
    """max(x, 0), with derivative 0 at 0."""
    return _node(ew.Relu(), x)


def leaky_relu(x: Value, slope: float = 0.01) -> Value:
    """x where x > 0, else slope · x."""
    return _node(ew.LeakyRelu(slope), x)


def sigmoid(x: Value) -> Value:
    """1 / (1 + e⁻ˣ)."""
    return _node(ew.Sigmoid(), x)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent."""
    return _node(ew.Tanh(), x)


def softplus(x: Value) -> Value:
    """log(1 + eˣ), without overflow."""
    return _node(ew.Softplus(), x)


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of a and b, at least one of them a value; a tie's gradient goes to a."""
    return binary(ew.Maximum(), a, b)


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of a and b, at least one of them a value; a tie's gradient goes to a."""
    return binary(ew.Minimum(), a, b)


def where(condition: Value, a: Operand, b: Operand) -> Value:
    """a where the condition (bool) holds, else b, at least one of them a value; the three broadcast.

    Both a and b are computed everywhere: a pole in the one that is not chosen makes a gradient of NaN.
    """
    values = unify(a, b)
    target = broadcast_shapes(condition.shape, values[0].shape)
    return _node(ew.Where(), *(v.broadcast_to(target) for v in (condition, *values)))


# -- reductions and products ------------------------------------------------------------------------


def sum(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:  # noqa: A001 (NumPy's name)
    """The sum over `axes` (all by default)."""
    return x.sum(axes, keepdims)


def mean(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The mean over `axes` (all by default), whose sizes may be names."""
    return x.mean(axes, keepdims)


def dot(a: Value, b: Value) -> Value:
    """⟨a, b⟩ of two vectors of one size, as a scalar."""
    if a.rank != 1 or b.shape != a.shape:
        raise TypeMismatchError(f"dot needs two vectors of one size, got {a.type} and {b.type}")
    return (a * b).sum()


def norm(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The Euclidean norm √Σx² over `axes` (all by default), with derivative 0 where it is 0."""
    squares = x.square().sum(axes, keepdims)
    zero = squares.equals(0.0)
    return ew.zero_where(zero, sqrt(ew.one_where(zero, squares)))


def linear(x: Value, weight: Value, bias: Value | None = None) -> Value:
    """x (*rows, in) times weight (in, out), plus bias (out,) if there is one: (*rows, out).

    The weight lies as it multiplies; PyTorch's (out, in) goes in as `weight.T`.
    """
    product = x @ weight
    return product if bias is None else product + bias


# -- shape ------------------------------------------------------------------------------------------


def flatten(x: Value, start: int = 1) -> Value:
    """x with all its axes from `start` on as one; it must have that axis."""
    first = x.type.axis(start)
    return x.reshape((*x.shape[:first], -1))


def concatenate(values: Sequence[Value], axis: int = 0) -> Value:
    """The values joined along `axis`; their other sizes are equal."""
    if not values:
        raise TypeMismatchError("there is nothing to concatenate")
    return _node(shape.Concatenate(values[0].type.axis(axis)), *same_dtype(*values))


def stack(values: Sequence[Value], axis: int = 0) -> Value:
    """The values, all of one shape, joined along a new axis."""
    if not values or any(v.shape != values[0].shape for v in values):
        raise TypeMismatchError(f"stack needs values of one shape, got {[str(v.type) for v in values]}")
    rank = values[0].rank + 1
    if not -rank <= axis < rank:
        raise TypeMismatchError(f"axis {axis} does not exist in a stack of {values[0].type}")
    at, sizes = axis % rank, values[0].shape
    return concatenate([v.reshape((*sizes[:at], 1, *sizes[at:])) for v in values], at)


def split(x: Value, sizes: Sequence[int], axis: int = 0) -> tuple[Value, ...]:
    """x cut along `axis` into pieces of the given sizes, which make up the axis."""
    return x.builder.add(shape.Split(x.type.axis(axis), tuple(sizes)), (x,))


def pad(x: Value, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Value:
    """x with (before, after) elements of `value` added to each axis."""
    before, after = (tuple(w[side] for w in widths) for side in (0, 1))
    return _node(shape.Pad(before, after, value), x)


# -- indexing ---------------------------------------------------------------------------------------


def gather(x: Value, indices: Value, axis: int) -> Value:
    """The elements of x at integer indices along `axis`; x and the indices agree in all other sizes.

    An index outside of the axis is a `KernelError` when the graph runs.
    """
    return _node(indexing.Gather(x.type.axis(axis)), x, indices)


def embedding(indices: Value, table: Value) -> Value:
    """The rows of the table (rows, *) at integer indices (*places): (*places, *)."""
    return _node(indexing.Take(0), table, indices)


# -- probabilities and losses -----------------------------------------------------------------------


def log_softmax(x: Value, axis: int = -1) -> Value:
    """x − log Σ eˣ along `axis`, without overflow."""
    return _node(loss.LogSoftmax(x.type.axis(axis)), x)


def softmax(x: Value, axis: int = -1) -> Value:
    """eˣ / Σ eˣ along `axis`, without overflow."""
    return exp(log_softmax(x, axis))


def cross_entropy(logits: Value, labels: Value, reduction: Reduction = "mean") -> Value:
    """−log softmax(logits)[label]: logits (*rows, classes), integer labels (*rows), in nats."""
    return _reduced(_node(loss.CrossEntropy(), logits, labels), reduction)


def mse_loss(x: Value, target: Operand, reduction: Reduction = "mean") -> Value:
    """(x − target)²."""
    return _reduced((x - target).square(), reduction)


def _reduced(losses: Value, reduction: Reduction) -> Value:
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ConfigurationError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return losses.mean() if reduction == "mean" else losses.sum()
