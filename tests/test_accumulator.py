"""The exact accumulator against fractions, rounded once by an independent reference; ledgers, snapshots."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raygrad.proto.errors import (
    LedgerError,
    MissingTensorError,
    RaygradError,
    StepError,
    TensorDTypeError,
    TensorError,
    TensorShapeError,
    UnexpectedTensorError,
)
from raygrad.workers.accumulator import Accumulator, merge
from raygrad.workers.exact_sum import ExactSum
from raygrad.workers.expansion import BLOCK

Array = npt.NDArray[np.generic]

# Significant bits, exponent of the smallest number, exponent of the first power of two beyond the range.
FORMATS = {
    np.dtype(np.float64): (53, -1074, 1024),
    np.dtype(np.float32): (24, -149, 128),
    np.dtype(np.float16): (11, -24, 16),
    np.dtype(ml_dtypes.bfloat16): (8, -133, 128),
}
EVERY_DTYPE = pytest.mark.parametrize("dtype", FORMATS, ids=str)
F64, F32 = np.dtype(np.float64), np.dtype(np.float32)


# The reference: one exact fraction, one rounding, in Python's integers.


def rounded(value: Fraction, dtype: np.dtype[np.generic]) -> float:
    """`value` rounded half to even to `dtype`, whose numbers are all numbers of float64."""
    bits, lowest, limit = FORMATS[dtype]
    if value == 0:
        return 0.0
    sign, value = (-1.0, -value) if value < 0 else (1.0, value)
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if value < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - bits + 1, lowest)
    nearest = round(value / unit) * unit  # Fraction rounds half to even
    return sign * (math.inf if nearest >= Fraction(2) ** limit else float(nearest))


def reference(terms: Iterable[tuple[float, float]], dtype: np.dtype[np.generic]) -> float:
    """Σ weight · x over (x, weight) pairs, rounded once."""
    return rounded(sum((Fraction(x) * Fraction(w) for x, w in terms), Fraction(0)), dtype)


def exact(rows: Sequence[Array], weights: Sequence[float] | None = None) -> ExactSum:
    total = ExactSum(rows[0].shape, rows[0].dtype)
    for row, weight in zip(rows, weights or [1.0] * len(rows), strict=True):
        total.add(row, weight)
    return total


def assert_exact(result: Array, rows: Sequence[Array], weights: Sequence[float] | None = None) -> None:
    weights = weights or [1.0] * len(rows)
    columns = zip(*(row.astype(np.float64).ravel().tolist() for row in rows), strict=True)
    expected = [reference(zip(column, weights, strict=True), result.dtype) for column in columns]
    assert same_bits(result.ravel(), np.array(expected).astype(result.dtype))


def same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def any_bits(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
    """Finite numbers of every exponent, subnormals and both zeros included, by random bit patterns."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    x = rng.integers(0, 2 ** (8 * dtype.itemsize), shape, dtype=unsigned).view(dtype)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(x), x, np.zeros((), dtype))


