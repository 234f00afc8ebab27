"""The colours of families of operators."""

from __future__ import annotations

from ..families import family_of
from ..operators.base import Operator

_COLOURS = {
    "source": "#f4f4f5",
    "convolution": "#bfdbfe",
    "linear": "#c7d2fe",
    "pooling": "#a7f3d0",
    "normalization": "#fde68a",
    "elementwise": "#fed7aa",
    "reduction": "#ddd6fe",
    "scan": "#ddd6fe",
    "sorting": "#ddd6fe",
    "shape": "#e5e7eb",
    "indexing": "#d6d3d1",
    "scatter": "#d6d3d1",
    "attention": "#99f6e4",
    "random": "#fbcfe8",
    "loss": "#fecaca",
    "resampling": "#cffafe",
}
"""Light enough for black text on them, in pictures with a dark ground too."""

_OTHER = "#ecfccb"


def colour_of(operator: Operator) -> str:
    """The colour of the operator's family."""
    return _COLOURS.get(family_of(operator), _OTHER)
