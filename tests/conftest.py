"""One Ray for all tests that need one: it takes seconds to start, and there are two cores.

Tests marked `gpu` are skipped where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")


@pytest.fixture(scope="session")
def ray_started() -> Iterator[None]:
    """A Ray of our own: more logical CPUs than the machine has, a small object store, no dashboard."""
    from raygrad.scheduler.ray_workers import start_ray, stop_ray

    start_ray("local", cpus=8, object_store_bytes=256 << 20)
    yield
    stop_ray()
