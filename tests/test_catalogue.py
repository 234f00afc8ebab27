"""The catalogue as a border: no operator fails on attributes and types that a document may give it."""

import math
import typing
from types import UnionType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raygrad.proto import operators
from raygrad.proto.attributes import declared, from_plain, to_plain
from raygrad.proto.builder import canonical
from raygrad.proto.errors import RaygradError
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import DType, Size, TensorType, check_size
from tests.strategies import types

CATALOGUE = sorted(
    (found for found in Operator.registry.values() if found.__module__.startswith(operators.__name__)),
    key=lambda found: found.name,
)
numbers = st.integers(-2, 5) | st.sampled_from([2**31, 2**62, -(2**63)])
SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: numbers,
    bool: st.booleans(),
    float: st.floats(),
    str: st.text(max_size=3),
    bytes: st.binary(max_size=16),
    DType: st.sampled_from(DType),
    type(None): st.none(),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of an attribute's declared type: what gets past the codec's coercion."""
    if hint == Size:
        return st.integers(0, 5) | st.sampled_from(["N", "M", 2**62])
    if isinstance(hint, UnionType):
        return st.one_of([values_of(part) for part in _parts(hint)])
    if typing.get_origin(hint) is tuple:
        first, *rest = typing.get_args(hint)
        if rest == [Ellipsis]:
            return st.lists(values_of(first), max_size=4).map(tuple)
        return st.tuples(values_of(first), *map(values_of, rest))
    return SCALARS[hint]


def _parts(hint: UnionType) -> list[Any]:
    """The alternatives of a union, with `int | str` kept together as a size."""
    parts = [*typing.get_args(hint)]
    return [Size, *(p for p in parts if p not in (int, str))] if {int, str} <= {*parts} else parts


def instances(operator: type[Operator]) -> st.SearchStrategy[Operator]:
    return st.builds(operator, **{name: values_of(hint) for name, hint in declared(operator).items()})


@pytest.mark.parametrize("operator", CATALOGUE, ids=lambda operator: operator.name)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_no_attributes_or_types_break_an_operator(operator: type[Operator], data: st.DataObject) -> None:
    """`infer` gives legal types or one of our errors: a document never ends in a foreign exception."""
    made = data.draw(instances(operator))
    low, high = operator.arity
    inputs = data.draw(_inputs(low, min(high, low + 2)))
    try:
        found = made.infer_types(inputs)
    except RaygradError:
        return
    for type_ in found:
        assert isinstance(type_, TensorType)
        assert [check_size(size) for size in type_.shape] == [*type_.shape]


@st.composite
def _inputs(draw: st.DrawFn, low: int, high: int) -> list[TensorType]:
    """Types that are often equal, so that operators get past their first check."""
    first = draw(types)
    alike = st.sampled_from([first, first, first.of_dtype(DType.float32), first.of_dtype(DType.int64)])
    return draw(st.lists(alike | types, min_size=low, max_size=high))


@pytest.mark.parametrize("operator", CATALOGUE, ids=lambda operator: operator.name)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.data())
def test_attributes_travel(operator: type[Operator], data: st.DataObject) -> None:
    made = data.draw(instances(operator))
    plain = {name: to_plain(getattr(made, name)) for name in declared(operator)}
    if any(isinstance(value, float) and math.isnan(value) for value in plain.values()):
        assert canonical(from_plain(operator, plain)) == canonical(made)
    else:
        assert from_plain(operator, plain) == made