def spread(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[np.generic], octaves: int
) -> Array:
    x = np.ldexp(rng.standard_normal(shape), rng.integers(-octaves // 2, octaves // 2 + 1, shape))
    with np.errstate(over="ignore"):
        return x.astype(dtype)


def test_the_reference_agrees_with_hardware() -> None:
    x = any_bits(np.random.default_rng(0), (2000,), F64).astype(np.float64)
    with np.errstate(over="ignore"):
        for dtype in (F64, F32, np.dtype(np.float16)):
            assert np.array_equal([rounded(Fraction(v), dtype) for v in x.tolist()], x.astype(dtype))


@EVERY_DTYPE
@pytest.mark.parametrize("octaves", [0, 40, 90, 250])
def test_sums_are_exact_at_any_spread(dtype: np.dtype[np.generic], octaves: int) -> None:
    rng = np.random.default_rng(octaves)
    rows = [spread(rng, (60,), dtype, octaves if dtype.itemsize > 2 else octaves // 12) for _ in range(40)]
    rows += [
        (-row.astype(np.float64)).astype(dtype) for row in rows[:39]
    ]  # cancels all but one, and roundings
    rows += [spread(rng, (60,), dtype, 0)]
    rng.shuffle(rows)
    assert_exact(exact(rows).round(), rows)


@EVERY_DTYPE
def test_sums_are_exact_over_the_full_range(dtype: np.dtype[np.generic]) -> None:
    rng = np.random.default_rng(1)
    rows = list(any_bits(rng, (30, 200), dtype))
    assert_exact(exact(rows).round(), rows)


@EVERY_DTYPE
def test_weighted_sums_are_exact_over_the_full_range(dtype: np.dtype[np.generic]) -> None:
    rng = np.random.default_rng(2)
    rows = list(any_bits(rng, (24, 100), dtype))
    weights = [*any_bits(rng, (16,), F64).tolist(), 0.0, -0.0, 1.0, -1.0, 0.1, 64.0, 1 / 3, 2.0**-1074]
    assert_exact(exact(rows, weights).round(), rows, weights)


@EVERY_DTYPE
def test_ordinary_weights_are_exact(dtype: np.dtype[np.generic]) -> None:
    rng = np.random.default_rng(3)
    rows = [spread(rng, (200,), dtype, 6) for _ in range(8)]
    weights = [64.0, 37.0, 1 / 64, 0.1, 1 / 3, -2.5, 1e-8, math.pi]
    assert_exact(exact(rows, weights).round(), rows, weights)


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e300, 1e300)),
        min_size=1,
        max_size=12,
    )
)
def test_any_float64_terms(terms: list[tuple[float, float]]) -> None:
    total = ExactSum((), F64)
    for x, weight in terms:
        total.add(np.array(x), weight)
    assert same_bits(total.round(), np.array(reference(terms, F64)))


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=12),
    st.randoms(),
)
def test_any_float32_values_in_any_order(values: list[float], random: object) -> None:
    rows = [np.array(value, np.float32) for value in values]
    first = exact(rows).round()
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert same_bits(first, exact(rows).round())
    assert same_bits(first, np.array(reference([(value, 1.0) for value in values], F32)).astype(np.float32))


@given(st.sampled_from(sorted(FORMATS, key=str)), st.integers(0, 2**52 - 1), st.booleans())
def test_ties_are_broken_by_what_lies_far_below(
    dtype: np.dtype[np.generic], low: int, negative: bool
) -> None:
    """Half a unit, and beside it nothing or the smallest number: the case where rounding twice shows."""
    bits, lowest, _ = FORMATS[dtype]
    number = 2.0 ** (bits - 1) + low % 2 ** (bits - 1)
    unit, nudge = np.array([-0.25 if negative else 0.25]).astype(dtype), np.array([2.0**lowest]).astype(dtype)
    for weight in (0.0, 1.0, -1.0):
        rows, weights = [unit, unit, nudge], [number, 0.5, weight]
        assert_exact(exact(rows, weights).round(), rows, weights)


def test_a_float32_sum_just_beside_a_tie_is_not_rounded_twice() -> None:
    above_tie = [1.0, 2.0**-24, 2.0**-80]  # float64 rounds it onto the tie, and that to 1
    assert exact([np.array([x], np.float32) for x in above_tie]).round()[0] == np.float32(1 + 2.0**-23)
    assert exact([np.array([x], np.float32) for x in above_tie[:2]]).round()[0] == 1


def test_a_float64_tie_is_decided_by_the_third_limb() -> None:
    for tail, expected in ((2.0**-140, 1 + 2.0**-52), (0.0, 1.0), (-(2.0**-140), 1.0)):
        assert exact([np.array([x]) for x in (1.0, 2.0**-53, tail)]).round()[0] == expected


def test_sums_may_overflow_and_come_back() -> None:
    largest = np.finfo(np.float64).max
    rows = [np.array([x]) for x in (largest, largest, largest, 5e-324, -largest, -largest, -largest)]
    assert exact(rows).round()[0] == 5e-324
    assert exact(rows[:3]).round()[0] == np.inf
    assert exact(rows[:5]).round()[0] == np.inf
    assert_exact(exact(rows[:6]).round(), rows[:6])


