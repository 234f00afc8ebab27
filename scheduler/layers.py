"""A layered layout of a directed acyclic graph: rank by longest path, order by barycentres.

The method is that of Sugiyama, Tagawa and Toda (1981). It serves where Graphviz is not installed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8
_BEND = 24.0
"""The width that a passing edge takes up in a rank, in points."""

Edge = tuple[int, int]
Point = tuple[float, float]  # x, and the rank


@dataclass(frozen=True)
class Layout:
    """Where nodes lie (centre x in points, rank), and through which points edges go."""

    places: Mapping[int, Point]
    paths: Mapping[Edge, tuple[Point, ...]]


def layered(widths: Mapping[int, float], edges: Collection[Edge], gap: float) -> Layout:
    """The layout of nodes of these widths (points), which are listed in topological order."""
    ranks = _ranks(tuple(widths), edges)
    chains = _chains(ranks, edges)
    sizes = dict(widths)
    for chain, bends in chains.values():
        sizes.update(dict.fromkeys(chain[1:-1], _BEND))
        ranks.update(bends)
    links = [link for chain, _ in chains.values() for link in pairwise(chain)]
    rows = _Rows(ranks, links, sizes, gap)
    for sweep in range(_SWEEPS):
        rows.order(downward=sweep % 2 == 0)
    for sweep in range(_SWEEPS):
        rows.align(downward=sweep % 2 == 0)
    places = {n: (rows.x[n], float(ranks[n])) for n in ranks}
    return Layout(
        {n: places[n] for n in widths},
        {edge: tuple(places[n] for n in chain) for edge, (chain, _) in chains.items()},
    )


def _ranks(nodes: Sequence[int], edges: Collection[Edge]) -> dict[int, int]:
    """The longest path to each node; nodes without predecessors lie just before their first reader."""
    before, after = defaultdict(list), defaultdict(list)
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)
    ranks: dict[int, int] = {}
    for node in nodes:
        ranks[node] = max((ranks[a] + 1 for a in before[node]), default=0)
    for node in nodes:
        if not before[node] and after[node]:
            ranks[node] = min(ranks[b] for b in after[node]) - 1
    return ranks


def _chains(
    ranks: Mapping[int, int], edges: Collection[Edge]
) -> dict[Edge, tuple[tuple[int, ...], dict[int, int]]]:
    """Each edge as a chain of links from rank to rank, with bends (new negative numbers) in between."""
    chains = {}
    bend = -1
    for a, b in edges:
        between = range(ranks[a] + 1, ranks[b])
        bends = {bend - i: rank for i, rank in enumerate(between)}
        bend -= len(between)
        chains[a, b] = ((a, *bends, b), bends)
    return chains


class _Rows:
    """The nodes of each rank from left to right, and where they lie."""

    def __init__(
        self, ranks: Mapping[int, int], links: Collection[Edge], sizes: Mapping[int, float], gap: float
    ) -> None:
        self.sizes, self.gap = sizes, gap
        self.above, self.below = defaultdict(list), defaultdict(list)
        for a, b in links:
            self.above[b].append(a)
            self.below[a].append(b)
        rows: dict[int, list[int]] = defaultdict(list)
        for node, rank in ranks.items():
            rows[rank].append(node)
        self.rows = [rows[rank] for rank in sorted(rows)]
        self.x: dict[int, float] = {}
        for row in self.rows:
            self._place(row, dict.fromkeys(row, 0.0))

    def order(self, *, downward: bool) -> None:
        """Sort each row by the mean place of its neighbours in the row before it."""
        for row in self._swept(downward):
            row.sort(key=self._wanted(row, downward).__getitem__)
            self._place(row, self._wanted(row, downward))

    def align(self, *, downward: bool) -> None:
        """Move nodes towards their neighbours without changing the order."""
        for row in self._swept(downward):
            self._place(row, self._wanted(row, downward))

    def _swept(self, downward: bool) -> list[list[int]]:
        return self.rows if downward else self.rows[::-1]

    def _wanted(self, row: Sequence[int], downward: bool) -> dict[int, float]:
        neighbours = self.above if downward else self.below
        return {node: self._mean(neighbours[node] or [node]) for node in row}

    def _mean(self, nodes: Sequence[int]) -> float:
        return sum(self.x[n] for n in nodes) / len(nodes)

    def _place(self, row: Sequence[int], wanted: Mapping[int, float]) -> None:
        """As near to the wanted places as the widths and the order allow."""
        right = float("-inf")
        for node in row:
            half = self.sizes[node] / 2
            self.x[node] = max(wanted[node], right + self.gap + half)
            right = self.x[node] + half
        shift = sum(wanted[n] - self.x[n] for n in row) / len(row)
        for node in row:
            self.x[node] += shift
