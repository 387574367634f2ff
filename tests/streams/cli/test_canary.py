"""`otpguard canary`: it floods reserved numbers alone, and says what it lacks."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from streams.cluster.read import records
from streams.common.errors import ConfigError, Exit, UnavailableError
from streams.tools.operate.canary_flood import MEMORY
from streams.wire import encode_action
from tests.builders.streams.people.notices.notifier import World, now_ms
from tests.enforce.records import action
from tests.nodes import Broker
from tests.streams.cli.called import NOWHERE, refused, settings_file
from tests.waiting import END_S, wait_until

ROOT = Path(__file__).parents[3]


def test_numbers_that_would_never_rest_are_refused(tmp_path: Path) -> None:
    config = settings_file(tmp_path, "[canary]\nnumbers = 10")
    refused(ConfigError, "2.5 days of rest", "canary", "--once", "--config", config)


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(UnavailableError, NOWHERE, "canary", "--once", "--config", config)


@pytest.mark.broker
@pytest.mark.parametrize("leased", [False, True])
def test_ctrl_c_ends_a_flood_and_tells_what_came_of_it_so_far(
    broker: Broker, unique: str, tmp_path: Path, leased: bool
) -> None:
    world = World(broker, unique)
    lines = [f'topics.{role} = "{name}"' for role, name in world.topics.model_dump().items()
             if isinstance(name, str)]  # fmt: skip
    config = settings_file(tmp_path, *lines, "canary.deadline_s = 600")
    Path(config).write_text(Path(config).read_text().replace(NOWHERE, broker.bootstrap))
    ours, its = pty.openpty()
    shown: list[bytes] = []

    def watch() -> None:
        try:
            while part := os.read(ours, 65_536):
                shown.append(part)
        except OSError:  # nobody has the terminal open any more
            pass

    def flooded() -> list[bytes]:
        return [each.key for each in records(world.clients, world.topics.input)][MEMORY:]

    # Where this runs in a shell's background, Ctrl-C is ignored here and would be in the command.
    with closing(world.producer), subprocess.Popen(
        ["env", "--default-signal=INT",
         sys.executable, "-m", "streams", "canary", "--once", "--config", config],
        stdin=its, stdout=its, stderr=its,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"},
    ) as ran:  # fmt: skip
        os.close(its)
        reader = threading.Thread(target=watch)
        reader.start()
        try:
            wait_until(flooded, "the flood has begun")
            if leased:
                number = flooded()[0].decode()
                lease = encode_action(action(number, at_ms=now_ms()))
                world.say(world.topics.throttle, number.encode(), lease)

                sent = [0]

                def over() -> bool:
                    sent.append(len(flooded()))
                    return sent[-1] == sent[-2]

                wait_until(over, "no message follows the lease", pause_s=1)
            ran.send_signal(signal.SIGINT)
            code = ran.wait(END_S)
        finally:
            ran.kill()
            reader.join()
            os.close(ours)
    told = b"".join(shown).decode()
    assert code == Exit.INTERRUPTED, told
    assert "seconds since the flood" in told
    became = "unacknowledged" if leased else "missed"
    assert f"s: the flood was {became} until then" in told
    assert "Traceback" not in told
