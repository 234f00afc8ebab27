"""Exact sums against fractions rounded once: full range, orders, merges, weights, specials, means."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raygrad.proto.errors import TensorError
from raygrad.workers.array_sum import Limb, Limbs
from raygrad.workers.exact_sum import ExactSum
from raygrad.workers.expansion import BLOCK
from raygrad.workers.rounding import round_pair
from tests.exact_reference import FORMATS, Array, assert_exact, reference, rounded, same_bits

EVERY_DTYPE = pytest.mark.parametrize("dtype", FORMATS, ids=str)
F64, F32 = np.dtype(np.float64), np.dtype(np.float32)


def exact(rows: Sequence[Array], weights: Sequence[float] | None = None) -> ExactSum:
    total = ExactSum(rows[0].shape, rows[0].dtype)
    for row, weight in zip(rows, weights or [1.0] * len(rows), strict=True):
        total.add(row, weight)
    return total


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


def test_limbs_are_as_many_as_the_bits_need_however_many_additions() -> None:
    rng = np.random.default_rng(9)
    row, total = any_bits(rng, (20,), F64), ExactSum((20,), F64)
    most = 0
    for _ in range(300):
        total.add(rng.permutation(row) * rng.choice([1.0, 2.0**-40]))
        most = max(most, limbs_of(total))
    assert most <= 2098 / (53 - math.log2(300))


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


@pytest.mark.parametrize("dtype", [dtype for dtype in FORMATS if dtype != F64], ids=str)
@pytest.mark.parametrize("divisor", [3, -12, 0.3, Fraction(0.1) + Fraction(0.7), 1 + Fraction(1, 2**53)])
@pytest.mark.parametrize("tail", [0.0, 2.0**-90, -0.225 * 2.0**-52])
@pytest.mark.parametrize("normal", [True, False])
def test_means_on_middles_and_next_to_them(
    dtype: np.dtype[np.generic], divisor: float | Fraction, tail: float, normal: bool
) -> None:
    """Quotients at most a few units of float64 from where the rounding turns, on both sides of it."""
    bits, lowest, _ = FORMATS[dtype]
    odd = 2 * np.arange(100) + 1
    normals = np.concatenate([1 + odd * 2.0**-bits, 2 - odd * 2.0**-bits])
    middles = normals if normal else np.ldexp(odd, lowest - 1)
    exact = [float(Fraction(middle) * Fraction(divisor)) for middle in middles.tolist()]
    sums = np.concatenate([exact, np.nextafter(exact, -np.inf), np.nextafter(exact, np.inf)])
    low = sums * tail
    total = ExactSum(sums.shape, dtype)
    total.absorb(Limbs(sums.shape, dtype, (Limb(0, 0, sums), Limb(0, 0, low)), None))
    pairs = zip(sums.tolist(), low.tolist(), strict=True)
    expected = [rounded((Fraction(a) + Fraction(b)) / Fraction(divisor), dtype) for a, b in pairs]
    assert same_bits(total.round(Fraction(divisor)), np.array(expected).astype(dtype))


@EVERY_DTYPE
def test_a_mean_beyond_the_range_is_infinite(dtype: np.dtype[np.generic]) -> None:
    """Also of sums that overflow float64."""
    largest = np.finfo(np.float64).max
    total = ExactSum((2,), dtype)
    sums = np.array([largest, -largest])
    total.absorb(Limbs(sums.shape, dtype, (Limb(0, 0, sums),), None))
    assert same_bits(total.round(Fraction(3, 4)), np.array([np.inf, -np.inf]).astype(dtype))


@EVERY_DTYPE
def test_a_mean_of_zero_is_plus_zero(dtype: np.dtype[np.generic]) -> None:
    total = exact([np.zeros(3, dtype), np.zeros(3, dtype)])
    for divisor in (Fraction(3), Fraction(-3), Fraction(-(2**80) - 1)):
        assert same_bits(total.round(divisor), np.zeros(3, dtype))


@EVERY_DTYPE
@pytest.mark.parametrize("divisor", [2, 3])
@pytest.mark.parametrize("tail", [*range(54, 130, 3), 500])
def test_a_mean_beside_a_tie_sees_all_that_lies_below(
    dtype: np.dtype[np.generic], divisor: int, tail: int
) -> None:
    bits = FORMATS[dtype][0]
    rows = [np.full(1, divisor, dtype)] * 3
    weights = [1.0, 2.0**-bits, 2.0**-tail]
    above, tie = exact(rows, weights), exact(rows[:2], weights[:2])
    assert above.round(Fraction(divisor))[0] == 1 + 2.0 ** (1 - bits)
    assert tie.round(Fraction(divisor))[0] == 1


@EVERY_DTYPE
def test_a_mean_may_be_above_a_tie_by_the_last_remainder_alone(dtype: np.dtype[np.generic]) -> None:
    """For t · n = 2**k - 1, the quotient 2**k / n is t + t/(2**k - 1): beside t, but no digit shows it."""
    bits = FORMATS[dtype][0]
    tie = 2**bits + 1
    k = 2 * bits * math.ceil(66 / bits)
    n, rest = divmod(2**k - 1, tie)
    assert rest == 0
    quotient = exact([np.ones(1, dtype)]).round(Fraction(n, 2 ** (k - bits)))
    assert quotient[0] == 1 + 2.0 ** (1 - bits)


def test_a_pair_of_negative_zeros_is_rounded_to_zero() -> None:
    zero = np.array([-0.0])
    for dtype in FORMATS:
        assert same_bits(round_pair(zero, zero, dtype), np.zeros(1, dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("divisor", [Fraction(8), Fraction(1, 4), Fraction(2**70), Fraction(3), Fraction(-2)])
@pytest.mark.parametrize("scale", [1.0, 2.0**-140, 2.0**120])
def test_a_mean_by_any_divisor_is_rounded_once(dtype: type, divisor: Fraction, scale: float) -> None:
    rng = np.random.default_rng(7)
    parts = [(rng.standard_normal(40) * scale).astype(dtype) for _ in range(5)]
    total = ExactSum((40,), np.dtype(dtype))
    for part in parts:
        total.add(part)
    for column, got in zip(zip(*parts, strict=True), total.round(divisor), strict=True):
        exact = sum(Fraction(float(x)) for x in column) / divisor
        assert got == rounded(exact, np.dtype(dtype))
