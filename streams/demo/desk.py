"""Runs the abuse desk during the demo: the real console, on the event clock of the incident.

The desk is a separate process, as at a carrier, so that its pages do not slow down the demo. It
ends when its standard input closes, so it never outlives its parent process.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from streams.demo.clock import EventClock
from streams.demo.stage import START_S, STOP_S, environment, usual_port
from streams.errors import OtpguardError, UnavailableError
from streams.files import last_lines
from streams.language import tr

if TYPE_CHECKING:
    from typing import IO

    from streams.config import Settings
    from streams.demo.audience import Audience

PACKAGES: Final = (
    "alembic",
    "argon2",
    "authlib",
    "sqlalchemy",
    "sse_starlette",
    "starlette",
    "uvicorn",
)
"""Packages of the extra `desk`, by import name."""

NAME: Final = "demo"
STALE_S: Final = 600.0
"""Age in seconds from which the console warns about the index. Higher than usual, because a busy
machine first reads a week of traffic here."""


def installed() -> bool:
    """Return true if the packages of the desk are installed."""
    return all(find_spec(each) is not None for each in PACKAGES)


@dataclass(slots=True)
class StoryTime:
    """The event clock of the incident, in the process of the desk. Thread-safe."""

    clock: EventClock

    def __call__(self) -> int:
        """Return the time of the incident, in ms UTC."""
        return int(self.clock.now_ms())

    def heed(self, line: str) -> None:
        """Set the clock from a line of the player: present event time in ms, and speed.

        >>> time_ = StoryTime(EventClock(0, 0))
        >>> time_.heed("60000 0")
        >>> time_()
        60000
        """
        at_ms, speed = line.split()
        self.clock = EventClock(int(at_ms), float(speed))


class DeskProcess:
    """The desk process of a run; starts while the history is read, and ends with the block."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log
        self._told: dict[str, str] = {}
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.demo.desk", str(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                encoding="utf-8",
                start_new_session=True,
                env=environment(),
            )
        self._hears = threading.Thread(target=self._hear, name="demo-desk", daemon=True)
        self._hears.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _pipe(self.process.stdin).close()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._hears.join()
        _pipe(self.process.stdout).close()

    @property
    def link(self) -> str:
        """The address with a one-time login for one browser."""
        return self._said("link")

    def show(self, audience: Audience) -> None:
        """Print the address of the desk. Raise UnavailableError if the desk did not start."""
        audience.line(
            tr("The abuse desk, on the incident as it happens: {link}").format(link=self.link)
        )
        audience.line(
            tr("  the link lets one browser in; others by name {name}, password {password}").format(
                name=NAME, password=self._said("password")
            )
        )

    def follow(self, clock: EventClock) -> None:
        """Send this clock to the desk; raise OtpguardError if the desk has ended."""
        pipe = _pipe(self.process.stdin)
        try:
            pipe.write(f"{int(clock.now_ms())} {clock.speed:g}\n")
            pipe.flush()
        except BrokenPipeError:
            self.check()

    def check(self) -> None:
        """Raise OtpguardError if the process has ended."""
        if self.process.poll() is not None:
            tail = last_lines(self._log, 12)
            raise OtpguardError(tr("the desk has ended:\n{tail}").format(tail=tail))

    def _said(self, name: str) -> str:
        self._hears.join(START_S)
        if name not in self._told:
            self.check()
            raise UnavailableError(tr("the desk did not start"))
        return self._told[name]

    def _hear(self) -> None:
        """Read the single line that the desk prints: its link and password."""
        line = _pipe(self.process.stdout).readline()
        if line:
            self._told = json.loads(line)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "it was asked for"
    return pipe


# Code that runs in the process of the desk


@dataclass(slots=True)
class DemoDesk:
    """The console with one account that has all roles needed for an incident."""

    settings: Settings
    at: StoryTime
    stop: threading.Event = field(default_factory=threading.Event)

    def serve(self) -> None:
        """Print link and password to standard output, and serve until the input ends."""
        from streams.desk.store.opening import opened  # noqa: PLC0415
        from streams.desk.store.roles import DeskRole  # noqa: PLC0415 - an extra
        from streams.desk.web.desk import LoginTicket  # noqa: PLC0415
        from streams.desk.web.serve import serve  # noqa: PLC0415

        password = "-".join(secrets.token_hex(2) for _ in range(4))
        store = opened(self.settings)
        store.accounts.add(
            NAME, (DeskRole.LEAD, DeskRole.ANALYST, DeskRole.AUDITOR), password=password
        )
        store.close()
        ticket = LoginTicket(NAME)

        def started(address: str) -> None:
            link = f"{address}/login/once/{ticket.secret}"
            sys.stdout.write(json.dumps({"link": link, "password": password}) + "\n")
            sys.stdout.flush()

        threading.Thread(target=self._heed, name="story-time", daemon=True).start()
        serve(self.settings, started=started, stop=self.stop, clock=self.at, ticket=ticket)

    def _heed(self) -> None:
        for line in sys.stdin:
            self.at.heed(line)
        self.stop.set()


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
    from streams.demo.script import LIVE_MS  # noqa: PLC0415 - a second of imports
    from streams.logs import to_stderr  # noqa: PLC0415

    to_stderr()
    at = StoryTime(EventClock(LIVE_MS, 0, time.monotonic()))
    DemoDesk(settings_of_demo(Path(sys.argv[1])), at).serve()


if __name__ == "__main__":
    main()
