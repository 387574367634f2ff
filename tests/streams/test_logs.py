"""Logs: one JSON object on each line for what collects them, and nothing of a text's for people."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime

import pytest

from streams.errors import Exit
from streams.logs import FORMAT_VARIABLE, JsonFormatter
from tests.ports import free_port
from tests.waiting import END_S


def worker(*words: str, **environment: str) -> list[str]:
    """What a worker without a broker says on standard error."""
    variables = {
        **os.environ,
        "OTPGUARD_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "OTPGUARD_HTTP_PORT": str(free_port()),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words, "worker"], capture_output=True, text=True,
        check=False, env=variables, timeout=END_S,
    )  # fmt: skip
    assert done.returncode == Exit.TRY_AGAIN, done.stderr
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "environment"),
    [(["--log-format", "json"], {}), ([], {FORMAT_VARIABLE: "json"})],
    ids=["option", "environment"],
)
def test_a_service_logs_json_if_it_is_told_to(
    words: list[str], environment: dict[str, str]
) -> None:
    told = [json.loads(line) for line in worker(*words, **environment)]
    assert told
    for each in told:
        assert {"time", "level", "logger", "message"} <= each.keys()
        assert datetime.fromisoformat(each["time"]).tzinfo is not None
    assert told[-1]["level"] == "CRITICAL"


def test_it_logs_lines_for_people_otherwise() -> None:
    (line, *_) = worker()
    assert line[:4].isdigit()
    assert " CRITICAL " in line


def test_a_traceback_stays_on_its_line() -> None:
    try:
        int("line one\nline two \u202e")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, "", 0, "it broke: %s", ("淘宝",), sys.exc_info()
        )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert told["message"] == "it broke: 淘宝"
    assert "ValueError: invalid literal" in told["exception"]
