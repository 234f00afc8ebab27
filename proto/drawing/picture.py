"""What is drawn, before it is laid out: boxes, links between them, and blocks that stand for several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TITLE, TEXT, SMALL = 12.0, 10.0, 9.0
"""Font sizes, in points."""

_WIDE = 0.6
"""Mean width of a letter, in font sizes: a little more than that of Helvetica."""

PAD = 8.0
LINE = 13.0
"""Room around the text of a box, and from one of its lines to the next, in points."""


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in points."""
    return len(text) * size * _WIDE


@dataclass(frozen=True)
class Box:
    """A node as it is drawn: a title, then lines; parameters stand on a ground of their own."""

    title: str
    colour: str
    hint: str  # what a pointer that rests on the box is told
    details: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    column: int = 0  # 0 for the network, 1 for what runs backwards beside it
    round: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """The text below the title."""
        return (*self.details, *self.parameters, *self.outputs)

    @property
    def width(self) -> float:
        """In points."""
        widths = (text_width(line, TEXT) for line in self.lines)
        return max(text_width(self.title, TITLE), *widths, 30.0) + 2 * PAD

    @property
    def height(self) -> float:
        """In points."""
        return PAD + TITLE + len(self.lines) * LINE + PAD


@dataclass(frozen=True)
class Link:
    """A value that flows from a box to another."""

    source: int
    target: int
    text: str  # its type
    dashed: bool = False  # not floating-point: nothing flows back


@dataclass(frozen=True)
class Frame:
    """A block of boxes that stands for `times` of them."""

    members: tuple[int, ...]
    times: int


@dataclass(frozen=True)
class Picture:
    """Boxes by number, in an order from which links of the first column lead forward."""

    boxes: Mapping[int, Box]
    links: Sequence[Link]
    frames: Sequence[Frame] = ()
    legend: Sequence[tuple[str, str]] = ()  # colour, text
    homes: Mapping[int, int] = field(default_factory=dict)  # of the second column: the box it belongs beside
