"""The guide for a machine with systemd, followed word for word: every command of it, in order.

A test edits the files that the guide has a person edit; nothing else is changed.
"""

from __future__ import annotations

import shlex
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.brokers import need_kafka
from tests.builders.deploy.guide import blocks
from tests.deploy.guarded import Castle, castle
from tests.deploy.machine import OPERATOR, Machine, machine
from tests.deploy.tools import ROOT
from tests.enforce.services import Server, need
from tests.ports import usual_ports
from tests.waiting import END_S, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.guides, pytest.mark.timeout(1_800)]

USERS: Final = (
    "otpguard-worker", "otpguard-adapter", "otpguard-canary", "alice", "bob", "carol",
)  # fmt: skip
HOME: Final = Path("/home") / OPERATOR
WORKER: Final = "otpguard-worker@1"


@dataclass(frozen=True, slots=True)
class Installed:
    """A machine on which the guide was followed, and what it said."""

    machine: Machine
    castle: Castle
    said: str


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    need_kafka()
    folder = tmp_path_factory.mktemp("guide")
    with (
        usual_ports(),
        castle(folder, USERS) as guarded,
        redis(guarded, folder),
        machine(folder) as fresh,
    ):
        prepare(fresh, guarded)
        said = [follow(fresh, block) for block in blocks("sh")]
        yield Installed(fresh, guarded, "\n".join(said))


def redis(guarded: Castle, folder: Path) -> Server:
    """Where the guide's adapter finds it: on port 6380, with TLS, and the users that we ship."""
    users = (ROOT / "deploy" / "gateways" / "redis-users.acl").read_text()
    lines = [line for line in users.splitlines() if not line.startswith("#")]
    acl = folder / "users.acl"
    acl.write_text("\n".join([*lines, "user default off", ""]).replace("><password>", ">gateway"))
    words = {"port": 0, "tls-port": 6380, "bind": "127.0.0.1", "tls-auth-clients": "no",
             "tls-cert-file": guarded.guarded.key_pair, "tls-key-file": guarded.guarded.key_pair,
             "tls-ca-cert-file": guarded.guarded.ca, "aclfile": acl, "dir": folder}  # fmt: skip
    options = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    command = [need("redis-server", "redis-server"), *options, "--save", "", "--appendonly", "no"]
    return Server("redis", command, folder, 6380)


def prepare(fresh: Machine, guarded: Castle) -> None:
    """What is there before the first step: an operator who may use sudo, a checkout, names."""
    need("sudo", "sudo")
    need("curl", "curl")
    settings = blocks("toml")[0].replace(
        "kafka-1:9093,kafka-2:9093,kafka-3:9093", guarded.broker.bootstrap
    )
    settings += "partitions = 4\nreplication = 1  # there is one broker\n"
    passwords = guarded.guarded.users
    edits = {
        "otpguard": settings,
        "worker-kafka-password": passwords["otpguard-worker"],
        "adapter-kafka-password": passwords["otpguard-adapter"],
        "canary-kafka-password": passwords["otpguard-canary"],
        "jasmin-1-secret": "gateway",
    }
    cases = "".join(
        f"    */{name}*) printf '%s\\n' {shlex.quote(text)} > \"$file\" ;;\n"
        for name, text in edits.items()
    )
    editor = f"""#!/bin/sh
for file; do
    case $file in
    */otpguard*) grep -q '^bootstrap' "$file" && sed -i '1i mode = "enforce"' "$file" && continue ;;
    esac
    case $file in
{cases}    *) exit 1 ;;
    esac
done
"""
    fresh.must("sh", "-euc", f"""
        rm -rf /opt/otpguard /etc/otpguard /usr/local/bin/otpguard
        useradd --create-home --shell /bin/bash {OPERATOR}
        echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{OPERATOR}
        echo '127.0.0.1 redis machine' >> /etc/hosts
        mkdir {HOME}/otpguard
        cp -r /mnt/[!.]* {HOME}/otpguard
        printf %s {shlex.quote(editor)} > {HOME}/edit
        chmod 755 {HOME}/edit
        umask 077
        printf %s {passwords["admin"]} > {HOME}/admin-password
        printf %s {passwords["bob"]} > {HOME}/bob-password
        printf %s {passwords["carol"]} > {HOME}/carol-password
        umask 022
        printf %s {shlex.quote(guarded.guarded.ca.read_text())} > {HOME}/kafka-ca.pem
        cp {HOME}/kafka-ca.pem /usr/local/share/ca-certificates/kafka-ca.crt
        update-ca-certificates
        chown -R {OPERATOR}: {HOME}
    """)  # fmt: skip


