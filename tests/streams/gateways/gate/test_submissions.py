"""One question: its ruling, its event, and what passes because something is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detectors.leases.gateway_rule import Lease
from detectors.model.event import platform_id
from detectors.model.records import ALWAYS_PASS, AgainWindow, Scope
from streams.gateways.enforce.gateway import Order
from streams.gateways.gate.contract import QUESTION_BYTES_MAX, AnswerReason
from streams.gateways.gate.submissions import UNTOLD_MAX
from streams.telemetry.metrics import GATE_WHYS
from streams.wire import decode_event
from tests.streams.gateways.gate.asked import BANK, FLOOD, NOW_MS, VICTIM, desk, question, told


def test_without_a_lease_everything_passes_and_is_reported_under_the_canonical_key() -> None:
    made = desk()
    assert made.ask(recipient="+86 139 0000 0001", **FLOOD) == {
        "ruling": "pass", "why": "no_lease",
    }  # fmt: skip
    [(key, value)] = made.events
    assert key == VICTIM.encode()
    event = json.loads(value)
    assert (event["recipient"], event["signature"], event["category"], event["status"]) == (
        VICTIM, "从未见过", "otp", "accepted",
    )  # fmt: skip
    assert event["event_time_ms"] == NOW_MS


def test_under_a_lease_the_flood_is_refused_for_good_and_the_bank_passes() -> None:
    made = desk()
    made.hold()
    assert made.ask(**FLOOD) == {
        "ruling": "refuse", "why": "refuse", "action_id": "a1", "retry": "permanent",
    }  # fmt: skip
    assert made.ask(**BANK)["why"] == "trusted"
    assert made.ask(text="今晚一起吃饭吗", sender="10690000123")["why"] == "not_a_code"
    assert made.ask(recipient="8613900000002", **FLOOD)["why"] == "no_lease"
    assert [value["status"] for value in made.values()] == [
        "refused", "accepted", "accepted", "accepted",
    ]  # fmt: skip
    assert list(made.memory.take_refused(["a1"])) == [1]


def test_what_the_lease_lets_pass_is_known() -> None:
    from detectors.leases.gateway_rule import Lease
    from detectors.model.event import platform_id
    from detectors.model.records import ALWAYS_PASS, Scope
    from streams.gateways.enforce.gateway import Order

    made = desk()
    scope = Scope("otp", ALWAYS_PASS, (platform_id("sig:从未见过"),), ())
    made.memory.apply([Order(VICTIM, Lease("a1", NOW_MS + 1_000, scope))])
    assert made.ask(**FLOOD)["why"] == "known"


def test_a_code_that_is_asked_for_again_passes_once_and_a_senders_repetition_does_not() -> None:
    made = desk()
    identity = platform_id("sig:从未见过")
    window = AgainWindow(identity, NOW_MS + 55_000, NOW_MS + 150_000, hot=False)
    scope = Scope("otp", ALWAYS_PASS, (), ())
    made.memory.apply([Order(VICTIM, Lease("a1", NOW_MS + 600_000, scope, (window,)))])
    assert made.ask(**FLOOD)["ruling"] == "refuse"
    made.now_ms = NOW_MS + 60_000
    assert made.ask(**FLOOD, attempt=2)["ruling"] == "refuse"
    assert made.ask(**FLOOD) == {"ruling": "pass", "why": "again"}
    assert made.ask(**FLOOD)["ruling"] == "refuse"
    assert [each["status"] for each in made.values()] == [
        "refused", "refused", "accepted", "refused",
    ]  # fmt: skip


def test_at_its_end_a_lease_is_over_though_nobody_took_it_away() -> None:
    made = desk()
    made.hold(lasts_ms=1_000)
    made.now_ms += 999
    assert made.ask(**FLOOD)["ruling"] == "refuse"
    made.now_ms += 1
    assert made.ask(**FLOOD) == {"ruling": "pass", "why": "over"}


def test_a_clock_that_is_set_back_lets_a_lease_end_and_stamps_events_as_it_says() -> None:
    made = desk()
    made.hold(lasts_ms=1_000)
    made.now_ms -= 86_400_000
    made.lease_ahead_ms = 86_400_000 + 999
    assert made.ask(**FLOOD)["ruling"] == "refuse"
    made.lease_ahead_ms += 1
    assert made.ask(**FLOOD)["why"] == "over"
    assert [each["event_time_ms"] for each in made.values()] == [NOW_MS - 86_400_000] * 2


def test_before_all_leases_are_read_it_says_so_and_those_that_are_known_hold() -> None:
    made = desk()
    made.rebuilt = False
    assert made.ask(**FLOOD) == {"ruling": "pass", "why": "rebuilding"}
    made.hold()
    assert made.ask(**FLOOD)["ruling"] == "refuse"
    assert len(made.events) == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"recipient": "nonsense"}, "bad_recipient"),
        ({"direction": "mo", **FLOOD}, "mobile_originated"),
    ],
)
def test_some_questions_have_an_answer_of_their_own(fields: dict[str, Any], why: str) -> None:
    made = desk()
    made.hold()
    assert made.ask(**fields) == {"ruling": "pass", "why": why}
    assert len(made.events) == (why != "bad_recipient")


def test_later_parts_share_the_fate_of_the_first() -> None:
    made = desk()
    made.hold()
    first, later = {**FLOOD, "segments": 2, "reference": 7}, {"text": "续", "sender": "10690000123"}
    assert made.ask(segment=1, **first)["ruling"] == "refuse"
    assert made.ask(segment=2, segments=2, reference=7, **later)["ruling"] == "refuse"
    assert made.ask(segment=2, segments=2, reference=8, **later)["ruling"] == "pass"
    made.memory.release([VICTIM])
    assert made.ask(segment=2, segments=2, reference=7, **later)["ruling"] == "pass"


@pytest.mark.parametrize(
    ("name", "whys"),
    [("招商银行", ["not_a_code", "trusted"]), ("从未见过", ["not_a_code", "refuse"])],
)
def test_half_of_a_bank_s_message_is_not_refused_for_what_it_says(
    name: str, whys: list[str]
) -> None:
    made = desk()
    made.hold()
    parts = {"sender": "10690095555", "segments": 2, "reference": 7}
    head = f"【{name}】尊敬的客户，您正在办理业务，如非本人操作请立即致电，"
    tail = "请勿向任何人泄露。您的验证码是583921，5分钟内有效"
    told = [made.ask(segment=n, text=text, **parts)["why"] for n, text in ((1, head), (2, tail))]
    assert told == whys
    other = made.ask(segment=2, text=tail, sender="10690095555", segments=2, reference=8)
    assert other["why"] == "refuse"


LONG = {"sender": "10690095555", "segments": 2, "reference": 7}
HEAD = "【{}】尊敬的客户，您正在办理业务，如非本人操作请立即致电，"
TAIL = "请勿向任何人泄露。您的验证码是583921，5分钟内有效"


@pytest.mark.parametrize(("name", "why"), [("招商银行", "trusted"), ("从未见过", "refuse")])
def test_a_lease_that_comes_between_two_parts_knows_whose_they_are(name: str, why: str) -> None:
    made = desk()
    assert made.ask(segment=1, text=HEAD.format(name), **LONG)["why"] == "no_lease"
    made.hold()
    assert made.ask(segment=2, text=TAIL, **LONG)["why"] == why


def test_a_part_that_overtook_its_first_is_ruled_on_by_itself() -> None:
    """Whoever sent nothing else would be seen by nobody: the detector counts first parts."""
    made = desk()
    made.hold()
    assert made.ask(segment=2, text=TAIL, **LONG)["why"] == "refuse"
    assert made.ask(segment=1, text=HEAD.format("招商银行"), **LONG)["why"] == "not_a_code"
    assert made.ask(segment=2, text=TAIL, **LONG)["why"] == "trusted"


def test_one_trusted_first_part_buys_no_more_than_its_own_later_parts() -> None:
    made = desk()
    made.hold()
    parts = {**LONG, "segments": 3}
    made.ask(segment=1, text=HEAD.format("招商银行"), **parts)
    whys = [made.ask(segment=n, text=TAIL, **parts)["why"] for n in (2, 2, 2, 3, 3)]
    assert whys == ["trusted", "refuse", "refuse", "trusted", "refuse"]
    assert made.ask(segment=4, text=TAIL, **{**parts, "segments": 9})["why"] == "refuse"


def test_a_part_that_is_refused_after_a_renewal_is_counted_under_the_lease_that_stands() -> None:
    made = desk()
    made.hold(action="old")
    parts = {"sender": FLOOD["sender"], "segments": 2, "reference": 7}
    assert made.ask(segment=1, text=FLOOD["text"], **parts)["action_id"] == "old"
    assert list(made.memory.take_refused(["old"])) == [1]
    made.hold(action="new")
    assert made.ask(segment=2, text="续", **parts)["action_id"] == "new"
    assert list(made.memory.take_refused(["old", "new"])) == [0, 1]


def test_a_bulk_is_answered_in_its_order() -> None:
    made = desk()
    made.hold()
    messages = [
        {"recipient": VICTIM, "message_id": f"m{n}", **each}
        for n, each in enumerate((FLOOD, BANK, {**FLOOD, "recipient": "x"}))
    ]
    reply = told(made.gate.submit_bulk(json.dumps({"messages": messages}).encode()))
    assert [each["why"] for each in json.loads(reply.body)["answers"]] == [
        "refuse", "trusted", "bad_recipient",
    ]  # fmt: skip
    assert len(made.events) == 2
    too_many = {"messages": [{"recipient": VICTIM, "message_id": "m"}] * 201}
    assert told(made.gate.submit_bulk(json.dumps(too_many).encode())).status == 400


def test_a_report_asks_nothing_and_says_what_the_gateway_did() -> None:
    made = desk()
    made.hold()
    body = {"recipient": VICTIM, "message_id": "m1", "status": "rejected", **FLOOD}
    assert json.loads(told(made.gate.report(json.dumps(body).encode())).body)["why"] == "reported"
    many = json.dumps({"messages": [body, body]}).encode()
    assert json.loads(told(made.gate.report(many)).body)["ruling"] == "pass"
    assert [value["status"] for value in made.values()] == ["rejected"] * 3
    assert list(made.memory.take_refused(["a1"])) == [0]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"recipient":1}', b"\xff\xfe", b"[" * 100_000, b'"messages"']
)
def test_what_is_no_question_is_answered_with_pass(body: bytes) -> None:
    made = desk()
    made.hold()
    for form in (made.gate.submit, made.gate.submit_bulk, made.gate.report):
        reply = told(form(body))
        assert reply.status == 400
        assert json.loads(reply.body) == {"ruling": "pass", "why": "unreadable"}
    assert made.events == []


def test_every_answer_is_counted_by_its_reason() -> None:
    made = desk()
    made.hold()
    for fields in (FLOOD, BANK, {**FLOOD, "recipient": "8613900000002"}):
        made.ask(**fields)
    for why in ("refuse", "trusted", "no_lease"):
        assert made.counted("gate_answers_total", why=why) == 1
    assert made.counted("gate_answer_seconds_count") == 3
    assert set(GATE_WHYS) == set(AnswerReason)


def test_a_text_is_in_no_event_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    made = desk()
    made.ask(**FLOOD)
    made.gate.count_broken(ValueError(FLOOD["text"]))
    assert "482913" not in made.events[0][1].decode()
    assert "482913" not in caplog.text
    assert made.counted("gate_failures_total") == 1


HOSTILE_WORDS = [
    {"text": FLOOD["text"] + "\ud83d"},  # half of a pair, as a cut UCS-2 text has it
    {"text": "\udc00" + FLOOD["text"]},
    {"sender": "10690000123" + "0" * 60},
    {"sender": "1069\udfff"},
    {"note\ud800": ["\udfff"]},
    {"segment": 0, "segments": 0, "reference": 3},
    {"segment": 2, "segments": 1},  # no phone heeds such a header (TS 23.040, 9.2.3.24.1)
    {"segment": 1, "segments": 900},
    {"segment": 1, "segments": 2, "reference": 70_000},
    {"text": FLOOD["text"], "signature": "从" * 70},
]


@pytest.mark.parametrize("words", HOSTILE_WORDS)
def test_nothing_that_a_message_says_keeps_its_question_from_being_read(
    words: dict[str, Any],
) -> None:
    """Else whoever writes the message chooses that nobody is asked about it."""
    made = desk()
    made.hold()
    assert made.ask(**{**FLOOD, **words})["ruling"] == "refuse"
    [value] = made.values()
    assert (value["status"], value.get("segment", 1)) == ("refused", 1)
    assert len(value["sender"]) <= 64
    assert decode_event(made.events[0][1]).recipient == VICTIM


def test_octets_that_are_no_utf_8_are_read_as_far_as_they_can_be() -> None:
    made = desk()
    made.hold()
    body = json.dumps({"recipient": VICTIM, "message_id": "m", **FLOOD}, ensure_ascii=False)
    octets = body.encode().replace("请勿泄露".encode(), "请勿".encode() + b"\xff\xed\xa0\xbd")
    assert json.loads(made.gate.submit(octets).body)["ruling"] == "refuse"


def test_one_wrong_message_of_a_bulk_costs_its_own_answer() -> None:
    made = desk()
    made.hold()
    messages: list[Any] = [
        {"recipient": VICTIM, "message_id": "m1", **FLOOD},
        {"recipient": VICTIM, "message_id": 7, **FLOOD},
        "nonsense",
        {"recipient": VICTIM, "message_id": "m4", **FLOOD, "text": FLOOD["text"] + "\ud800"},
    ]
    for form in (made.gate.submit_bulk, made.gate.report):
        assert told(form(json.dumps({"messages": messages}).encode())).status == 200
    reply = told(made.gate.submit_bulk(json.dumps({"messages": messages}).encode()))
    assert [each["why"] for each in json.loads(reply.body)["answers"]] == [
        "refuse", "unreadable", "unreadable", "refuse",
    ]  # fmt: skip
    assert len(made.events) == 6
    assert made.counted("gate_answers_total", why="unreadable") == 6


@pytest.mark.parametrize("field", ["sender", "text", "signature", "status"])
def test_a_report_of_one_message_may_say_messages(field: str) -> None:
    made = desk()
    body = json.dumps({"recipient": VICTIM, "message_id": "m1", field: "messages"}).encode()
    assert told(made.gate.report(body)).status == 200
    assert len(made.events) == 1


def test_a_report_of_nobody_says_so() -> None:
    made = desk()
    reply = told(made.gate.report(question(recipient="nobody")))
    assert json.loads(reply.body) == {"ruling": "pass", "why": "bad_recipient"}
    assert made.events == []


def test_a_reference_that_is_used_again_is_another_message() -> None:
    """Some senders number each long message alike: what passed takes its later parts along."""
    made = desk()
    made.hold()
    later = {"text": "续", "sender": "10690000123", "segment": 2, "segments": 2}
    assert made.ask(**FLOOD, segments=2)["ruling"] == "refuse"
    assert made.ask(**later)["ruling"] == "refuse"
    assert made.ask(**later)["ruling"] == "refuse"  # twice
    scope = Scope("otp", ALWAYS_PASS, (platform_id("sig:从未见过"),), ())
    made.memory.apply([Order(VICTIM, Lease("a1", NOW_MS + 600_000, scope))])
    assert made.ask(**FLOOD, segments=2)["why"] == "known"
    assert made.ask(**later)["ruling"] == "pass"
    made.hold()
    assert made.ask(**FLOOD, segments=2)["ruling"] == "refuse"
    for others in ({"recipient": "8613900000009"}, {"sender": "10690000124"}, {"reference": 1}):
        assert made.ask(**{**later, **others})["ruling"] == "pass"


def test_answers_are_counted_many_at_once_and_by_themselves_when_nobody_asks() -> None:
    made = desk()
    asked = question(**FLOOD)
    for _ in range(UNTOLD_MAX):
        made.gate.submit(asked)
    name = "otpguard_gate_answers_total"
    registry = made.metrics.registry
    assert registry.get_sample_value(name, {"why": "no_lease"}) == UNTOLD_MAX
    made.gate.submit(asked)
    assert registry.get_sample_value(name, {"why": "no_lease"}) == UNTOLD_MAX
    made.gate.tell()
    assert registry.get_sample_value(name, {"why": "no_lease"}) == UNTOLD_MAX + 1
    assert registry.get_sample_value("otpguard_gate_answer_seconds_count") == UNTOLD_MAX + 1


def test_a_question_that_is_too_large_is_told_so() -> None:
    made = desk()
    made.hold()
    reply = made.gate.submit(question(**FLOOD, account_id=" " * QUESTION_BYTES_MAX))
    assert (reply.status, json.loads(reply.body)["why"]) == (413, "unreadable")
    longest = {**FLOOD, "text": FLOOD["text"] * 900}  # of 255 parts
    assert made.ask(**longest)["ruling"] == "refuse"
