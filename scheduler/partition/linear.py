"""Partition of a chain into stages: contiguous runs with the least bottleneck, exactly.

A stage's time per mini-batch is that of its nodes and of the values that it receives over its two
cuts (in a full pipeline, the latency of a hop keeps no worker busy). Dynamic programming over (stages
used, homes covered) finds the least possible time of the slowest stage, as in PipeDream's partitioner
(Narayanan et al., SOSP 2019, section 3.1); a second pass finds, among the partitions that reach it, one
that sends the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.plan import Placement

from ..cost import LinkRates, transfer_seconds
from .chain import Chain, Floats

_TIE = 1e-9
"""Times that differ by less, relatively, are equal: their sums were rounded differently."""


def partition(chain: Chain, stages: int, link: LinkRates) -> Placement:
    """The placement of a chain on `stages` stages. Raises `ConfigurationError` if there are too few homes."""
    homes = len(chain)
    if not 1 <= stages <= max(homes, 1):
        raise ConfigurationError(f"{stages} stages were asked for, and the graph has {homes} nodes to place")
    if homes == 0:
        return Placement({}, stages)
    stages_of = _Stages(chain, link)
    limit = _least_bottleneck(stages_of, stages) * (1 + _TIE)
    starts = _fewest_bytes(chain, stages_of, stages, limit)
    stage_of = np.searchsorted(starts, np.arange(homes), side="right") - 1
    return Placement(dict(zip(chain.homes, stage_of.tolist(), strict=True)), stages)


class _Stages:
    """The times of all stages that could be cut from a chain."""

    def __init__(self, chain: Chain, link: LinkRates) -> None:
        self.homes = len(chain)
        self._done = np.concatenate(([0.0], np.cumsum(chain.seconds)))
        self._from_left = np.array([0.0, *(transfer_seconds(b, link) for b in chain.rightward)])
        self._from_right = np.array([0.0, *(transfer_seconds(b, link) for b in chain.leftward), 0.0])

    def ending(self, end: int) -> Floats:
        """Seconds of the stages that hold the homes start … end−1, for every start below `end`."""
        found: Floats = self._done[end] - self._done[:end] + self._from_left[:end] + self._from_right[end]
        return found


def _least_bottleneck(times: _Stages, stages: int) -> float:
    """The least time of the slowest stage over all partitions."""
    best = _one_stage(times)
    for _ in range(1, stages):
        best = _extended(times, lambda end, before: np.maximum(before, times.ending(end)), best)[0]
    return float(best[-1])


def _fewest_bytes(chain: Chain, times: _Stages, stages: int, limit: float) -> list[int]:
    """Where the stages begin, if none may take longer than `limit`, for the fewest bytes over the cuts."""
    crossing = np.array([0.0, *(r + b for r, b in zip(chain.rightward, chain.leftward, strict=True))])
    best = np.where(_one_stage(times) <= limit, 0.0, np.inf)

    def bytes_so_far(end: int, before: Floats) -> Floats:
        return np.where(times.ending(end) <= limit, before + crossing[:end], np.inf)

    choices = []
    for _ in range(1, stages):
        best, chosen = _extended(times, bytes_so_far, best)
        choices.append(chosen)
    starts = [times.homes]
    for chosen in reversed(choices):
        starts.append(chosen[starts[-1]])
    return [0, *reversed(starts[1:])]


def _one_stage(times: _Stages) -> Floats:
    """By homes covered: the time of the one stage that covers them."""
    return np.array([np.inf, *(times.ending(end)[0] for end in range(1, times.homes + 1))])


def _extended(
    times: _Stages, score: Callable[[int, Floats], Floats], best: Floats
) -> tuple[Floats, list[int]]:
    """By homes covered: the best score with one more stage, and where that stage begins."""
    scores, starts = [np.inf], [0]
    for end in range(1, times.homes + 1):
        candidates = score(end, best[:end])
        starts.append(int(candidates.argmin()))
        scores.append(float(candidates[starts[-1]]))
    return np.array(scores), starts
