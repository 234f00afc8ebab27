"""Sums of products over axes that labels name: Einstein's summation, and contractions of pairs of axes.

Operands are contracted two by two from the left, each pair as one matrix product; where axes of named sizes
would have to be merged for it, as products and a sum.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.tensor import INTEGERS, Shape, Size, merged
from raygrad.proto.value import Value, same_dtype

from .diagonals import diagonal

_TERM = re.compile(r"([A-Za-z]*)(\.\.\.)?([A-Za-z]*)")

Labels = tuple[str, ...]


def einsum(equation: str, *operands: Value) -> Value:
    """The sum of products that the equation describes, as NumPy's: `einsum("nij,jk->nik", a, b)`.

    Labels are letters; `...` stands for axes that broadcast; a label twice in one operand takes its diagonal;
    without `->` the result has the labels that occur once, in their order. Sizes of one label are equal,
    or 1. `TypeMismatchError` for an equation that does not fit the operands.
    """
    inputs, output = _parse(equation.replace(" ", ""), operands)
    terms = [_Term(v, x).without_repeats() for v, x in zip(same_dtype(*operands), inputs, strict=True)]
    total = terms[0]
    for i, term in enumerate(terms[1:], 2):
        total = _contract(total, term, {*output, *(label for t in terms[i:] for label in t.labels)})
    return total.only(output).ordered(output).value


def tensordot(a: Value, b: Value, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Value:
    """The sum of products over pairs of axes: a number of them, last of a and first of b, or those listed."""
    if isinstance(axes, INTEGERS) and not 0 <= axes <= min(a.rank, b.rank):
        raise TypeMismatchError(f"tensordot cannot contract {axes} axes of {a.type} and {b.type}")
    pairs = (range(a.rank - axes, a.rank), range(axes)) if isinstance(axes, INTEGERS) else axes
    if len(pairs[0]) != len(pairs[1]):
        raise TypeMismatchError(f"tensordot needs as many axes of a as of b, got {axes}")
    first, second = [f"a{i}" for i in range(a.rank)], [f"b{i}" for i in range(b.rank)]
    for i, j in zip(*pairs, strict=True):
        second[b.type.axis(j)] = first[a.type.axis(i)]
    x, y = same_dtype(a, b)
    return _contract(_Term(x, tuple(first)), _Term(y, tuple(second)), {*first} ^ {*second}).value


@dataclass(frozen=True)
class _Term:
    """A value whose axes are labelled."""

    value: Value
    labels: Labels

    def size(self, label: str) -> Size:
        return self.value.shape[self.labels.index(label)]

    def without_repeats(self) -> _Term:
        """The diagonal of axes of one label."""
        for at, label in enumerate(self.labels):
            if label in self.labels[at + 1 :]:
                again = self.labels.index(label, at + 1)
                rest = (x for i, x in enumerate(self.labels) if i not in (at, again))
                return _Term(diagonal(self.value, 0, at, again), (*rest, label)).without_repeats()
        return self

    def only(self, kept: Collection[str]) -> _Term:
        """Summed over labels that are not kept."""
        summed = [i for i, label in enumerate(self.labels) if label not in kept]
        rest = tuple(label for label in self.labels if label in kept)
        return _Term(self.value.sum(summed), rest) if summed else self

    def without_ones(self, other: _Term) -> _Term:
        """Without axes of one element that have more of them in the other term: they broadcast."""
        ones = [x for x in self.labels if x in other.labels and self.size(x) == 1 != other.size(x)]
        rest = tuple(x for x in self.labels if x not in ones)
        return _Term(self.value.reshape([self.size(x) for x in rest]), rest)

    def ordered(self, labels: Iterable[str]) -> _Term:
        order = tuple(labels)
        return _Term(self.value.transpose([self.labels.index(label) for label in order]), order)

    def sizes(self, labels: Iterable[str]) -> Shape:
        return tuple(map(self.size, labels))


def _contract(a: _Term, b: _Term, kept: Collection[str]) -> _Term:
    """The product of two terms, summed over labels that are not kept."""
    a, b = a.without_ones(b), b.without_ones(a)
    for label in a.labels:
        if label in b.labels and a.size(label) != b.size(label):
            types = f"{a.value.type} and {b.value.type}"
            raise TypeMismatchError(f"{types} differ in a size: {a.size(label)} and {b.size(label)}")
    a, b = a.only({*kept, *b.labels}), b.only({*kept, *a.labels})
    shared = [x for x in a.labels if x in b.labels]
    batch, inner = [x for x in shared if x in kept], [x for x in shared if x not in kept]
    rows, columns = [x for x in a.labels if x not in shared], [x for x in b.labels if x not in shared]
    labels = (*batch, *rows, *columns)
    shape = (*a.sizes(batch), *a.sizes(rows), *b.sizes(columns))
    found = _matrix_product(a, b, batch, rows, inner, columns) if inner else None
    if found is None and inner and not batch:
        found = _matrix_product(b, a, batch, columns, inner, rows)
        labels = labels if found is None else (*columns, *rows)
        shape = shape if found is None else (*b.sizes(columns), *a.sizes(rows))
    return _product(a, b, kept) if found is None else _Term(found.reshape(shape), labels)


def _matrix_product(
    a: _Term, b: _Term, batch: list[str], rows: list[str], inner: list[str], columns: list[str]
) -> Value | None:
    """(batch, rows, columns) with merged axes, or `None` if they cannot be merged."""
    row, k, column = merged(a.sizes(rows)), merged(a.sizes(inner)), merged(b.sizes(columns))
    if k is None or column is None or (batch and row is None):
        return None
    lead = a.sizes(batch)
    above = a.sizes(rows) if row is None else (row,)
    left = a.ordered((*batch, *rows, *inner)).value.reshape((*lead, *above, k))
    return left @ b.ordered((*batch, *inner, *columns)).value.reshape((*lead, k, column))


def _product(a: _Term, b: _Term, kept: Collection[str]) -> _Term:
    """By multiplying with broadcasting, and a sum."""
    labels = (*a.labels, *(x for x in b.labels if x not in a.labels))
    x, y = (
        t.ordered(x for x in labels if x in t.labels).value.reshape(
            [t.size(x) if x in t.labels else 1 for x in labels]
        )
        for t in (a, b)
    )
    return _Term(x * y, labels).only(kept)


def _parse(equation: str, operands: Sequence[Value]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result, with those of `...` counted from its end."""
    written, arrow, result = equation.partition("->")
    matches = [_TERM.fullmatch(term) for term in written.split(",")]
    if len(matches) != len(operands) or None in matches:
        raise TypeMismatchError(f"einsum {equation!r} does not describe {len(operands)} operands")
    inputs = [_labels(m, v, equation) for m, v in zip(matches, operands, strict=True) if m]
    every = [label for labels in inputs for label in labels]
    dots = sorted({label for label in every if label[0] == "."}, key=lambda x: -int(x[1:]))
    if not arrow:
        return inputs, (*dots, *sorted(x for x in {*every} if x[0] != "." and every.count(x) == 1))
    match = _TERM.fullmatch(result)
    output = (*match[1], *(dots if match[2] else ()), *match[3]) if match else ()
    if not match or len({*output}) != len(output) or not {*output} <= {*every}:
        raise TypeMismatchError(f"einsum {equation!r} has a result with unknown or repeated labels")
    return inputs, output


def _labels(match: re.Match[str], operand: Value, equation: str) -> Labels:
    hidden = operand.rank - len(match[1]) - len(match[3])
    if hidden < 0 or (hidden and not match[2]):
        raise TypeMismatchError(f"einsum {equation!r} does not label the axes of {operand.type}")
    return (*match[1], *(f".{i}" for i in reversed(range(hidden))), *match[3])
