"""Requests keep their order, whichever of them take long to prepare."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from raygrad.scheduler.ordering import InOrder

DEADLINE = 10.0  # seconds


def fail() -> None:
    raise ValueError("no plan")


def test_what_is_quick_waits_for_what_is_long() -> None:
    done: list[str] = []
    release, last = threading.Event(), threading.Event()

    def long() -> None:
        assert release.wait(DEADLINE)
        done.append("long")

    with ThreadPoolExecutor(1) as thread:
        order = InOrder(thread, lambda: done.append("caught up"))
        order.submit(lambda: done.append("at once"), is_long=False)
        assert done == ["at once"]
        order.submit(long, is_long=True)
        order.submit(lambda: done.append("behind"), is_long=False)
        order.submit(last.set, is_long=False)
        assert done == ["at once"]
        assert order.behind
        release.set()
        assert last.wait(DEADLINE)
    assert done == ["at once", "long", "behind", "caught up"]
    assert not order.behind


def test_nothing_waits_for_what_has_failed() -> None:
    with ThreadPoolExecutor(1) as thread:
        order = InOrder(thread, lambda: None)
        order.submit(fail, is_long=True)
    done: list[int] = []
    order.submit(lambda: done.append(1), is_long=False)  # its thread has ended: only the caller can do it
    assert done == [1]


@pytest.mark.parametrize("is_long", [True, False])
def test_without_a_thread_the_caller_does_it(is_long: bool) -> None:
    done: list[int] = []
    InOrder(None, fail).submit(lambda: done.append(threading.get_ident()), is_long=is_long)
    assert done == [threading.get_ident()]