def follow(fresh: Machine, block: str) -> str:
    """Run a block of the guide as the operator, in the checkout; each command has to end well."""
    lines = f"cd ~/otpguard\nexport EDITOR=$HOME/edit\n{block}"
    done = fresh.run("runuser", "-l", OPERATOR, "-c", f"bash -euo pipefail -c {shlex.quote(lines)}")
    said = done.stdout + done.stderr
    journal = fresh.run("journalctl", "--no-pager", "--lines=30").stdout
    assert done.returncode == 0, f"{block}\n{said[-3000:]}\n{journal}"
    return said


def ready(port: int = 9464) -> bool:
    """Whether the worker is."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=END_S):
            return True
    except OSError:
        return False


def test_every_step_does_what_it_says(installed: Installed) -> None:
    for said in (
        "created sms.delivery.v1",
        "rights: the rights of worker, and no more",
        "the flood was ignored",  # shadow: the adapter says that it may not hold the lease
        "leases by mode                      shadow 1",
        "the flood was applied",
        "mode by ops",
    ):
        assert said in installed.said
    assert installed.said.count("in effect at jasmin-1") == 2
    for unit in (WORKER, "otpguard-worker@2", "otpguard-adapter@jasmin-1"):
        assert installed.machine.shows(unit, "ActiveState") == "active"
        assert installed.machine.shows(unit, "NRestarts") == "0"
    assert ready(9464)
    assert ready(9474)
    assert ready(9465)


@pytest.mark.parametrize("unit", [WORKER, "otpguard-adapter@jasmin-1"])
def test_a_service_has_no_power_and_no_secret_in_its_environment(
    installed: Installed, unit: str
) -> None:
    process = installed.machine.shows(unit, "MainPID")
    status = dict(
        line.split(":\t", 1)
        for line in installed.machine.must("cat", f"/proc/{process}/status").splitlines()
        if ":\t" in line
    )
    assert int(status["Uid"].split()[0]) >= 61_184  # a dynamic user
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert "-Secret-1" not in installed.machine.must("cat", f"/proc/{process}/environ")


def test_a_service_that_is_killed_comes_back(installed: Installed) -> None:
    process = installed.machine.shows(WORKER, "MainPID")
    installed.machine.must("kill", "-9", process)
    wait_until(lambda: installed.machine.shows(WORKER, "NRestarts") == "1", "it is restarted")
    wait_until(ready, "the worker is ready")
    assert installed.machine.shows(WORKER, "MainPID") != process


def test_a_worker_that_is_stopped_drains_and_ends_well(installed: Installed) -> None:
    installed.machine.must("systemctl", "stop", WORKER)
    assert installed.machine.shows(WORKER, "Result") == "success"
    assert installed.machine.shows(WORKER, "ExecMainStatus") == "0"
    assert "last checkpoints" in installed.machine.must("journalctl", "--no-pager", "-u", WORKER)


def test_a_worker_with_a_wrong_password_says_so_and_does_not_try_again(
    installed: Installed,
) -> None:
    place = "/etc/otpguard/secrets/worker-kafka-password"
    installed.machine.must("sh", "-c", f"echo guess > {place}; systemctl restart {WORKER}")
    failed = lambda: installed.machine.shows(WORKER, "ActiveState") == "failed"  # noqa: E731
    wait_until(failed, "the worker ends")
    assert installed.machine.shows(WORKER, "ExecMainStatus") == "78"
    assert installed.machine.shows(WORKER, "NRestarts") == "0"
    said = installed.machine.must("journalctl", "--no-pager", "-u", WORKER)
    assert "refuses user otpguard-worker" in said