def test_products_may_overflow_and_underflow() -> None:
    huge, tiny = 2.0**1023, 2.0**-1074
    assert exact([np.array([huge])] * 2, [huge, -huge]).round()[0] == 0.0
    assert exact([np.array([huge])] * 3, [huge, -huge, 2.0**-1000]).round()[0] == 2.0**23
    assert exact([np.array([tiny])] * 4, [0.5, 0.25, 0.125, 0.125]).round()[0] == tiny
    assert exact([np.array([tiny])] * 2, [0.5, tiny]).round()[0] == tiny
    assert exact([np.array([tiny])], [0.5]).round()[0] == 0.0


def limbs_of(total: ExactSum) -> int:
    return len(total.limbs().limbs)


def test_sums_widen_when_a_pair_would_lose_a_bit() -> None:
    rng = np.random.default_rng(4)
    narrow, wide = (exact([spread(rng, (50,), F32, octaves) for _ in range(64)]) for octaves in (0, 60))
    assert (limbs_of(narrow), limbs_of(wide)) == (1, 2)
    rows = [spread(rng, (50,), F32, 90) for _ in range(64)]
    rows.append(np.full(50, 2.0**-90, np.float32))
    assert limbs_of(exact(rows)) > 2
    assert_exact(exact(rows).round(), rows)


def test_a_widened_pair_is_narrowed_again_where_it_can_be() -> None:
    values = (2.0**60, 1.0, 2.0**-60, -(2.0**60), -(2.0**-60), 2.0**-80, 3.0)
    total = exact([np.array([x]) for x in values])
    assert limbs_of(total) <= 3
    assert total.round()[0] == 4.0


def test_only_the_block_that_needs_it_widens() -> None:
    x = np.ones(3 * BLOCK)
    total = exact([x])
    x[BLOCK + 5] = 2.0**-70
    total.add(x)
    assert total.nbytes == 4 * BLOCK * 8
    assert_exact(total.round()[BLOCK : BLOCK + 10], [np.ones(10), x[BLOCK : BLOCK + 10]])


@EVERY_DTYPE
@pytest.mark.parametrize(
    "shape", [(), (0,), (3, 0), (1,), (2, 3, 5), (BLOCK,), (BLOCK + 1,), (2 * BLOCK - 1,)]
)
def test_every_shape(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    rows = [rng.integers(-3, 4, shape).astype(dtype) for _ in range(3)]
    assert same_bits(
        exact(rows).round(), np.sum([row.astype(np.float64) for row in rows], axis=0).astype(dtype)
    )
    assert same_bits(ExactSum(shape, dtype).round(), np.zeros(shape, dtype))
    assert same_bits(ExactSum(shape, dtype).round(Fraction(3)), np.zeros(shape, dtype))


def test_arrays_of_any_layout() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    total = ExactSum((4, 3, 2), F64)
    total.add(x.T)
    total.add(np.broadcast_to(x.T[:, :, :1], (4, 3, 2)))
    assert np.array_equal(total.round(), x.T + x.T[:, :, :1])


def test_an_input_is_not_changed() -> None:
    for x in (np.arange(5.0), np.array([np.nan, np.inf, 1e300, 5e-324])):
        x.setflags(write=False)
        ExactSum(x.shape, F64).add(x, 0.3)


# Specials


@EVERY_DTYPE
def test_zeros_are_positive(dtype: np.dtype[np.generic]) -> None:
    for rows in ([-0.0], [-0.0, -0.0], [1.5, -1.5], [2.0**8, 2.0**-8, -(2.0**8), -(2.0**-8)]):
        result = exact([np.array([x]).astype(dtype) for x in rows]).round()
        assert same_bits(result, np.zeros(1, dtype))


def test_a_negative_sum_that_underflows_keeps_its_sign() -> None:
    result = exact([np.array([-(2.0**-149)], np.float32)], [0.25]).round()
    assert same_bits(result, np.array([-0.0], np.float32))


@EVERY_DTYPE
def test_specials_stick(dtype: np.dtype[np.generic]) -> None:
    inf, nan = np.inf, np.nan
    cases = [
        ([inf, 1], inf),
        ([1, -inf], -inf),
        ([inf, -inf], nan),
        ([inf, -inf, inf], nan),
        ([-nan, 1], nan),
    ]
    cases += [([nan, inf], nan), ([inf, inf], inf), ([1, 2], 3.0)]
    columns = [values + [0.0] * (3 - len(values)) for values, _ in cases]
    rows = [np.array(row).astype(dtype) for row in zip(*columns, strict=True)]
    expected = np.array([result for _, result in cases]).astype(dtype)
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        total = exact([rows[i] for i in order])
        assert same_bits(total.round(), expected)
        assert same_bits(ExactSum.from_limbs(total.limbs()).round(), expected)
        assert np.array_equal(total.round(Fraction(-2)), expected.astype(float) / -2, equal_nan=True)


def test_every_nan_becomes_the_canonical_one() -> None:
    strange = np.array([0xFFF0_0000_0000_0123, 0x7FF8_0000_DEAD_BEEF], np.uint64).view(np.float64)
    assert same_bits(exact([strange]).round(), np.array([np.nan, np.nan]))


def test_weights_of_specials() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 1.0], np.float32)
    assert np.array_equal(exact([x], [-2.0]).round(), [-np.inf, np.inf, np.nan, -2], equal_nan=True)
    assert np.array_equal(exact([x], [0.0]).round(), [np.nan, np.nan, np.nan, 0], equal_nan=True)


