"""Runs the abuse desk during the demo: the real console, on the event clock of the incident.

The desk is a separate process, as at a carrier, so that its pages do not slow down the demo. It
ends when its standard input closes, so it never outlives its parent process.
"""

import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

from streams.common import tr
from streams.common.extras import MODULES
from streams.config import Console, Settings, load
from streams.tools.demo.audience import Audience
from streams.tools.demo.event_clock import EventClock
from streams.tools.demo.stage import Child, is_listening, usual_port

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
        self._port = usual_port(Console().port)
        self._password = "-".join(secrets.token_hex(2) for _ in range(4))
        module = "streams.tools.demo.desk_process"
        command = [sys.executable, "-m", module, str(config), str(self._port)]
        super().__init__("otpguard desk", command, log, stdin=subprocess.PIPE)
        self._tell(self._password)

    def show(self, audience: Audience) -> None:
        """Print the address of the desk, and open it in a browser.

        Raise OtpguardError if the desk did not start.
        """
        self.wait(lambda: is_listening(self._port))
        link = f"http://127.0.0.1:{self._port}"
        audience.line(tr("The abuse desk, on the incident as it happens: {link}").format(link=link))
        audience.line(
            tr("  log in by name {name}, password {password}").format(
                name=NAME, password=self._password
            )
        )
        self._browse(link)

    def follow(self, clock: EventClock) -> None:
        """Send this clock to the desk; raise OtpguardError if the desk has ended."""
        self._tell(f"{int(clock.now_ms())} {clock.speed:g}")

    def _tell(self, line: str) -> None:
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            self.check()


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

        The server ends when the lines end.
        """
        for line in lines:
            at_ms, speed = line.split()
            self.clock = EventClock(int(at_ms), float(speed))
        server.should_exit = True


def settings_of_demo(config: Path, port: int) -> Settings:
    """Return the settings of the run, with a desk on this port beside its worker."""
    settings = load(config)
    changes: dict[str, Any] = {
        "desk": settings.desk.model_copy(
            update={"store": f"sqlite:///{config.parent / 'desk.db'}", "stale_s": STALE_S}
        ),
        "console": settings.console.model_copy(update={"port": port, "idle_s": 43_200.0}),
        "http": settings.http.model_copy(update={"port": 0}),
    }
    return settings.model_copy(update=changes)


def main() -> None:
    """Serve the desk until the input ends; arguments are the run's settings file, and the port.

    The first line of the input has the password of the only account, which has all roles needed
    for an incident.
    """
    from streams.cases.store.opening import open_store  # noqa: PLC0415
    from streams.cases.store.roles import DeskRole  # noqa: PLC0415 - an extra
    from streams.common.logs import to_stderr  # noqa: PLC0415
    from streams.people.desk.console_server import serve  # noqa: PLC0415
    from streams.tools.demo.script import LIVE_MS  # noqa: PLC0415 - a second of imports

    to_stderr()
    settings = settings_of_demo(Path(sys.argv[1]), int(sys.argv[2]))
    password = sys.stdin.readline().strip()
    store = open_store(settings)
    store.accounts.add(NAME, (DeskRole.LEAD, DeskRole.ANALYST, DeskRole.AUDITOR), password=password)
    store.close()
    at = StoryTime(LIVE_MS)

    def on_start(_address: str, server: Any) -> None:
        threading.Thread(target=at.read_line, args=(sys.stdin, server), daemon=True).start()

    serve(settings, started=on_start, clock=at)


if __name__ == "__main__":
    main()
