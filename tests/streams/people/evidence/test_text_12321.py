"""Text for 12321: whole sender numbers and local times, in Chinese, ready to paste."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from streams.people.evidence.text_12321 import TIMES_MAX, lines
from tests.builders.streams.cases.standing import OPENED
from tests.streams.people.evidence.packs import INCIDENT, SAID, chosen

ZONE = ZoneInfo("Asia/Shanghai")


def test_every_sender_is_told_whole_with_its_platform_and_times() -> None:
    told = "\n".join(lines(chosen(), ZONE))
    assert "1. 发送端口号：106900000001\n   签名或平台：示例购物" in told
    assert "2. 发送端口号：10690000000212\n   签名或平台：示例出行" in told
    assert "2025-10-09 16:53:21，2025-10-09 16:53:24 共 2 条" in told
    assert "举报号码：13900000001\n" in told  # eleven digits, as the form takes them


def test_without_single_messages_it_says_so() -> None:
    assert "没有逐条的发送号码" in "\n".join(lines(chosen([("episode", OPENED)]), ZONE))


def test_a_sender_of_many_has_a_number_instead_of_all_times() -> None:
    from dataclasses import replace

    message = INCIDENT.messages[0]
    many = tuple(message._replace(at_ms=message.at_ms + n * 1000) for n in range(TIMES_MAX + 5))
    told = "\n".join(
        lines(chosen([*SAID[:2], ("incident", replace(INCIDENT, messages=many))]), ZONE)
    )
    assert f"等共 {TIMES_MAX + 5} 条" in told
    assert told.count("2025-10-09 16:5") == TIMES_MAX + 2
