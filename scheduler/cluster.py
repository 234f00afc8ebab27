"""What the scheduler needs of a cluster: workers that carry out commands in order, and report events.

`LocalCluster` runs them in this process, `RayCluster` on Ray actors; the scheduler cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from raygrad.workers.calls import WorkerInfo
from raygrad.workers.store import RunKey

from .cost import DeviceRates, LinkRates
from .events import Close, ClusterEvent, EndStep, Release, WorkerCommand

Post = Callable[[str | None, ClusterEvent], None]
"""Takes an event for one session, or (None) for all of them."""


class Cluster(Protocol):
    """Workers numbered from 0. Commands to one worker are carried out in order, and never at once.

    A lost worker is replaced under its number: `WorkerLost`, then `WorkerJoined`, or `WorkerGone`
    when no replacement came by a deadline.
    """

    inline: bool  # whether work happens inside `pump`, in the caller's thread
    link: LinkRates

    def start(self, post: Post) -> None:
        """Begin to report events to `post`."""

    def clock(self) -> float:
        """Seconds on the cluster's clock."""

    @property
    def workers(self) -> tuple[int, ...]:
        """The workers that can be used now."""

    def info(self, worker: int) -> WorkerInfo:
        """What a worker is."""

    def rates(self) -> DeviceRates:
        """How fast a worker computes: measured once per kind of worker, then cached."""

    def execute(self, command: WorkerCommand) -> None:
        """Queue a command for its worker. Does not wait."""

    def admit(self, worker: int) -> None:
        """`WorkerJoined` is being handled: commands reach the new worker from now on, not before."""

    def flush(self) -> None:
        """No further command is to be expected at the moment: submit what was held back to go together."""

    def pump(self) -> bool:
        """Do some queued work, if this cluster works inline; whether there was any."""

    def close(self) -> None:
        """Stop the workers that this cluster started."""


def ends_with(command: WorkerCommand, run: RunKey) -> bool:
    """Whether nothing that is under way for the run will be read after this command, by any worker."""
    match command:
        case EndStep(session=session, step=step):
            return (run.session, run.step) == (session, step) and run.index >= 0  # evaluations go on
        case Release(run=released):
            return run == released
        case Close(session=session):
            return run.session == session
    return False
