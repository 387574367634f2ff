"""The case store's commands as typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.__main__ import app
from streams.cases.store.backup import saved_ms
from streams.cases.store.store import CaseStore
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.common.errors import UsageError
from streams.common.language import moment
from streams.wire import AuditRecord, decode_audit
from tests.builders.streams.cases.store.indexer import Site, story
from tests.builders.streams.cli.cases import ROOT
from tests.nodes import Broker
from tests.streams.cases.store.filled import ended, flood
from tests.waiting import END_S, wait_until

NUMBER = "8613900000000"


class Store(Site):
    """A site with commands."""

    def ask(self, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["desk", *words, "--config", str(self.config)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return done.output


@pytest.fixture
def site(broker: Broker, unique: str, tmp_path: Path) -> Iterator[Store]:
    made = Store(broker, unique, tmp_path)
    with closing(made.producer):
        made.write(*story(0, 3), ended(flood(0, recipient="8613900000000")[0]))
        with closing(CaseStore(made.url)) as store:
            made.indexer(store).catch_up()
        yield made


@pytest.mark.broker
def test_the_indexer_says_how_far_it_is_and_ends_at_once(site: Store) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams", "desk", "index", "--config", str(site.config)],
        cwd=ROOT,
        env={**os.environ, "OTPGUARD_HTTP_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with closing(CaseStore(site.url)) as store:
            before = store.mark()
            site.write(*story(3, 1))
            wait_until(lambda: store.mark() != before or process.poll() is not None, "it reads")
            wait_until(lambda: store.find("8613900000003").newest, "the new flood is found")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=END_S)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    assert NUMBER not in said


@pytest.mark.broker
def test_a_rebuild_and_a_check_say_what_they_found(site: Store) -> None:
    found = json.loads(site.ask("rebuild", "--check", "--json"))
    assert {each["table"]: each["missing"] for each in found}["cases"] == 0
    with closing(CaseStore(site.url)) as store, store.index.begin() as connection:
        connection.exec_driver_sql("DELETE FROM leases")
    assert "leases" in site.ask("rebuild", "--check", code=1)
    assert json.loads(site.ask("rebuild", "--json"))["leases"] == 3
    site.ask("rebuild", "--check")


@pytest.mark.broker
def test_a_number_is_erased_and_the_topics_that_hold_it_are_named(site: Store) -> None:
    site.ask("hold", NUMBER, "--document", "D-7", "--reason", "police")
    with pytest.raises(UsageError, match="D-7"):
        site.ask("erase", NUMBER, "--yes")
    (held,) = json.loads(site.ask("hold", "--json"))
    assert json.loads(site.ask("hold", "--lift", str(held["hold_id"]), "--json")) == []
    with pytest.raises(UsageError, match="--document"):
        site.ask("hold", NUMBER)
    assert "[y/N]" in site.ask("erase", "139 0000 0000", code=1)
    said = site.ask("erase", "139 0000 0000", "--yes")
    assert "rows of the case store" in said
    assert "bytes searched, not there" in said
    assert site.names["incident"] in said
    assert "earlier backups" in said
    told = json.loads(site.ask("erase", NUMBER, "--yes", "--json"))
    assert told["rows"] == {}
    audit = audit_of(site)
    assert [(each.verb, each.outcome) for each in audit][:6] == [
        ("hold", "asked"), ("hold", "done"), ("erase", "asked"), ("erase", "failed"),
        ("lift", "asked"), ("lift", "done"),
    ]  # fmt: skip
    assert {each.subject for each in audit if each.verb == "erase"} == {""}, "not whom"
    assert audit[-3].detail.startswith("rows=")
    with pytest.raises(UsageError, match="neither a number nor a token"):
        site.ask("erase", "nobody", "--yes")


def audit_of(site: Store) -> list[AuditRecord]:
    """The audit as it lies on its topic, the oldest first."""
    found = records(client_arguments(site.settings.kafka), site.names["audit"])
    return [decode_audit(each.value) for each in found if each.value is not None]


@pytest.mark.broker
def test_a_backup_fills_another_store(site: Store, tmp_path: Path) -> None:
    path = tmp_path / "desk.jsonl.gz"
    assert "rows" in site.ask("backup", str(path))
    site.config.write_text(site.config.read_text().replace("desk.db", "other.db"))
    told = site.ask("restore", str(path))
    assert "rows" in told
    assert f"what was erased after {moment(saved_ms(path))} is in it again" in told
    with closing(CaseStore(site.url.replace("desk.db", "other.db"))) as store:
        assert store.find(NUMBER).newest is not None
    with pytest.raises(UsageError, match="not empty"):
        site.ask("restore", str(path))
    assert [(each.verb, each.outcome, each.detail) for each in audit_of(site)] == [
        ("backup", "asked", str(path)), ("backup", "done", str(path)),
        ("restore", "asked", str(path)), ("restore", "done", str(path)),
        ("restore", "asked", str(path)), ("restore", "failed", str(path)),
    ]  # fmt: skip
