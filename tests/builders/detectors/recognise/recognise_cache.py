"""Builders that test_recognise_cache.py shares with other tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st

from detectors.model.event import Batch
from detectors.model.strings import StringList, Strings
from tests.builders.detectors.recognise.recognise_table import CODES, LOOK_ALIKES

Event = tuple[str, str, str, str, str, str]  # text, sender, signature, category, platform, template


def batch(events: Sequence[Event], column: Callable[[list[str]], Strings] = StringList) -> Batch:
    count = len(events)
    number = np.arange(count, dtype=np.int64)
    text, sender, signature, category, platform, template = (
        [event[field] for event in events] for field in range(6)
    )
    return Batch(
        topic="sms",
        partition=0,
        next_offset=count,
        offset=number,
        event_time_ms=number,
        recipient=number.astype(np.uint64),
        kind=np.zeros(count, np.uint8),
        sender=column(sender),
        text=column(text),
        signature=column(signature),
        category=column(category),
        platform=column(platform),
        template=column(template),
        gateway=column([""] * count),
        tokens={},
    )


# Texts that differ in a few digits and letters only, so that templates do come back: the hard case.
PIECES = st.sampled_from(
    [
        *(
            "【12306】",
            "【58同城】",
            "【360】",
            "【１２３０６】",
            "【淘宝】",
            "[工商银行]",
            "【",
            "】",
        ),
        *(
            "验证码",
            "code",
            "取件码",
            "код",
            "是",
            "：",
            " is ",
            ", ",
            "。",
            "\n",
            " ",
            "\u200b",
            "\0",
        ),
        *(
            "@a1.example #",
            "@host.example #",
            "<#> ",
            "G-",
            "482913",
            "4829",
            "10086",
            "7",
            "-",
            "【",
            "\0",
        ),
        *("Your Uber ", "your uber ", "Tandem: ", "登录小红书账号，", "您的青禾", "Ｕber "),
        *("４８２９", "٤٨٢٩", "④⑧②⑨", "一二三四", "abc12", "https://t.cn/a1", "é", "\ud800"),
    ]
)


TEXTS = st.one_of(
    st.lists(PIECES, max_size=9).map("".join),
    st.sampled_from([*CODES, *LOOK_ALIKES]),
    st.text(max_size=40),
)
