"""Plans without a server: what `raygrad plan` prints."""

from __future__ import annotations

from collections.abc import Mapping

from raygrad.proto.messages import PlanSummary, SessionOptions

from .cost import LinkRates
from .local_cluster import LocalCluster
from .scheduler import Scheduler


class _AsOnRay(LocalCluster):
    """Workers of this machine, linked as slowly as Ray links them."""

    link = LinkRates()


def predict(
    document: bytes, sizes: Mapping[str, int], options: SessionOptions, workers: int, backend: str
) -> PlanSummary:
    """The plan that a server with these workers would make, its kernels measured here."""
    scheduler = Scheduler(_AsOnRay(workers, backend))
    try:
        return scheduler.create_session(document, options).result().plan(sizes)
    finally:
        scheduler.close()
