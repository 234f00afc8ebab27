"""The weights of resampling: which places of x each place of the result is a sum of, and what they weigh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raygrad.proto.operators.resampling import Resampling

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Taps:
    """For each place of a result, places of an operand [place, tap] and what they weigh."""

    places: Ints
    weights: Floats

    def adjoint(self, length: int) -> Taps:
        """The same products from the operand's side, which has `length` places."""
        rows, taps = np.nonzero(self.weights)
        places, weights = self.places[rows, taps], self.weights[rows, taps]
        order = np.argsort(places, kind="stable")
        counts = np.bincount(places, minlength=length)
        numbers = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        shape = (length, max(counts.max(initial=0), 1))
        found = Taps(np.zeros(shape, np.int64), np.zeros(shape))
        found.places[places[order], numbers] = rows[order]
        found.weights[places[order], numbers] = weights[order]
        return found

    def matrix(self, length: int) -> Floats:
        """The weights of all places of the operand, [place of the result, place of the operand]."""
        found = np.zeros((len(self.places), length))
        np.add.at(found, (np.arange(len(self.places))[:, None], self.places), self.weights)
        return found


def taps(op: Resampling, length: int, size: int) -> Taps:
    """The taps of `size` places over an operand of `length` places."""
    if op.kernel == "area":
        return _area(length, size)
    scale = op.scale or size / length
    source = _source(op, length, size, scale)
    found = _nearest(op, source) if op.kernel == "nearest" else _smooth(op, source, scale, length)
    if op.zero_outside:
        found.weights[(source < 0) | (source > length - 1)] = 0.0
    return Taps(found.places.clip(0, length - 1), found.weights)


def _area(length: int, size: int) -> Taps:
    numbers = np.arange(size)
    first, end = numbers * length // size, -(-(numbers + 1) * length // size)
    places = first[:, None] + np.arange((end - first).max())
    inside = places < end[:, None]
    return Taps(np.where(inside, places, first[:, None]), inside / (end - first)[:, None])


def _source(op: Resampling, length: int, size: int, scale: float) -> Floats:
    """Where each place of the result lies in the operand."""
    place = np.arange(size, dtype=np.float64)
    width = op.scale * length if op.scale else float(size)  # as the scale has it, not rounded
    centre = (place + 0.5) / scale - 0.5
    match op.coordinates:
        case "half_pixel":
            return centre
        case "half_pixel_symmetric":
            return centre + length / 2 * (1 - size / width)
        case "pytorch_half_pixel":
            return centre if width != 1 else np.full(size, -0.5)
        case "tf_half_pixel_for_nn":
            return centre + 0.5
        case "asymmetric":
            return place / scale
        case "align_corners":
            return place * (length - 1) / (width - 1) if width != 1 else place * 0
    begin, spread = op.begin * (length - 1), (op.end - op.begin) * (length - 1)
    return begin + (place * spread / (width - 1) if width != 1 else np.full(size, spread / 2))


def _nearest(op: Resampling, source: Floats) -> Taps:
    rounded = {
        "floor": np.floor(source),
        "ceil": np.ceil(source),
        "round_prefer_floor": np.ceil(source - 0.5),
        "round_prefer_ceil": np.floor(source + 0.5),
    }[op.rounding]
    return Taps(rounded.astype(np.int64)[:, None], np.ones((len(source), 1)))


def _smooth(op: Resampling, source: Floats, scale: float, length: int) -> Taps:
    """The kernel, centred at each place's source; wider by the scale against aliasing."""
    widen = min(scale, 1.0) if op.antialias else 1.0
    reach = math.ceil((1 if op.kernel == "linear" else 2) / widen)
    places = np.floor(source).astype(np.int64)[:, None] + np.arange(1 - reach, reach + 1)
    distance = np.abs(places - source[:, None]) * widen
    weights = np.maximum(1 - distance, 0) if op.kernel == "linear" else _cubic(distance, op.coefficient)
    if op.exclude_outside:
        weights *= (places >= 0) & (places < length)
    if op.exclude_outside or op.antialias:
        weights /= weights.sum(axis=1, keepdims=True)
    return Taps(places, weights)


def _cubic(distance: Floats, a: float) -> Floats:
    """Keys, "Cubic convolution interpolation for digital image processing" (1981), equation 4."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
