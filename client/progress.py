"""A bar that shows how many mini-batches are done, and how many come in a second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")


def counted(items: Iterator[T], total: int | None, *, show: bool) -> Iterator[T]:
    """The items, counted on a bar on standard error while they come, if that is a terminal."""
    if not show:
        yield from items
        return
    with _bar() as bar:
        task = bar.add_task("mini-batches", total=total)
        for item in items:
            bar.advance(task)
            yield item


async def acounted(items: AsyncIterator[T], total: int | None, *, show: bool) -> AsyncIterator[T]:
    """`counted` for items that are awaited."""
    if not show:
        async for item in items:
            yield item
        return
    with _bar() as bar:
        task = bar.add_task("mini-batches", total=total)
        async for item in items:
            bar.advance(task)
            yield item


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Speed())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
