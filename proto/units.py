"""Numbers for people: three digits and a unit."""

from __future__ import annotations

from collections.abc import Sequence

from . import errors as _  # noqa: F401 (which refuses the folder's bare name)


def in_units(number: float, units: Sequence[str], base: int = 1000) -> str:
    """Three digits and a unit: 1.23 M."""
    for unit in units[:-1]:
        if abs(number) < base:
            return f"{number:.3g} {unit}".rstrip()
        number /= base
    return f"{number:.3g} {units[-1]}"


def in_bytes(nbytes: float) -> str:
    """Bytes in binary units."""
    return in_units(nbytes, ("B", "KiB", "MiB", "GiB", "TiB"), 1024)


def in_seconds(seconds: float) -> str:
    """Seconds, from microseconds up."""
    return in_units(seconds * 1e6, ("µs", "ms", "s"))
