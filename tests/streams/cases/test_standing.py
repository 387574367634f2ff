"""Cases out of topics: what belongs together, what came twice, and what a person is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.model.event import Trust
from detectors.model.records import NOWHERE, Level, Sighting
from detectors.recognise.platform.registry import Registry
from streams.cases.standing import (
    SAYS,
    Doing,
    banner,
    doing,
    explanation,
    heard_of,
    identity,
    instead,
    lease_now,
    nearest,
    said_by_gateways,
    says,
    switch,
)
from streams.cli.cases import counts_now, summary
from streams.wire import Override
from tests.builders.streams.cases.standing import (
    ENDED,
    LATER,
    LEASE,
    OPENED,
    ack,
    file_of,
    model_of,
)
from tests.enforce.records import LEASE_MS, RECIPIENT, START_MS, override


def test_records_leases_acks_and_words_meet_in_their_case_once() -> None:
    model = model_of(
        ENDED, OPENED, OPENED,
        LEASE, LEASE, replace(LEASE, action_id="1:t:0:8", episode_id="another"),
        ack("applied"), ack("expired", 17), ack("applied", action_id="unknown"),
        override("exempt"), override("exempt", "8613900000009"),
    )  # fmt: skip
    (line,) = model.all(ended=True)
    case = model.case(line.episode_id).case
    assert [each.change for each in case.records] == ["opened", "ended"]
    assert case.actions == [LEASE]
    assert sorted(each.state for each in case.acks[LEASE.action_id]) == ["applied", "expired"]
    assert len(case.words) == 1
    assert (summary(line)["gateways"], summary(line)["refused"]) == ("applied", 17)
    assert model.all(ended=False) == ()


def test_a_lease_that_contradicts_another_costs_itself_alone_and_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = replace(OPENED, episode_id="1:t:0:9", recipient="8613900000009", revision=9,
                    cause=LEASE.cause._replace(offset=9))  # fmt: skip
    wrong = replace(LEASE, episode_id=other.episode_id, recipient=other.recipient, revision=8)
    model = model_of(OPENED, other, LEASE, wrong, ack("applied"))
    found = {each.recipient: model.case(each.episode_id) for each in model.all(ended=True)}
    assert found[RECIPIENT].case.actions == [LEASE]
    assert found[RECIPIENT].line.state is Doing.THROTTLED
    assert found[other.recipient].line.state is Doing.WATCHED
    (named,) = [each.getMessage() for each in caplog.records if "passed over" in each.message]
    assert "otpguard.throttle.v1[0]@3" in named


def test_the_worst_case_that_is_not_over_counts_and_then_the_newest() -> None:
    ended = replace(LATER, episode_id="1:t:0:950", revision=950, level=Level.CLEAR, change="ended",
                    evidence=replace(OPENED.evidence, first_ms=START_MS + 99))  # fmt: skip
    model = model_of(LATER, OPENED, LEASE, ack("applied"), ended)
    order = [OPENED.episode_id, LATER.episode_id, ended.episode_id]
    assert [each.episode_id for each in model.find_named(RECIPIENT, RECIPIENT)] == order
    found = model.find(RECIPIENT)
    assert [each.episode_id for each in found.cases] == order
    assert found.newest is not None
    assert found.newest.line.episode_id == OPENED.episode_id
    assert [each.episode_id for each in found.newest.others] == order[:0:-1]
    over = model_of(LATER, OPENED, ENDED, LEASE, ended)
    assert [each.episode_id for each in over.find_named(RECIPIENT, RECIPIENT)] == [
        LATER.episode_id, ended.episode_id, OPENED.episode_id,
    ]  # fmt: skip


def test_a_renewal_is_put_together_with_the_records_before_it() -> None:
    new = Sighting("sig:携程", 4, START_MS + 300_000, novel=True, trust=Trust.NONE)
    renewed = replace(
        OPENED, change="renewed", revision=50, at_ms=START_MS + 300_000, since_ms=START_MS,
        sightings=(OPENED.sightings[-1], new), path=(), rungs=(), scope=NOWHERE, known=0,
        memory_days=0,
    )  # fmt: skip
    case = file_of(ENDED, renewed, OPENED, renewed).case
    assert [record.change for record in case.records] == ["opened", "renewed", "ended"]
    assert case.records[1] == replace(
        OPENED, change="renewed", revision=50, at_ms=renewed.at_ms,
        sightings=(*OPENED.sightings, new), cause=case.records[1].cause,
    )  # fmt: skip
    alone = file_of(renewed).case
    text = "\n".join(explanation(alone, alone.last))
    assert "携程" in text
    assert "earlier events are in older records" in text
    assert "it knew" not in text
    assert "refuses it" not in text


@pytest.mark.parametrize(
    ("words", "acks", "state"),
    [
        ([], [], Doing.UNCONFIRMED),
        ([], ["failed"], Doing.FAILED),
        ([], ["applied"], Doing.THROTTLED),
        ([override("release")], ["applied"], Doing.RELEASED),
        ([override("exempt")], ["applied"], Doing.EXEMPT),
        ([override("release", "8613900000009")], ["applied"], Doing.THROTTLED),
        ([override("mode", "*", mode="off")], ["applied"], Doing.OFF),
        ([override("mode", "*", mode="shadow")], ["applied"], Doing.SHADOW),
        (
            [override("mode", "*", mode="off"), override("mode", "*", mode="enforce")],
            ["applied"],
            Doing.THROTTLED,
        ),
    ],
)
def test_a_case_stands_as_gateways_treat_it(
    words: list[Override], acks: list[str], state: Doing
) -> None:
    file = file_of(OPENED, LEASE, *(ack(each) for each in acks), *words)
    assert file.line.state is state
    assert doing(file.case, words, START_MS + 1) is state
    if state not in (Doing.OFF, Doing.SHADOW):
        assert switch(words, START_MS + 1) is None
    else:
        spoken_ = switch(words, START_MS + 1)
        assert spoken_ is not None
        assert f"KILL SWITCH: {spoken_.mode} since" in banner(spoken_)


def test_a_case_whose_lease_ended_refuses_nothing() -> None:
    lapsed = file_of(OPENED, LEASE, ack("applied"), at_ms=START_MS + 2 * LEASE_MS)
    assert lapsed.line.state is Doing.LAPSED
    assert file_of(OPENED, ENDED, LEASE, ack("applied")).line.state is Doing.OVER
    assert file_of(OPENED).line.state is Doing.WATCHED
    assert file_of(OPENED, replace(LEASE, mode="shadow")).line.state is Doing.SHADOW


def test_the_strongest_answer_of_a_gateway_stands_for_a_case() -> None:
    assert said_by_gateways([ack("expired"), ack("failed")], leased=True) == "failed"
    assert said_by_gateways([], leased=True) == "unknown"
    assert said_by_gateways([], leased=False) == "watched"


def test_every_state_has_a_sentence_and_a_switch_that_ended_is_none() -> None:
    assert set(SAYS) == set(Doing)
    ended = override("mode", "*", mode="off", expires_at_ms=START_MS + 5)
    assert switch([ended], START_MS + 4) is ended
    assert switch([ended], START_MS + 5) is None


def test_a_platform_is_heard_of_from_a_registry_or_a_case_and_else_has_neighbours() -> None:
    registry = Registry.load_shipped()
    assert heard_of("sig:招商银行", registry, ())
    assert heard_of("sig:某校", registry, ["sig:某校"])
    assert not heard_of("sig:nosuchplatform", registry, ["sig:某校"])
    assert nearest("sig:招商银", (), registry) == ["sig:招商银行"]
    assert nearest("sig:nosuchplatform", ["sig:某校"], registry) == []
    assert instead(["port:1", "sig:某校", "sig:某校"]) == ["sig:某校", "port:1"]
    assert nearest("sig:nosuchplatform", (), registry) == []


def test_a_case_is_found_by_recipient_episode_and_action() -> None:
    model = model_of(OPENED, LEASE)
    assert identity(OPENED) == LEASE.action_id
    for named, recipient in (
        (OPENED.episode_id, None),
        (LEASE.action_id, None),
        ("13900000001", RECIPIENT),
    ):
        assert [each.episode_id for each in model.find_named(named, recipient)] == [
            OPENED.episode_id
        ]
    assert model.find_named("1:x:0:5", None) == ()


def test_an_explanation_says_which_rule_which_platforms_and_why_not_something_else() -> None:
    file = file_of(OPENED, LEASE, ack("applied"), override("exempt"))
    case = file.case
    assert counts_now(file.line).endswith("new to this recipient")
    text = "\n".join(explanation(case, OPENED))
    for said in (
        "THROTTLE  burst 2.7 of 2.6",
        "从未见过  new    refuses it\n",
        "招商银行  new    lets it pass: bank",
        "美团      known  lets it pass: known",
        "why it is not\n  a new phone's log-ins: ",
        "applied at smsc-1",
        "exempt by noc",
        "2.7 *  1.6    2.6",
    ):
        assert said in text, (said, text)


def test_the_full_lease_in_force_decides_and_then_the_platform_lease() -> None:
    narrow = replace(
        LEASE, verb="throttle_platforms", refused_ids=(1,), action_id="n", revision=9,
        expires_at_ms=LEASE.expires_at_ms + 1,
    )  # fmt: skip
    told = replace(LEASE, verb="retry_windows", revision=10)
    release = replace(LEASE, verb="release", revision=11)
    assert lease_now([narrow, LEASE, told], START_MS) is LEASE
    assert lease_now([narrow, LEASE, told], LEASE.expires_at_ms) is narrow
    assert lease_now([narrow, LEASE, release], START_MS) is narrow
    assert lease_now([narrow, LEASE], narrow.expires_at_ms) is narrow, "the newest, for its times"
    assert lease_now([], START_MS) is None


def test_a_case_of_a_platform_lease_is_throttled_and_windows_are_no_lease_of_their_own() -> None:
    narrow = replace(LEASE, verb="throttle_platforms", refused_ids=(1,))
    windows = replace(narrow, verb="retry_windows", revision=9)
    file = model_of(OPENED, windows, narrow, ack("applied")).find(RECIPIENT).newest
    assert file is not None
    assert (file.line.state, [each.verb for each in file.case.actions]) == (
        Doing.THROTTLED, ["throttle_platforms"],
    )  # fmt: skip
    assert [each.would for each in file.events] == ["refuse", "pass", "pass"]
    assert says(file.line.state, narrow).startswith("throttled: codes of 1 platform are refused")
