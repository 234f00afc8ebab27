"""Where the boxes of a picture lie and which way its links go, in points.

What runs backwards lies in a column of its own to the right of the network, each node beside its home, so
that it is read from the bottom to the top. A block is laid out by itself, and has its place as one large box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .layers import Bend, Rows, Unit, ranks_of, sources_lowered
from .layers import Link as Pair
from .picture import SMALL, Box, Frame, Link, Picture, text_width

_GAP = 22.0  # between boxes of a row
_BETWEEN = 36.0  # between rows: room for the text of links
_ASIDE = 70.0  # between the columns
_MARGIN = 16.0  # within a frame
_FAR = (
    40  # links that pass more ranks than these do not bend around what lies between: they would be too many
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """An area by its upper left corner and its size."""

    left: float
    top: float
    width: float
    height: float


@dataclass
class Layout:
    """Centres of boxes, areas of frames, and the points of links, those of the source first."""

    centres: dict[int, Point] = field(default_factory=dict)
    frames: list[tuple[Frame, Rectangle]] = field(default_factory=list)
    routes: dict[Link, tuple[Point, ...]] = field(default_factory=dict)
    across: list[Link] = field(default_factory=list)  # between the columns: drawn straight
    width: float = 0.0
    height: float = 0.0


class _Port(NamedTuple):
    """Where what a box outside of a frame sends comes in, or what a box within sends leaves."""

    box: int
    out: bool


class _Block(NamedTuple):
    """A frame as one box of the picture around it."""

    number: int


def arranged(picture: Picture) -> Layout:
    """The layout of a picture."""
    return _Arrangement(picture).layout()


class _Level:
    """Units in rows, of the whole picture or within a frame."""

    def __init__(
        self,
        order: Sequence[Unit],
        sizes: Mapping[Unit, Point],
        columns: Mapping[Unit, int],
        links: Iterable[Pair],
        least: Mapping[Pair, int],
    ) -> None:
        self.sizes = sizes
        links = tuple(dict.fromkeys(links))
        ranks = ranks_of(order, {**dict.fromkeys(links, 1), **least})
        first = [u for u in order if not columns[u]]
        self.ranks = self._settled(sources_lowered(ranks, links, first))
        self.rows = [self._column(c, columns, links) for c in sorted(set(columns.values()))]
        self.tops, self.heights = self._heights()
        self.x, self.width = self._beside()

    def _settled(self, ranks: dict[Unit, int]) -> dict[Unit, int]:
        """With ports at the edges of the frame, and ranks from 0 without gaps."""
        inner = [r for u, r in ranks.items() if not isinstance(u, _Port)]
        for unit in ranks:
            if isinstance(unit, _Port):
                ranks[unit] = max(inner) + 1 if unit.out else min(inner) - 1
        numbers = {rank: i for i, rank in enumerate(sorted(set(ranks.values())))}
        return {u: numbers[r] for u, r in ranks.items()}

    def _column(self, column: int, columns: Mapping[Unit, int], links: Sequence[Pair]) -> Rows:
        here = {u: r for u, r in self.ranks.items() if columns[u] == column}
        widths = {u: self.sizes[u][0] for u in here}
        near = [(a, b) for a, b in links if a in here and self.ranks[b] - self.ranks[a] <= _FAR]
        return Rows(here, near, widths, _GAP, upward=column > 0)

    def _heights(self) -> tuple[list[float], list[float]]:
        count = max(self.ranks.values(), default=-1) + 1
        heights = [0.0] * count
        for unit, rank in self.ranks.items():
            heights[rank] = max(heights[rank], self.sizes[unit][1])
        tops, top = [], 0.0
        for height in heights:
            tops.append(top)
            top += height + _BETWEEN
        return tops, heights

    @property
    def height(self) -> float:
        """From the first row to the end of the last."""
        return self.tops[-1] + self.heights[-1] if self.tops else 0.0

    def _beside(self) -> tuple[dict[Unit, float], float]:
        x: dict[Unit, float] = {}
        edge = 0.0
        for rows in self.rows:
            x.update({u: edge + at - rows.left for u, at in rows.x.items()})
            edge += rows.right - rows.left + _ASIDE
        return x, max(edge - _ASIDE, 0.0)

    def centre(self, unit: Unit) -> Point:
        """Where a unit lies: in the middle of its row."""
        rank = self.ranks[unit]
        return self.x[unit], self.tops[rank] + self.heights[rank] / 2

    def route(self, pair: Pair) -> list[Point]:
        """From the lower edge of a unit to the upper edge of another; straight within rows."""
        path = next((rows.paths[pair] for rows in self.rows if pair in rows.paths), pair)
        return [point for step in path for point in self._through(step, pair)]

    def _through(self, step: Unit, pair: Pair) -> list[Point]:
        rank = step.rank if isinstance(step, Bend) else self.ranks[step]
        x, top, bottom = self.x[step], self.tops[rank], self.tops[rank] + self.heights[rank]
        if isinstance(step, Bend):
            return [(x, top), (x, bottom)]
        middle, half = (top + bottom) / 2, self.sizes[step][1] / 2
        return [(x, middle + half), (x, bottom)] if step == pair[0] else [(x, top), (x, middle - half)]


class _Arrangement:
    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self.block_of = {m: _Block(i) for i, frame in enumerate(picture.frames) for m in frame.members}
        self.texts: dict[int, float] = {}
        for link in picture.links:
            self.texts[link.source] = max(self.texts.get(link.source, 0.0), text_width(link.text, SMALL))
        self.laid = {link: self._laid(link) for link in picture.links if not self._is_across(link)}
        self.inner = [self._frame(_Block(i), frame) for i, frame in enumerate(picture.frames)]

    # -- the order from top to bottom ---------------------------------------------------------

    def _unit(self, box: int) -> Unit:
        return self.block_of.get(box, box)

    def _first(self, box: int) -> int:
        """The number of a box, or of the first box of its block."""
        block = self.block_of.get(box)
        return box if block is None else min(self.picture.frames[block.number].members)

    def _key(self, box: int, whole: bool) -> tuple[int, int, int]:
        """The place of a box (of its block, if `whole`) in the order in which all links are laid down."""
        number = self._first(box) if whole else box
        if not self.picture.boxes[box].column:
            return number, 0, 0
        home = self.picture.homes[number]
        return (self._first(home) if whole else home), 1, -number

    def _is_across(self, link: Link) -> bool:
        return self.picture.boxes[link.source].column != self.picture.boxes[link.target].column

    def _laid(self, link: Link) -> tuple[int, int]:
        whole = self._unit(link.source) != self._unit(link.target)
        a, b = sorted((link.source, link.target), key=lambda box: self._key(box, whole))
        return a, b

    # -- levels -------------------------------------------------------------------------------

    def _size(self, box: Unit) -> Point:
        assert isinstance(box, int)
        return max(self.picture.boxes[box].width, self.texts.get(box, 0.0)), self.picture.boxes[box].height

    def _frame(self, block: _Block, frame: Frame) -> _Level:
        members = sorted(frame.members, key=lambda box: self._key(box, whole=False))
        links = [pair for laid in self.laid.values() for pair in self._within(laid, block)]
        ports = [u for pair in links for u in pair if isinstance(u, _Port)]
        units = list(
            dict.fromkeys([*(p for p in ports if not p.out), *members, *(p for p in ports if p.out)])
        )
        sizes = {u: (0.0, 0.0) if isinstance(u, _Port) else self._size(u) for u in units}
        return _Level(units, sizes, dict.fromkeys(units, 0), links, {})

    def _within(self, laid: tuple[int, int], block: _Block) -> list[Pair]:
        """The part of a link that lies in a block."""
        a, b = laid
        inside = self._unit(a) == block, self._unit(b) == block
        if all(inside):
            return [(a, b)]
        if inside[0]:
            return [(a, _Port(a, True))]
        return [(_Port(a, False), b)] if inside[1] else []

    def _outer(self) -> _Level:
        boxes = sorted(self.picture.boxes, key=lambda box: self._key(box, whole=True))
        order = list(dict.fromkeys(map(self._unit, boxes)))
        sizes = {u: self._unit_size(u) for u in order}
        columns = {self._unit(b): self.picture.boxes[b].column for b in boxes}
        pairs = [(self._unit(a), self._unit(b)) for a, b in self.laid.values()]
        links = [pair for pair in pairs if pair[0] != pair[1]]
        return _Level(order, sizes, columns, links, self._bands(links, columns))

    def _unit_size(self, unit: Unit) -> Point:
        if isinstance(unit, _Block):
            inner = self.inner[unit.number]
            return inner.width + 2 * _MARGIN, inner.height
        return self._size(unit)

    def _bands(self, links: Sequence[Pair], columns: Mapping[Unit, int]) -> dict[Pair, int]:
        """What lies beside a unit begins no higher, and ends above what reads the unit."""
        beside: dict[Unit, list[Unit]] = {}
        for box, home in self.picture.homes.items():
            block = self.block_of.get(box)
            first = home if block is None else self.picture.homes[self._first(box)]
            beside.setdefault(self._unit(first), []).append(self._unit(box))
        begins = {(home, u): 0 for home, units in beside.items() for u in units}
        ends = {(u, b): 1 for a, b in links if not columns[a] for u in beside.get(a, ())}
        return {**begins, **ends}

    # -- the whole ----------------------------------------------------------------------------

    def layout(self) -> Layout:
        """Everything in its place."""
        outer = self._outer()
        found = Layout(width=outer.width, height=outer.height)
        for box in self.picture.boxes:
            x, y = self._origin(box, outer)
            block = self.block_of.get(box)
            at = (0.0, 0.0) if block is None else self.inner[block.number].centre(box)
            found.centres[box] = (x + at[0], y + at[1])
        for number, frame in enumerate(self.picture.frames):
            (x, y), (w, h) = outer.centre(_Block(number)), self._unit_size(_Block(number))
            found.frames.append((frame, Rectangle(x - w / 2, y - h / 2, w, h)))
        for link, laid in self.laid.items():
            points = self._route(laid, outer)
            found.routes[link] = tuple(points if laid[0] == link.source else points[::-1])
        found.across = [link for link in self.picture.links if self._is_across(link)]
        return found

    def _origin(self, box: int, outer: _Level) -> Point:
        """What is added to the places within a box's block; the centre itself for other boxes."""
        unit = self._unit(box)
        x, y = outer.centre(unit)
        if not isinstance(unit, _Block):
            return x, y
        w, h = self._unit_size(unit)
        return x - w / 2 + _MARGIN, y - h / 2

    def _route(self, laid: tuple[int, int], outer: _Level) -> list[Point]:
        a, b = laid
        ua, ub = self._unit(a), self._unit(b)
        if ua == ub:
            return self._inside(laid, ua, outer)
        around = outer.route((ua, ub))
        begin = self._inside(laid, ua, outer) if isinstance(ua, _Block) else around[:1]
        end = self._inside(laid, ub, outer) if isinstance(ub, _Block) else around[-1:]
        middle = [(begin[-1][0], around[1][1]), *around[2:-2], (end[0][0], around[-2][1])]
        return [*begin, *middle, *end]

    def _inside(self, laid: tuple[int, int], unit: Unit, outer: _Level) -> list[Point]:
        assert isinstance(unit, _Block)
        (pair,) = self._within(laid, unit)
        member = pair[0] if isinstance(pair[0], int) else pair[1]
        assert isinstance(member, int)
        x, y = self._origin(member, outer)
        return [(x + px, y + py) for px, py in self.inner[unit.number].route(pair)]


def sides(box: Box, centre: Point) -> tuple[float, float]:
    """The left and right edges of a box."""
    return centre[0] - box.width / 2, centre[0] + box.width / 2
