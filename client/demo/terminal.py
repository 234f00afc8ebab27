"""What the demo shows: the plan, progress with loss and images per second, the result."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from raygrad.proto.errors import ConfigurationError
from raygrad.proto.messages import PlanSummary

from .training import Recipe


class Terminal:
    """Writes to standard output; the bar only if that is a terminal, else a line for each epoch alone."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def say(self, words: str) -> None:
        """One line."""
        self._console.print(words, markup=False)

    def plan(self, plan: PlanSummary, svg: Path) -> None:
        """The plan as a table, and as a picture in a file."""
        try:
            svg.write_text(plan.svg, encoding="utf-8")
        except OSError as exc:
            raise ConfigurationError(f"{svg} cannot be written: {exc.strerror}") from exc
        self.say(str(plan))
        self.say(f"The graph, coloured by stage, is in {svg}.\n")

    def training(self, losses: Iterator[float], recipe: Recipe, digits: int) -> float:
        """Show the losses as they come; the seconds that it took."""
        steps = recipe.steps(digits)
        start = time.perf_counter()
        with self._bar() as bar:
            task = bar.add_task("", total=recipe.epochs * steps, loss=0.0, speed=0.0)
            for epoch in range(recipe.epochs):
                began, total = time.perf_counter(), 0.0
                for number in range(1, steps + 1):
                    total += next(losses)
                    speed = min(number * digits / steps, digits) / (time.perf_counter() - began)
                    bar.update(task, advance=1, loss=total / number, speed=speed)
                self.say(
                    f"epoch {epoch + 1:2}/{recipe.epochs}  loss {total / steps:.4f}  {speed:5.0f} images/s"
                )
        return time.perf_counter() - start

    def _bar(self) -> Progress:
        columns = (
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  {task.fields[speed]:5.0f} images/s"),
            TimeRemainingColumn(),
        )
        return Progress(
            *columns, console=self._console, disable=not self._console.is_terminal, transient=True
        )
