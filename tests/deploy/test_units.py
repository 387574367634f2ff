"""The units on a machine with systemd: their users and folders, whichever of them is started.

In the place of the program is a shell that writes into the folder its unit gives it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.machine import Machine, machine
from tests.deploy.tools import ROOT
from tests.waiting import wait_until

UNITS: Final = ROOT / "deploy" / "systemd"
STATE: Final = "/var/lib/otpguard"
WRITES: Final = "/bin/sh -c 'touch $$STATE_DIRECTORY/written && exec sleep infinity'"


def lines(text: str, key: str) -> list[str]:
    """The values of a key of a unit, in order."""
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


KEEPING: Final = sorted(
    path.name for path in UNITS.glob("*.service") if lines(path.read_text(), "StateDirectory")
)
"""Units with a folder under /var/lib."""


def started(unit: str) -> str:
    """The name that a unit is started under."""
    return unit.replace("@.", "@one.")


@pytest.mark.parametrize("path", sorted(UNITS.glob("*.service")), ids=lambda path: path.stem)
def test_no_unit_takes_a_folder_that_others_pass_through_or_a_user_that_nobody_made(
    path: Path,
) -> None:
    text = path.read_text()
    # A user that is not dynamic has to be made by somebody, and owns its folder under /var/lib
    # itself, where the others' is a link into /var/lib/private.
    assert lines(text, "DynamicUser") == ["yes"]
    for key in ("StateDirectory", "RuntimeDirectory"):
        # systemd gives the last part of the name to the unit's user; parts before stay root's.
        assert all(re.fullmatch(r"otpguard/\S+", folder) for folder in lines(text, key))


def test_units_of_one_user_keep_one_folder() -> None:
    """Whoever shares a folder under /var/lib/private must be the user that owns it."""
    folders: dict[str, set[str]] = {}
    for path in UNITS.glob("*.service"):
        text = path.read_text()
        for user in lines(text, "User"):
            folders.setdefault(user, set()).update(lines(text, "StateDirectory"))
    assert folders == {"otpguard-desk": {"otpguard/desk"}}


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which all units with a folder were started."""
    folder = tmp_path_factory.mktemp("units")
    with machine(folder) as fresh:
        files: set[str] = set()
        for unit in KEEPING:
            text = (UNITS / unit).read_text()
            files.update(
                value.partition(":")[2].replace("%i", "one")
                for value in lines(text, "LoadCredential")
            )
            files.update(
                value.replace("%i", "one")
                for value in lines(text, "EnvironmentFile")
                if value[0] == "/"
            )
            text = re.sub(r"(?m)^ExecStart=.*$", lambda _: f"ExecStart={WRITES}", text)
            text = text.replace("Type=notify", "Type=exec")
            subprocess.run(
                ["nsenter", f"--target={fresh.first}", "--mount", "tee",
                 f"/etc/systemd/system/{unit}"],
                input=text, text=True, check=True, capture_output=True,
            )  # fmt: skip
        fresh.must("mkdir", "-p", "/etc/otpguard/secrets")
        fresh.must("touch", *sorted(files))
        fresh.must("systemctl", "daemon-reload")
        fresh.run("systemctl", "start", *map(started, KEEPING))
        yield fresh


@pytest.mark.integration
def test_units_run_side_by_side_in_folders_of_their_own(booted: Machine) -> None:
    again = [started(unit) for unit in KEEPING]
    for _ in range(2):  # a start finds what another one made of the folder
        for unit in again:
            assert booted.shows(unit, "ActiveState") == "active", (
                unit, booted.run("systemctl", "status", "--no-pager", unit).stdout,
            )  # fmt: skip
        assert booted.must("stat", "--format=%U %a", STATE).split() == ["root", "755"]
        booted.run("systemctl", "restart", *again)


@pytest.mark.integration
def test_a_folder_that_a_unit_of_before_took_is_given_back_as_the_page_says(
    booted: Machine,
) -> None:
    page = (ROOT / "deploy" / "signal.md").read_text("utf-8")
    (block,) = re.findall(r"```sh\n(sudo chown .*?)```", page, re.DOTALL)
    gate = "otpguard-gate@one.service"
    booted.must("systemctl", "stop", gate)
    booted.must("sh", "-c", f"chown 61999:61999 {STATE}; chmod 700 {STATE}; systemctl start {gate}")
    wait_until(lambda: booted.shows(gate, "NRestarts") != "0", "the gate cannot write")
    booted.must("sh", "-ec", block.replace("sudo ", ""))
    wait_until(lambda: booted.shows(gate, "SubState") == "running", "the gate is back")
    booted.must("sleep", "1")
    assert booted.shows(gate, "ActiveState") == "active"
    assert booted.must("stat", "--format=%U %a", STATE).split() == ["root", "755"]
