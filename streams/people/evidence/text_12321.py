"""Write the text of a complaint to 12321, the Chinese centre for unwanted messages. Ready to paste.

The complaint form is in Chinese. It asks for the reporter's number, the full sender number (1069…),
the time and the text of each message. The texts are only on the reporter's phone. A pack supplies
the rest, for each sender.
"""

import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from detectors.model.incidents import FloodMessage
from streams.cases.explanation import platform_name
from streams.people.evidence.pack_records import Chosen
from streams.people.evidence.pack_report import local

_MAINLAND: Final = re.compile(r"861\d{10}")
TIMES_MAX: Final = 20
"""Maximum number of times listed per sender. Further messages appear only in the count."""


def lines(chosen: Chosen, zone: tzinfo) -> Iterator[str]:
    """Yield the lines of the complaint: one block per sender, full numbers, times in seconds."""
    case = chosen.case.last
    told: dict[str, list[FloodMessage]] = {}
    for message in chosen.of("message"):
        if message.sender:
            told.setdefault(message.sender, []).append(message)
    evidence = case.evidence
    yield f"举报号码：{_reporter(case.recipient)}"
    yield "举报类型：短信轰炸（短时间内收到大量非本人请求的验证码短信）"
    yield (
        f"起止时间：{local(evidence.first_ms, zone)} 至 {local(evidence.last_ms, zone)}（{zone}）"
    )
    yield (
        f"总量：{evidence.messages} 条，来自 {evidence.platforms} 个平台，"
        f"其中 {evidence.novel} 个此前从未向该号码发送过"
    )
    yield "说明：均非本人操作，疑为网站验证码接口被滥用。短信原文及截图见附件（由本人手机提供）。"
    if not told:
        yield "发送端口号：运营商记录中没有逐条的发送号码，请从手机上逐条抄录。"
    by_time = sorted(told.items(), key=lambda each: each[1][0].at_ms)
    for number, (sender, sent) in enumerate(by_time, 1):
        times = [local(each, zone) for each in sorted(message.at_ms for message in sent)]
        platforms = dict.fromkeys(platform_name(message.platform) for message in sent)
        more = f" 等共 {len(times)} 条" if len(times) > TIMES_MAX else f" 共 {len(times)} 条"
        yield ""
        yield f"{number}. 发送端口号：{sender}"
        yield f"   签名或平台：{'、'.join(platforms)}"
        yield f"   接收时间：{'，'.join(times[:TIMES_MAX])}{more}"


def _reporter(recipient: str) -> str:
    """Return the number as the form expects it: 11 digits for a Chinese mobile number.

    >>> _reporter("8613900000001"), _reporter("85261234567"), _reporter("h1:ab")
    ('13900000001', '85261234567', '（记录中为代号，请填写本机号码）')
    """
    if not recipient.isdecimal():
        return "（记录中为代号，请填写本机号码）"
    return recipient[2:] if _MAINLAND.fullmatch(recipient) else recipient
