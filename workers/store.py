"""The store: activations that a stage keeps from one segment of a mini-batch to a later one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from raygrad.proto.errors import LeaseError
from raygrad.proto.graph import Ref

from .kernels.base import Tensor


@dataclass(frozen=True, slots=True)
class RunKey:
    """One attempt at one mini-batch of a step."""

    session: str
    step: int
    index: int
    attempt: int


class Store:
    """Values by (run, ref), freed by their last reader, by release, or by a fence."""

    def __init__(self) -> None:
        self._runs: dict[RunKey, dict[Ref, Tensor]] = {}

    def save(self, run: RunKey, ref: Ref, value: Tensor) -> None:
        """Keep a value for a later segment of the run."""
        self._runs.setdefault(run, {})[ref] = value

    def read(self, run: RunKey, ref: Ref) -> Tensor:
        """A value kept by an earlier segment; `LeaseError` if it is gone."""
        try:
            return self._runs[run][ref]
        except KeyError:
            raise LeaseError(
                f"activation {ref} of step {run.step}, mini-batch {run.index} is not kept"
            ) from None

    def drop(self, run: RunKey, refs: Iterable[Ref]) -> None:
        """Free single values of a run."""
        kept = self._runs.get(run)
        if kept is None:
            return
        for ref in refs:
            kept.pop(ref, None)
        if not kept:
            del self._runs[run]

    def release(self, run: RunKey) -> None:
        """Free all of a run."""
        self._runs.pop(run, None)

    def release_session(self, session: str) -> None:
        """Free all runs of a session."""
        for run in [r for r in self._runs if r.session == session]:
            del self._runs[run]

    def __len__(self) -> int:
        return sum(map(len, self._runs.values()))

    @property
    def runs(self) -> tuple[RunKey, ...]:
        """The runs that hold anything."""
        return tuple(self._runs)
