"""Who holds what: for every stage, which replica's accumulator holds which mini-batch.

This is the scheduler's copy of the workers' ledgers. An index counts as committed when every stage
that adds for it has a holder; a lost worker takes its holdings with it, except those in a snapshot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from raygrad.proto.errors import LedgerError


class Contributions:
    """stage → index → replica, for one step."""

    def __init__(self) -> None:
        self._holders: dict[int, dict[int, int]] = defaultdict(dict)

    def add(self, stage: int, index: int, replica: int) -> None:
        """An addition was acknowledged. `LedgerError` if another replica holds the index already."""
        holder = self._holders[stage].setdefault(index, replica)
        if holder != replica:
            raise LedgerError(
                f"mini-batch {index} is held by replicas {holder} and {replica} on stage {stage}"
            )

    def holders(self, index: int, stages: Iterable[int]) -> frozenset[int]:
        """Those of `stages` on which the index is held."""
        return frozenset(s for s in stages if index in self._holders[s])

    def held(self, stage: int, replica: int) -> frozenset[int]:
        """The indices that a slot holds."""
        return frozenset(i for i, r in self._holders[stage].items() if r == replica)

    def reconcile(self, stage: int, replica: int, ledger: frozenset[int]) -> None:
        """A slot said what it really holds: unacknowledged additions are learnt, lost ones forgotten."""
        for index in self.held(stage, replica) - ledger:
            del self._holders[stage][index]
        for index in ledger:
            self.add(stage, index, replica)

    def clear(self) -> None:
        """A new step begins."""
        self._holders.clear()
