"""One mini-batch as the scheduler sees it: what came in, how far it is, what came out."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from raygrad.proto.plan import Mode, Plan, Segment
from raygrad.proto.tensor import Array
from raygrad.workers.store import RunKey

from .content import content_of
from .events import CallKey, Token


class State(enum.Enum):
    """Where a mini-batch stands."""

    WAITING = "waiting"  # for a replica
    RUNNING = "running"
    HELD = "held"  # forward done, activations under a lease
    COMMITTED = "committed"  # every stage has acknowledged its addition


@dataclass
class Batch:
    """A mini-batch of a step, or an evaluation. Mutable; owned by one machine."""

    run: RunKey  # of the latest attempt
    feeds: Mapping[str, Array]
    forward: Plan  # EVALUATE, STEP or FORWARD
    weight: float
    tokens: list[Token]
    backward: Plan | None = None  # BACKWARD, once cotangents came
    cotangents: Mapping[str, Array] = field(default_factory=dict)
    state: State = State.WAITING
    replica: int = -1
    adds: frozenset[int] = frozenset()  # the stages that add in this attempt
    submitted: set[CallKey] = field(default_factory=set)
    done: set[CallKey] = field(default_factory=set)
    outputs: dict[str, Array] = field(default_factory=dict)
    input_gradients: dict[str, Array] = field(default_factory=dict)
    acknowledged: bool = False  # the client was told that its contribution is in the step
    expires: float = 0.0  # of the lease, on the machine's clock
    told: set[Token] = field(default_factory=set)  # of the lease: who asked for it, and was answered
    _digest: bytes = b""

    @property
    def index(self) -> int:
        """The identity within the step."""
        return self.run.index

    @property
    def in_step(self) -> bool:
        """Whether this is a part of a step, rather than an evaluation."""
        return self.forward.key.mode is not Mode.EVALUATE

    @property
    def contributes(self) -> bool:
        """Whether this run ends with additions."""
        return self.forward.key.mode is Mode.STEP or self.backward is not None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans to run, one after the other."""
        return (self.forward,) if self.backward is None else (self.forward, self.backward)

    @property
    def work(self) -> Iterator[tuple[Plan, Segment]]:
        """All segments to run, in an order that each stage keeps."""
        return ((plan, segment) for plan in self.plans for segment in plan.segments)

    @property
    def stages_adding(self) -> frozenset[int]:
        """The stages that hold a part of the contribution when the run is over."""
        plan = self.backward or self.forward
        return (
            frozenset(s.stage for s in plan.segments if s.last and s.gradients)
            if self.contributes
            else frozenset()
        )

    def key(self, plan: Plan, segment: int) -> CallKey:
        """The call of a segment in the latest attempt."""
        return CallKey(self.run, plan.id, segment)

    def has_calls_left(self, stage: int) -> bool:
        """Whether calls of the latest attempt are still to be submitted to the stage."""
        return any(s.stage == stage and self.key(p, s.id) not in self.submitted for p, s in self.work)

    def finished(self) -> bool:
        """Whether all segments of the latest attempt are done."""
        return all(self.key(plan, segment.id) in self.done for plan, segment in self.work)

    def start(self, attempt: int, replica: int, adds: frozenset[int]) -> None:
        """A new attempt, on a replica."""
        self.run = replace(self.run, attempt=attempt)
        self.replica, self.adds, self.state = replica, adds, State.RUNNING
        self.submitted, self.done = set(), set()

    @property
    def started(self) -> bool:
        """Whether there was an attempt, which may have left contributions somewhere."""
        return self.run.attempt >= 0

    @property
    def adding(self) -> frozenset[int]:
        """The stages on which an addition of the latest attempt is under way: submitted, not answered."""
        plan = self.plans[-1]
        return frozenset(
            s.stage
            for s in plan.segments
            if s.last and s.stage in self.adds and self.key(plan, s.id) in self.submitted - self.done
        )

    def wait(self) -> None:
        """Back to where a replica is chosen."""
        self.replica, self.state = -1, State.WAITING

    @property
    def feed_bytes(self) -> int:
        """What the feeds occupy in the scheduler's process."""
        return sum(a.nbytes for a in self.feeds.values())

    def forget_feeds(self) -> None:
        """The contribution is safe: keep only the digest, to tell a repetition from a conflict."""
        self._digest = self.digest()
        self.feeds = {}

    def digest(self) -> bytes:
        """The content; what is left of it once the feeds are gone."""
        return self._digest or content(self.feeds, self.weight)

    def same_content(self, feeds: Mapping[str, Array], weight: float) -> bool:
        """Whether this is the same mini-batch again."""
        if self._digest:
            return self._digest == content(feeds, weight)
        same = self.weight == weight and self.feeds.keys() == feeds.keys()
        return same and all(_same(a, feeds[name]) for name, a in self.feeds.items())


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def content(feeds: Mapping[str, Array], weight: float) -> bytes:
    """What identifies the content of a mini-batch."""
    return content_of(repr(weight), tensors=feeds)
