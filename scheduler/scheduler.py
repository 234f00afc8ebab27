"""The scheduler: a cluster, the sessions on it, and the one thread that submits.

Requests and cluster events go through one queue and are handled one after the other, so machines
need no locks, and no two threads submit to a worker. With an inline cluster there is no thread: who
asks also does the work.
"""

from __future__ import annotations

import queue
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version

import structlog

from raygrad.proto.codec import catalogue_digest, decode
from raygrad.proto.errors import (
    ConflictError,
    RaygradError,
    ResourceError,
    SessionNotFoundError,
    UnavailableError,
    words,
)
from raygrad.proto.limits import DEFAULT, Limits
from raygrad.proto.messages import ServerInfo, SessionOptions

from .cluster import Cluster
from .events import DeadlinePassed, WorkerJoined
from .reservations import Reservations
from .session import Session, SessionEvent

log = structlog.get_logger("raygrad.scheduler")

Item = tuple[str | None, SessionEvent]


@dataclass(frozen=True)
class Budgets:
    """What a scheduler gives its sessions at most."""

    limits: Limits = DEFAULT
    max_sessions: int = 64
    feed_budget: int = 1 << 30  # bytes of feeds a session may keep until they are safe
    call_timeout: float = 600.0  # seconds until a silent worker is declared lost
    idle_seconds: float = 3600.0  # until a session of which nothing is asked is closed: its client is gone


