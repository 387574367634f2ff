"""Texts of notices: one part each at their largest, nothing to click or call, and no code to us."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from streams.common.errors import ConfigError
from streams.config.sections.notices import Notify
from streams.people.notices.texts import (
    Facts,
    NoticeTexts,
    TextName,
    check_texts,
    count,
    load_texts,
    read_texts,
    units,
)

REGISTRY = Registry.load_shipped()
TEXT_NAMES: tuple[TextName, ...] = get_args(TextName)
NAMES = {
    "zh-Hans": ("中国移动", "中国联通", "中国电信", "中国广电"),
    "zh-Hant": ("中國移動香港", "中華電信", "台灣大哥大", "澳門電訊"),
    "en": ("China Mobile", "China Telecom", "China Unicom", "CSL"),
}
"""Names of carriers, the longest that a text has to hold among them."""


def texts(given: Any = None, **fields: Any) -> NoticeTexts:
    usual: dict[str, Any] = {
        "operator": "中国移动", "operators": {"en": "China Mobile"}, "zone": "Asia/Shanghai",
        "reply_command": "KX", "language": "zh-Hans", "sender": "10086",
        "languages": {"852": "zh-Hant", "1": "en"},
    }  # fmt: skip
    names = fields.pop("names", TEXT_NAMES)
    own = read_texts(None) if given is None else given
    return check_texts(own, Notify(**{**usual, **fields}), names, REGISTRY)


@pytest.mark.parametrize("language", NAMES)
@pytest.mark.parametrize("name", TEXT_NAMES)
@pytest.mark.slow
def test_a_shipped_text_is_one_part_and_no_code_whoever_sends_it(language: str, name: str) -> None:
    senders = ("10086", "10010", "10690012345678", "95588", "CMCC", "Notice", "")
    for operator in NAMES[language]:
        made = texts(
            operator=operator, operators={}, language=language, languages={}, names=(name,)
        )
        for facts in (Facts(0, 5, 5), Facts(1_772_422_380_000, 168, 131), Facts(0, 9999, 9999)):
            text = made.render(name, language, facts)
            taken, most = units(text)
            assert taken <= most, (taken, text)
            for sender in senders:
                verdict = recognise(REGISTRY, text, sender)
                assert not verdict.otp, (text, sender, verdict)
            signed = recognise(REGISTRY, text, "10690012345678", operator)
            assert not signed.otp, (text, signed)


def test_no_shipped_text_has_a_link_or_a_number() -> None:
    for own in load_texts().values():
        for text in own.values():
            assert not re.search(r"https?:|www|\.c(om|n)|\d{3}|微信|QQ", text)


@pytest.mark.parametrize(("language", "charset"), [("zh-Hans", "gb2312"), ("zh-Hant", "big5")])
def test_every_character_is_one_that_phones_of_its_language_show(
    language: str, charset: str
) -> None:
    """One unit each, and of the language's own set: a wrong variant reads like a forgery."""
    for text in load_texts()[language].values():
        for character in re.sub(r"\{\w+\}", "", text):
            assert len(character.encode("utf-16-be")) == 2
            assert character.encode(charset), character


def test_every_language_has_every_text() -> None:
    assert {language: tuple(own) for language, own in load_texts().items()} == dict.fromkeys(
        NAMES, TEXT_NAMES[:3] + TEXT_NAMES[3:]
    )


def test_a_number_gets_the_language_of_the_longest_prefix_that_fits() -> None:
    made = texts(languages={"852": "zh-Hant", "1": "en", "18": "zh-Hans"})
    asked = ("8613900000001", "85261234567", "14155550100", "18095550100")
    assert [made.language(each) for each in asked] == ["zh-Hans", "zh-Hant", "en", "zh-Hans"]


def test_a_text_says_the_time_on_the_operator_s_clock_and_counts_to_999() -> None:
    text = texts().render("start", "zh-Hans", Facts(1_772_422_380_000, 168, 131))
    assert "11:33起已收168条" in text  # 03:33 UTC
    assert count(1_000_000) == "999+"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("【{operator}】您正遭轰炸，详见 http://a.cn", "a link"),
        ("【{operator}】您正遭轰炸，详见a.cn", "a link"),
        ("【{operator}】您正遭轰炸，请拨打10086", "a number"),
        ("您正遭验证码轰炸", "{operator}"),
        ("【{operator}】" + "轰" * 65, "71 units and one part holds 70"),
        ("{operator} " + "x" * 148, "161 units and one part holds 160"),
        ("【{operator}】您的验证码是{messages}，请勿泄露", "verification code"),
        ("【{operator}】{number}", "no value number"),
        ("【{operator}】{", "Single '{'"),
        ("【{operator}】{messages:d}", "'d'"),
        ("【{operator!x}】", "specifier"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_at_the_start(template: str, says: str) -> None:
    given = {"zh-Hans": {"start": template}}
    operator = "China Mobile" if template.startswith("{operator} ") else "中国移动"
    with pytest.raises(ConfigError, match=re.escape(says)):
        texts(given, names=("start",), languages={}, operator=operator)


def test_a_name_that_is_too_long_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match="one part holds 70"):
        texts(operator="中国移动通信集团有限公司")
    with pytest.raises(ConfigError, match="in en"):
        texts(operators={})  # a Chinese name in an English text
    with pytest.raises(ConfigError, match="operator is empty"):
        texts(operator=" ")


def test_a_language_without_texts_and_a_zone_that_is_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="no such text"):
        texts(language="ja")
    with pytest.raises(ConfigError, match="no zone"):
        texts(zone="Asia/Dalian")


def test_a_file_brings_a_language_and_changes_a_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.toml"
    path.write_text('[ja]\nstart = "{operator}:認証メールが{messages}件届いています"\n'
                    '[en]\nend = "{operator}: it is over."\n', encoding="utf-8")  # fmt: skip
    found = read_texts(path)
    assert found["en"]["end"] == "{operator}: it is over."
    assert found["en"]["start"] == load_texts()["en"]["start"]
    assert "ja" in found
    made = texts(found, language="ja", operator="ドコモ", languages={}, names=("start",))
    assert made.render("start", "ja", Facts(0, 7, 7)) == "ドコモ:認証メールが7件届いています"


@pytest.mark.parametrize("content", ["[en]\nstrat = 'x'", "[en]\nstart = 7", "en = 'x'", "["])
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "texts.toml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"texts_file .*texts\.toml"):
        read_texts(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_texts(tmp_path / "none.toml")
