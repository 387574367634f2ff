"""The operator's questions as typed, against a real broker; and Kannel's, which must be meant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from streams.cli.audited import actor
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.common.errors import UsageError
from streams.wire import (
    decode_audit,
    encode_ack,
    encode_action,
    encode_episode,
    encode_override,
    override_key,
)
from tests.builders.streams.cases.standing import ENDED, LATER, LEASE, OPENED, ack
from tests.builders.streams.cli.cases import ROLES, Desk, desk
from tests.builders.streams.cli.terminal import in_a_terminal
from tests.builders.streams.gateways.enforce.kannel import world as kannel
from tests.enforce.records import RECIPIENT, override

__all__ = ["desk", "kannel"]


@pytest.mark.broker
@pytest.mark.parametrize(
    ("words", "verb", "subject", "detail"),
    [
        (("phone", "139 0000 0001"), "search", RECIPIENT, ""),
        (("cases", "show", RECIPIENT), "search", RECIPIENT, ""),
        (("explain", "+8613900000001", "--json"), "search", RECIPIENT, ""),
        (("explain", OPENED.episode_id), "search", "", OPENED.episode_id),
        (("cases", "ls"), "view", "", "cases"),
        (("cases", "ls", "--all", "--json"), "view", "", "cases"),
    ],
    ids=str,
)
def test_a_look_at_somebody_is_in_the_audit(
    desk: Desk, words: tuple[str, ...], verb: str, subject: str, detail: str
) -> None:
    desk.put("episode", encode_episode(OPENED))
    desk.ask(*words)
    clients = client_arguments(desk.kafka)
    (look,) = (decode_audit(each.value) for each in records(clients, desk.topics["audit"]))
    assert (look.verb, look.subject, look.detail) == (verb, subject, detail)
    assert (look.outcome, look.channel, look.actor) == ("done", "cli", actor())


@pytest.mark.broker
def test_a_look_that_finds_nothing_is_in_the_audit_with_the_next(desk: Desk) -> None:
    with pytest.raises(UsageError, match="no case of"):
        desk.ask("cases", "show", "13900000009")
    desk.ask("phone", RECIPIENT)
    clients = client_arguments(desk.kafka)
    looks = [decode_audit(each.value) for each in records(clients, desk.topics["audit"])]
    assert [each.subject for each in looks] == ["8613900000009", RECIPIENT]


@pytest.mark.broker
def test_an_operator_sees_who_is_attacked_why_and_who_said_what(desk: Desk) -> None:
    assert "no open cases" in desk.ask("cases", "ls")
    desk.put("episode", encode_episode(OPENED))
    desk.put("throttle", encode_action(LEASE))
    desk.put("acks", encode_ack(ack("applied")), LEASE.action_id.encode())
    desk.put("acks", encode_ack(ack("expired", refused=57)), LEASE.action_id.encode())
    word = override("exempt")
    desk.put("override", encode_override(word), override_key(word))

    (case,) = json.loads(desk.ask("cases", "ls", "--json"))
    assert case["recipient"] == RECIPIENT
    assert case["refused"] == 57
    for named in ("139 0000 0001", LEASE.action_id, LEASE.episode_id):
        said = desk.ask("explain", named)
        assert "从未见过" in said
        assert "new    refuses it" in said
        assert "why it is not" in said
    shown = json.loads(desk.ask("cases", "show", RECIPIENT, "--json"))
    assert [each["state"] for each in shown["acks"]] == ["applied", "expired"]
    (spoken,) = json.loads(desk.ask("cases", "audit", "--json"))
    assert (spoken["actor"], spoken["reason"]) == (word.actor, word.reason)
    assert spoken["expires_at_ms"] == word.expires_at_ms

    desk.put("episode", encode_episode(ENDED))
    assert "no open cases" in desk.ask("cases", "ls")
    assert RECIPIENT in desk.ask("cases", "ls", "--all")
    with pytest.raises(UsageError, match="no case of"):
        desk.ask("explain", "13900000009")


@pytest.mark.broker
def test_the_worst_case_is_listed_first_and_watched_ones_when_they_are_asked_for(
    desk: Desk,
) -> None:
    desk.put("episode", encode_episode(LATER))
    assert "1 case is only watched" in desk.ask("cases", "ls")
    assert RECIPIENT not in desk.ask("cases", "ls")
    worse = replace(OPENED, episode_id="1:sms.delivery.v1:0:5", recipient="8613900000005",
                    evidence=replace(OPENED.evidence, messages=500))  # fmt: skip
    for record in (OPENED, worse):
        desk.put("episode", encode_episode(record))
    listed = desk.ask("cases", "ls", "--watched")
    numbers = [line.split()[0] for line in listed.splitlines()]
    assert numbers[-3:] == ["8613900000005", RECIPIENT, RECIPIENT]
    assert "only watched" not in listed
    assert len(desk.ask("cases", "ls").splitlines()) == len(numbers)  # one fewer, and the remark


@pytest.mark.broker
def test_a_case_whose_lease_refuses_single_platforms_is_not_only_watched(desk: Desk) -> None:
    desk.put("episode", encode_episode(replace(LATER, kind="limit")))
    desk.put("throttle", encode_action(replace(LEASE, episode_id=LATER.episode_id)))
    listed = desk.ask("cases", "ls")
    assert RECIPIENT in listed
    assert "only watched" not in listed


@pytest.mark.broker
def test_a_record_that_cannot_be_read_costs_no_command_the_others(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    poison = [
        b'{"schema_version":1,"reason":"\xff8613911111111"}',
        b'{"schema_version":1,"actor":"\xff"}',
        b'{"schema_version":1,"x":' + b"[" * 100_000,
        b"\xff",
        b'{"schema_version":9}',
    ]
    for role in ROLES:
        for value in poison * 6:
            desk.put(role, value)
    desk.put("episode", encode_episode(OPENED))
    desk.put("throttle", encode_action(LEASE))
    desk.put("acks", encode_ack(ack("applied")), LEASE.action_id.encode())
    word = override("exempt")
    desk.put("override", encode_override(word), override_key(word))
    (case,) = json.loads(desk.ask("cases", "ls", "--json"))
    assert case["gateways"] == "applied"
    (spoken,) = json.loads(desk.ask("cases", "audit", "--json"))
    assert spoken["actor"] == word.actor
    assert json.loads(desk.ask("shadow-report", "--json"))["leases"] == 1
    places = [each.getMessage() for each in caplog.records if "passed over" in each.getMessage()]
    assert any(f"{desk.topics['override']}[" in place for place in places)
    assert not any("8613911111111" in place for place in places)


@pytest.mark.broker
def test_a_narrow_screen_is_spared_columns_and_no_number_is_cut(tmp_path: Path) -> None:
    """In a terminal of that many columns: what a hotline agent has beside her other windows."""
    script = """
import termios
from streams.cli.cases import COLUMNS, _write_cases

for columns in (240, 155, 100, 60, 24):
    termios.tcsetwinsize(1, (24, columns))
    print("next width", flush=True)
    _write_cases([dict.fromkeys(COLUMNS, "x" * 12)
                  | {"recipient": "8613900000001", "state": "throttled"}])
"""
    _, wide, *narrow = in_a_terminal(240, "-c", script).split("next width")
    assert "xxxxxxxxxxxx" in wide
    assert "episode" in wide
    for columns, shown in zip((155, 100, 60, 24), narrow, strict=True):
        assert "8613900000001" in shown, columns
        assert "throttled" in shown, columns
        assert "…" not in shown, columns
        assert "episode" not in shown, columns
    assert "\x1b[1;31m" in wide
