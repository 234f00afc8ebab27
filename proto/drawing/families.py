"""Which family an operator belongs to, and the colour of the family."""

from __future__ import annotations

from ..operators.base import Operator

_COLOURS = {
    "source": "#f4f4f5",
    "convolution": "#bfdbfe",
    "linear": "#c7d2fe",
    "pooling": "#a7f3d0",
    "normalization": "#fde68a",
    "elementwise": "#fed7aa",
    "activation": "#fed7aa",
    "reduction": "#ddd6fe",
    "scan": "#ddd6fe",
    "shape": "#e5e7eb",
    "indexing": "#d6d3d1",
    "attention": "#99f6e4",
    "random": "#fbcfe8",
    "loss": "#fecaca",
}
"""Light enough for black text on them, in pictures with a dark ground too."""

_OTHER = "#ecfccb"


def family_of(operator: Operator) -> str:
    """The module of the catalogue that the operator stands in: "convolution", "pooling" …"""
    return type(operator).__module__.rpartition(".")[2]


def colour_of(operator: Operator) -> str:
    """The colour of the operator's family."""
    return _COLOURS.get(family_of(operator), _OTHER)
