"""FeedOptions that a guess makes; tests/streams/cli/test_feed_guess.py has whole files."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from streams.common.errors import UsageError
from streams.gateways.feeds.guess_options import FeedOptions, Guesser
from streams.wire import Numbers

NOW_MS = 1_772_422_380_000


def guesser(*answers: str) -> Guesser:
    left = list(answers)

    def ask(_question: str, _option: str, _few: Sequence[str]) -> str:
        return left.pop(0)

    return Guesser(Numbers("CN"), "CN", NOW_MS, ask)


def test_a_guess_is_said_as_the_words_that_make_it() -> None:
    before = FeedOptions(maps=("recipient=a",))
    after = FeedOptions(("recipient=a", "sender=b c"), (), "s", None, None, "\t", "gb18030")
    words = "--delimiter '\\t' --encoding gb18030 --map 'sender=b c' --time s"
    assert after.added(before) == words
    assert after.added(after) == ""


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("1772422380123", "ms"), ("1772422380.5", "s"), ("1772422380123456", "us"),
        ("20260302113300", "%Y%m%d%H%M%S"), ("2026-03-02T11:33:00Z", "iso"),
        ("2026/3/2 9:05", "%Y/%m/%d %H:%M"), ("31.01.2026 11:33:00", "%d.%m.%Y %H:%M:%S"),
        ("03.02.2026 11:33:00", "%d.%m.%Y %H:%M:%S"), ("1.2.2026 9:05", "%d.%m.%Y %H:%M"),
        ("1/31/2026 11:33:00 PM", "%m/%d/%Y %I:%M:%S %p"),
        ("02/Mar/2026:11:33:00 +0800", "%d/%b/%Y:%H:%M:%S %z"),
        ("Mon, 02 Mar 2026 11:33:00 +0800", "%a, %d %b %Y %H:%M:%S %z"),
        ("2026年3月2日 11:33:00", "%Y年%m月%d日 %H:%M:%S"),
    ],
)  # fmt: skip
def test_a_form_of_times_is_told_by_the_times(written: str, form: str) -> None:
    data = f"to|from|at\n13900000001|1069|{written}\n".encode()
    found = guesser().csv(FeedOptions(), data)
    assert (found.time_format or "ms") == form


@pytest.mark.parametrize("written", ["8613900000001", "13900000001", "2026-03-02", "11:33", "1069"])
def test_what_is_no_time_of_this_century_is_none(written: str) -> None:
    found = guesser().csv(FeedOptions(), f"to,from,time\n13900000001,1069,{written}\n".encode())
    assert not any(each.startswith("event_time_ms=") for each in found.maps)


def test_a_question_is_answered_by_an_option() -> None:
    data = b"to,from,at\n13900000001,1069,03/02/2026 11:33\n"
    found = guesser("%m/%d/%Y %H:%M").csv(FeedOptions(), data)
    assert (found.time_format, found.zone) == ("%m/%d/%Y %H:%M", "Asia/Shanghai")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (FeedOptions(time_format="s"), "--time s: row 1 has '2026-03-02 11:33:00'; --time 'iso'"),
        (FeedOptions(time_format="%d.%m.%Y"), "--time 'iso' would fit"),
        (FeedOptions(delimiter=";"), "--delimiter ';': line 1 has one field; ',' would fit"),
        (FeedOptions(encoding="ascii"), "--encoding ascii: line 2 is not in it; utf-8 would fit"),
    ],
)
def test_an_option_that_does_not_fit_is_an_error_that_names_one_that_does(
    options: FeedOptions, says: str
) -> None:
    data = "to,from,at,text\n13900000001,1069,2026-03-02 11:33:00,验证码 1234;5\n".encode()
    with pytest.raises(UsageError, match=re.escape(says)):
        guesser().csv(options, data)


def test_options_that_are_given_are_not_guessed_again() -> None:
    given = FeedOptions(
        ("recipient=b", "sender=a", "event_time_ms=c"), (), "s", None, None, ",", "utf-8"
    )
    assert guesser().csv(given, b"a,b,c,text2\n13900000001,13900000002,1772422380,x\n") == given


def test_json_lines_that_are_events_stay_as_they_are() -> None:
    line = b'{"recipient":"13900000001","sender":"1","event_time_ms":1772422380000,"id":"x"}\n'
    assert guesser().json(FeedOptions(), line + b"no json\n") == FeedOptions()
