"""The gradients of one step on one stage: many sums, each mini-batch once, all of it or nothing.

An accumulator adds the gradients of a mini-batch to the sums of its parameters and keeps the indices that it
holds, its ledger. What replicas hold is merged when the ledgers show that every mini-batch of the step is in
exactly one of them. With exact sums the result has the same bits for every order and every grouping.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np

from raygrad.proto.errors import (
    LedgerError,
    StepError,
    TensorError,
    UnexpectedTensorError,
)
from raygrad.proto.tensor import Array

from .array_sum import ONE, ArraySum, FastSum, Limbs
from .exact_sum import ExactSum

_NAMED = 8  # indices that a message lists before it says how many more there are


@dataclass(frozen=True)
class Snapshot:
    """What an accumulator held at one moment: arrays that nobody else changes, ready to be sent."""

    exact: bool
    ledger: frozenset[int]
    weight: Fraction  # the exact sum of the weights of the mini-batches in the ledger
    sums: Mapping[str, Limbs]  # by parameter

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(limbs.nbytes for limbs in self.sums.values())


class Accumulator:
    """Sums of weight · gradient over the mini-batches of a step, one sum for each parameter.

    `types` gives each parameter's shape and floating-point dtype. Exact sums take 8 to 16 bytes per element,
    and more only where magnitudes spread too far; the others take what the gradient takes.
    """

    def __init__(
        self, types: Mapping[str, tuple[tuple[int, ...], np.dtype[np.generic]]], exact: bool = True
    ) -> None:
        self.exact = exact
        self._sums: dict[str, ArraySum] = {
            name: _sum_type(exact)(shape, np.dtype(dtype)) for name, (shape, dtype) in types.items()
        }
        self._ledger: set[int] = set()
        self._weight = Fraction(0)
        self._torn = ""

    @property
    def ledger(self) -> frozenset[int]:
        """The indices of the mini-batches that the sums hold."""
        return frozenset(self._ledger)

    @property
    def weight(self) -> Fraction:
        """The exact sum of the weights of those mini-batches."""
        return self._weight

    @property
    def nbytes(self) -> int:
        """Bytes held by the sums."""
        return sum(total.nbytes for total in self._sums.values())

    def add(self, index: int, gradients: Mapping[str, Array], weight: float = 1.0) -> None:
        """Add weight · gradient to every sum, and `index` to the ledger: all of it, or nothing and an error.

        A parameter without a gradient (the loss does not depend on it) gets no addition. Raises LedgerError
        if the ledger holds the index, TensorError if a gradient is of no parameter here, of another shape or
        dtype, or if the weight is not finite.
        """
        self._require_whole()
        if index in self._ledger:
            raise LedgerError(f"the contribution of mini-batch {index} is already in this accumulator")
        self._check(gradients, weight)
        # Nothing below can refuse; if the process is interrupted here, the sums are never used again.
        self._torn = f"adding mini-batch {index}"
        for name, gradient in gradients.items():
            self._sums[name].add(gradient, weight)
        self._ledger.add(index)
        self._weight += Fraction(weight)
        self._torn = ""

    def merge(self, snapshot: Snapshot) -> None:
        """Add all that a snapshot holds, without rounding where the sums are exact.

        Raises LedgerError if an index is in both ledgers or the parameters differ; nothing is added then.
        """
        self._require_whole()
        if twice := self._ledger & snapshot.ledger:
            raise LedgerError(f"mini-batches {_listed(twice)} are in more than one ledger")
        if (snapshot.exact, _kinds(snapshot.sums)) != (self.exact, _kinds(self._sums)):
            raise LedgerError(f"{snapshot} is of other sums than {self}")
        self._torn = f"merging mini-batches {_listed(snapshot.ledger)}"
        for name, total in self._sums.items():
            total.absorb(snapshot.sums[name])
        self._ledger |= snapshot.ledger
        self._weight += snapshot.weight
        self._torn = ""

    def gradients(self, mean: bool = False) -> dict[str, Array]:
        """Every sum, rounded once to its dtype; with `mean`, the sum divided by the sum of the weights.

        The mean of exact sums is the exact quotient, rounded once. (It takes longer unless the weights sum to
        a power of two: about 0.03 s per million elements. In float64 it takes about 0.2 s, and some µs per
        element if the sum of the weights has an odd part of 2**31 or more, as sums of weights like 0.1 have.)
        Raises StepError for a mean if the weights sum to 0.
        """
        self._require_whole()
        if mean and self._weight == 0:
            raise StepError("there is no mean: the weights of the step's mini-batches sum to 0")
        divisor = self._weight if mean else ONE
        return {name: total.round(divisor) for name, total in self._sums.items()}

    def snapshot(self) -> Snapshot:
        """All that is held now; later additions do not change it."""
        self._require_whole()
        sums = {name: total.limbs() for name, total in self._sums.items()}
        return Snapshot(self.exact, self.ledger, self._weight, sums)

    @classmethod
    def restore(cls, snapshot: Snapshot) -> Self:
        """An accumulator that holds what `snapshot` holds, and does not share memory with it."""
        types = {name: (limbs.shape, limbs.dtype) for name, limbs in snapshot.sums.items()}
        accumulator = cls(types, snapshot.exact)
        accumulator.merge(snapshot)
        return accumulator

    def __repr__(self) -> str:
        return f"Accumulator(exact={self.exact}, ledger={{{_listed(self._ledger)}}}, sums={self._sums})"

    def _check(self, gradients: Mapping[str, Array], weight: float) -> None:
        if unexpected := sorted(gradients.keys() - self._sums.keys()):
            raise UnexpectedTensorError(f"no parameter called {', '.join(unexpected)}")
        for name, gradient in gradients.items():
            try:
                self._sums[name].check(gradient, weight)
            except TensorError as error:
                raise error.at(name) from None

    def _require_whole(self) -> None:
        if self._torn:
            raise LedgerError(f"this accumulator was cut off while {self._torn}: its sums are worth nothing")


def merge(snapshots: Sequence[Snapshot], expected: Collection[int], mean: bool = False) -> dict[str, Array]:
    """The gradients of a step from the parts of it that replicas hold, rounded once (see `gradients`).

    Raises LedgerError unless the ledgers are disjoint and their union is exactly `expected`.
    """
    held = frozenset[int]().union(*(snapshot.ledger for snapshot in snapshots))
    if missing := set(expected) - held:
        raise LedgerError(f"mini-batches {_listed(missing)} are in no ledger")
    if surplus := held - set(expected):
        raise LedgerError(f"mini-batches {_listed(surplus)} do not belong to the step")
    if not snapshots:
        return {}
    total = Accumulator.restore(snapshots[0])
    for snapshot in snapshots[1:]:
        total.merge(snapshot)
    return total.gradients(mean)


def _sum_type(exact: bool) -> type[ArraySum]:
    return ExactSum if exact else FastSum


def _kinds(
    sums: Mapping[str, ArraySum] | Mapping[str, Limbs],
) -> dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]]:
    return {name: (total.shape, total.dtype) for name, total in sums.items()}


def _listed(indices: Collection[int]) -> str:
    first = ", ".join(str(index) for index in sorted(indices)[:_NAMED])
    return first if len(indices) <= _NAMED else f"{first} and {len(indices) - _NAMED} more"
