"""Random legal graphs and documents for hypothesis: elementary operators, homes, labels, named sizes."""

from collections.abc import Callable

from hypothesis import strategies as st

from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.reduction import Sum
from raygrad.proto.operators.shape import Broadcast, Cast, Concatenate, Pad, Split, Transpose
from raygrad.proto.tensor import DType, Shape, Size, TensorType
from raygrad.proto.value import Value

Step = Callable[[st.DrawFn, Value, list[Value]], Value | tuple[Value, ...]]

sizes: st.SearchStrategy[Size] = st.sampled_from([0, 1, 2, 3, "N", "M"])
shapes: st.SearchStrategy[Shape] = st.lists(sizes, max_size=3).map(tuple)
numbers = st.lists(st.integers(0, 3), max_size=3)
floats = st.sampled_from([DType.float32, DType.float64, DType.float16, DType.bfloat16])
dtypes = st.sampled_from(list(DType))
labels = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
types = st.builds(TensorType, shapes, dtypes)


@st.composite
def graphs(draw: st.DrawFn, steps: int = 12, differentiated: bool = True) -> Graph:
    """A graph of at most `steps` operators, with its gradients (if asked) homed beside its nodes."""
    builder = Builder()
    values = _sources(draw, builder)
    for _ in range(draw(st.integers(0, steps))):
        with builder.at(_home(draw, builder)), builder.label(draw(labels)):
            values += _step(draw, values)
    for number, value in enumerate(draw(st.lists(st.sampled_from(values), max_size=3))):
        builder.output(f"y{number}", value)
    if differentiated:
        _differentiate(draw, builder, values)
    return builder.graph()


def _sources(draw: st.DrawFn, builder: Builder) -> list[Value]:
    """A parameter first, then perhaps others, inputs, a buffer, a constant and a size."""
    found = [builder.parameter("w", draw(numbers), draw(floats))]
    inputs = draw(st.lists(types, max_size=2))
    found += [builder.input(f"x{number}", t.shape, t.dtype) for number, t in enumerate(inputs)]
    if draw(st.booleans()):
        found.append(builder.parameter("v", draw(numbers), draw(floats)))
        found.append(builder.buffer("b", draw(numbers), draw(dtypes)))
    small = draw(st.lists(st.floats(width=32), max_size=4))
    return [*found, builder.constant(small), builder.size_of(draw(shapes), draw(floats))]


def _home(draw: st.DrawFn, builder: Builder) -> int | None:
    forward = [n.id for n in builder.graph() if n.home == n.id and not n.operator.source]
    return draw(st.sampled_from([None, *forward]))


def _step(draw: st.DrawFn, values: list[Value]) -> list[Value]:
    """The outputs of one operator that fits a value drawn from `values`."""
    steps: list[Step] = [_rename, _reduce, _grow, _cut, _join, _compute, _compare]
    found = draw(st.sampled_from(steps))(draw, draw(st.sampled_from(values)), values)
    return [found] if isinstance(found, Value) else list(found)


def _rename(draw: st.DrawFn, x: Value, _: list[Value]) -> Value:
    order = tuple(draw(st.permutations(range(x.rank))))
    made: Value = draw(st.sampled_from([Transpose(order), Cast(draw(dtypes))]))(x)
    return made


def _reduce(draw: st.DrawFn, x: Value, _: list[Value]) -> Value:
    axes = tuple(sorted(draw(st.sets(st.sampled_from(range(x.rank))) if x.rank else st.just(set()))))
    made: Value = Sum(axes)(x if x.dtype is not DType.bool else x.astype(DType.int32))
    return made


def _grow(draw: st.DrawFn, x: Value, _: list[Value]) -> Value:
    if x.rank < 5 and draw(st.booleans()):
        made: Value = Broadcast((draw(sizes), *x.shape))(x)
        return made
    before = tuple(draw(st.integers(0, 2)) if isinstance(s, int) else 0 for s in x.shape)
    padded: Value = Pad(before, before, draw(st.floats().filter(x.dtype.holds) | st.just(1.0)))(x)
    return padded


def _cut(draw: st.DrawFn, x: Value, _: list[Value]) -> tuple[Value, ...]:
    """An operator of several outputs."""
    numbers = [axis for axis, size in enumerate(x.shape) if isinstance(size, int)]
    if not numbers:
        return (x,)
    axis = draw(st.sampled_from(numbers))
    size = x.shape[axis]
    assert isinstance(size, int)
    first = draw(st.integers(0, size))
    made: tuple[Value, ...] = Split(axis, (first, size - first))(x)
    return made


def _join(draw: st.DrawFn, x: Value, values: list[Value]) -> Value:
    axes = [axis for axis, size in enumerate(x.shape) if isinstance(size, int)]
    if not axes:
        return x
    alike = [v for v in values if v.type == x.type]
    made: Value = Concatenate(draw(st.sampled_from(axes)))(
        x, *draw(st.lists(st.sampled_from(alike), max_size=2))
    )
    return made


def _compute(draw: st.DrawFn, x: Value, values: list[Value]) -> Value:
    x = x if x.dtype.is_floating else x.astype(DType.float32)
    unary = [ew.Exp(), ew.Tanh(), ew.Relu(), ew.Neg(), ew.LeakyRelu(draw(st.floats()))]
    binary = [ew.Add(), ew.Mul(), ew.Div(), ew.Maximum()]
    if draw(st.booleans()):
        made: Value = draw(st.sampled_from(unary))(x)
        return made
    combined: Value = draw(st.sampled_from(binary))(x, draw(st.sampled_from([x, *_like(x, values)])))
    return combined


def _compare(draw: st.DrawFn, x: Value, values: list[Value]) -> Value:
    y = draw(st.sampled_from([x, *_like(x, values)]))
    made: Value = ew.Where()(ew.Less()(x, y), x, y)
    return made


def _like(x: Value, values: list[Value]) -> list[Value]:
    return [v for v in values if v.type == x.type]


def _differentiate(draw: st.DrawFn, builder: Builder, values: list[Value]) -> None:
    computed = [v for v in values if v.dtype.is_floating and not builder.node(v.ref.node).operator.source]
    if not computed:
        return
    loss = draw(st.sampled_from(computed)).sum()
    found = gradients([loss], [Value(builder, values[0].ref)])[0]
    if found is not None:
        builder.output("dw", found)
