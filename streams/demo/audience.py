"""Progress of a run: a moving line on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Audience:
    """Hears about the run's steps and moments; writes to the console that it is given."""

    def __init__(self, console: Console, clock: Callable[[float], str]) -> None:
        self.console, self.clock = console, clock
        self.moving = console.is_terminal
        self.progress = Progress(
            SpinnerColumn(style="cyan"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[note]}", style="dim"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not self.moving,
        )
        self.task = self.progress.add_task("", total=None, note="", visible=False)
        self.tenths = 0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()

    def step(self, text: str, total: float | None = None) -> None:
        """A new step begins; with a total, `at` says how far it is."""
        self.tenths = 0
        self.progress.reset(self.task, total=total, description=text, note="", visible=True)
        if not self.moving:
            self.console.print(text)

    def at(self, done: float, total: float, note: str) -> None:
        """Show the progress of the step; a plain console hears of every tenth."""
        self.progress.update(self.task, completed=done, total=total, note=note)
        tenths = int(10 * done / total) if total else 0
        if not self.moving and tenths > self.tenths:
            self.tenths = tenths
            self.console.print(f"  {min(tenths * 10, 100):>3} %  {note}", highlight=False)

    def moment(self, event_time_ms: float, text: str, style: str = "") -> None:
        """Something happened on the event clock that a reader wants to keep."""
        self.console.print(f"  [dim]{self.clock(event_time_ms)}[/]  {text}", style=style)

    def line(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, highlight=False, soft_wrap=True)
