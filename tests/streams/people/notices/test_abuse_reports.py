"""Reports to platforms: a mail with a table, or a document, and nothing about a victim."""

from __future__ import annotations

import email
import json
from dataclasses import replace
from datetime import date
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from streams.common import language
from streams.config import Reports
from streams.people.notices.abuse_reports import (
    PlatformReport,
    as_csv,
    content,
    document,
    mail,
    report_id,
    text,
)
from streams.people.notices.contacts import PlatformContact
from streams.people.notices.platform_use import SENDERS_MAX, WINDOWS_MAX, uses
from tests.streams.people.notices.incidents import DAY0_MS, DAY_MS, use_of

KEY = "sig:听潮课堂"
REPORTER = Reports(org="中国移动", mail_from="abuse@carrier.example")
CONTACT = PlatformContact(
    (KEY,), "desk", date(2030, 1, 1), name="听潮安全部", mail="a@tingchao.example"
)


@pytest.fixture
def chinese() -> None:
    language.use(language.CHINESE)


def report(victims: int = 6, each: int = 10, **fields: Any) -> PlatformReport:
    use = uses(use_of(KEY, DAY0_MS, victims, each), DAY0_MS, DAY0_MS + DAY_MS)[KEY]
    made = PlatformReport(
        report_id=report_id(KEY, DAY0_MS), use=use, contact=CONTACT, from_ms=DAY0_MS,
        until_ms=DAY0_MS + DAY_MS, made_ms=DAY0_MS + DAY_MS + 5, share=0.25, before=None,
        after=None,
    )  # fmt: skip
    return replace(made, **fields)


def everything(made: PlatformReport) -> str:
    """All that leaves the house, decoded."""
    whole = mail(made, REPORTER)
    parts = [part.get_payload(decode=True) or b"" for part in whole.walk()]
    decoded = "".join(p.decode() for p in parts if isinstance(p, bytes))
    return whole.as_string() + decoded + document(made, REPORTER).decode()


def with_everything() -> PlatformReport:
    """A report at its largest: more windows and senders than it names, and a long addressee."""
    contact = structs.replace(CONTACT, name="听潮安全部" * 60)
    made = report(contact=contact, before=1e9, after=1e9)
    use = made.use
    for nth in range(2 * WINDOWS_MAX):
        use.minutes[DAY0_MS + nth * 40 * 60_000] += 10**9
    use.senders.update({f"1069{n:017d}": 10**9 for n in range(2 * SENDERS_MAX)})
    use.victims.update(map(str, range(10_000)))
    use.episodes.update(map(str, range(10_000)))
    return made


@pytest.mark.parametrize("spoken", [language.ENGLISH, language.CHINESE])
def test_the_mail_of_a_report_at_its_largest_has_the_whole_text(spoken: str) -> None:
    language.use(spoken)
    made = with_everything()
    body = parts(made)[0].get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode() == text(made)
    assert text(made).count(f"{10**9}") >= WINDOWS_MAX


def test_counts_times_and_remedies_are_there() -> None:
    said = content(report())
    assert (said["messages"], said["floods"], said["victims"]) == (60, 6, "6")
    assert said["windows"][0]["most_a_minute"] >= 1
    assert sum(w["messages"] for w in said["windows"]) == 60
    sent = json.loads(document(report(), REPORTER))  # a webhook gets no table
    assert sent["report_id"] == report_id(KEY, DAY0_MS)
    minutes = sent["otpguard"]["messages_by_minute"]
    assert sum(minutes.values()) == 60
    assert max(minutes.values()) == said["windows"][0]["most_a_minute"]
    assert len(said["remedies"]) == 4


def test_no_number_and_no_hash_of_one_leaves_the_house() -> None:
    made = report(contact=structs.replace(CONTACT, contract=True))
    numbers = made.use.victims
    whole = everything(made)
    assert numbers
    for number in numbers:
        for form in (number, number[2:], number[-8:]):
            assert form not in whole
    episodes = made.use.episodes
    assert not any(each in json.dumps(content(report())) for each in episodes)


def test_of_many_senders_those_that_sent_most_are_named() -> None:
    made = report()
    made.use.senders.update({f"1069{n:04d}": 1 + n for n in range(1_000)})
    for said in (text(made), json.dumps(content(made))):
        assert said.count("10690") <= SENDERS_MAX
        assert "10690999" in said
        assert "10690001" not in said


def test_few_victims_are_said_to_be_few() -> None:
    assert content(report(victims=4))["victims"] == "<5"
    assert "to <5 people" in text(report(victims=4))
    assert "to 6 people" in text(report())


def test_message_ids_go_only_under_contract() -> None:
    assert "message_ids" not in content(report())
    said = content(report(contact=structs.replace(CONTACT, contract=True)))
    assert len(said["message_ids"]) == 60


def parts(made: PlatformReport) -> list[Message]:
    whole = email.message_from_bytes(mail(made, REPORTER).as_bytes())
    assert whole["Auto-Submitted"] == "auto-generated"
    payload = whole.get_payload()
    assert isinstance(payload, list)
    return [part for part in payload if isinstance(part, Message)]


def test_the_mail_is_a_text_and_a_table() -> None:
    made = report()
    words, table = parts(made)
    assert [p.get_content_type() for p in (words, table)] == ["text/plain", "text/csv"]
    assert table.get_filename() == "minutes.csv"
    rows = table.get_payload(decode=True)
    assert isinstance(rows, bytes)
    assert rows.decode() == as_csv(made)


def test_a_platform_s_name_breaks_no_head_of_a_mail() -> None:
    use = report().use
    use.key = "sig:x\r\nBcc: all@example.com"
    whole = email.message_from_bytes(mail(report(use=use), REPORTER).as_bytes())
    assert whole["Bcc"] is None


def test_minutes_are_a_table() -> None:
    head, *rows = as_csv(report()).splitlines()
    assert head == "minute_utc,messages"
    assert sum(int(row.split(",")[1]) for row in rows) == 60
    assert all(row.split(",")[0].endswith("Z") for row in rows)


def test_whoever_was_told_reads_what_it_helped() -> None:
    assert "since: 6" in text(report(before=60.0, after=6.0))
    assert "since:" not in text(report())


@pytest.mark.usefixtures("chinese")
def test_it_is_written_in_chinese_too() -> None:
    said = text(report())
    assert "验证码" in said
    assert "What stops it" not in said


def test_the_same_day_has_the_same_id(tmp_path: Path) -> None:
    assert report_id(KEY, DAY0_MS) != report_id(KEY, DAY0_MS + DAY_MS)
    assert report_id(KEY, DAY0_MS) != report_id("sig:b", DAY0_MS)
