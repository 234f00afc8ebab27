"""Saying which operators of a model have no translation: all of them, at once, with their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raygrad.proto.errors import UnsupportedOperatorError

PLACES_SHOWN = 5
"""Places listed per operator; more are counted."""


@dataclass(frozen=True)
class Missing:
    """One use of an operator that has no translation."""

    operator: str
    place: str  # the node, and where in the model it stands


def unsupported(missing: Sequence[Missing]) -> UnsupportedOperatorError:
    """The error that lists every operator in `missing` with its places."""
    places: dict[str, list[str]] = {}
    for each in missing:
        places.setdefault(each.operator, []).append(each.place)
    lines = [f"  {operator}: {_shown(found)}" for operator, found in sorted(places.items())]
    count = f"{len(places)} operator{'s have' if len(places) > 1 else ' has'}"
    return UnsupportedOperatorError("\n".join([f"{count} no translation:", *lines]))


def _shown(places: Sequence[str]) -> str:
    more = len(places) - PLACES_SHOWN
    return "; ".join(places[:PLACES_SHOWN]) + (f"; and {more} more" if more > 0 else "")
