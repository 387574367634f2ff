"""`otpguard notify`: texts before anything is sent, and what is wrong in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.cli.notify import _params
from streams.cli.shared import settings_of
from streams.common.errors import ConfigError, UnavailableError, UsageError
from streams.people.notices.platform_use import Telling
from streams.people.notices.reply import HeardReply
from streams.telemetry.metrics import NOTICE_KINDS, NOTICE_REPLIES
from streams.wire.notice_records import NoticeKind
from tests.streams.cli.called import NOWHERE, called, refused, settings_file

WHO = '[notify]\noperator = "中国移动"\nsender = "10086"'


def test_a_preview_shows_each_text_at_its_longest(tmp_path: Path) -> None:
    config = settings_file(tmp_path, WHO, "end = true", 'languages = {"852" = "zh-Hant"}')
    rows = json.loads(called("notify", "preview", "--json", "-c", config))
    assert [(row["language"], row["text"]) for row in rows] == [
        (language, name)
        for language in ("zh-Hans", "zh-Hant")
        for name in ("start", "start_few", "end")
    ]
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
        ([WHO, 'to_prefixes = {"00852" = 5}'], "to_prefixes"),
        ([WHO, 'to_prefixes = {"852" = 0}'], "to_prefixes"),
        ([WHO, '[smpp]\npassword = "123456789"'], "8 characters"),
    ],
)
def test_what_could_not_be_sent_stops_it_before_it_starts(
    tmp_path: Path, lines: list[str], says: str
) -> None:
    refused(ConfigError, says, "notify", "run", "-c", settings_file(tmp_path, *lines))


@pytest.mark.parametrize(
    ("lines", "goes", "stays"),
    [
        ([], "8613900000001", "88213900000001"),
        (['[input]\ncountry = "FR"'], "33612345678", "8613900000001"),
        ([WHO, 'to_prefixes = {"+852" = 5}'], "85261234567", "8613900000001"),
    ],
)
def test_notices_go_to_the_operators_country_unless_prefixes_are_named(
    tmp_path: Path, lines: list[str], goes: str, stays: str
) -> None:
    params = _params(settings_of(Path(settings_file(tmp_path, *lines))))
    assert params.prefix(goes) is not None
    assert params.prefix(stays) is None


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    config = settings_file(tmp_path, WHO, f'file = "{path}"')
    refused(UnavailableError, NOWHERE, "notify", "run", "-c", config)
    refused(UnavailableError, NOWHERE, "notify", "platforms", "-c", config)


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    config = settings_file(tmp_path, WHO)
    refused(UsageError, "is no day", "notify", "platforms", "--day", "soon", "-c", config)


@pytest.mark.parametrize("channel", ["smpp", "jasmin", "webhook"])
@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), ("x", "no certificate")])
def test_certificates_that_are_none_are_said_before_it_starts(
    tmp_path: Path, channel: str, content: str | None, says: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    (tmp_path / "secret").write_text("0" * 32)
    section = (f'ca_file = "{path}"', "[smpp]", "tls = true", f'ca_file = "{path}"')
    lines = (WHO, f'channel = "{channel}"', 'url = "https://smsc.example/send"',
             f'secret_file = "{tmp_path / "secret"}"', *section)  # fmt: skip
    refused(ConfigError, says, "notify", "run", "-c", settings_file(tmp_path, *lines))


@pytest.mark.parametrize(
    ("number", "language"),
    [("13900000001", "zh-Hans"), ("+86 139 0000 0001", "zh-Hans"), ("0014155550100", "en")],
)
def test_a_preview_is_in_the_language_that_the_notifier_takes_for_a_number(
    tmp_path: Path, number: str, language: str
) -> None:
    lines = ('languages = {1 = "en"}', 'operators = {en = "China Mobile"}')
    config = settings_file(tmp_path, WHO, *lines)
    told = json.loads(called("notify", "preview", "-c", config, "--number", number, "--json"))
    assert {row["language"] for row in told} == {language}
    refused(
        UsageError,
        "neither a number nor a token",
        "notify",
        "preview",
        "-c",
        config,
        "--number",
        "nobody",
    )


def test_the_metrics_have_every_kind_and_every_end() -> None:
    kinds = set(NoticeKind.__args__) - {"bank"}  # type: ignore[attr-defined]
    assert set(NOTICE_KINDS) == kinds
    assert {*NOTICE_REPLIES, "other"} == set(HeardReply)
    assert len(Telling) == 7
