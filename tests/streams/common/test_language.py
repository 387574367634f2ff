"""What people read, in their language and on their clock; what programs read, in neither."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog
from typer.testing import CliRunner

from deploy.languages.catalogue import (
    compiled,
    lacking,
    path_of,
    read,
    translated,
    updated,
    written,
)
from streams.__main__ import app
from streams.cases.standing import banner
from streams.common import language
from streams.common.language import (
    choose_language,
    join_list,
    matching,
    moment,
    speaking,
    tr,
    trc,
    trn,
    use,
    zone_name,
)
from tests.builders.streams.cli.terminal import in_a_terminal
from tests.builders.streams.common.language import NEVER
from tests.enforce.records import override
from tests.syntax import dotted
from tests.waiting import END_S

ROOT = Path(__file__).parents[3]
START_MS = 1_772_422_380_000


@pytest.fixture(params=translated(), scope="module")
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return updated(request.param)


def test_a_value_in_a_message_with_tags_neither_opens_a_tag_nor_turns_a_line() -> None:
    told = language.html("<b>{name}</b>", name="\x1b[2J\u202e<i>")
    assert str(told) == r"<b>\x1b[2J\u202e&lt;i&gt;</b>"


def test_a_request_is_answered_in_its_language_and_others_in_theirs() -> None:
    with language.speaking("zh-Hans", ZoneInfo("Asia/Shanghai")):
        assert tr("known") == "已知"
        assert moment(START_MS).endswith("+08:00")
        assert trn("{n} message", "{n} messages", 2) == "2 条短信"
        with language.speaking("en", UTC):
            assert (tr("known"), moment(START_MS)[-1]) == ("known", "Z")
        assert tr("known") == "已知"
    assert tr("known") == "known"


@pytest.mark.slow
def test_no_message_is_left_untranslated(catalogue: Catalog) -> None:
    """`python -m deploy.languages` adds new ones to the catalogue, to be translated there."""
    assert lacking(catalogue) == []


@pytest.mark.slow
def test_catalogues_hold_what_the_source_says_and_are_compiled(catalogue: Catalog) -> None:
    tag = str(catalogue.locale).replace("_", "-")
    said = path_of(tag).read_text("utf-8").splitlines()
    assert written(catalogue).decode().splitlines() == said, "run python -m deploy.languages"
    assert compiled(read(tag)) == path_of(tag).with_suffix(".mo").read_bytes()
    assert len(read(tag)) > 400


@pytest.mark.slow
def test_every_message_is_collected(catalogue: Catalog) -> None:
    """What stands inside an f-string escapes the collector of older Pythons."""
    lost = [
        f"{path.name}:{node.lineno}: {said.value!r}"
        for path in sorted((ROOT / "streams").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("tr", "trn", "html")
        for said in node.args[:1]
        if isinstance(said, ast.Constant) and str(said.value) not in catalogue
    ]
    assert lost == []


@pytest.mark.slow
def test_a_translation_fills_in_what_its_message_fills_in(catalogue: Catalog) -> None:
    wrong = []
    for message in catalogue:
        if message.id:
            one, other = (first(each) for each in (message.id, message.string))
            if sorted(places(one)) != sorted(places(other)):
                wrong.append((one, other))
    assert wrong == []


def first(form: Any) -> str:
    """A message's form, or its form for one."""
    return form if isinstance(form, str) else str(form[0])


def places(form: str) -> list[str]:
    return re.findall(r"{[^}]*}", form)


def test_the_glossary_is_kept() -> None:
    """One word for each thing: what style.md asks of English holds for Chinese."""
    wrong = []
    for message in read("zh-Hans"):
        english, chinese = re.sub(TYPED, "", str(message.id)).lower(), str(message.string)
        wrong += [
            (english, chinese)
            for word, said in GLOSSARY.items()
            if re.search(rf"\b{word}", english) and said not in chinese
        ]
        wrong += [(never, chinese) for never in NEVER if never in chinese]
        wrong += [(level, chinese) for level in re.findall(LEVEL, chinese)]
    assert wrong == []


TYPED = r"{[^}]*}|--[\w-]+|\"\w+\""
"""Places of values, options, fields: what stays as it is."""

GLOSSARY = {
    "verification code": "验证码",
    "kill switch": "总开关",
    "recipient": "号码",
    "dead letter": "死信",
    "checkpoint": "检查点",
    "in shadow": "影子模式",
    "adapter": "适配器",
    "signature": "签名",
}
LEVEL = r"(?<!（)\b(?:CLEAR|WATCH|THROTTLE)\b"
"""A level in English. Behind the Chinese name it may stand in parentheses, as files have it."""