# Orders, merges, snapshots


def merge_tree(parts: list[ExactSum], rng: np.random.Generator) -> ExactSum:
    """Merge at random, sometimes by way of plain arrays, until one is left."""
    while len(parts) > 1:
        i, j = rng.choice(len(parts), 2, replace=False)
        other = parts[j] if rng.random() < 0.5 else ExactSum.from_limbs(parts[j].limbs())
        parts[i].merge(other)
        del parts[j]
    return parts[0]


@EVERY_DTYPE
@pytest.mark.parametrize("full_range", [False, True])
def test_orders_and_merge_trees_give_the_same_bits(dtype: np.dtype[np.generic], full_range: bool) -> None:
    rng = np.random.default_rng(6)
    rows = list(any_bits(rng, (16, 40), dtype) if full_range else spread(rng, (16, 40), dtype, 8))
    weights = list(rng.uniform(-2, 2, 16))
    expected = exact(rows, weights).round()
    assert_exact(expected, rows, weights)
    for _ in range(6):
        order = rng.permutation(16)
        cuts = np.sort(rng.choice(np.arange(1, 16), 4, replace=False))
        groups = np.split(order, cuts)
        parts = [exact([rows[i] for i in group], [weights[i] for i in group]) for group in groups]
        assert same_bits(merge_tree(parts, rng).round(), expected)


def test_a_merge_leaves_the_other_as_it_was() -> None:
    one, other = exact([np.array([1.0, np.inf])]), exact([np.array([2.0, 1.0])])
    other.merge(one)
    other.add(np.array([5.0, -np.inf]))
    assert np.array_equal(one.round(), [1.0, np.inf])


def test_sums_of_different_kinds_do_not_merge() -> None:
    for other in (ExactSum((2,), F32), ExactSum((3,), F64)):
        with pytest.raises(TensorError):
            ExactSum((2,), F64).merge(other)


def test_limbs_are_independent_read_only_and_travel() -> None:
    rng = np.random.default_rng(7)
    rows = [spread(rng, (BLOCK + 100,), F64, 200) for _ in range(4)]
    total = exact(rows[:3])
    before, limbs = total.round(), total.limbs()
    total.add(rows[3])
    assert not any(limb.values.flags.writeable for limb in limbs.limbs)
    assert same_bits(ExactSum.from_limbs(pickle.loads(pickle.dumps(limbs))).round(), before)


