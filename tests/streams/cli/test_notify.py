"""`otpguard notify`: texts before anything is sent, and what is wrong in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.errors import ConfigError, UnavailableError
from streams.notices.platforms import Telling
from streams.notices.reply import HeardReply
from streams.telemetry.metrics import NOTICE_KINDS, NOTICE_REPLIES
from streams.wire.notices import NoticeKind
from tests.streams.cli.called import NOWHERE, called, refused, settings_file

WHO = '[notify]\noperator = "中国移动"\nsender = "10086"'


def test_a_preview_shows_each_text_at_its_longest(tmp_path: Path) -> None:
    config = settings_file(tmp_path, WHO, "end = true", 'languages = {"852" = "zh-Hant"}')
    rows = json.loads(called("notify", "preview", "--json", "-c", config))
    assert [(row["language"], row["text"]) for row in rows] == [
        ("zh-Hans", "start"), ("zh-Hans", "end"), ("zh-Hant", "start"), ("zh-Hant", "end"),
    ]  # fmt: skip
    assert all(row["units"] <= row["of"] == 70 and row["sender"] == "10086" for row in rows)
    (own, *_) = called("notify", "preview", "--number", "85261234567", "-c", config).splitlines()
    assert own.startswith("zh-Hant")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (['[notify]\nsender = "10086"'], "notify.operator is empty"),
        (['[notify]\noperator = "中国移动"'], "notify.sender is empty"),
        ([WHO, 'language = "ja"'], "no such text"),
        ([WHO, 'channel = "webhook"', 'url = "http://h/"'], "only https"),
        ([WHO, "reply = true"], "anybody could reply for anybody"),
        ([WHO, 'operators = {"zh-Hans" = "中国移动通信集团有限公司"}'], "one part holds 70"),
        ([WHO, '[smpp]\npassword = "123456789"'], "8 characters"),
    ],
)
def test_what_could_not_be_sent_stops_it_before_it_starts(
    tmp_path: Path, lines: list[str], says: str
) -> None:
    refused(ConfigError, says, "notify", "run", "-c", settings_file(tmp_path, *lines))


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    config = settings_file(tmp_path, WHO, f'file = "{path}"')
    refused(UnavailableError, NOWHERE, "notify", "run", "-c", config)
    refused(UnavailableError, NOWHERE, "notify", "platforms", "-c", config)


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    config = settings_file(tmp_path, WHO)
    refused(ConfigError, "is no day", "notify", "platforms", "--day", "soon", "-c", config)


def test_the_metrics_have_every_kind_and_every_end() -> None:
    kinds = set(NoticeKind.__args__) - {"bank"}  # type: ignore[attr-defined]
    assert set(NOTICE_KINDS) == kinds
    assert {*NOTICE_REPLIES, "other"} == set(HeardReply)
    assert len(Telling) == 7
