"""The sessions that a device keeps open, by the structure of what they compute."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from raygrad.proto.errors import ConfigurationError, RaygradError

from .excerpt import Key
from .session import Session

CLOSING_SECONDS = 5.0
"""How long closing a session waits for a server, which may be gone when the program ends."""


class Sessions:
    """Open sessions by a key: at most `most`, those that were used last."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ConfigurationError(f"a device keeps at least 1 session, not {most}")
        self._most = most
        self._open: OrderedDict[Key, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._open.values()))

    def get(self, key: Key) -> Session | None:
        """The session of a structure, if it is open."""
        if (found := self._open.get(key)) is not None:
            self._open.move_to_end(key)
        return found

    def keep(self, key: Key, session: Session) -> Session:
        """Keep a new session; the one that was not used for longest makes room for it."""
        if len(self._open) >= self._most:
            _close(self._open.popitem(last=False)[1], CLOSING_SECONDS)
        self._open[key] = session
        return session

    def forget(self, key: Key) -> None:
        """A session is gone on the other side."""
        self._open.pop(key, None)

    def close(self) -> None:
        """Close all of them. Once the server does not answer, it is not waited for again."""
        patience = CLOSING_SECONDS
        while self._open:
            patience = patience if _close(self._open.popitem()[1], patience) else 0.0


def _close(session: Session, patience: float) -> bool:
    """Close, waiting at most so many seconds for the server; whether it answered."""
    session.timeout = patience
    try:
        session.close()
    except RaygradError:
        return False  # gone, or it will close the session itself, since nobody uses it
    return True
