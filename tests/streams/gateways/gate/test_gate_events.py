"""What the gate reads in a text and what the worker reads in its event are the same."""

from __future__ import annotations

import json
from itertools import islice

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from streams.gateways.gate.contract import Submission
from streams.gateways.gate.gate_events import Reporter
from streams.wire import decode_event
from tests.detectors.recognise.corpus import KEPT_BACK, TEXTS, read

REGISTRY, _ = Registry.load_shipped().merge(
    Registry.load('[bank]\n"工商银行" = {ids = ["acct-7"], hosts = ["icbc.example"]}')
)
RECOGNISER = Recogniser(REGISTRY)
SENDERS = ("10690000123", "95588", "AUTHMSG", "Example", "+8613800000000", "", "12306")
NOW_MS = 1_760_000_000_000


def reporter(text: str = "none") -> Reporter:
    return Reporter(RECOGNISER, "smsc-1", "gate@host", text)  # type: ignore[arg-type]


def asked(**fields: object) -> Submission:
    return Submission(**{"recipient": "8613900000001", "message_id": "m1", **fields})  # type: ignore[arg-type]


def check(**fields: object) -> None:
    """The worker finds in the event what the gate rules by."""
    submission = asked(**fields)
    read_ = reporter().read(submission)
    event = decode_event(reporter().event(submission, "8613900000001", read_, NOW_MS, None))
    worker = recognise(
        REGISTRY, event.text or "", event.sender, event.signature or "", event.category or "",
        event.platform_id or "", event.template_id or "",
    )  # fmt: skip
    assert worker.otp == read_.otp, fields
    if worker.otp:
        assert (worker.platform, worker.trust) == (read_.platform, read_.trust), fields
    direct = recognise(
        REGISTRY, submission.text or "", submission.sender, submission.signature or "",
        submission.category or "", submission.platform_id or "", submission.template_id or "",
    )  # fmt: skip
    assert direct.otp == read_.otp, fields
    if direct.otp and len(direct.platform) <= 64:
        assert (direct.platform, direct.trust) == (read_.platform, read_.trust), fields


ROWS = [
    row
    for path in sorted(TEXTS.glob("*.jsonl"))
    if not path.name.endswith(KEPT_BACK)
    for row in islice(read(path), 0, None, 40)
]


@pytest.mark.parametrize("sender", SENDERS[:4])
def test_the_worker_finds_the_platform_and_trust_that_the_gate_read(sender: str) -> None:
    assert len(ROWS) > 100
    for row in ROWS:
        check(text=row.text, sender=sender)
        check(text=row.text, sender=row.sender, signature=row.signature, category=row.category)


NAMES = ["【招商银行】", "【工商银行】", "【淘宝】", "【某某】", "【", "[ICBC] ", ""]
ENDS = ["", "\n@icbc.example #482913", "\n@a.example #482913", "\n@" + "a" * 70 + ".example #1"]


@given(
    st.sampled_from(NAMES),
    st.sampled_from(["验证码482913", "code 482913", "Your Tandem code is 482913", "取件码482913"]),
    st.sampled_from(ENDS),
    st.sampled_from(SENDERS),
    st.sampled_from(["", "acct-7", "p7", "sig:招商银行", "host:icbc.example"]),
    st.sampled_from(["", "招商银行", "淘宝"]),
    st.sampled_from(["", "otp", "marketing", "unknown"]),
)
def test_whatever_the_gateway_tells_beside_the_text(
    name: str, says: str, end: str, sender: str, platform: str, signature: str, category: str
) -> None:
    fields = {"sender": sender, "platform_id": platform, "signature": signature}
    check(text=name + says + end, category=category, **fields)
    check(category=category, **fields)


def test_an_event_says_who_reports_and_how_sure_the_reading_is_and_never_the_text() -> None:
    text = "【淘宝】验证码482913，请勿泄露"
    submission = asked(text=text, sender="10690000123", segments=2, account_id="a7")
    read_ = reporter().read(submission)
    value = json.loads(reporter().event(submission, "8613900000001", read_, NOW_MS, "accepted"))
    assert value == {
        "schema_version": 1, "recipient": "8613900000001", "sender": "10690000123",
        "event_time_ms": NOW_MS, "message_id": "m1", "event_type": "submit",
        "gateway_id": "smsc-1", "signature": "淘宝", "category": "otp", "confidence": 0.99,
        "segments": 2, "account_id": "a7", "status": "accepted", "reported_by": "gate@host",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "field", "chars"), [("prefix", "text_prefix", 70), ("whole", "text", 1_000)]
)
def test_a_text_goes_along_only_where_a_setting_says_so(
    setting: str, field: str, chars: int
) -> None:
    submission = asked(text="验" * 1_000)
    read_ = reporter().read(submission)
    value = json.loads(reporter(setting).event(submission, "1", read_, NOW_MS, None))
    assert value[field] == "验" * chars
    assert "验" not in reporter().event(submission, "1", read_, NOW_MS, None).decode()