# Means


@EVERY_DTYPE
@pytest.mark.parametrize(
    "divisor",
    [Fraction(12), Fraction(1, 8), Fraction(-7, 4), Fraction(2**31 - 1), Fraction(2**31 + 1), Fraction(0.1)],
)
def test_means_are_rounded_once(dtype: np.dtype[np.generic], divisor: Fraction) -> None:
    rng = np.random.default_rng(8)
    for rows in (list(any_bits(rng, (6, 60), dtype)), [spread(rng, (60,), dtype, 6) for _ in range(6)]):
        columns = zip(*(row.astype(np.float64).tolist() for row in rows), strict=True)
        expected = [rounded(sum(map(Fraction, column), Fraction(0)) / divisor, dtype) for column in columns]
        assert same_bits(exact(rows).round(divisor), np.array(expected).astype(dtype))


@given(st.integers(1, 2**62), st.integers(1, 2**40), st.sampled_from([-149, -1074, 0]))
def test_means_at_ties(numerator: int, divisor: int, exponent: int) -> None:
    """Multiples of the divisor divide to numbers that are exact, ties, or next to them."""
    values = [math.ldexp(float(part), exponent) for part in ((numerator >> 31) * divisor, divisor >> 1, 1)]
    total = exact([np.array([value]) for value in values])
    expected = rounded(sum(map(Fraction, values), Fraction(0)) / (2 * divisor), F64)
    assert total.round(Fraction(2 * divisor))[0] == expected


# The accumulator


TYPES = {"weight": ((2, 3), F32), "bias": ((), F64)}


def gradients(seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {"weight": rng.standard_normal((2, 3)).astype(np.float32), "bias": np.array(rng.standard_normal())}


def accumulated(
    indices: Iterable[int], make: Callable[[], Accumulator] = lambda: Accumulator(TYPES)
) -> Accumulator:
    accumulator = make()
    for index in indices:
        accumulator.add(index, gradients(index), 1.0 + index)
    return accumulator


def bits(arrays: dict[str, Array]) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in arrays.items()}


def test_an_accumulator_sums_weighted_gradients() -> None:
    result = accumulated(range(5)).gradients()
    for name in TYPES:
        assert_exact(result[name], [gradients(i)[name] for i in range(5)], [1.0 + i for i in range(5)])


def test_the_mean_divides_by_the_weights() -> None:
    result = accumulated(range(3)).gradients(mean=True)
    terms = [(float(gradients(i)["bias"]), 1.0 + i) for i in range(3)]
    assert result["bias"] == rounded(sum((Fraction(x) * Fraction(w) for x, w in terms), Fraction(0)) / 6, F64)


def test_weights_are_summed_exactly() -> None:
    accumulator = Accumulator({})
    for index, weight in enumerate((1e30, 0.1, -1e30)):
        accumulator.add(index, {}, weight)
    assert accumulator.weight == Fraction(0.1)


def test_there_is_no_mean_of_weight_zero() -> None:
    accumulator = Accumulator(TYPES)
    accumulator.add(0, gradients(0), 1.0)
    accumulator.add(1, gradients(1), -1.0)
    with pytest.raises(StepError, match="sum to 0"):
        accumulator.gradients(mean=True)


