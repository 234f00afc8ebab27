"""The accumulator: each mini-batch once, all of it or nothing; snapshots, merges and what they refuse."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
import pytest

from raygrad.proto.errors import (
    LedgerError,
    RaygradError,
    StepError,
    TensorDTypeError,
    TensorError,
    TensorShapeError,
    UnexpectedTensorError,
)
from raygrad.workers.accumulator import Accumulator, merge
from raygrad.workers.exact_sum import ExactSum
from tests.exact_reference import Array, assert_exact, rounded, same_bits

F64, F32 = np.dtype(np.float64), np.dtype(np.float32)
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


def test_a_parameter_without_a_gradient_gets_nothing() -> None:
    accumulator = accumulated([3])
    before = bits({"bias": accumulator.gradients()["bias"]})
    accumulator.add(4, {name: g for name, g in gradients(4).items() if name != "bias"})
    assert bits({"bias": accumulator.gradients()["bias"]}) == before
    assert accumulator.ledger == {3, 4}


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize(
    ("change", "weight", "error", "named"),
    [
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
