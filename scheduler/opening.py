"""The cluster that a server's settings ask for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from raygrad.proto.errors import ConfigurationError, ResourceError

from .config import Settings
from .local_cluster import LocalCluster
from .scheduler import Budgets, Scheduler

CONNECT_SECONDS = 5.0

log = structlog.get_logger("raygrad")


@contextmanager
def opened(settings: Settings) -> Iterator[Scheduler]:
    """A scheduler on Ray, or without it in this process; Ray is left, or ended, when the server ends."""
    budgets = Budgets(idle_seconds=settings.idle_seconds)
    if settings.ray == "none":
        yield Scheduler(LocalCluster(settings.workers, settings.backend), budgets)
        return
    from .ray_cluster import RayCluster  # brings Ray, which takes seconds to import
    from .ray_workers import stop_ray

    _reach_ray(settings)
    try:
        cluster = RayCluster(
            settings.workers,
            settings.backend,
            gpus_per_worker=settings.gpus_per_worker,
            join_timeout=settings.join_seconds,
        )
        yield Scheduler(cluster, budgets)
    finally:
        stop_ray()


def _require_listener(address: str) -> None:
    """`ResourceError` if nothing listens at HOST:PORT: Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return  # "auto", or what Ray will refuse by itself
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as exc:
        raise ResourceError(f"no Ray answers at {address}: {exc}") from exc


def _reach_ray(settings: Settings) -> None:
    """Join the Ray at the address; "local" starts one on this machine, "auto" only if none is running."""
    from .ray_workers import start_ray

    if settings.ray != "local":
        _require_listener(settings.ray)
        try:
            start_ray(settings.ray)
            return
        except ValueError as exc:
            raise ConfigurationError(f"ray: {exc}") from exc
        except ConnectionError as exc:
            if settings.ray != "auto":
                raise ResourceError(f"no Ray answers at {settings.ray}: {exc}") from exc
    log.info("starting Ray", workers=settings.workers)
    start_ray("local", cpus=max(settings.workers, os.cpu_count() or 1))
