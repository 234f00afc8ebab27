"""Blocks that repeat: runs of nodes, each equal to the one a period before it in all but names.

A node equals another if its operator and types do, and if its inputs come from as far back, or are the same
values, or stand at the same place of neighbouring blocks of an earlier run, which is how a backward pass
reads a folded network.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import NamedTuple

import numpy as np

_LEAST_SAVED = 4
"""Fewer boxes than these are no reason to fold."""

COMPARED = 100
"""Items are compared so many times each, on average, before the search ends with what it has found. Networks
need 1 to 30; nodes that are alike, and repeat nothing, would need half as many as there are."""


class Item(NamedTuple):
    """A node in a sequence: what it is apart from its names, and the values that it reads (node, port)."""

    id: int
    kind: Hashable
    inputs: tuple[tuple[int, int], ...]
    leading: bool  # whether a block may well begin here: it reads a parameter


@dataclass(frozen=True)
class Run:
    """`times` blocks one after the other; `blocks[r][i]` is node i of block r."""

    blocks: tuple[tuple[int, ...], ...]

    @property
    def times(self) -> int:
        """How many blocks there are."""
        return len(self.blocks)


def runs_of(sequences: Sequence[Sequence[Item]]) -> tuple[Run, ...]:
    """The runs of each sequence; later sequences may read earlier ones."""
    found: list[Run] = []
    read = {item.id: item.inputs for items in sequences for item in items}
    for items in sequences:
        found += _Sequence(items, _places(found, read)).runs(0, len(items))
    return tuple(found)


_Value = tuple[int, int]  # node, port
_Place = tuple[int, int, int]  # run, place in the block, block


def _places(runs: Sequence[Run], read: Mapping[int, Sequence[tuple[int, int]]]) -> dict[int, list[_Place]]:
    """Where nodes stand in runs; what the first block reads for want of a block before it is in block −1."""
    found: dict[int, list[_Place]] = defaultdict(list)
    for number, run in enumerate(runs):
        place = {node: (i, r) for r, block in enumerate(run.blocks) for i, node in enumerate(block)}
        for node, (i, r) in place.items():
            found[node].append((number, i, r))
        for first, second in zip(run.blocks[0], run.blocks[1], strict=True):
            for (a, _), (b, _) in zip(read[first], read[second], strict=True):
                if a not in place and b in place:
                    found[a].append((number, place[b][0], -1))
    return found


class _Sequence:
    def __init__(self, items: Sequence[Item], places: Mapping[int, Sequence[_Place]]) -> None:
        self.items, self.places = items, places
        self.at = {item.id: i for i, item in enumerate(items)}
        self.left = COMPARED * len(items)
        numbers: dict[Hashable, int] = {}
        self.kinds = np.array([numbers.setdefault(item.kind, len(numbers)) for item in items])

    def runs(self, begin: int, end: int) -> list[Run]:
        """The run that saves most between these places, and those on both sides of it."""
        found = self._longest(begin, end)
        if found is None:
            return []
        period, first, length = found
        start, times = self._start(first, length, period), length // period + 1
        blocks = (range(start + r * period, start + (r + 1) * period) for r in range(times))
        run = Run(tuple(tuple(self.items[i].id for i in block) for block in blocks))
        return [*self.runs(begin, start), run, *self.runs(start + times * period, end)]

    def _longest(self, begin: int, end: int) -> tuple[int, int, int] | None:
        """The period, first place and length of where most items are equal to those a period later."""
        best, saved = None, _LEAST_SAVED - 1
        for period in range(1, (end - begin) // 2 + 1):
            same = self.kinds[begin + period : end] == self.kinds[begin : end - period]
            if (candidates := int(np.count_nonzero(same))) <= saved:
                continue
            self.left -= candidates
            if self.left < 0:
                break
            equal = [bool(s) and self._alike(begin + i, period) for i, s in enumerate(same)]
            for first, length in _true_stretches(equal):
                start, stop = self._trimmed(begin + first, begin + first + length, period)
                if (stop - start) // period * period > saved:
                    best, saved = (period, start, stop - start), (stop - start) // period * period
        return best

    def _trimmed(self, first: int, stop: int, period: int) -> tuple[int, int]:
        """The stretch, so that only its first block reads from elsewhere what others read from a block."""
        entries = [
            (i, (a, b))
            for i in range(first, stop)
            for a, b in self._pairs(i, period)
            if not self._corresponds(a, b, period)
        ]
        if not entries:
            return first, stop
        last = entries[-1][0]
        start = max(first, last - period + 1)
        taken = {pair for i, pair in entries if i >= start}
        return (start if len({b for _, b in taken}) == len(taken) else last + 1), stop

    def _pairs(self, i: int, period: int) -> list[tuple[_Value, _Value]]:
        return list(zip(self.items[i].inputs, self.items[i + period].inputs, strict=True))

    def _alike(self, i: int, period: int) -> bool:
        if len(self.items[i].inputs) != len(self.items[i + period].inputs):
            return False
        return all(
            self._corresponds(a, b, period) or self._may_enter(a, b, i, period)
            for a, b in self._pairs(i, period)
        )

    def _corresponds(self, a: _Value, b: _Value, period: int) -> bool:
        if a == b:
            return True
        if a[1] != b[1]:
            return False
        if a[0] in self.at and b[0] in self.at:
            return self.at[b[0]] - self.at[a[0]] == period
        pairs = product(self.places.get(a[0], ()), self.places.get(b[0], ()))
        return any(one[:2] == other[:2] and abs(one[2] - other[2]) == 1 for one, other in pairs)

    def _may_enter(self, a: _Value, b: _Value, i: int, period: int) -> bool:
        """Whether item i may read a from before the run, as item i + period reads b from its first block."""
        at = self.at.get(b[0], -1)
        return at >= max(i - period, 0) and self.at.get(a[0], -1) < at - period

    def _start(self, first: int, length: int, period: int) -> int:
        """Where blocks begin: with few values between them, then where a parameter is read, then early."""
        starts = range(first, first + length % period + 1)
        return min(starts, key=lambda s: (self._crossing(s, period), not self.items[s].leading))

    def _crossing(self, start: int, period: int) -> int:
        """How many values of the block that begins here are read by the one after it."""
        following = self.items[start + period : start + 2 * period]
        read = {ref for item in following for ref in item.inputs if ref[0] in self.at}
        return sum(start <= self.at[node] < start + period for node, _ in read)


def _true_stretches(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """The first place and the length of each stretch of true flags."""
    found, place = [], 0
    for flag, group in groupby(flags):
        length = len(list(group))
        if flag:
            found.append((place, length))
        place += length
    return found
