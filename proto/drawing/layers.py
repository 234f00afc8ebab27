"""A layered layout of a directed acyclic graph: rank by longest path, order by barycentres.

The method is that of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures" (1981). Links that pass ranks bend in each of them; those that leave one unit share their bends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

Unit = Hashable
Link = tuple[Unit, Unit]

_SWEEPS = 12
_BEND = 14.0
"""The width that passing links take up in a rank, in points."""
_STIFF, _SLACK = 4, 0.05
"""Units pull with this power of the length of the longest path through them, so that it is drawn straight;
bends pull so much less."""


class Bend(NamedTuple):
    """Where the links that leave a unit pass a rank."""

    unit: Unit
    rank: int


def ranks_of(order: Iterable[Unit], least: Mapping[Link, int]) -> dict[Unit, int]:
    """The lowest ranks such that each b lies at least `least[a, b]` below a, which precedes it in `order`."""
    before = defaultdict(list)
    for (a, b), distance in least.items():
        before[b].append((a, distance))
    ranks: dict[Unit, int] = {}
    for unit in order:
        ranks[unit] = max((ranks[a] + distance for a, distance in before[unit]), default=0)
    return ranks


def sources_lowered(
    ranks: Mapping[Unit, int], links: Collection[Link], units: Iterable[Unit]
) -> dict[Unit, int]:
    """The ranks with those of `units` that no link reaches just above their first reader."""
    reached = {b for _, b in links}
    readers = defaultdict(list)
    for a, b in links:
        readers[a].append(ranks[b])
    lowered = {u: max(ranks[u], min(readers[u]) - 1) for u in units if u not in reached and readers[u]}
    return {**ranks, **lowered}


class Rows:
    """The units of each rank from left to right, and where their centres lie."""

    def __init__(
        self,
        ranks: Mapping[Unit, int],
        links: Collection[Link],
        widths: Mapping[Unit, float],
        gap: float,
        *,
        upward: bool = False,
    ) -> None:
        """Rows of units this wide; paths become straight in the direction of the last sweep."""
        self.widths, self.gap = widths, gap
        self.paths = {link: _path(link, ranks) for link in links}
        self.above: dict[Unit, list[Unit]] = defaultdict(list)
        self.below: dict[Unit, list[Unit]] = defaultdict(list)
        for a, b in dict.fromkeys(step for path in self.paths.values() for step in pairwise(path)):
            self.above[b].append(a)
            self.below[a].append(b)
        bends: dict[Unit, int] = {
            step: step.rank for path in self.paths.values() for step in path if isinstance(step, Bend)
        }
        self.rows = _rows({**ranks, **bends})
        self.weights = self._pulls()
        self.x: dict[Unit, float] = {}
        for row in self.rows:
            self._place(row, dict.fromkeys(row, 0.0))
        for sweep in range(2 * _SWEEPS + 1):
            self._sweep(downward=sweep % 2 == upward, ordering=sweep < _SWEEPS)
        self.left = min((x - self._width(u) / 2 for u, x in self.x.items()), default=0.0)
        self.right = max((x + self._width(u) / 2 for u, x in self.x.items()), default=0.0)

    def _pulls(self) -> dict[Unit, float]:
        lengths = [_longest(self.rows, self.above), _longest(self.rows[::-1], self.below)]
        pulls = {u: float(lengths[0][u] + lengths[1][u] + 1) ** _STIFF for row in self.rows for u in row}
        return {u: pull * (_SLACK if isinstance(u, Bend) else 1.0) for u, pull in pulls.items()}

    def _sweep(self, *, downward: bool, ordering: bool) -> None:
        """Move the units of each row towards their neighbours in the row before it; sort them so at first."""
        neighbours = self.above if downward else self.below
        for row in self.rows if downward else self.rows[::-1]:
            wanted = {u: self._mean(neighbours[u] or [u]) for u in row}
            if ordering:
                row.sort(key=wanted.__getitem__)
            self._place(row, wanted)

    def _mean(self, units: Sequence[Unit]) -> float:
        pulls = sum(self.weights[u] for u in units)
        return sum(self.x[u] * self.weights[u] for u in units) / pulls

    def _place(self, row: Sequence[Unit], wanted: Mapping[Unit, float]) -> None:
        """As near to the wanted places as the widths and the order allow, by weighted least squares.

        Units that would overlap become one group, which lies where its members pull it on the whole.
        """
        groups: list[_Group] = []
        for unit in row:
            group = _Group([(unit, 0.0)], wanted[unit], self.weights[unit])
            while groups and groups[-1].place + self._room(groups[-1], group) > group.place:
                before = groups.pop()
                group = before.joined(group, self._room(before, group))
            groups.append(group)
        for group in groups:
            self.x.update({unit: group.place + offset for unit, offset in group.offsets})

    def _room(self, group: _Group, after: _Group) -> float:
        """How far right of a group's first centre that of the group after it must lie."""
        (last, offset), (first, _) = group.offsets[-1], after.offsets[0]
        return offset + self._width(last) / 2 + self.gap + self._width(first) / 2

    def _width(self, unit: Unit) -> float:
        return self.widths.get(unit, _BEND)


class _Group(NamedTuple):
    """Units side by side: their offsets from the first, where it wants to be, and how strongly."""

    offsets: list[tuple[Unit, float]]
    place: float
    pull: float

    def joined(self, other: _Group, shift: float) -> _Group:
        """Both as one, the other one's first centre `shift` to the right of this one's."""
        pull = self.pull + other.pull
        place = (self.place * self.pull + (other.place - shift) * other.pull) / pull
        return _Group([*self.offsets, *((u, shift + o) for u, o in other.offsets)], place, pull)


def _longest(rows: Iterable[Sequence[Unit]], before: Mapping[Unit, Sequence[Unit]]) -> dict[Unit, int]:
    """The number of steps of the longest path to each unit."""
    found: dict[Unit, int] = {}
    for row in rows:
        for unit in row:
            found[unit] = max((found[u] + 1 for u in before.get(unit, ())), default=0)
    return found


def _path(link: Link, ranks: Mapping[Unit, int]) -> tuple[Unit, ...]:
    a, b = link
    return (a, *(Bend(a, rank) for rank in range(ranks[a] + 1, ranks[b])), b)


def _rows(ranks: Mapping[Unit, int]) -> list[list[Unit]]:
    rows: dict[int, list[Unit]] = defaultdict(list)
    for unit, rank in ranks.items():
        rows[rank].append(unit)
    return [rows[rank] for rank in sorted(rows)]
