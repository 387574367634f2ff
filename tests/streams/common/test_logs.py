"""Logs: one JSON object on each line for what collects them, and nothing of a text's for people."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from streams.common.errors import Exit
from streams.common.logs import FORMAT_VARIABLE, JsonFormatter
from tests.enforce.services import need
from tests.ports import free_port
from tests.waiting import END_S, wait_until


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


SERVICE = """
import logging, sys
from streams.common.logs import to_stderr
to_stderr()
for line in sys.stdin:
    logging.getLogger("otpguard").info(line.strip())
"""
GUIDE = Path(__file__).parents[3] / "deploy" / "README.md"


def test_a_log_file_is_rotated_as_the_guide_says(tmp_path: Path) -> None:
    """By logrotate itself, with the guide's own lines, under a service that keeps it open."""
    rotate = need("logrotate", "logrotate")
    conf = GUIDE.read_text("utf-8").split("```conf\n")[1].split("```")[0]
    rules = tmp_path / "otpguard"
    rules.write_text(conf.replace("/var/log/otpguard", str(tmp_path)))
    rules.chmod(0o644)
    tmp_path.chmod(0o755)
    log = tmp_path / "worker.log"
    with log.open("ab") as appended:
        service = subprocess.Popen(
            [sys.executable, "-c", SERVICE], stdin=subprocess.PIPE, stderr=appended
        )
    assert service.stdin is not None
    service.stdin.write(b"before\n")
    service.stdin.flush()
    wait_until(lambda: b"before" in log.read_bytes(), "a line in the log")
    subprocess.run([rotate, "--force", "--state", str(tmp_path / "state"), str(rules)], check=True)
    service.stdin.write(b"after\n")
    service.stdin.close()
    assert service.wait(timeout=60) == 0
    assert b"before" in (tmp_path / "worker.log.1").read_bytes()
    assert b"after" in log.read_bytes()
    assert b"before" not in log.read_bytes()
    assert b"\0" not in log.read_bytes(), "it goes on at the end, not at its old place"