class Scheduler:
    """Owns the cluster; thread-safe."""

    def __init__(self, cluster: Cluster, budgets: Budgets | None = None) -> None:
        self.cluster = cluster
        self.budgets = budgets or Budgets()
        self.reservations = Reservations()
        self._sessions: dict[str, Session] = {}
        self._created: dict[str, tuple[bytes, SessionOptions, Session]] = {}  # by request id
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._working: int | None = None  # the thread that works inline
        self._draining = False
        self._closed = threading.Event()
        self.planning = ThreadPoolExecutor(1, thread_name_prefix="raygrad-plan")  # one: in order of arrival
        self.pool = ThreadPoolExecutor(2, thread_name_prefix="raygrad-merge")
        self._thread = (
            None if cluster.inline else threading.Thread(target=self._serve, name="raygrad", daemon=True)
        )
        cluster.start(self.post)
        if self._thread:
            self._thread.start()

    # -- sessions -----------------------------------------------------------------------------

    def create_session(
        self, document: bytes, options: SessionOptions, request_id: str = ""
    ) -> Future[Session]:
        """A session for a graph; the same request id with the same content gives the same session."""
        if self.cluster.inline:
            self.work()  # no thread looks at the time: sessions that nobody uses may have to make room
        with self._lock:
            if self._draining:
                raise UnavailableError("the server is shutting down")
            if known := self._created.get(request_id) if request_id else None:
                if known[:2] != (document, options):
                    raise ConflictError(
                        f"request {request_id} came before with another document or other options"
                    )
                return _done(known[2])
            if len(self._sessions) >= self.budgets.max_sessions:
                raise ResourceError(f"there are {len(self._sessions)} sessions open already: close one")
            session = self._open(document, options)
            if request_id:
                self._created[request_id] = (document, options, session)
            return _done(session)

    def _open(self, document: bytes, options: SessionOptions) -> Session:
        session = Session(uuid.uuid4().hex[:16], decode(document, self.budgets.limits), options, self)
        self._sessions[session.id] = session
        return session

    def session(self, id: str) -> Session:
        """An open session; `SessionNotFoundError` for any other."""
        try:
            return self._sessions[id]
        except KeyError:
            raise SessionNotFoundError(
                f"there is no session {id!r}: it was closed, by its client or since "
                f"nothing was asked of it for {self.budgets.idle_seconds:g} s, or never opened here"
            ) from None

    def sessions(self) -> tuple[Session, ...]:
        """The open sessions."""
        return tuple(self._sessions.values())

    def forget(self, id: str) -> None:
        """A session was closed."""
        with self._lock:
            self._sessions.pop(id, None)
            self._created = {k: v for k, v in self._created.items() if v[2].id != id}

    def least_used(self, count: int) -> tuple[int, ...]:
        """That many workers, those with the fewest sessions first; `ResourceError` if there are fewer."""
        load = dict.fromkeys(self.cluster.workers, 0)
        for session in self.sessions():
            for worker in session.workers:
                load[worker] = load.get(worker, 0) + 1
        if len(load) < count:
            raise ResourceError(f"{count} workers were asked for; the cluster has {len(load)}")
        return tuple(sorted(load, key=lambda w: (load[w], w))[:count])

    def info(self) -> ServerInfo:
        """Versions, catalogue and workers."""
        workers = tuple(
            f"{w}: {i.backend} ({i.fingerprint})"
            for w in self.cluster.workers
            for i in (self.cluster.info(w),)
        )
        return ServerInfo(version("raygrad"), catalogue_digest(), workers)

    # -- the one queue ------------------------------------------------------------------------

    def post(self, session: str | None, event: SessionEvent) -> None:
        """Something happened: to one session, or (None) to all. With an inline cluster, work until idle."""
        self._queue.put((session, event))
        if self.cluster.inline and threading.get_ident() != self._working:
            self.work()

    def work(self) -> None:
        """Handle what is queued and do the work it leads to, until nothing is left (inline clusters)."""
        with self._lock:
            self._working = threading.get_ident()
            try:
                if not self._patience():
                    self._handle(None, DeadlinePassed())
                while self._handle_queued() or self.cluster.pump():
                    pass
            finally:
                self._working = None

    def _handle_queued(self) -> bool:
        try:
            self._handle(*self._queue.get_nowait())
        except queue.Empty:
            return False
        return True

    def _serve(self) -> None:
        """The thread: handle events as they come; wake up for deadlines."""
        while not (self._closed.is_set() and self._queue.empty()):
            try:
                self._serve_one()
            except Exception:  # without this thread nobody would ever be answered again
                log.exception("the scheduler's thread goes on after an error")

    def _serve_one(self) -> None:
        try:
            item = self._queue.get(timeout=self._patience())
        except queue.Empty:
            item = (None, DeadlinePassed())
        self._handle(*item)
        if self._queue.empty():
            self.cluster.flush()

    def _patience(self) -> float:
        """Seconds until the next deadline, at most one."""
        deadlines = [d for s in self.sessions() if (d := s.next_deadline) is not None]
        return min(1.0, max(0.0, min(deadlines, default=float("inf")) - self.cluster.clock()))

    def wake(self) -> None:
        """Let the thread (or, inline, the caller) see to commands that were queued outside an event."""
        self.post(None, DeadlinePassed())

    def _handle(self, target: str | None, event: SessionEvent) -> None:
        if isinstance(event, WorkerJoined):
            self.cluster.admit(event.worker)
        for session in self.sessions() if target is None else (self._sessions.get(target),):
            if session is not None:
                self._tell(session, event)
        if isinstance(event, DeadlinePassed):
            self._close_idle()

    def _close_idle(self) -> None:
        """A client that vanished closes nothing; what it held on the workers must not stay for ever."""
        now = self.cluster.clock()
        for session in self.sessions():
            if (expires := session.expires) is not None and now >= expires:
                log.info("session closed: nothing was asked of it", session=session.id)
                session.abort(SessionNotFoundError(f"session {session.id} was closed: nobody used it"))

    @staticmethod
    def _tell(session: Session, event: SessionEvent) -> None:
        """A fault of ours in one session must not stop the others: it ends that session, with its error."""
        try:
            session.handle(event)
        except Exception as exc:
            log.exception("session failed", session=session.id, happened=type(event).__name__)
            session.abort(RaygradError(f"the session failed: {words(exc)}"))

    # -- ending -------------------------------------------------------------------------------

    def drain(self, timeout: float) -> None:
        """Refuse new sessions, and give what runs `timeout` seconds to end."""
        self._draining = True
        deadline = self.cluster.clock() + timeout
        for session in self.sessions():
            session.wait_idle(max(0.0, deadline - self.cluster.clock()))

    def close(self) -> None:
        """Close all sessions and the cluster."""
        self._draining = True
        for session in self.sessions():
            session.close()
        self._closed.set()
        self._queue.put((None, DeadlinePassed()))
        if self._thread:
            self._thread.join(timeout=10.0)
        for pool in (self.planning, self.pool):
            pool.shutdown(wait=False, cancel_futures=True)
        self.cluster.close()


def _done(session: Session) -> Future[Session]:
    future: Future[Session] = Future()
    future.set_result(session)
    return future
