"""The captures of a module that are kept: for inputs of certain types, and a program in a certain state."""

from __future__ import annotations

import sys
import warnings
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from raygrad.proto.errors import ConfigurationError

from .description import is_library
from .guards import Guards
from .runner import Runner
from .translator import Program


@dataclass(frozen=True, eq=False)
class Capture:
    """A captured forward pass, what it was captured with, and where it runs."""

    program: Program
    guards: Guards
    runner: Runner


class Captures:
    """At most `most` captures, those used last; the sessions of others are closed. Not thread-safe."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ConfigurationError(f"a Remote keeps at least 1 capture, not {most}")
        self._most = most
        self._by_key: OrderedDict[Hashable, list[Capture]] = OrderedDict()
        self._count = 0
        self._warned = False

    def find(self, key: Hashable) -> Capture | None:
        """One whose key this is, and what it read is still so."""
        for capture in reversed(found := self._by_key.get(key, [])):
            if capture.guards.changed() is None:
                self._by_key.move_to_end(key)
                found.remove(capture)
                found.append(capture)
                return capture
        return None

    def why(self, key: Hashable) -> str | None:
        """What has changed since the last capture of this key; `None` if it is the first."""
        found = self._by_key.get(key)
        return found[-1].guards.changed() if found else None

    def keep(self, key: Hashable, capture: Capture, reason: str) -> None:
        """Keep one more. If that makes too many, the one that was not used for longest goes."""
        self._by_key.setdefault(key, []).append(capture)
        self._by_key.move_to_end(key)
        self._count += 1
        if self._count > self._most:
            self._warn(reason)
            self._drop()

    def close(self) -> None:
        """Close all sessions."""
        kept, self._by_key, self._count = self._by_key, OrderedDict(), 0
        for captures in kept.values():
            for capture in captures:
                capture.runner.close()

    def _drop(self) -> None:
        key, captures = next(iter(self._by_key.items()))
        captures.pop(0).runner.retire()
        if not captures:
            del self._by_key[key]
        self._count -= 1

    def _warn(self, reason: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"the module was captured more than {self._most} times, which is slow; the last time because "
                f"{reason}",
                stacklevel=_level_of_program(),
            )


def _level_of_program() -> int:
    """How far up the program's own code is, for a warning that the caller of this gives."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and is_library(frame.f_globals.get("__name__")):
        level, frame = level + 1, frame.f_back
    return level
