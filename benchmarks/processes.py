"""CPU seconds by kind of process, for saying where a step's time goes (Linux's /proc)."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuSeconds:
    """User and system seconds since each process began."""

    client: float  # this process
    scheduler: float  # the server's process
    workers: float  # the actors
    ray: float  # Ray's own processes

    @classmethod
    def now(cls, server_pid: int) -> Self:
        """Of this process, the server, and all that the server started."""
        found = _all()
        children: dict[int, list[int]] = {}
        for pid, (parent, _, _) in found.items():
            children.setdefault(parent, []).append(pid)
        below, frontier = [], [server_pid]
        while frontier:
            frontier = [c for pid in frontier for c in children.get(pid, ())]
            below += frontier
        workers = [pid for pid in below if "WorkerActo" in found[pid][1]]
        return cls(
            client=found[os.getpid()][2],
            scheduler=found[server_pid][2],
            workers=sum(found[pid][2] for pid in workers),
            ray=sum(found[pid][2] for pid in below if pid not in workers),
        )

    def __sub__(self, other: CpuSeconds) -> CpuSeconds:
        mine, theirs = asdict(self), asdict(other)
        return CpuSeconds(**{name: mine[name] - theirs[name] for name in mine})


def _all() -> dict[int, tuple[int, str, float]]:
    """Parent, name and CPU seconds of every process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # it ended meanwhile
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        found[int(path.parent.name)] = (int(rest[1]), name, (int(rest[11]) + int(rest[12])) / _TICK)
    return found
