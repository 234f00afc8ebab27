"""A replica: one worker per stage, in one epoch, sharing the mini-batches with the other replicas."""

from __future__ import annotations

import enum
from collections import OrderedDict
from dataclasses import dataclass, field

from raygrad.workers.accumulator import Snapshot

from .batch import Batch
from .events import CallKey


class Health(enum.Enum):
    """Whether a replica can take mini-batches."""

    LIVE = "live"
    FENCING = "fencing"  # a worker was lost; the others have not yet said what they hold
    RESTORING = "restoring"  # known what is held; the replacement is not there yet
    GONE = "gone"  # no replacement: what the survivors hold is merged, nothing new runs


@dataclass
class Slot:
    """One stage of one replica: a worker, and what is known of it."""

    replica: int
    stage: int
    worker: int
    alive: bool = True
    fenced: bool = True  # has answered the latest fence
    loaded: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)
    """The plans on the worker, that used latest last → the parameters and buffers that they read there."""
    tensors: dict[str, int] = field(default_factory=dict)  # parameters on the worker → their version
    ready: set[str] = field(default_factory=set)  # plans that need nothing sent, since the last put
    outstanding: int = 0  # calls submitted and not answered
    seconds: float = 0.0  # that its latest call took
    snapshot: Snapshot | None = None  # the newest of this step that holds committed mini-batches only
    arrived: Snapshot | None = None  # a newer one, of which mini-batches are still under way on other stages
    snapshotting: bool = False  # asked for, and not yet the newest
    asked: float | None = None  # since when a fence or a snapshot is not answered
    since_snapshot: int = 0  # additions since the newest snapshot was asked for

    def reset(self) -> None:
        """The worker was lost: a new one knows nothing."""
        self.alive, self.fenced = False, True
        self.loaded, self.tensors, self.ready = OrderedDict(), {}, set()
        self.outstanding = 0
        self.forget_arrived()

    def forget_arrived(self) -> None:
        """What was asked for, or has come and is not yet the newest snapshot, is not waited for."""
        self.arrived, self.snapshotting, self.asked = None, False, None

    @property
    def safe(self) -> frozenset[int]:
        """The indices that the newest snapshot holds."""
        return self.snapshot.ledger if self.snapshot else frozenset()


@dataclass
class Asked:
    """A call that is not answered yet."""

    slot: Slot
    since: float  # when it was submitted, or its worker or an argument of it last went on
    needs: tuple[CallKey, ...]


@dataclass
class Replica:
    """The slots of one replica, the mini-batches under way on it, its epoch."""

    number: int
    slots: tuple[Slot, ...]
    epoch: int = 0
    health: Health = Health.LIVE
    active: dict[int, Batch] = field(default_factory=dict)  # by attempt-unique index

    def settle(self) -> bool:
        """Draw the conclusion of fences and joins; whether the fence is complete."""
        if self.health is Health.GONE:
            return all(s.fenced for s in self.slots)
        if not all(s.fenced for s in self.slots):
            self.health = Health.FENCING
            return False
        self.health = Health.LIVE if all(s.alive for s in self.slots) else Health.RESTORING
        return True
