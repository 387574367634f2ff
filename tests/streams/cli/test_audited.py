"""Acts by command are in the audit before they are done, whatever becomes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.cases.audit_chain import AuditChain
from streams.cli.audited import actor, audit_act, audit_chain, audit_look
from streams.common.errors import UsageError
from streams.config import Settings
from streams.wire import AuditRecord, decode_audit
from tests.ports import free_port


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of an installation whose brokers are away."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Settings(kafka={"bootstrap": f"127.0.0.1:{free_port()}"})


def waiting(settings: Settings) -> list[AuditRecord]:
    with audit_chain(settings) as chain:
        return [decode_audit(each) for each in chain.pending]


def waiting_beside(settings: Settings) -> list[AuditRecord]:
    """What waits in the file while another process has the chain."""
    with audit_chain(settings) as chain:
        path = chain.path
    return [decode_audit(each.encode()) for each in json.loads(path.read_bytes())["pending"]]


def test_an_act_is_noted_before_and_after_and_waits_for_kafka(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with audit_act(settings, "erase", ticket="T-1", reason="she asked" * 60) as more:
        more["detail"] = "rows=7"
    asked, done = waiting(settings)
    assert (asked.verb, asked.outcome, asked.detail) == ("erase", "asked", "")
    assert (done.verb, done.outcome, done.detail) == ("erase", "done", "rows=7")
    assert (done.actor, done.channel, done.auth, done.ticket) == (actor(), "cli", "os", "T-1")
    assert len(done.reason) == 256
    assert "NOT IN THE AUDIT" in capsys.readouterr().err


def test_an_act_that_fails_is_noted_and_its_own_error_is_told(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="no such"), audit_act(settings, "hold", subject="x"):
        raise UsageError("no such thing")
    assert [each.outcome for each in waiting(settings)] == ["asked", "failed"]
    assert capsys.readouterr().err == "", "one error is enough where its record is not lost"


def test_a_look_waits_for_kafka_and_the_caller_does_not(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with audit_look(settings, "search", "8613900000001"):
        (look,) = waiting_beside(settings)
        assert (look.verb, look.outcome, look.subject) == ("search", "done", "8613900000001")
    assert "NOT IN THE AUDIT" in capsys.readouterr().err
    with pytest.raises(UsageError), audit_look(settings, "view", detail="cases"):
        raise UsageError("nothing found")
    assert [each.verb for each in waiting(settings)] == ["search", "view"]


def test_what_cannot_even_wait_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AuditChain, "is_durable", property(lambda _: False))
    done = []
    with (
        pytest.raises(Exception, match="audit record is not written"),
        audit_act(settings, "backup"),
    ):
        done.append(True)
    assert done == [True]


def test_what_one_cluster_did_not_take_goes_to_no_other(settings: Settings) -> None:
    with audit_act(settings, "backup"):
        pass
    other = Settings(kafka={"bootstrap": f"127.0.0.1:{free_port()}"})
    assert waiting(other) == []
    assert [each.outcome for each in waiting(settings)] == ["asked", "done"]
