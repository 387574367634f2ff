"""What a glance at many texts tells is what a look at each finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.rules import glance
from detectors.recognise.rules.glance import prescan
from detectors.recognise.rules.reading import (
    excerpt,
    look,
    prescan_texts as seen_at_once,
    read,
    shown_at,
    tells_spent,
)
from detectors.recognise.rules.signature import is_plain_head, signature_span
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.text.gather import join_separated
from detectors.recognise.text.spelled import convert_spelled
from detectors.recognise.vocabulary.owners import is_owned
from tests.builders.detectors.recognise.recognise_cache import TEXTS
from tests.detectors.recognise import corpus

ODD = st.text(
    st.sampled_from(
        "aàΣσςοАıİ01²٣४一零四. -*/|~()（）[]【】<>@#:\n\t\0\u200b\u0301\ufe0f\u0f21𝟏𝔸😀\ud800"
    ),
    max_size=16,
)
SAID = st.lists(
    st.sampled_from(
        ["four", "zero", "0", "00", "0000", " ", "-", "c", "o", "d", "已失效", "已", "失效", "。",
         "has", "expired", "e scaduto", "a expirat", "не", "действителен", "К", "kd", "x", "wrong"]
    ),
    max_size=9,
).map("".join)  # fmt: skip
MASKED = st.lists(st.one_of(TEXTS, ODD, SAID).map(lambda text: mask(excerpt(text))), min_size=4)


def check(masked: list[str]) -> None:
    """Looks at all are looks at each, and what may not be is not."""
    together = seen_at_once(masked)
    for at, text in enumerate(masked):
        seen, alone = together.look(at), look(text)
        assert repr(seen._replace(may=0)) == repr(alone._replace(may=0)), text
        assert tells_spent(seen) == tells_spent(alone), text
        assert read(seen) == read(alone), text


def each(masked: list[str]) -> Iterator[tuple[str, str, int]]:
    """Texts, as folded at a glance, and what they may hold."""
    seen = prescan(masked)
    return zip(masked, seen.texts(), seen.may.tolist(), strict=True)


@given(MASKED)
def test_many_texts_are_looked_at_as_each_is(masked: list[str]) -> None:
    check(masked)


@pytest.mark.slow
def test_so_are_all_texts_that_there_are() -> None:
    check([mask(excerpt(row.text)) for row in corpus.rows()[::9]])


@given(st.lists(st.one_of(ODD, SAID).map(lambda text: mask(text.replace("\0", ""))), min_size=1))
def test_what_a_glance_does_not_see_is_not_there(masked: list[str]) -> None:
    for text, folded, may in each(masked):
        if may & glance.CLOSELY:
            continue
        assert folded == mask(fold(text))
        if not may & glance.APART:
            assert join_separated(folded)[1] is None
        if not may & glance.WORDS:
            assert convert_spelled(folded)[1] is None


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("Your code is 000000", 0),
        ("Κωδικός: 0000 ΣΑΣ", glance.CLOSELY),
        ("code ٣٤٥٦", glance.CLOSELY),
        ("pаypal 0000", glance.CLOSELY),
        ("c-o-d-e 0000", glance.APART),
        ("code 0*0*0*0", glance.APART),
        ("code (0)(0)(0)(0)", glance.APART),
        ("four zero 00", glance.WORDS),
        ("验证码零0一0", glance.WORDS),
    ],
)
def test_a_glance_tells_what_may_be_hidden(text: str, may: int) -> None:
    rest = ~(glance.SPENT | glance.NUMBER)
    assert [seen & rest for _, _, seen in each([text])] == [may]


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("【淘宝】您的验证码是000000，5分钟内有效，请勿泄露给他人。", 0),
        ("Пин: 0000", 0),
        ("验证码0000已失效", glance.SPENT),
        ("0kd已失效", glance.SPENT),
        ("Пин 0000 wrong", glance.SPENT),
        ("Пин 0000 e scaduto", glance.SPENT),
    ],
)
def test_a_glance_tells_if_a_number_may_be_called_used(text: str, may: int) -> None:
    assert [seen & ~glance.NUMBER for _, _, seen in each([text])] == [may]


BEFORE = st.lists(
    st.sampled_from(
        ["rs", "no.", "n°", "usd ", "$", "₽ ", "ref", "ref:", "(ref ", "voucher ", "code ", "年",
         "员", "会员", "您的验证码", "24 august", "may 3,", "00 августа", "to", "d'in", "промокод",
         "كد عضويت", "คูปอง ", "x", "(", "\u2003", "\x1f", "\n", "000", "。"]
    ),
    max_size=4,
).map("".join)  # fmt: skip
LED = st.sampled_from(["", " ", ":", ": ", "：", "是", "是 ", "=", "【"])
ENDED = st.sampled_from(["", ".", ",", "，", "。", ")", "】", " ", "/", "'"])
BEHIND = st.sampled_from(
    ["", " ", "元", "分钟", "%", "0", "00", " 000", "ye ara", "rupees", "\n", "\u2003", "x"]
)
BESIDE = st.builds(
    lambda before, led, digits, ended, behind: f"{before}{led}{'0' * digits}{ended}{behind}",
    BEFORE, LED, st.integers(3, 9), ENDED, BEHIND,
)  # fmt: skip


@given(st.lists(BESIDE, min_size=1))
def test_a_number_that_takes_no_search_is_a_code_s_own(texts: list[str]) -> None:
    for text, folded, may in each(list(map(mask, texts))):
        if may & (glance.NUMBER | glance.SPENT | glance.CLOSELY):
            continue
        span = shown_at(look(text)._replace(folded=folded))
        assert span is not None
        assert not is_owned(folded, *span, "other")
        assert not is_owned(folded, *span, "counted")


@pytest.mark.parametrize(
    ("text", "plainly"),
    [
        ("【淘宝】您的验证码是000000，0分钟内有效", True),
        ("Your code: 0000.", True),
        ("code: 000000", True),
        ("Код 000000.", True),
        ("您已支付000000元", False),
        ("code: 000000.00", False),
        ("August 24, 0000.", False),
        ("00 августа 0000.", False),  # a day before a year
        ("Код: 0000.", True),
        ("your code is 000000.", False),  # a word of money may stand there
        ("验证码000，或000000，", False),
        ("000000。", False),
    ],
)
def test_a_glance_tells_if_a_number_takes_no_search(text: str, *, plainly: bool) -> None:
    # Between others: what stands in one text is nothing to the next.
    texts = ["no.", text, "元 0000"]
    assert (prescan(texts).may[1] & glance.NUMBER == 0) == plainly


HEADS = st.lists(
    st.sampled_from(
        ["【", "】", "[", "]", "(", "<#>", "淘宝", "验证码", "bank", "x" * 39, "x" * 40, " ",
         "0000", "。", ".", "!", "\n", "〔", "〕", "α", "【淘宝】"]
    ),
    max_size=6,
).map("".join)  # fmt: skip


@given(st.lists(HEADS, min_size=1))
def test_what_a_text_begins_with_tells_its_name_as_a_search_does(masked: list[str]) -> None:
    seen = prescan(masked)
    for text, folded, head in zip(masked, seen.texts(), seen.head.tolist(), strict=True):
        span = signature_span(folded)
        if head > 0:
            assert text[0] + text[head - 1] == "【】"
            assert not is_plain_head(folded[:head]) or span == (1, head - 1)
        elif not head:
            assert span is None, text


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("【淘宝】您的验证码是000000", 4),
        (f"【{'x' * 40}】code 0000", 42),
        (f"【{'x' * 41}】code 0000", -1),
        ("Your code is 0000", 0),
        ("Your code is 0000.", 0),
        ("您的验证码是0000。", 0),
        ("您的验证码是0000【淘宝】", -1),
        (" 【淘宝】0000", -1),
        ("", -1),
    ],
)
def test_a_glance_tells_what_a_text_begins_with(text: str, head: int) -> None:
    assert prescan(["【", text, "】0"]).head[1] == head


@pytest.mark.parametrize(
    ("text", "lines"), [("", 0), ("a\n\nb\n", 3), ("\n", 1), ("验证码\n0000", 1)]
)
def test_line_breaks_are_counted_by_text(text: str, lines: int) -> None:
    assert prescan(["\n0", text, "\n\n"]).lines().tolist() == [1, lines, 2]
