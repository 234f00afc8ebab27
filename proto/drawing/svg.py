"""A picture as SVG that stands alone, on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from .layout import Layout, Point, Rectangle, arranged, sides
from .picture import LINE, PAD, SMALL, TEXT, TITLE, Box, Frame, Link, Picture, text_width

_EDGE = 20.0  # around everything
_NARROWEST = 320.0
_SWATCH, _KEY = 12.0, 20.0  # a colour of the legend; the height of one of its lines
_HEAD = 5.0  # of an arrow
_DARK = """\
@media (prefers-color-scheme: dark) {
  .rg-paper { fill: #18181b } .rg-frame { fill: #27272a; stroke: #71717a } .rg-key { fill: #d4d4d8 }
  .rg-soft { fill: #d4d4d8; stroke: #18181b } .rg-line { stroke: #a1a1aa } .rg-head { fill: #a1a1aa }
}"""
"""Boxes keep their light colours on a dark page; attributes say what everything is on a light one."""


def svg_of(picture: Picture) -> str:
    """The picture as an SVG document."""
    return _Canvas(picture, arranged(picture)).document()


class _Canvas:
    def __init__(self, picture: Picture, layout: Layout) -> None:
        self.picture, self.layout = picture, layout
        self.width = max(layout.width, _NARROWEST)
        self.legend = _legend(picture.legend, self.width)
        below = max((y for _, y, _, _ in self.legend), default=-_KEY) + _KEY
        self.left = _EDGE + (self.width - layout.width) / 2
        self.top = _EDGE + below + (_EDGE if self.legend else 0.0)
        self.labelled: set[tuple[int, str, bool]] = set()

    def document(self) -> str:
        """The elements, those below first."""
        width, height = self.width + 2 * _EDGE, self.top + self.layout.height + _EDGE
        body = (
            *map(self._frame, self.layout.frames),
            *map(self._across, self.layout.across),
            *(self._route(link, points) for link, points in self.layout.routes.items()),
            *(self._box(number, box) for number, box in self.picture.boxes.items()),
            *(text for link, points in self.layout.routes.items() for text in self._label(link, points)),
            *map(self._badge, self.layout.frames),
            *self._key(),
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="Helvetica, Arial, sans-serif">\n'
            f"<style>{_DARK}</style>\n"
            '<rect class="rg-paper" width="100%" height="100%" rx="8" fill="#ffffff"/>\n'
            + "\n".join(body)
            + "\n</svg>\n"
        )

    def _at(self, point: Point) -> Point:
        return point[0] + self.left, point[1] + self.top

    # -- boxes --------------------------------------------------------------------------------

    def _box(self, number: int, box: Box) -> str:
        x, y = self._at(self.layout.centres[number])
        left, top = x - box.width / 2, y - box.height / 2
        return "\n".join(
            (
                f"<g><title>{escape(box.hint)}</title>",
                _rectangle(left, top, box),
                *self._ground(left, top, box),
                _text(x, top + PAD + TITLE - 2, box.title, TITLE, 'text-anchor="middle" font-weight="bold"'),
                *self._lines(x, top + PAD + TITLE, box),
                "</g>",
            )
        )

    def _ground(self, left: float, top: float, box: Box) -> Iterator[str]:
        """The ground of the parameters."""
        if box.parameters:
            begin = top + PAD + TITLE + len(box.details) * LINE + 2
            height = len(box.parameters) * LINE + 1
            yield (
                f'<rect x="{left + 4:.1f}" y="{begin:.1f}" width="{box.width - 8:.1f}" height="{height:.1f}" '
                'rx="3" fill="#ffffff" fill-opacity="0.65"/>'
            )

    def _lines(self, x: float, top: float, box: Box) -> Iterator[str]:
        for i, line in enumerate(box.lines):
            weight = ' font-weight="bold"' if line in box.outputs else ""
            yield _text(x, top + (i + 1) * LINE - 2, line, TEXT, f'text-anchor="middle"{weight}')

    # -- frames -------------------------------------------------------------------------------

    def _frame(self, placed: tuple[Frame, Rectangle]) -> str:
        area = placed[1]
        x, y = self._at((area.left, area.top))
        return (
            f'<rect class="rg-frame" x="{x:.1f}" y="{y:.1f}" width="{area.width:.1f}" '
            f'height="{area.height:.1f}" rx="10" fill="#f8fafc" stroke="#94a3b8" stroke-dasharray="6 4"/>'
        )

    def _badge(self, placed: tuple[Frame, Rectangle]) -> str:
        frame, area = placed
        x, y = self._at((area.left + area.width, area.top))
        text = f"× {frame.times}"
        width = text_width(text, TITLE) + 2 * PAD
        return (
            f'<rect x="{x - width - 6:.1f}" y="{y - 10:.1f}" width="{width:.1f}" height="20" rx="10" '
            'fill="#475569"/>'
            f'<text x="{x - width / 2 - 6:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="{TITLE:g}" '
            f'font-weight="bold" fill="#ffffff">{text}</text>'
        )

    # -- links --------------------------------------------------------------------------------

    def _route(self, link: Link, points: Sequence[Point]) -> str:
        placed = [self._at(p) for p in points]
        x, y = placed[-1]
        up = placed[-2][1] > y or placed[0][1] > y
        tip = y + (_HEAD if up else -_HEAD)
        path = _curve([*placed[:-1], (x, tip)])
        dashes = ' stroke-dasharray="4 3"' if link.dashed else ""
        return (
            f'<path class="rg-line" d="{path}" fill="none" stroke="#71717a"{dashes}/>'
            f'<path class="rg-head" d="M{x - 3.5:.1f},{tip:.1f} L{x + 3.5:.1f},{tip:.1f} L{x:.1f},{y:.1f} Z" '
            'fill="#71717a"/>'
        )

    def _across(self, link: Link) -> str:
        """From the side of a box to that of a box in the other column, faint: there are many."""
        one, other = link.source, link.target
        forth = self.layout.centres[one][0] < self.layout.centres[other][0]
        x1 = sides(self.picture.boxes[one], self.layout.centres[one])[forth]
        x2 = sides(self.picture.boxes[other], self.layout.centres[other])[not forth]
        x1, y1 = self._at((x1, self.layout.centres[one][1]))
        x2, y2 = self._at((x2, self.layout.centres[other][1]))
        middle = (x1 + x2) / 2
        return (
            f'<path d="M{x1:.1f},{y1:.1f} C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}" '
            'fill="none" stroke="#a1a1aa" stroke-dasharray="2 3">'
            f"<title>{escape(link.text)}</title></path>"
        )

    def _label(self, link: Link, points: Sequence[Point]) -> Iterator[str]:
        """The type beside the source, once for each value."""
        (x, y), up = self._at(points[0]), points[0][1] > points[-1][1]
        if (link.source, link.text, up) not in self.labelled:
            self.labelled.add((link.source, link.text, up))
            yield (
                f'<text class="rg-soft" x="{x:.1f}" y="{y + (-7 if up else 14):.1f}" font-size="{SMALL:g}" '
                'text-anchor="middle" fill="#52525b" stroke="#ffffff" stroke-width="3" paint-order="stroke">'
                f"{escape(link.text)}</text>"
            )

    # -- the legend ---------------------------------------------------------------------------

    def _key(self) -> Iterator[str]:
        for x, y, colour, text in self.legend:
            left, top = _EDGE + x, _EDGE + y
            yield (
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{_SWATCH + 6:g}" height="{_SWATCH:g}" rx="3" '
                f'fill="{colour}" stroke="#71717a" stroke-width="0.5"/>'
                f'<text class="rg-key" x="{left + _SWATCH + 12:.1f}" y="{top + 10:.1f}" '
                f'font-size="{TEXT:g}" fill="#52525b">{escape(text)}</text>'
            )


def _legend(entries: Sequence[tuple[str, str]], width: float) -> list[tuple[float, float, str, str]]:
    """Place, colour and text of each entry, in lines of this width."""
    found, x, y = [], 0.0, 0.0
    for colour, text in entries:
        taken = _SWATCH + 12 + text_width(text, TEXT) + 16
        if x and x + taken > width:
            x, y = 0.0, y + _KEY
        found.append((x, y, colour, text))
        x += taken
    return found


def _rectangle(left: float, top: float, box: Box) -> str:
    corner = box.height / 2 if box.round else 6.0
    dashes = ' stroke-dasharray="3 2"' if box.column else ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="{corner:g}" fill="{box.colour}" stroke="#52525b" stroke-width="0.8"{dashes}/>'
    )


def _text(x: float, y: float, text: str, size: float, more: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="#18181b" {more}>{escape(text)}</text>'


def _curve(points: Sequence[Point]) -> str:
    """A smooth path that leaves and reaches every point vertically."""
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        if x1 == x2:
            path += f" V{y2:.1f}"
        else:
            middle = (y1 + y2) / 2
            path += f" C{x1:.1f},{middle:.1f} {x2:.1f},{middle:.1f} {x2:.1f},{y2:.1f}"
    return path
