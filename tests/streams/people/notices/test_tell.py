"""Telling platforms: who is told of a day, by which way, once, and what is written down before."""

from __future__ import annotations

import mailbox
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from msgspec import structs

from streams.common.errors import ConfigError
from streams.config import Reports
from streams.people.notices.contacts import PlatformContact, PlatformContacts
from streams.people.notices.platform_use import Telling
from streams.people.notices.tell import Decision, decide, send, told_days
from streams.wire import Notice
from tests.ports import free_port
from tests.streams.people.notices.incidents import DAY0_MS, DAY_MS, use_of
from tests.waiting import END_S

NOW_MS = DAY0_MS + DAY_MS + 3_600_000
A, B, C = "sig:a", "sig:b", "sig:c"
CONTACT = PlatformContact((A,), "desk", date(2100, 1, 1), name="A", mail="abuse@a.example")
CONTACTS = PlatformContacts({A: CONTACT})
HANG_UP = ""
"""A mailer's answer after which nobody knows what it did."""


def settings(folder: Path, **more: object) -> Reports:
    usual = {"org": "中国移动", "mail_from": "abuse@carrier.example", "maildir": folder / "out"}
    return Reports(**{**usual, **more})


def decided(folder: Path, *notices: Notice, at_once: bool = False) -> list[Decision]:
    records = [
        *use_of(A, DAY0_MS, 10, 10), *use_of(B, DAY0_MS, 10, 3, "b"),
        *use_of(C, DAY0_MS, 1, 2, "c"),
        *use_of(A, DAY0_MS - 3 * DAY_MS, 10, 30),
    ]  # fmt: skip
    return decide(records, notices, CONTACTS, settings(folder, at_once=100), day_ms=DAY0_MS,
                  now_ms=NOW_MS, at_once=at_once)  # fmt: skip


def sent(folder: Path, decisions: list[Decision], **more: object) -> tuple[list[Notice], list[str]]:
    said: list[Notice] = []
    reports = [each.report for each in decisions if each.report is not None]
    states = [f"{state} {why}".strip() for _, state, why in
              send(reports, settings(folder, **more), said.append, lambda: NOW_MS)]  # fmt: skip
    return said, states


def test_who_was_used_most_is_told_if_anybody_knows_whom(tmp_path: Path) -> None:
    found = [(each.use.key, each.telling) for each in decided(tmp_path)]
    assert found == [(A, Telling.DIGEST), (B, Telling.NOBODY), (C, Telling.FEW)]
    once = [(each.use.key, each.telling) for each in decided(tmp_path, at_once=True)]
    assert once == [(A, Telling.AT_ONCE), (B, Telling.NOT_YET), (C, Telling.NOT_YET)]
    (first, *_) = decided(tmp_path)
    assert first.report is not None
    assert first.report.share == pytest.approx(100 / 132)


def test_a_letter_lies_in_the_folder_and_its_record_came_first(tmp_path: Path) -> None:
    said, states = sent(tmp_path, decided(tmp_path))
    assert states == ["sent"]
    assert [(n.state, n.to, n.kind, n.channel) for n in said] == [
        ("sending", A, "platform", "maildir"), ("sent", A, "platform", "maildir"),
    ]  # fmt: skip
    box = mailbox.Maildir(tmp_path / "out")
    (letter,) = list(box)
    box.close()
    assert (letter["To"], letter["From"]) == ("abuse@a.example", "abuse@carrier.example")


def test_of_a_day_a_platform_is_told_once_even_if_the_first_run_died(tmp_path: Path) -> None:
    said, _ = sent(tmp_path, decided(tmp_path))
    for known in (said, said[:1]):
        again = {each.use.key: each.telling for each in decided(tmp_path, *known)}
        assert again[A] is Telling.TOLD


def test_whoever_was_told_and_improves_hears_nothing_and_a_failure_is_no_telling(
    tmp_path: Path,
) -> None:
    earlier = Notice(
        notice_id=f"platform:{DAY0_MS - 3 * DAY_MS}:{A}", episode_id="", kind="platform", to=A,
        channel="smtp", template="xarf-4.2", state="sent", why="", at_ms=NOW_MS,
    )  # fmt: skip
    assert decided(tmp_path, earlier)[0].telling is Telling.QUIET  # 100 after 300
    assert told_days([earlier]) == {A: {DAY0_MS - 3 * DAY_MS}}
    failed = Notice(**{name: getattr(earlier, name) for name in earlier.__struct_fields__}
                    | {"state": "failed"})  # fmt: skip
    assert decided(tmp_path, failed)[0].telling is Telling.DIGEST


class Mailer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client needs, and keeps what it is given."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answer: str) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.answer = answer
        self.answers: list[str] = []  # before that one
        self.got: list[bytes] = []