def test_an_index_counts_once() -> None:
    accumulator = accumulated([3])
    before = bits(accumulator.gradients())
    with pytest.raises(LedgerError, match="mini-batch 3"):
        accumulator.add(3, gradients(4))
    assert bits(accumulator.gradients()) == before
    assert accumulator.ledger == {3}


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize(
    ("change", "weight", "error", "named"),
    [
        ({"bias": None}, 1.0, MissingTensorError, "bias"),
        ({"extra": np.zeros(())}, 1.0, UnexpectedTensorError, "extra"),
        ({"bias": np.zeros(1)}, 1.0, TensorShapeError, "bias"),
        ({"bias": np.zeros((), np.float32)}, 1.0, TensorDTypeError, "bias"),
        ({}, math.nan, TensorError, "weight"),
        ({}, math.inf, TensorError, "weight"),
    ],
)
def test_a_bad_gradient_changes_nothing(
    is_exact: bool, change: dict[str, Array | None], weight: float, error: type[RaygradError], named: str
) -> None:
    accumulator = accumulated([0, 1], lambda: Accumulator(TYPES, is_exact))
    before, held = bits(accumulator.gradients()), accumulator.weight
    bad = {name: x for name, x in {**gradients(2), **change}.items() if x is not None}
    with pytest.raises(error, match=named):
        accumulator.add(2, bad, weight)
    assert bits(accumulator.gradients()) == before
    assert (accumulator.ledger, accumulator.weight) == ({0, 1}, held)
    accumulator.add(2, gradients(2))


def test_an_accumulator_that_was_cut_off_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    accumulator = accumulated([0])

    def interrupted(self: ExactSum, x: Array, weight: float) -> None:
        raise MemoryError

    monkeypatch.setattr(ExactSum, "add", interrupted)
    with pytest.raises(MemoryError):
        accumulator.add(1, gradients(1))
    for use in (accumulator.snapshot, accumulator.gradients, lambda: accumulator.add(1, gradients(1))):
        with pytest.raises(LedgerError, match="adding mini-batch 1"):
            use()


@pytest.mark.parametrize("is_exact", [True, False])
def test_snapshots_travel_and_do_not_change(is_exact: bool) -> None:
    accumulator = accumulated([0, 1], lambda: Accumulator(TYPES, is_exact))
    before, snapshot = bits(accumulator.gradients()), accumulator.snapshot()
    accumulator.add(2, gradients(2))
    restored = Accumulator.restore(pickle.loads(pickle.dumps(snapshot)))
    assert bits(restored.gradients()) == before
    assert (restored.ledger, restored.weight, restored.exact) == ({0, 1}, 3, is_exact)
    restored.add(5, gradients(5))
    assert bits(Accumulator.restore(snapshot).gradients()) == before


@pytest.mark.parametrize("mean", [False, True])
def test_replicas_merge_to_the_same_bits(mean: bool) -> None:
    expected = bits(accumulated(range(9)).gradients(mean))
    for parts in ([range(9)], [[8, 0, 3], [], [7, 1, 2, 6, 5, 4]], [[i] for i in reversed(range(9))]):
        assert bits(merge([accumulated(part).snapshot() for part in parts], range(9), mean)) == expected


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ([[0, 1], [1, 2]], "1 are in more than one ledger"),
        ([[0], [2]], "1 are in no ledger"),
        ([[0, 1], [2, 3]], "3 do not belong"),
        ([[]], "0, 1, 2 are in no ledger"),
        ([], "0, 1, 2 are in no ledger"),
    ],
)
def test_ledgers_that_do_not_make_up_the_step_are_refused(parts: list[list[int]], complaint: str) -> None:
    with pytest.raises(LedgerError, match=complaint):
        merge([accumulated(part).snapshot() for part in parts], {0, 1, 2})


def test_a_complaint_lists_a_few_indices() -> None:
    with pytest.raises(LedgerError, match="0, 1, 2, 3, 4, 5, 6, 7 and 92 more"):
        merge([], range(100))


def test_snapshots_of_other_sums_are_refused() -> None:
    others = (Accumulator({}), Accumulator({**TYPES, "bias": ((1,), F64)}), Accumulator(TYPES, exact=False))
    for other in others:
        with pytest.raises(LedgerError, match="other sums"):
            accumulated([0]).merge(other.snapshot())


def test_fast_sums_add_in_the_gradients_dtype() -> None:
    result = accumulated(range(3), lambda: Accumulator(TYPES, exact=False)).gradients()
    total = np.zeros((2, 3), np.float32)
    for i in range(3):
        total += np.multiply(gradients(i)["weight"], np.float32(1.0 + i))
    assert same_bits(result["weight"], total)
    assert Accumulator(TYPES, exact=False).nbytes == 6 * 4 + 8
