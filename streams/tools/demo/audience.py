"""Shows the progress of a run: a progress bar on a terminal, plain lines otherwise."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Audience(Progress):
    """Receives the steps and events of a run, and writes them to the given console."""

    def __init__(self, console: Console, clock: Callable[[float], str]) -> None:
        super().__init__(
            SpinnerColumn(style="cyan"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[note]}", style="dim"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.clock = clock
        self.task = self.add_task("", total=None, note="", visible=False)
        self.tenths = 0

    def step(self, text: str, total: float | None = None) -> None:
        """Begin a new step; with a total, `at` shows its progress."""
        self.tenths = 0
        self.reset(self.task, total=total, description=text, note="", visible=True)
        if self.disable:
            self.console.print(text)

    def at(self, done: float, total: float, note: str) -> None:
        """Show the progress of the step; without a terminal, print a line for every tenth."""
        self.update(self.task, completed=done, total=total, note=note)
        tenths = int(10 * done / total) if total else 0
        if self.disable and tenths > self.tenths:
            self.tenths = tenths
            self.console.print(f"  {min(tenths * 10, 100):>3} %  {note}", highlight=False)

    def moment(self, event_time_ms: float, text: str, style: str = "") -> None:
        """Print an event with its time on the event clock; the line stays visible."""
        self.console.print(f"  [dim]{self.clock(event_time_ms)}[/]  {text}", style=style)

    def line(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)
