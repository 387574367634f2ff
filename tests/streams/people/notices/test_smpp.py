"""Notices over SMPP, to a real socket: what arrives, and what is known after each answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from smpp.pdu.operations import EnquireLink, SubmitSM, SubmitSMResp, Unbind
from smpp.pdu.pdu_types import CommandStatus

from streams.config.sections.notices import Smpp
from streams.people.notices import smpp
from streams.people.notices.channels import Delivered
from streams.people.notices.smpp import SmppChannel
from tests.builders.streams.people.notices.channels import EN, ZH
from tests.enforce import smpp_ends
from tests.enforce.smpp_ends import Smsc, receive, send
from tests.ports import free_port
from tests.waiting import END_S, wait_until


@contextmanager
def smsc(answer: Callable[[Any, SubmitSM], None] | None = None) -> Iterator[Smsc]:
    """An SMSC that answers submissions by a function; else as the usual one."""

    class Session(smpp_ends._Session):
        def handle(self) -> None:
            self.server.sessions += 1  # type: ignore[attr-defined]
            while (pdu := receive(self.rfile)) is not None:
                if isinstance(pdu, SubmitSM) and answer is not None:
                    self.server.submitted += 1  # type: ignore[attr-defined]
                    if answer(self, pdu) == "hang up":
                        return
                elif type(pdu) in smpp_ends._BINDS:
                    send(self.request, smpp_ends._BINDS[type(pdu)](pdu.seqNum, system_id="smsc"))

    if answer is None:
        with smpp_ends.smsc() as server:
            yield server
        return
    with Smsc() as server:
        server.RequestHandlerClass = Session
        server.sessions = server.submitted = 0  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def channel(port: int, **more: Any) -> SmppChannel:
    answer_s = more.pop("answer_s", END_S)
    return SmppChannel(Smpp(port=port, system_id="esme", password="secret", **more), answer_s)


def test_a_notice_arrives_whole_in_both_codings() -> None:
    with smsc() as server:
        way = channel(server.port)
        assert [way.send(each).state for each in (ZH, EN)] == [Delivered.SENT] * 2
        way.rest()
        way.close()
    zh, en = server.arrived
    assert (zh.recipient, zh.sender, zh.text) == (ZH.recipient, "10086", ZH.text)
    assert en.text.encode("utf-16-be").decode() == EN.text  # octets, as they came


def status(name: str) -> Callable[[Any, SubmitSM], None]:
    def answer(session: Any, pdu: SubmitSM) -> None:
        send(session.request, SubmitSMResp(pdu.seqNum, status=getattr(CommandStatus, name)))

    return answer


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("ESME_RTHROTTLED", Delivered.AWAY), ("ESME_RMSGQFUL", Delivered.AWAY),
        ("ESME_RINVDSTADR", Delivered.REFUSED), ("ESME_RSUBMITFAIL", Delivered.REFUSED),
    ],
)  # fmt: skip
def test_a_status_says_whether_it_was_taken(name: str, state: Delivered) -> None:
    with smsc(status(name)) as server:
        way = channel(server.port)
        delivery = way.send(ZH)
        assert delivery.state is state
        assert delivery.why.startswith("smpp_0x")
        way.close()


def nothing(session: Any, pdu: SubmitSM) -> None:
    """Say nothing."""


def hang_up(session: Any, pdu: SubmitSM) -> Any:
    return "hang up"


def test_whoever_hangs_up_after_a_submission_may_have_taken_it() -> None:
    with smsc(hang_up) as server:
        way = channel(server.port)
        assert way.send(ZH).state is Delivered.UNKNOWN
        assert way.send(EN).state is Delivered.UNKNOWN  # by a session of its own
        assert (server.sessions, server.submitted) == (2, 2)  # type: ignore[attr-defined]
        way.close()


def test_silence_after_a_submission_is_unknown_and_nothing_is_sent_again() -> None:
    with smsc(nothing) as server:
        way = channel(server.port, answer_s=0.5)
        delivery = way.send(ZH)
        assert (delivery.state, delivery.why) == (Delivered.UNKNOWN, "timeout")
        assert server.submitted == 1  # type: ignore[attr-defined]
        way.close()


def test_where_nobody_listens_nothing_was_taken() -> None:
    assert channel(free_port()).send(ZH).state is Delivered.AWAY


def test_an_answer_to_something_else_is_passed_over_and_the_smsc_s_questions_are_answered() -> None:
    seen: list[str] = []

    def answer(session: Any, pdu: SubmitSM) -> None:
        send(session.request, SubmitSMResp(pdu.seqNum + 7, message_id="other"))
        send(session.request, EnquireLink(900))
        seen.append(type(receive(session.rfile)).__name__)
        send(session.request, SubmitSMResp(pdu.seqNum, message_id="own"))

    with smsc(answer) as server:
        way = channel(server.port)
        assert way.send(ZH).state is Delivered.SENT
        way.close()
    assert seen == ["EnquireLinkResp"]


def test_a_session_that_was_ended_is_noticed_before_a_message_is_given_to_it() -> None:
    def answer(session: Any, pdu: SubmitSM) -> Any:
        send(session.request, SubmitSMResp(pdu.seqNum, message_id="1"))
        send(session.request, Unbind(901))
        return "hang up"

    with smsc(answer) as server:
        way = channel(server.port)
        for nth in range(1, 4):
            assert way.send(ZH).state is Delivered.SENT
            wait_until(lambda: has_ended(way), "the end is noticed")
            assert server.sessions == nth  # type: ignore[attr-defined]
        way.close()


def has_ended(way: SmppChannel) -> bool:
    way.rest()
    return way._client is None


def test_an_idle_session_is_asked_if_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "ALIVE_S", 0.0)
    with smsc() as server:
        way = channel(server.port)
        assert way.send(ZH).state is Delivered.SENT
        for _ in range(5):
            way.rest()
        assert way.send(ZH).state is Delivered.SENT
        way.close()


def test_the_library_logs_no_number_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with smsc() as server:
        way = channel(server.port)
        way.send(ZH)
        way.close()
    channel(free_port()).send(ZH)
    said = caplog.text
    assert ZH.recipient not in said
    assert ZH.recipient.encode().hex() not in said
    assert ZH.text.encode("utf-16-be").hex() not in said
