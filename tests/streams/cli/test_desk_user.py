"""Accounts by command: the first administrator needs no page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.__main__ import app
from streams.cases.store.roles import DeskRole
from streams.cases.store.store import CaseStore

PASSWORD = "Rain-on-the-quay-7"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "otpguard.toml"
    path.write_text(f'desk = {{store = "sqlite:///{tmp_path}/desk.db"}}\n')
    return path


def run(config: Path, *words: str, given: str = "") -> str:
    done = CliRunner().invoke(
        app, ["desk", "user", *words, "--config", str(config)], input=given, catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_an_account_is_made_changed_listed_and_kept_out(config: Path, tmp_path: Path) -> None:
    run(config, "add", "Root", "--role", "admin", "--role", "auditor", given=f"{PASSWORD}\n")
    store = CaseStore(f"sqlite:///{tmp_path}/desk.db")
    assert store.accounts.get("root").roles == {DeskRole.ADMIN, DeskRole.AUDITOR}
    assert store.accounts.verify("root", PASSWORD) is not None
    run(config, "passwd", "root", given="Another-long-one-9\n")
    assert store.accounts.verify("root", PASSWORD) is None
    (listed,) = json.loads(run(config, "ls", "--json"))
    assert (listed["name"], listed["roles"]) == ("root", "admin auditor")
    assert PASSWORD not in json.dumps(listed)
    run(config, "disable", "root")
    assert store.accounts.get("root").disabled
    run(config, "disable", "root", "--enable")
    assert not store.accounts.get("root").disabled
    store.close()


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("add", "li.lei", "--role", "king"), PASSWORD),
        (("add", "li.lei", "--role", "agent"), "short"),
        (("add", "a b", "--role", "agent"), PASSWORD),
        (("passwd", "nobody"), PASSWORD),
        (("disable", "nobody"), ""),
    ],
)
def test_what_cannot_be_is_told_so(config: Path, words: tuple[str, ...], given: str) -> None:
    from streams.common.errors import UsageError

    with pytest.raises(UsageError):
        CliRunner().invoke(
            app, ["desk", "user", *words, "--config", str(config)], input=f"{given}\n",
            catch_exceptions=False,
        )  # fmt: skip
