"""Runs the abuse desk during the demo: the real console, on the event clock of the incident.

The desk is a separate process, as at a carrier, so that its pages do not slow down the demo. It
ends when its standard input closes, so it never outlives its parent process.
"""

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

from streams.common import UnavailableError, tr
from streams.common.extras import MODULES
from streams.config import Settings
from streams.tools.demo.audience import Audience
from streams.tools.demo.event_clock import EventClock
from streams.tools.demo.stage import START_S, Child, usual_port

NAME: Final = "demo"
STALE_S: Final = 600.0
"""Age in seconds from which the console warns about the index. Higher than usual, because a busy
machine first reads a week of traffic here."""


def is_installed() -> bool:
    """Return true if the packages of the desk are installed."""
    return all(find_spec(each) is not None for each in MODULES["demo"])


class DeskProcess(Child):
    """The desk process of a run; starts while the history is read, and ends with the block."""

    def __init__(self, config: Path, log: Path, browse: Callable[[str], None]) -> None:
        """`browse` opens an address in a browser."""
        self._browse = browse
        self._told: dict[str, str] = {}
        command = [sys.executable, "-m", "streams.tools.demo.desk_process", str(config)]
        pipe = subprocess.PIPE
        super().__init__("otpguard desk", command, log, stdin=pipe, stdout=pipe)
        self._hears = threading.Thread(target=self._hear, name="demo-desk", daemon=True)
        self._hears.start()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._hears.join()
        _pipe(self.process.stdout).close()

    def show(self, audience: Audience) -> None:
        """Print the address of the desk, and open it in a browser.

        Raise UnavailableError if the desk did not start.
        """
        self._hears.join(START_S)
        if not self._told:
            self.check()
            raise UnavailableError(tr("the desk did not start"))
        link = self._told["link"]
        audience.line(tr("The abuse desk, on the incident as it happens: {link}").format(link=link))
        audience.line(
            tr("  log in by name {name}, password {password}").format(
                name=NAME, password=self._told["password"]
            )
        )
        self._browse(link)

    def follow(self, clock: EventClock) -> None:
        """Send this clock to the desk; raise OtpguardError if the desk has ended."""
        pipe = _pipe(self.process.stdin)
        try:
            pipe.write(f"{int(clock.now_ms())} {clock.speed:g}\n")
            pipe.flush()
        except BrokenPipeError:
            self.check()

    def _hear(self) -> None:
        """Read the single line that the desk prints: its link and password."""
        line = _pipe(self.process.stdout).readline()
        if line:
            self._told = json.loads(line)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "it was asked for"
    return pipe


# Code that runs in the process of the desk


class StoryTime:
    """The event clock of the incident, in the process of the desk. Thread-safe."""

    def __init__(self, start_ms: int) -> None:
        self.clock = EventClock(start_ms, 0)

    def __call__(self) -> int:
        """Return the time of the incident, in ms UTC."""
        return int(self.clock.now_ms())

    def read_line(self, lines: IO[str], server: Any) -> None:
        """Set the clock from each line of the player: present event time in ms, and speed.

        When the lines end, the server (uvicorn's) exits.
        """
        for line in lines:
            at_ms, speed = line.split()
            self.clock = EventClock(int(at_ms), float(speed))
        server.should_exit = True


def serve_incident(settings: Settings, start_ms: int) -> None:
    """Print link and password to standard output, and serve until the input ends.

    The console has one account with all roles needed for an incident.
    """
    from streams.cases.store.opening import open_store  # noqa: PLC0415
    from streams.cases.store.roles import DeskRole  # noqa: PLC0415 - an extra
    from streams.people.desk.console_server import serve  # noqa: PLC0415

    password = "-".join(secrets.token_hex(2) for _ in range(4))
    store = open_store(settings)
    store.accounts.add(NAME, (DeskRole.LEAD, DeskRole.ANALYST, DeskRole.AUDITOR), password=password)
    store.close()
    at = StoryTime(start_ms)

    def on_start(address: str, server: Any) -> None:
        sys.stdout.write(json.dumps({"link": address, "password": password}) + "\n")
        sys.stdout.flush()
        threading.Thread(target=at.read_line, args=(sys.stdin, server), daemon=True).start()

    serve(settings, started=on_start, clock=at)


def settings_of_demo(config: Path) -> Settings:
    """Return the settings of the run, with a desk beside its worker."""
    from streams.config import load  # noqa: PLC0415 - of the other process

    settings = load(config)
    changes: dict[str, Any] = {
        "desk": settings.desk.model_copy(
            update={"store": f"sqlite:///{config.parent / 'desk.db'}", "stale_s": STALE_S}
        ),
        "console": settings.console.model_copy(
            update={"port": usual_port(settings.console.port), "idle_s": 43_200.0}
        ),
        "http": settings.http.model_copy(update={"port": 0}),
    }
    return settings.model_copy(update=changes)


def main() -> None:
    """Serve the desk for the run whose settings file is the command-line argument."""
    from streams.common.logs import to_stderr  # noqa: PLC0415
    from streams.tools.demo.script import LIVE_MS  # noqa: PLC0415 - a second of imports

    to_stderr()
    serve_incident(settings_of_demo(Path(sys.argv[1])), LIVE_MS)


if __name__ == "__main__":
    main()
