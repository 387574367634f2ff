"""Shows the progress of a run: a progress bar on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Audience:
    """Receives the steps and events of a run, and writes them to the given console."""

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
        """Begin a new step; with a total, `at` shows its progress."""
        self.tenths = 0
        self.progress.reset(self.task, total=total, description=text, note="", visible=True)
        if not self.moving:
            self.console.print(text)

    def at(self, done: float, total: float, note: str) -> None:
        """Show the progress of the step; without a terminal, print a line for every tenth."""
        self.progress.update(self.task, completed=done, total=total, note=note)
        tenths = int(10 * done / total) if total else 0
        if not self.moving and tenths > self.tenths:
            self.tenths = tenths
            self.console.print(f"  {min(tenths * 10, 100):>3} %  {note}", highlight=False)

    def moment(self, event_time_ms: float, text: str, style: str = "") -> None:
        """Print an event with its time on the event clock; the line stays visible."""
        self.console.print(f"  [dim]{self.clock(event_time_ms)}[/]  {text}", style=style)

    def line(self, text: str) -> None:
        """Print a line that stays visible."""
        self.console.print(text, highlight=False, soft_wrap=True)
