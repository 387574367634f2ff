"""The part of Kamailio's script that reads messages: text, and 3GPP's short messages."""

from __future__ import annotations

import json
import random
import socket
import time
from typing import Any

import pytest

from tests.builders.enforce.kamailio_reading import (
    kamailio,
    rp_data,
)
from tests.waiting import END_S


def read(body: bytes, kind: str = "application/vnd.3gpp.sms") -> Any:
    return kamailio.read("8613900000001", "gw", kind, body)


@pytest.mark.parametrize("gsm7", [True, False])
@pytest.mark.parametrize(
    "header", [b"", bytes.fromhex("0003a70302"), bytes.fromhex("0804a7010302")]
)
def test_a_short_message_is_read_with_its_parts(gsm7: bool, header: bytes) -> None:
    text = "code 482913 {ok} 10€" if gsm7 else "【淘宝】验证码482913"
    message = read(rp_data("10690000123", text, gsm7=gsm7, header=header))
    parts = {0: (1, 1, 0), 5: (2, 3, 0xA7), 6: (2, 3, 0xA701)}[len(header)]
    assert message == kamailio.Message("8613900000001", "10690000123", text, *parts)


@pytest.mark.parametrize("sender", ["1", "95555", "Taobao", "AUTHMSG", "G", "Verify12345"])
def test_its_sender_is_a_number_or_a_name(sender: str) -> None:
    message = read(rp_data(sender, "x"))
    assert message.sender == sender


def test_septets_of_a_known_message() -> None:
    assert kamailio.septets(bytes.fromhex("e8329bfd4697d9ec37"), 10) == "hellohello"


def test_what_phones_send_and_reports_are_not_asked_about() -> None:
    whole = rp_data("1069", "x")
    for first in (0, 2, 3, 4, 5, 6):  # from the phone; acknowledgements; errors; memory free
        assert read(bytes([first]) + whole[1:]) is None
    report = bytearray(whole)
    report[11] = report[11] & ~3 | 2  # SMS-STATUS-REPORT
    assert whole[11] & 3 == 0
    assert read(bytes(report)) is None
    assert read(b"<isComposing/>", "application/im-iscomposing+xml") is None


def test_one_that_cannot_be_read_was_offered_all_the_same() -> None:
    whole = rp_data("1069", "【淘宝】验证码482913")
    for length in range(12, len(whole)):
        message = read(whole[:length])
        assert (message.text, message.recipient) == (None, "8613900000001")
    assert read(whole).text is not None


@pytest.mark.parametrize(
    ("coding", "alphabet"),
    [(0, "gsm7"), (4, None), (8, "ucs2"), (0x18, "ucs2"), (0x20, None), (0x11, "gsm7"),
     (0x48, "ucs2"), (0xC8, "gsm7"), (0xE0, "ucs2"), (0xF0, "gsm7"), (0xF4, None)],
)  # fmt: skip
def test_alphabets(coding: int, alphabet: str | None) -> None:
    assert kamailio._alphabet(coding) == alphabet


def test_text_in_its_charset_and_in_one_that_nobody_knows() -> None:
    for charset in ("utf-8", "gb18030", "utf-16"):
        body = "【淘宝】验证码482913".encode(charset)
        message = read(body, f"text/plain; charset={charset}")
        assert message.text == "【淘宝】验证码482913"
    assert read(b"x", "text/plain; charset=none").text == "x"


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "us-ascii", "iso-8859-1", "utf-16", "utf-16be", "utf-16le", "gb2312", "gbk",
     "gb18030", "big5"],
)  # fmt: skip
def test_the_charsets_that_are_read(charset: str) -> None:
    text = {"us-ascii": "code", "iso-8859-1": "Über", "big5": "驗證碼"}.get(charset, "验证码")
    for spelled in (charset, charset.upper(), f'"{charset}"'):
        assert read(text.encode(charset), f"text/plain;charset={spelled}").text == text
    assert read(text.encode(charset), f"text/plain;charset*=us-ascii''{charset}").text == text


@pytest.mark.parametrize(
    "charset",
    ["unicode_escape", "raw_unicode_escape", "utf-7", "idna", "punycode", "undefined", "hz",
     "iso2022_kr", "utf-32", "rot13", "../x", "a\0b"],
)  # fmt: skip
def test_every_other_is_read_as_utf_8(charset: str) -> None:
    octets = "验证码 \\u0041 +AGE- ~{<:Ky~}".encode() + b"\xff"
    message = read(octets, f"text/plain;charset={charset}")
    assert message.text == octets.decode("utf-8", "replace")


def test_a_question_has_no_more_than_the_gate_takes() -> None:
    message = kamailio.Message("1" * 200, "s" * 200, "t", 2, 3, 9)
    asked = json.loads(kamailio.question(message, "i" * 300, "a" * 300))
    assert [len(asked[each]) for each in ("recipient", "sender", "message_id", "account_id")] == [
        128, 64, 128, 64
    ]  # fmt: skip
    assert (asked["segment"], asked["segments"], asked["reference"]) == (2, 3, 9)


def test_nothing_hostile_raises_and_nobody_there_lets_it_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OTPGUARD_GATE", f"127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("OTPGUARD_GATE_ANSWER_S", str(END_S))
        asks = kamailio.Kamailio()
        chance = random.Random(5)
        whole = rp_data("1069", "【淘宝】验证码482913")
        found = set()
        for n in range(20_000):
            octets = bytearray(whole if n % 2 else chance.randbytes(chance.randrange(60)))
            for _ in range(chance.randrange(4)):
                if octets:
                    octets[chance.randrange(len(octets))] = chance.randrange(256)
            kind = chance.choice(["application/vnd.3gpp.sms", "text/plain", "", "\0;=", "<null>"])
            words = f"{time.time():.6f} %2B86 %ff i/1 127.0.0.1 {kind} {octets.hex()}"
            found.add(asks.ask(None, words))
        assert found == {kamailio.PASS, kamailio.UNANSWERED}
