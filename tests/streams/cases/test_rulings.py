"""Rulings over a log: a gateway's rule, and leases that count from the event that caused them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from detectors.leases.gateway_rule import Ruling
from detectors.model.event import Trust, platform_id
from detectors.model.records import Action, AgainWindow
from streams.cases.log_replay import replay
from streams.cases.rulings import DELAY_MS, LogMessage, RulingGateway
from streams.config import Settings
from streams.tools.scenarios import generate
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, action

LEASE = action(revision=7)


def message(at_ms: int, offset: int = 8, platform: str = "sig:a", **more: Any) -> LogMessage:
    fields = {"otp": True, "trust": Trust.NONE, **more}
    return LogMessage(RECIPIENT, START_MS + at_ms, offset, platform=platform, **fields)


def gateway(*actions: Action, **options: Any) -> RulingGateway:
    made = RulingGateway(**options)
    made.add(actions)
    return made


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (message(DELAY_MS - 1), Ruling.NO_LEASE),
        (message(DELAY_MS), Ruling.REFUSE),
        (message(LEASE_MS - 1), Ruling.REFUSE),
        (message(LEASE_MS), Ruling.OVER),
        (message(DELAY_MS, offset=7), Ruling.NO_LEASE),  # the message that caused it
        (message(DELAY_MS, offset=6), Ruling.NO_LEASE),  # it came to the log before
        (message(DELAY_MS, trust=Trust.BANK), Ruling.TRUSTED),
        (message(DELAY_MS, otp=False), Ruling.NOT_A_CODE),
    ],
)
def test_a_lease_is_in_force_some_time_after_its_cause(asked: LogMessage, expected: Ruling) -> None:
    assert gateway(LEASE).rule(asked)[0] is expected


def test_without_a_delay_the_message_that_caused_a_lease_has_passed() -> None:
    assert gateway(LEASE, delay_ms=0).rule(message(0, offset=7))[0] is Ruling.NO_LEASE
    assert gateway(LEASE, delay_ms=0).rule(message(0, offset=8))[0] is Ruling.REFUSE


def test_a_lease_in_shadow_refuses_only_where_it_counts_as_enforced() -> None:
    lease = replace(LEASE, mode="shadow")
    assert gateway(lease).rule(message(DELAY_MS)) == (Ruling.NO_LEASE, None)
    assert gateway(lease, shadow=True).rule(message(DELAY_MS))[0] is Ruling.REFUSE


def test_a_release_ends_a_lease_when_it_arrives() -> None:
    release = action(revision=20, verb="release", at_ms=START_MS + 60_000)
    made = gateway(LEASE, release)
    late = 60_000 + DELAY_MS
    assert made.rule(message(late - 1, offset=21))[0] is Ruling.REFUSE
    assert made.rule(message(late, offset=21))[0] is Ruling.NO_LEASE


def test_a_second_request_passes_once_through_its_window() -> None:
    window = AgainWindow(platform_id("sig:a"), START_MS + 55_000, START_MS + 150_000, hot=False)
    made = gateway(replace(LEASE, again=(window,)))
    asked = [made.rule(message(at_ms))[0] for at_ms in (54_999, 55_000, 56_000)]
    assert asked == [Ruling.REFUSE, Ruling.AGAIN, Ruling.REFUSE]


def test_what_ended_a_day_ago_is_forgotten() -> None:
    made = gateway(LEASE)
    made.forget(LEASE.expires_at_ms + 86_400_000)
    assert made.leases
    made.forget(LEASE.expires_at_ms + 86_400_001)
    assert not made.leases


def test_a_platform_lease_and_a_full_one_refuse_what_each_of_them_does() -> None:
    made, known = action(revision=8, verb="throttle_platforms"), (platform_id("sig:a"),)
    narrow = replace(made, refused_ids=known, expires_at_ms=START_MS + 2 * LEASE_MS)
    both = gateway(replace(LEASE, scope=replace(LEASE.scope, pass_ids=known)), narrow)
    asked = message(DELAY_MS, offset=9), message(DELAY_MS, offset=9, platform="sig:b")
    assert [both.rule(each)[0] for each in asked] == [Ruling.REFUSE, Ruling.REFUSE]
    alone = gateway(narrow)
    assert [alone.rule(each)[0] for each in asked] == [Ruling.REFUSE, Ruling.OTHER]
    assert both.rule(message(LEASE_MS, offset=9))[0] is Ruling.REFUSE, "the longer one goes on"
    assert both.rule(message(LEASE_MS, offset=9, platform="sig:b"))[0] is Ruling.OTHER
    ended = gateway(narrow, action(revision=20, verb="throttle_platforms"))
    assert ended.rule(message(DELAY_MS, offset=21))[0] is Ruling.NO_LEASE


def test_a_retry_window_record_opens_windows_of_the_lease_that_it_names() -> None:
    window = AgainWindow(platform_id("sig:a"), START_MS, START_MS + 95_000, hot=False)
    record = replace(LEASE, revision=9, verb="retry_windows", again=(window,),
                     cause=LEASE.cause._replace(offset=9))  # fmt: skip
    other = replace(record, action_id="1:sms.delivery.v1:0:3")
    assert gateway(LEASE, other).rule(message(DELAY_MS, offset=10))[0] is Ruling.REFUSE
    made = gateway(LEASE, record)
    assert made.rule(message(DELAY_MS, offset=9))[0] is Ruling.REFUSE, "not before its cause"
    assert made.rule(message(DELAY_MS, offset=10))[0] is Ruling.AGAIN


def test_windows_in_records_of_their_own_lead_to_the_same_rulings() -> None:
    lines = [json.dumps(event.value).encode() for event in generate("A1", 3)]
    told: dict[bool, list[Any]] = {}
    verbs: dict[bool, set[str]] = {}
    for apart in (False, True):
        settings, made = Settings(mode="enforce", detect={"again_records": apart}), gateway()
        told[apart], verbs[apart] = [], set()
        for step in replay(settings, [lines[:40], lines[40:]]):
            made.add(step.decisions.actions)
            verbs[apart] |= {each.verb for each in step.decisions.actions}
            ruled = made.rule_batch(step.decoded.batch, step.codes)
            told[apart] += [(each.message_id, each.ruling, each.why) for each in ruled]
    assert told[True] == told[False]
    assert verbs == {False: {"throttle"}, True: {"throttle", "retry_windows"}}