SAYING = re.compile(
    r"typer\.(echo|secho|prompt|confirm|BadParameter)|print|_asked|_number|ctx\.fail|write_table"
    r"|(Usage|Config|Unavailable|Otpguard)Error|Check|unusable|working|in_a_sentence|\w+\.set_[xy]label"
)
"""Calls whose words people read: answers, questions, errors, findings, letters in pictures."""

TRANSLATED = {"tr", "trc", "trn", "html", "partial"}
AS_TYPED = re.compile(
    r"`[^`]*`|--[\w-]+|otpguard topics acls|\b(otpguard|Kafka)\b|=USER|\w+[=_.]\w*"
)
"""Commands, options, names: they are typed, not translated."""

VALUES = {
    "bold",
    "default",
    "none",
    "ssl",
    "plaintext",
    "utf-8",
    "backslashreplace",
    "otpguard-worker",
    "streams.people.signal",
}
"""Words that programs compare or take."""


def literals(node: ast.AST) -> Iterator[ast.Constant]:
    """What an argument says in the source, beside what goes through the catalogue."""
    if isinstance(node, ast.Call) and dotted(node.func) in TRANSLATED:
        return
    if isinstance(node, ast.Subscript):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from literals(child)


def untranslated(source: str) -> list[str]:
    """Literal English that a module says to people."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not SAYING.fullmatch(dotted(node.func)):
            continue
        said = node.args[2:] if dotted(node.func) == "Check" else node.args
        for each in (part for argument in said for part in literals(argument)):
            words = AS_TYPED.sub("", str(each.value))
            if re.search("[A-Za-z]{3}", words) and each.value not in VALUES:
                found.append(f"{each.lineno}: {each.value!r}")
    return found


def test_what_people_are_told_goes_through_the_catalogue() -> None:
    told = [
        f"{path.relative_to(ROOT)}:{each}"
        for path in sorted((ROOT / "streams").rglob("*.py"))
        if path.name != "standalone.py"  # runs alone, and has both languages
        for each in untranslated(path.read_text("utf-8"))
    ]
    assert told == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('typer.echo("nothing to create")', 1),
        ('typer.echo(f"created {name}")', 1),
        ('raise UsageError(f"no reason {each!r}")', 1),
        ('Check("lag", "warn", "no worker yet")', 1),
        ('axes.set_xlabel("new platforms")', 1),
        ('typer.echo(tr("created {name}").format(name=name))', 0),
        ('typer.echo(f"otpguard topics acls {role}=USER")', 0),
        ('log.warning("the gateway is away")', 0),
    ],
)
def test_words_beside_the_catalogue_are_noticed(source: str, count: int) -> None:
    assert len(untranslated(source)) == count


@pytest.mark.parametrize(
    ("environment", "tag"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh-Hans"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "zh_SG"}, "zh-Hans"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
    ],
)
def test_the_environment_chooses_as_posix_says(environment: dict[str, str], tag: str) -> None:
    assert choose_language(environment) == tag


def test_a_tag_is_read_in_each_of_its_forms() -> None:
    for asked in ("zh", "zh-CN", "zh_CN.UTF-8", "zh-Hans", "ZH-hans-CN", "zh_SG"):
        assert matching(asked) == "zh-Hans", asked
    assert matching("zh-Hant") is matching("fr") is matching("xx") is None


def test_times_are_of_the_zone_in_use_with_its_offset() -> None:
    assert (moment(START_MS), zone_name(START_MS)) == ("2026-03-02 03:33:00Z", "UTC")
    use("en", ZoneInfo("Asia/Shanghai"))
    assert moment(START_MS) == "2026-03-02 11:33:00+08:00"
    assert zone_name(START_MS) == "UTC+08:00"
    use("en", ZoneInfo("Asia/Kolkata"))
    assert moment(START_MS) == "2026-03-02 09:03:00+05:30"
    use("en", UTC)
    assert moment(START_MS).endswith("Z")


def test_messages_numbers_and_lists_are_those_of_the_language() -> None:
    assert tr("no open cases") == "no open cases"
    assert trn("{n} platform", "{n} platforms", 1) == "1 platform"
    assert trn("{n} platform", "{n} platforms", 2_000) == "2,000 platforms"
    assert join_list(["a", "b"]) == "a, b"
    use("zh-Hans")
    assert tr("no open cases") == "没有进行中的事件"
    assert tr("nobody ever said this") == "nobody ever said this"
    assert tr("") == ""
    assert trn("{n} platform", "{n} platforms", 2_000) == "2,000 个平台"
    assert join_list(["a", "b"]) == "a、b"
    assert "紧急总开关已启用：off，" in banner(override("mode", "*", mode="off"))
    assert language.current_language() == "zh-Hans"


HAN = re.compile(r"[\u4e00-\u9fff]")


def in_chinese(*words: str) -> str:
    with language.speaking("zh-Hans", UTC):
        told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert told.exit_code == 0
    return told.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("topics", "acls"), "网关"),
        (("demo",), "被中断"),
        (("topics", "create"), "试用"),
        (("enforce", "kannel"), "服务"),
        (("worker",), "分区"),
    ],
)
def test_tables_and_remarks_of_a_help_are_translated_too(words: tuple[str, ...], says: str) -> None:
    told = in_chinese(*words, "--help")
    rows = re.findall(r"^ +[\w-]+ {2,}(\S.*)$", told, re.MULTILINE)
    rows += re.findall(r" {2}(\(.+\))$", told, re.MULTILINE)
    assert [each for each in rows if not HAN.search(each)] == []
    assert says in told


def test_a_list_of_scenarios_says_in_chinese_what_happens_in_each() -> None:
    assert [
        line for line in in_chinese("scenario", "--list").splitlines() if not HAN.search(line)
    ] == []


def test_pieces_that_weighed_are_told_in_chinese_but_for_their_letters() -> None:
    told = in_chinese("recognise", "call 482913482913", "--why")
    assert "[12 位数字]" in told or "[12位数字]" in told
    assert "digits" not in told


CHINESE: dict[str, Any] = {"LANG": "zh_CN.UTF-8", "TZ": "Asia/Shanghai"}


def otpguard(*words: str, given: bytes = b"", **environment: str) -> str:
    clean = {name: v for name, v in os.environ.items() if name not in ("LC_ALL", "LANGUAGE", "TZ")}
    done = subprocess.run(
        [sys.executable, "-m", "streams", *words],
        input=given, capture_output=True, cwd=ROOT, env=clean | environment,
        check=False, timeout=END_S,
    )  # fmt: skip
    return (done.stdout + done.stderr).decode()


@pytest.fixture(scope="module")
def replayed() -> tuple[bytes, bytes]:
    """Events of a flood, and the episode records of their replay."""
    events = otpguard("scenario", "A1", "--seed", "3").encode()
    return events, otpguard("replay", "-", "--episodes", "-q", given=events).encode()


@pytest.mark.slow
def test_people_are_answered_in_chinese_on_their_own_clock_and_in_utc_on_request(
    replayed: tuple[bytes, bytes], tmp_path: Path
) -> None:
    log = tmp_path / "a1.jsonl"
    log.write_bytes(replayed[0])
    words = ("-m", "streams", "replay", "-q", str(log))
    environment = {"LC_ALL": "", "LANGUAGE": "", **CHINESE}
    told = in_a_terminal(300, *words, **environment)
    assert "速度超过真人登录" in told
    assert re.search(r"2026-03-02 11:3\d:\d\d\+08:00", told)
    assert "仅观察" in told
    in_utc = in_a_terminal(300, *words, "--utc", "--lang", "en", **environment)
    assert "faster than people log in" in in_utc
    assert re.search(r"2026-03-02 03:3\d:\d\dZ", in_utc)
    assert "列出进行中的限流事件" in otpguard("cases", "ls", "--help", "--lang=zh")
    assert "没有命令 'relase'" in otpguard("relase", **CHINESE)
    assert "one of en, zh-Hans" in otpguard("cases", "ls", "--lang", "xx")


@pytest.mark.slow
def test_programs_are_answered_in_english_and_utc_whatever_the_environment_says(
    replayed: tuple[bytes, bytes],
) -> None:
    events, records = replayed
    assert otpguard("replay", "-", "--episodes", "-q", given=events, **CHINESE).encode() == records
    text = ("recognise", "【淘宝】验证码 583921，5分钟内有效", "--why", "--json")
    assert otpguard(*text, **CHINESE) == otpguard(*text)


def test_one_english_word_with_two_meanings_has_two_translations() -> None:
    with speaking(language.CHINESE, UTC):
        for context, word in (("desk", "no flood"), ("campaign", "open"), ("desk", "People")):
            assert trc(context, word) != tr(word)
        assert trc("desk", "no flood") == "没有轰炸"
        assert trc("why", "over") == "已到期"
        assert trc("why", "http_401") == "http_401"
    assert trc("why", "over") == "over"
