"""What happens to a session (events) and what it wants done about it (commands): frozen values.

The machine turns the one into the other. Commands are addressed to workers by number; a cluster
carries them out in order, per worker, and answers with events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raygrad.proto.errors import RaygradError
from raygrad.proto.plan import Plan, StagePlan
from raygrad.proto.tensor import Array
from raygrad.workers.accumulator import Snapshot
from raygrad.workers.calls import Call, Reply, Setup
from raygrad.workers.store import RunKey

Token = int
"""Names the request that a result belongs to."""


# -- events: from clients -------------------------------------------------------------------------


@dataclass(frozen=True)
class Received:
    """A mini-batch arrived. `index` None: the next one of the step; an evaluation has none at all."""

    token: Token
    plan: Plan  # EVALUATE, STEP or FORWARD
    feeds: Mapping[str, Array]
    index: int | None = None
    step: int | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class BackwardRequested:
    """Cotangents for the outputs of a lease arrived."""

    token: Token
    lease: str
    plan: Plan  # BACKWARD
    cotangents: Mapping[str, Array]


@dataclass(frozen=True)
class ReleaseRequested:
    """A lease is given up without a backward pass."""

    token: Token
    lease: str


@dataclass(frozen=True)
class TensorsPut:
    """New values of parameters and buffers."""

    token: Token
    tensors: Mapping[str, Array]


@dataclass(frozen=True)
class GradientsRequested:
    """The step's gradients are wanted; unless `keep_open`, this closes the step."""

    token: Token
    step: int | None = None
    expect: frozenset[int] | int | None = None
    keep_open: bool = False
    mean: bool = False  # what is wanted of the parts: a mean needs weights that do not sum to 0


@dataclass(frozen=True)
class Cancelled:
    """Nobody waits for this request any more."""

    token: Token


@dataclass(frozen=True)
class DeadlinePassed:
    """Time went on: leases and calls may have run out."""


@dataclass(frozen=True)
class Closed:
    """The session is over: the last event it gets."""


# -- events: from the cluster ---------------------------------------------------------------------


@dataclass(frozen=True)
class CallKey:
    """One call of one segment in one attempt."""

    run: RunKey
    plan: str
    segment: int


@dataclass(frozen=True)
class SegmentDone:
    worker: int
    key: CallKey
    reply: Reply


@dataclass(frozen=True)
class SegmentFailed:
    worker: int
    key: CallKey
    error: RaygradError | None  # None: only a consequence of a loss that is reported on its own


@dataclass(frozen=True)
class Fenced:
    worker: int
    epoch: int
    ledger: frozenset[int]


@dataclass(frozen=True)
class SnapshotTaken:
    worker: int
    epoch: int
    step: int
    snapshot: Snapshot


@dataclass(frozen=True)
class WorkerLost:
    """The worker was killed, by somebody or by us; a replacement is being started."""

    worker: int
    reason: str


@dataclass(frozen=True)
class WorkerJoined:
    """The replacement is ready, and empty."""

    worker: int


@dataclass(frozen=True)
class WorkerGone:
    """There will be no replacement."""

    worker: int
    reason: str


ClusterEvent = SegmentDone | SegmentFailed | Fenced | SnapshotTaken | WorkerLost | WorkerJoined | WorkerGone
Request = Received | BackwardRequested | ReleaseRequested | TensorsPut | GradientsRequested
ClientEvent = Request | Cancelled | DeadlinePassed
Event = ClusterEvent | ClientEvent


# -- commands: to a worker ------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Open the session's stage on a worker."""

    worker: int
    setup: Setup


@dataclass(frozen=True)
class Load:
    worker: int
    session: str
    plan: StagePlan


@dataclass(frozen=True)
class Unload:
    """Forget a plan; it is loaded again before a call of it."""

    worker: int
    session: str
    plan: str


@dataclass(frozen=True)
class Put:
    """Parameters and buffers for a stage."""

    worker: int
    session: str
    tensors: Mapping[str, Array]


@dataclass(frozen=True)
class Run:
    """Run a segment; `needs` are the calls whose bundles it takes, `sends` the segments it feeds."""

    worker: int
    call: Call
    key: CallKey
    needs: tuple[CallKey, ...]
    sends: tuple[int, ...]
    title: str


@dataclass(frozen=True)
class Fence:
    worker: int
    session: str
    epoch: int
    step: int
    discard: bool = False


@dataclass(frozen=True)
class TakeSnapshot:
    worker: int
    session: str
    epoch: int
    step: int


@dataclass(frozen=True)
class Restore:
    worker: int
    session: str
    step: int
    snapshot: Snapshot


@dataclass(frozen=True)
class EndStep:
    worker: int
    session: str
    step: int


@dataclass(frozen=True)
class Release:
    """Free the activations of a run."""

    worker: int
    run: RunKey


@dataclass(frozen=True)
class Close:
    worker: int
    session: str


@dataclass(frozen=True)
class Kill:
    """Declare a worker lost: nothing that it says counts from now on."""

    worker: int
    reason: str


WorkerCommand = (
    Place | Load | Unload | Put | Run | Fence | TakeSnapshot | Restore | EndStep | Release | Close | Kill
)


# -- commands: to clients -------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """A request's result (what it is depends on the request) or its error."""

    token: Token
    result: Any = None
    error: RaygradError | None = None


@dataclass(frozen=True)
class Deliver:
    """All parts of a step's gradients: to be merged, rounded once, and answered."""

    token: Token
    step: int
    indices: tuple[int, ...]
    parts: Mapping[int, Sequence[Snapshot]] = field(default_factory=dict)  # by stage
    expected: Mapping[int, frozenset[int]] = field(default_factory=dict)  # by stage
    weights: tuple[float, ...] = ()  # of the mini-batches, in any order
    keep_open: bool = False


Command = WorkerCommand | Answer | Deliver
