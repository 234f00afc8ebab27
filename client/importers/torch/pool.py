"""Sessions of one graph: a forward pass that waits for its backward pass has one of its own.

A step holds what is between a forward and its backward pass, and its gradients are taken whole. So forward
passes that wait at the same time have a session each, and later ones use them again.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import torch

from raygrad.proto.errors import RaygradError, SessionNotFoundError
from raygrad.proto.graph import Graph
from raygrad.proto.tensor import Array

from ...session import Session
from .arrays import as_array

Tensors = Mapping[str, torch.Tensor]
Opener = Callable[[Graph], Session]
T = TypeVar("T")

_log = logging.getLogger("raygrad")


class Member:
    """A session of the pool, and what was last put into it."""

    def __init__(self, session: Session, constants: Mapping[str, Array]) -> None:
        self.session = session
        self._put: dict[str, torch.Tensor] = {}
        session.put(constants)

    def put(self, tensors: Tensors) -> None:
        """Put what differs from what was put last. Content is compared: `.data` changes without a trace."""
        changed = {name: t for name, t in tensors.items() if not self._has(name, t)}
        if changed:
            self.session.put({name: as_array(t) for name, t in changed.items()})
            self._put.update((name, t.detach().clone()) for name, t in changed.items())

    def _has(self, name: str, tensor: torch.Tensor) -> bool:
        known = self._put.get(name)
        return known is not None and known.device == tensor.device and torch.equal(known, tensor)


class Pool:
    """Sessions of `graph` with `constants` put, opened as they are needed. Thread-safe."""

    def __init__(self, graph: Graph, constants: Mapping[str, Array], open_session: Opener) -> None:
        self._graph, self._constants, self._open = graph, constants, open_session
        self._lock = threading.Lock()
        self._idle: list[Member] = []
        self._members: set[Member] = set()
        self._abandoned: deque[tuple[Member, str]] = deque()
        self.closed = False

    def run(self, tensors: Tensors, work: Callable[[Member], T]) -> T:
        """Do `work` with a session that has `tensors`; with a new one if that is gone from the server."""
        member, was_open = self._taken()
        try:
            return self._worked(member, tensors, work)
        except SessionNotFoundError:
            if not was_open or self.closed:
                raise
        _log.warning("session %s is gone from the server: another one is opened", member.session.id)
        self._drop_idle()
        return self._worked(self._opened(), tensors, work)

    def _worked(self, member: Member, tensors: Tensors, work: Callable[[Member], T]) -> T:
        with self.keeping(member):
            member.put(tensors)
            return work(member)

    @contextlib.contextmanager
    def keeping(self, member: Member) -> Iterator[None]:
        """Give a session up when a call on it fails: nobody knows what its step holds."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._members.discard(member)
            with contextlib.suppress(RaygradError):
                member.session.close()
            raise

    def give_back(self, member: Member) -> None:
        """A session is free again."""
        with self._lock:
            kept = member in self._members and not self.closed
            if kept:
                self._idle.append(member)
        if not kept:
            self._forget(member)

    def abandon(self, member: Member, lease: str) -> None:
        """Nobody will ask for this backward pass. Called by the garbage collector: it must not wait."""
        self._abandoned.append((member, lease))

    def retire(self) -> None:
        """Close the sessions, those in use as soon as they are free; no other is opened."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        for member in idle:
            self._forget(member)

    def close(self) -> None:
        """Close all sessions, those in use too."""
        self.retire()
        with self._lock:
            members, self._members = self._members, set()
        self._abandoned.clear()
        for member in members:
            member.session.close()

    # -- members ------------------------------------------------------------------------------

    def _taken(self) -> tuple[Member, bool]:
        """A session, and whether it was open already."""
        self._release_abandoned()
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self._opened(), False

    def _release_abandoned(self) -> None:
        while True:
            try:
                member, lease = self._abandoned.popleft()
            except IndexError:
                return
            with contextlib.suppress(SessionNotFoundError), self.keeping(member):
                member.session.release(lease)
                self.give_back(member)

    def _opened(self) -> Member:
        member = Member(self._open(self._graph), self._constants)
        with self._lock:
            self._members.add(member)
        return member

    def _forget(self, member: Member) -> None:
        with self._lock:
            self._members.discard(member)
        with contextlib.suppress(RaygradError):
            member.session.close()

    def _drop_idle(self) -> None:
        """One session is gone, so others will be."""
        with self._lock:
            idle, self._idle = self._idle, []
        for member in idle:
            self._forget(member)
