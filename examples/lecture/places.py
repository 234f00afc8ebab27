"""Where a script of the lecture runs: in this process, or on two stages of a server."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import raygrad as rg


@dataclass(frozen=True)
class Place:
    """This process, or the server at `target` ("host:port")."""

    target: str | None = None

    def session(self, graph: rg.Graph | rg.Builder, **options: Any) -> rg.Session:
        """A session for a graph, cut into two stages unless its placement is given."""
        options = options if "placement" in options else {"stages": 2, **options}
        if self.target is None:
            return rg.local(graph, workers=2, **options)
        return rg.connect(self.target, graph, **options)

    def device(self) -> rg.Device:
        """Where tensors are computed, for a `with`."""
        return rg.Device(stages=2, workers=2) if self.target is None else rg.Device(self.target, stages=2)


def run(main: Callable[[Place], None]) -> None:
    """Run a script where its command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--target", metavar="HOST:PORT", help="a server; without, this process does the work")
    main(Place(parser.parse_args().target))
