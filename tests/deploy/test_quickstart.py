"""The README's quickstart, word for word, on a machine of its own: a bare folder to a throttle."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from tests import clusters
from tests.brokers import need_kafka
from tests.deploy.machine import OPERATOR, machine
from tests.deploy.tools import ROOT
from tests.enforce.services import listens, need
from tests.ports import usual_ports

pytestmark = [pytest.mark.kafka, pytest.mark.integration, pytest.mark.timeout(1_800)]

COMMANDS_MAX: Final = 8


def commands() -> list[str]:
    """The commands of the quickstart, one a line, as they are written."""
    (section,) = re.findall(
        r"\n## Quickstart.*?\n```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    return [line for line in section.splitlines() if line and not line.startswith("#")]


def test_there_are_few_commands_and_kafka_comes_from_one_of_them() -> None:
    assert len(commands()) <= COMMANDS_MAX
    assert any("make kafka" in each for each in commands())
    script = (ROOT / "deploy" / "kafka" / "start").read_text()
    assert "deploy/kafka/pom.xml" in script


def test_the_quickstart_ends_with_a_throttle_as_written(tmp_path: Path) -> None:
    need_kafka()
    need("mvn", "maven")
    need("sudo", "sudo")
    with usual_ports(), machine(tmp_path) as fresh:
        taken = [port for port in (9092, 9093, 9464) if listens(port)]
        assert not taken, f"the quickstart's ports are in use here: {taken}"
        fresh.must("sh", "-euc", f"""
            useradd --create-home --shell /bin/bash {OPERATOR}
            echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{OPERATOR}
            mkdir /home/{OPERATOR}/otpguard
            cd /mnt && git ls-files -z | xargs -0 cp --parents -t /home/{OPERATOR}/otpguard
            chown -R {OPERATOR}: /home/{OPERATOR}
        """)  # fmt: skip
        lines = ["cd ~/otpguard", *commands(), "jobs -p | xargs kill", "deploy/kafka/start stop"]
        block = shlex.quote("\n".join(lines))
        done = fresh.run("runuser", "-l", OPERATOR, "-c", f"bash -euo pipefail -c {block}")
        said = done.stdout + done.stderr
        log = fresh.run("cat", f"/home/{OPERATOR}/otpguard/worker.log").stdout
        assert done.returncode == 0, f"{said[-4000:]}\n{log[-2000:]}"
    for sentence in (
        f"Apache Kafka {clusters.KAFKA_VERSION} at 127.0.0.1:9092",
        "1 broker, Kafka 4",
        "created sms.delivery.v1",
        "otpguard: settings of /home/ops/otpguard/otpguard.toml",
        "the flood was leased",
        "burst",
    ):
        assert sentence in said
    (case,) = [line for line in said.splitlines() if "1:sms.delivery.v1:" in line]
    assert "throttle" in case.lower()
