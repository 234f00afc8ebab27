"""Opening a session on a server."""

from __future__ import annotations

import functools
from concurrent.futures import Future
from typing import Unpack

from raygrad.proto.arguments import public
from raygrad.proto.builder import Builder, graph_of
from raygrad.proto.graph import Graph
from raygrad.proto.messages import SessionOptions

from .options import Options
from .remote import Remote, open_session
from .session import Session, wait
from .transport import TLS, Link, start

TIMEOUT = 60.0
"""Seconds that a call may take, unless told otherwise."""


@functools.partial(public, unchecked=("target", "graph", "token", "tls"))
def connect(
    target: str,
    graph: Graph | Builder,
    *,
    timeout: float = TIMEOUT,
    token: str | None = None,
    tls: TLS = None,
    **options: Unpack[Options],
) -> Session:
    """A session for `graph` on the server at `target` ("host:port").

    `timeout` bounds every call, in seconds: within it, calls are repeated while no server answers.
    `token` is sent with every call. `tls=True` trusts the system's authorities, a path or PEM bytes
    those alone. `Options` lists the others: `loss="loss"` (the scalar output whose cotangent is 1 in a
    step), `stages=None` and `replicas=None` (the scheduler chooses), `accumulation="exact"` or "fast",
    `check=""` or "finite" (names the first node that produces a NaN or an infinity),
    `lease_seconds=300.0`, `snapshot_every=0`, `placement=None`, `seed=0` (of all that is drawn at random).

    Raises the `DocumentError` or `GraphError` that names the node if the server refuses the graph,
    `ResourceError` without the workers asked for, `UnavailableError` if no server answers.
    """
    whole = graph_of(graph)
    opening = opened(target, whole, SessionOptions.of(options), timeout, token, tls)
    return Session(wait(opening, timeout, f"opening a session at {target}"), whole, timeout)


def opened(
    target: str, graph: Graph, options: SessionOptions, timeout: float, token: str | None, tls: TLS
) -> Future[Remote]:
    """The other side of a new session, when the server has it."""
    return start(open_session(lambda: Link(target, timeout=timeout, token=token, tls=tls), graph, options))