class _Session(socketserver.StreamRequestHandler):
    server: Mailer

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go\r\n")
                body = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    body += line
                self.server.got.append(body)
                self.wfile.write(b"250 taken\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            elif word == b"RCPT" and self.server.answer == HANG_UP:
                return
            elif word == b"RCPT":
                own = self.server.answers
                answer = own.pop(0) if own else self.server.answer
                self.wfile.write(answer.encode() + b"\r\n")
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def mailer(answer: str = "250 known") -> Iterator[Mailer]:
    with Mailer(answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(END_S)


@pytest.mark.slow
def test_what_failed_for_sure_is_sent_by_the_next_run_and_what_may_have_arrived_is_not(
    tmp_path: Path,
) -> None:
    more = {"mail": "smtp", "smtp_tls": False}
    said, _ = sent(tmp_path, decided(tmp_path), smtp_port=free_port(), **more)
    assert decided(tmp_path, *said)[0].telling is Telling.DIGEST
    with mailer(HANG_UP) as server:
        said, states = sent(
            tmp_path, decided(tmp_path, *said), smtp_port=server.server_address[1], **more
        )
    assert states == ["failed unknown"]
    assert decided(tmp_path, *said)[0].telling is Telling.TOLD


@pytest.mark.parametrize("secret", [b"", b"whsec_x"])
def test_a_contact_whose_secret_cannot_sign_fails_alone(tmp_path: Path, secret: bytes) -> None:
    (tmp_path / "secret").write_bytes(secret)
    contact = structs.replace(
        CONTACT, mail="", webhook="https://a.example/x", secret_file=str(tmp_path / "secret")
    )
    found = [
        replace(each, report=each.report and replace(each.report, contact=contact))
        for each in decided(tmp_path)
    ]
    said, states = sent(tmp_path, found)
    assert states == ["failed secret_file"]
    assert decided(tmp_path, *said)[0].telling is Telling.DIGEST


CONTACTS_OF_THREE = [structs.replace(CONTACT, platforms=(key,)) for key in (A, B, C)]


def decided_of_three(folder: Path, *notices: Notice, **more: object) -> list[Decision]:
    """Three platforms that are to be told; `more` are fields of the first one's contact."""
    first, *others = map(copy, CONTACTS_OF_THREE)
    for name, value in more.items():  # also a value that no file may have
        structs.force_setattr(first, name, value)
    made = PlatformContacts({each.platforms[0]: each for each in (first, *others)})
    records = [record for nth, key in enumerate((A, B, C))
               for record in use_of(key, DAY0_MS, 10, 9 - nth, key[-1])]  # fmt: skip
    return decide(records, notices, made, settings(folder), day_ms=DAY0_MS, now_ms=NOW_MS,
                  at_once=False)  # fmt: skip


UNWRITABLE = "a@a.example\ud800"
"""An address that no program can encode: a mail to it cannot be written."""


def test_a_report_that_cannot_be_written_ends_no_other_and_is_no_telling(tmp_path: Path) -> None:
    decisions = decided_of_three(tmp_path, mail=UNWRITABLE)
    assert [each.use.key for each in decisions] == [A, B, C]
    said, states = sent(tmp_path, decisions)
    assert states == ["failed UnicodeEncodeError", "sent", "sent"]
    assert [(n.to, n.state) for n in said] == [
        (A, "failed"), (B, "sending"), (B, "sent"), (C, "sending"), (C, "sent"),
    ]  # fmt: skip
    again = {each.use.key: each.telling for each in decided_of_three(tmp_path, *said)}
    assert again == {A: Telling.DIGEST, B: Telling.TOLD, C: Telling.TOLD}


@pytest.mark.parametrize("url", ["https://a.example/\ud800", "https://[a.example/"])
def test_a_url_that_leads_nowhere_keeps_no_other_report(tmp_path: Path, url: str) -> None:
    (tmp_path / "secret").write_text("whsec_" + "c2VjcmV0" * 4)
    found = decided_of_three(tmp_path, mail="", webhook=url, secret_file=str(tmp_path / "secret"))
    _, states = sent(tmp_path, found)
    assert states[0].startswith("failed")
    assert states[1:] == ["sent", "sent"]


def test_whatever_a_report_meets_on_its_way_is_not_known_and_the_others_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [RuntimeError("whatever a library may raise")]
    add = mailbox.Maildir.add

    def broken(box: mailbox.Maildir, letter: bytes) -> str:
        if errors:
            raise errors.pop()
        return add(box, letter)

    monkeypatch.setattr(mailbox.Maildir, "add", broken)
    said, states = sent(tmp_path, decided_of_three(tmp_path))
    assert states == ["failed unknown", "sent", "sent"]
    again = {each.use.key: each.telling for each in decided_of_three(tmp_path, *said)}
    assert again[A] is Telling.TOLD  # it may have left: nobody is told twice


@pytest.mark.slow
def test_a_mail_server_that_refuses_the_first_gets_the_others(tmp_path: Path) -> None:
    with mailer() as server:
        server.answers = ["550 unknown"]
        _, states = sent(
            tmp_path, decided_of_three(tmp_path), mail="smtp", smtp_tls=False,
            smtp_port=server.server_address[1],
        )  # fmt: skip
    assert states == ["failed SMTPRecipientsRefused", "sent", "sent"]


@pytest.mark.slow
def test_a_mail_server_gets_the_letter_or_says_why_not(tmp_path: Path) -> None:
    more = {"mail": "smtp", "smtp_tls": False}
    with mailer() as server:
        port = server.server_address[1]
        _, states = sent(tmp_path, decided(tmp_path), smtp_port=port, **more)
    assert states == ["sent"]
    assert b"Content-Type: multipart/mixed" in server.got[0]
    with mailer("550 unknown") as server:
        port = server.server_address[1]
        said, states = sent(tmp_path, decided(tmp_path), smtp_port=port, **more)
    assert states == ["failed SMTPRecipientsRefused"]
    assert said[-1].state == "failed"
    _, states = sent(tmp_path, decided(tmp_path), smtp_port=free_port(), **more)
    assert states == ["failed ConnectionRefusedError"]


def test_a_server_without_tls_gets_nothing_unless_it_may(tmp_path: Path) -> None:
    with mailer() as server:
        port = server.server_address[1]
        _, states = sent(tmp_path, decided(tmp_path), smtp_port=port, mail="smtp")
    assert states == ["failed SMTPNotSupportedError"]
    assert server.got == []


def test_nobody_is_told_by_nobody(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names its author"):
        sent(tmp_path, decided(tmp_path), mail_from="")
