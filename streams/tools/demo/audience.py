"""Shows the progress of a run: lines that stay, and on a terminal the state below them."""

from collections.abc import Callable

from rich.console import Console
from rich.status import Status


class Audience(Status):
    """Receives the steps and events of a run, and writes them to the given console."""

    def __init__(self, console: Console, clock: Callable[[float], str]) -> None:
        super().__init__("", console=console)
        self.clock = clock

    def step(self, text: str) -> None:
        """Begin a new step."""
        self.update("")
        self.line(text)

    def at(self, done: float, total: float, note: str) -> None:
        """Show the progress of the step on a terminal."""
        self.update(f"{done / total if total else 0:.0%}  {note}")

    def moment(self, event_time_ms: float, text: str) -> None:
        """Print an event with its time on the event clock."""
        self.console.print(f"  [dim]{self.clock(event_time_ms)}[/]  {text}")

    def line(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)
