"""A bar of how many mini-batches are done, and how many come in a second: on a terminal, or in a notebook."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")


def counted(items: Iterator[T], total: int | None, *, show: bool) -> Iterator[T]:
    """The items, counted on a bar while they come: on standard error, if a terminal, or in a notebook."""
    if not show:
        yield from items
        return
    with _bar(total) as advance:
        for item in items:
            advance()
            yield item


async def acounted(items: AsyncIterator[T], total: int | None, *, show: bool) -> AsyncIterator[T]:
    """`counted` for items that are awaited."""
    if not show:
        async for item in items:
            yield item
        return
    with _bar(total) as advance:
        async for item in items:
            advance()
            yield item


@contextlib.contextmanager
def _bar(total: int | None) -> Iterator[Callable[[], None]]:
    """A bar for so many items, and what counts one on it."""
    if (display := _notebook()) is not None:
        yield _InNotebook(total, display).advance
        return
    with _on_terminal() as bar:
        task = bar.add_task("mini-batches", total=total)
        yield lambda: bar.advance(task)


def _on_terminal() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")

    console = Console(stderr=True, force_jupyter=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Speed())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _notebook() -> Callable[..., Any] | None:
    """How a notebook displays something, if this process is one's kernel. A terminal of IPython is none."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display: Callable[..., Any] = importlib.import_module("IPython.display").display
    return display


class _InNotebook:
    """A bar as HTML that a notebook draws, again at most ten times a second. It needs no widgets."""

    def __init__(self, total: int | None, display: Callable[..., Any]) -> None:
        self._total = total
        self._done = 0
        self._begun = self._drawn = time.monotonic()
        self._handle = display(self, display_id=True)

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        now = time.monotonic()
        if self._handle is not None and (now - self._drawn > 0.1 or self._done == self._total):
            self._drawn = now
            self._handle.update(self)

    def __repr__(self) -> str:
        seconds = max(time.monotonic() - self._begun, 1e-9)
        of = "" if self._total is None else f"/{self._total}"
        return f"mini-batches {self._done}{of} {self._done / seconds:.1f}/s"

    def _repr_html_(self) -> str:
        bar = (
            "" if self._total is None else f'<progress value="{self._done}" max="{self._total}"></progress> '
        )
        return f"<div>{bar}{self!r}</div>"
