"""The template cache: the same answers as without it, bounded, counted; and the bounds on work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from detectors.model.codes import Codes
from detectors.model.event import Trust, platform_id
from detectors.model.strings import StringBuffer, StringList, Strings
from detectors.recognise import cache
from detectors.recognise.decide import Message, recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import RecogniseParams, Recogniser
from detectors.recognise.rules.reading import excerpt, look, read
from detectors.recognise.templates import Key
from detectors.recognise.text.fold import mask
from tests.builders.detectors.recognise.recognise_cache import TEXTS, Event, batch

REGISTRY, _ = Registry.load_shipped().merge(
    Registry.load('[templates]\nT1 = "otp"\nT2 = "notice"\n[bank]\n"工商银行" = {ids = ["acct-7"]}')
)


def lying(strings: list[str]) -> Strings:
    """The column as a large batch has it."""
    return StringBuffer.of(StringList(strings))


def check(recogniser: Recogniser, events: Sequence[Event]) -> None:
    """Every column says what `recognise` says of each event, whatever it is made of."""
    for column in (StringList, lying):
        _check(recogniser, events, recogniser.columns(batch(events, column)))
    _check_one_by_one(recogniser, events)


def _check(recogniser: Recogniser, events: Sequence[Event], codes: Codes) -> None:
    least = recogniser.params.confidence_min
    for row, event in enumerate(events):
        verdict = recognise(recogniser.registry, *event, confidence_min=least)
        assert bool(codes.otp[row]) == verdict.otp, event
        assert codes.confidence[row] == np.float32(verdict.confidence), event
        if verdict.otp:
            assert int(codes.platform[row]) == platform_id(verdict.platform), event
            assert codes.names[int(codes.platform[row])] == verdict.platform, event
            assert codes.trust[row] == verdict.trust, event
        else:
            assert (codes.platform[row], codes.trust[row]) == (0, 0)
    assert set(codes.names) == set(codes.platform[codes.otp].tolist())


def _check_one_by_one(recogniser: Recogniser, events: Sequence[Event]) -> None:
    """A message by itself is answered as it is among others, by the same memory or an empty one."""
    params = recogniser.params
    fresh = Recogniser(recogniser.registry, params)
    hits, misses = recogniser.hits, recogniser.misses
    for event in events:
        verdict = recognise(recogniser.registry, *event, confidence_min=params.confidence_min)
        for asked in (recogniser, fresh, fresh):
            answer = asked.one(*event)
            assert (answer.otp, answer.confidence) == (verdict.otp, verdict.confidence), event
            expected = (verdict.platform, verdict.trust) if verdict.otp else ("", Trust.NONE)
            assert (answer.platform, answer.trust) == expected, event
    assert fresh.hits + fresh.misses == 2 * len(events)
    recogniser.hits, recogniser.misses = hits, misses  # what the tests count are columns


SENDERS = ["", "10690001", "10690002", "+86 10690001", "95588", "13800138000"]
EVENTS = st.tuples(
    TEXTS,
    st.sampled_from([*SENDERS, "Acme", "AUTHMSG", "VM-HDFCBK-S"]),
    st.sampled_from(["", "", "工商银行", "360", "【12306】", "【】"]),
    st.sampled_from(["", "", "otp", "marketing", "p2p", "unknown"]),
    st.sampled_from(["", "", "acct-7", "p9"]),
    st.sampled_from(["", "", "T1", "T2", "T3"]),
)


@st.composite
def retold(draw: st.DrawFn) -> list[Event]:
    """Events, and the same events again with other digits in their texts."""
    events = draw(st.lists(EVENTS, min_size=1, max_size=12))
    other = str.maketrans("0123456789", draw(st.permutations("0123456789").map("".join)))
    return [*events, *((text.translate(other), *rest) for text, *rest in events)]


@settings(max_examples=40)  # 17 s with a hundred
@given(st.lists(retold(), min_size=1, max_size=4), st.integers(1, 8))
@pytest.mark.slow
def test_the_cache_changes_no_answer(batches: list[list[Event]], templates: int) -> None:
    recogniser = Recogniser(REGISTRY, RecogniseParams(cache_templates=templates))
    for events in [*batches, *batches]:
        check(recogniser, events)


@given(st.lists(EVENTS, max_size=8), st.lists(EVENTS, max_size=8))
def test_what_was_asked_before_changes_no_answer(first: list[Event], then: list[Event]) -> None:
    warm, cold = Recogniser(REGISTRY), Recogniser(REGISTRY)
    warm.columns(batch(first))
    codes = [recogniser.columns(batch(then)) for recogniser in (warm, cold)]
    for warmed, fresh in pairwise(codes):
        for column in ("otp", "platform", "trust", "confidence"):
            np.testing.assert_array_equal(getattr(warmed, column), getattr(fresh, column))
        assert warmed.names == fresh.names


@given(EVENTS, st.floats(0.01, 1.0))
def test_the_least_confidence_counts_the_same_with_the_cache(event: Event, least: float) -> None:
    check(Recogniser(REGISTRY, RecogniseParams(confidence_min=least)), [event, event])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("【12306】验证码4829", "【12345】验证码4829"),
        ("【58同城】验证码4829", "【51同城】验证码4829"),
        ("验证码4829\n@a1.example #4829", "验证码4829\n@a2.example #4829"),
        ("【１２】验证码４８２９", "【１３】验证码４８２９"),
        ("Your Velmora24 code is 4829", "Your Velmora25 code is 4829"),
        ("Your Bet365 code is 4829", "Your Bet247 code is 4829"),
        ("Your 4399 code is 482913", "Your 1688 code is 482913"),
        ("Your 7723 code is 482913", "Your 4399 code is 482913"),
        ("7k7k: use 482913 to sign in", "9k9k: use 482913 to sign in"),
    ],
)
def test_digits_in_a_name_are_not_masked(first: str, second: str) -> None:
    recogniser = Recogniser(REGISTRY)
    for text in (first, second, first, second):
        check(recogniser, [(text, "10690001", "", "", "", "")])
    told = Recogniser(REGISTRY).columns(batch([plain(first), plain(second)])).platform
    assert told[0] != told[1]


@pytest.mark.parametrize("odd", ["+95588", "00", " ", "\u200b", "+966501234567", "９５５８８"])
def test_odd_senders_share_no_answer_with_the_numbers_that_they_look_like(odd: str) -> None:
    recogniser = Recogniser(REGISTRY)
    for sender in (odd, "95588", "", "966501234567"):
        for text in ("【工商银行】验证码：194872", "验证码：194872", ""):
            check(recogniser, [(text, sender, "", "", "", "")])


def test_an_empty_batch_has_no_codes() -> None:
    codes = Recogniser(REGISTRY).columns(batch([]))
    assert (len(codes.otp), len(codes.platform), codes.names) == (0, 0, {})


# ---------------------------------------------------------------------------- counters and bounds


LETTERS = str.maketrans("0123456789", "子丑寅卯辰巳午未申酉")


def plain(text: str, sender: str = "10690001") -> Event:
    return text, sender, "", "", "", ""


def test_a_template_is_read_once_whatever_its_digits_and_ports() -> None:
    recogniser = Recogniser(REGISTRY)
    events = [plain(f"【淘宝】验证码{n:06}，请勿泄露", f"1069{n:06}") for n in range(100)]
    recogniser.columns(batch(events))
    recogniser.columns(batch(events))
    assert (recogniser.misses, recogniser.hits) == (1, 199)


def test_a_template_with_native_digits_is_read_once() -> None:
    recogniser = Recogniser(REGISTRY)
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    events = [plain(f"رمز التحقق {n:06}".translate(arabic), "Acme") for n in range(100)]
    recogniser.columns(batch(events))
    assert (recogniser.misses, recogniser.hits) == (1, 99)


def test_a_template_named_with_digits_is_read_once_for_each_name() -> None:
    recogniser = Recogniser(REGISTRY)
    events = [plain(f"【{360 + n % 2}】验证码{n:06}") for n in range(100)]
    recogniser.columns(batch(events))
    assert (recogniser.misses, recogniser.hits) == (2, 98)


def test_messages_that_the_gateway_has_classified_as_others_are_not_remembered() -> None:
    recogniser = Recogniser(REGISTRY)
    recogniser.columns(batch([(f"hi {'x' * n}", "1380013", "", "p2p", "", "") for n in range(99)]))
    assert len(recogniser._cache.young) == 0


def test_names_that_share_an_id_are_told_apart_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where their checks are alike too, and whatever was remembered of them before."""
    monkeypatch.setattr(cache, "platform_id", lambda _: 7)
    monkeypatch.setattr(cache, "name_check", lambda _: 3)
    texts = [
        plain(f"【{name}】您的验证码是{i}1234，请勿泄露")
        for i, name in enumerate(("甲网", "乙网") * 3)
    ]
    signed = ["sig:甲网", "sig:乙网"] * 3
    recogniser = Recogniser(REGISTRY, RecogniseParams(cache_templates=1))
    for order in (slice(None), slice(None, None, -1), slice(1, None), slice(0, None, 2)):
        codes = recogniser.columns(batch(texts[order]))
        assert [codes.name(row) for row in range(len(codes.otp))] == signed[order]
        assert codes.names[7] == signed[order][0]
        assert [codes.part(1, 3).name(row) for row in (0, 1)] == signed[order][1:3]


def test_texts_that_contradict_their_category_are_counted_in_a_sample() -> None:
    code = "【淘宝】您的验证码是482913，5分钟内有效，请勿泄露给他人。如非本人操作，请忽略。"
    other = "【淘宝】全场低至5折，满300减50，更有优惠券等您领取，退订回T"
    told = [(code, "otp"), (code, "marketing"), (other, "marketing"), (other, "otp"), (code, "")]
    recogniser = Recogniser(REGISTRY)
    events: list[Event] = [(text, "10690001", "", category, "", "") for text, category in told]
    recogniser.columns(batch(events))
    assert (recogniser.checked.total(), recogniser.contradicted.total()) == (4, 2)
    recogniser.columns(batch(events))
    assert recogniser.checked.total() == 4  # not in each batch
    for _ in range(63):
        recogniser.columns(batch(events))
    assert recogniser.checked.total() == 8


@pytest.mark.slow
def test_the_cache_is_bounded_however_many_templates_come() -> None:
    recogniser = Recogniser(REGISTRY, RecogniseParams(cache_templates=50))
    for start in range(0, 3000, 20):
        names = (
            f"{'甲乙丙丁戊'[n % 5]}{'子丑寅卯辰'[n // 5 % 5] * (n // 25 + 1)}"
            for n in range(start, start + 20)
        )
        recogniser.columns(
            batch([plain(f"【{name[:38]}】验证码4829{name[38:]}") for name in names])
        )
        assert len(recogniser._cache.young) + len(recogniser._cache.old) <= 2 * (50 + 20)
        assert len(recogniser._cache.names) <= 50 + 20 + 1


def test_a_template_in_use_outlives_a_flood_of_new_ones() -> None:
    recogniser = Recogniser(REGISTRY, RecogniseParams(cache_templates=50))
    known = plain("【淘宝】验证码4829")
    recogniser.columns(batch([known]))
    for start in range(0, 1000, 20):
        flood = [
            plain(f"告示{'子' * (n % 97)}{'丑' * (n // 97)}") for n in range(start, start + 20)
        ]
        recogniser.columns(batch([*flood, known]))
    misses = recogniser.misses
    recogniser.columns(batch([known]))
    assert recogniser.misses == misses


def test_a_field_too_long_to_keep_is_answered_and_not_kept() -> None:
    recogniser = Recogniser(REGISTRY)
    event: Event = ("验证码4829", "10690001", "淘宝" * 5000, "", "x" * 9999, "")
    check(recogniser, [event, event])
    assert len(recogniser._cache.young) == 0


# ---------------------------------------------------------------------------- bounds on work

HOSTILE = {
    "long": "验证码482913" * 10_000,
    "digits": "1" * 70_000,
    "spaced digits": "1 2 3 " * 12_000,
    "words": "code verification your " * 3_000,
    "numbers": "code 12345 " * 7_000,
    "not codes": "验证码12345元" * 8_000,
    "brackets": "【" * 70_000,
    "pairs": "[a]" * 20_000,
    "dots": "a.b." * 17_000,
    "dashes": "a-0-" * 17_000,
    "spelled": "一二三四" * 17_000,
    "mixed scripts": "кoд" * 23_000,
    "invisible": "验\u200b证\u200b码\u200b1" * 9_000,
    "marks": "v\u0336" * 35_000,
    "full width": "验证码４８２９１３" * 7_000,
    "blanks": " " * 70_000,
    "lines": "\n@" * 35_000,
    "hosts": "\n@" + "a." * 30_000 + "b #1234",
    "suffixes": "科技公司" * 17_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_costs_much_more_than_a_long_honest_one(text: str) -> None:
    """Least of some runs, in CPU time; the bound is that of a text of 501 honest characters.

    Measured on a 2-core machine: .05 ms for a usual text, .1-.4 ms for the worst; a busy one takes
    more of its own time too. A pattern that backtracks would take seconds.
    """

    def cost() -> float:
        start = time.process_time()
        recognise(REGISTRY, text, sender=text, signature=text)
        return time.process_time() - start

    assert min(cost() for _ in range(5)) < 0.02


WORDS = [
    "登录", "注册", "绑定", "支付", "找回", "更换", "修改", "申请", "开通", "解锁", "提现", "转账",
    "授权", "升级", "认证", "签约",
]  # fmt: skip


def test_a_new_text_s_name_with_digits_is_not_taken_for_one_of_noughts() -> None:
    """Masked the two are alike: an owner whose name is noughts would get the others' codes."""
    recogniser = Recogniser(REGISTRY)
    for at, name in enumerate(("00000", "12306", "a00b", "a17b")):
        some = [
            f"【{name}】您正在{w}，验证码：482913，请勿泄露。" for w in WORDS[at * 4 : at * 4 + 4]
        ]
        check(recogniser, [(text, "106900000001", "", "", "", "") for text in some])


@pytest.mark.parametrize("senders", [("ACME", "BETA"), ("8613912345678", "8613912345679")])
def test_a_new_text_without_a_name_is_its_own_sender_s(senders: tuple[str, str]) -> None:
    """Not that of another sender of its kind, whose owner is known; and no person's is a code."""
    recogniser = Recogniser(REGISTRY)
    for at, sender in enumerate(senders):
        words = WORDS[at * 8 : at * 8 + 8]
        some = [f"您正在{word}，验证码：482913，请勿泄露。" for word in words]
        check(recogniser, [(text, sender, "", "", "", "") for text in some])


HEADS = [
    "【淘宝】", "【工商银行】", "【360】", "【a1b2】", "【验证码】【美团】", "【验证码】【饿了么】",
    "【验证码】", "[淘宝]", "[web발신] [kb국민은행] ", "", "【】", "【【淘宝】", " 【淘宝】",
    "<#> 【淘宝】", f"【{'名' * 40}】", f"【{'名' * 41}】",
]  # fmt: skip
TAILS = ["。", "", "!", "【美团】", "[acme]", " 【验证码】", "。拒收请回复R", "〔acme〕 "]
USES = [
    "您正在{}，验证码：482913，5分钟内有效，请勿泄露给他人", "您的{}验证码是482913，请勿告知他人",
    "您已{}成功，欢迎再次光临，祝您生活愉快", "全场{}低至5折，满300减50，更有优惠券等您领取",
]  # fmt: skip


@pytest.mark.parametrize(
    ("sender", "templates"),
    [
        ("95588", 100),
        pytest.param("10690001", 10_000, marks=pytest.mark.slow),
        pytest.param("13800138000", 1, marks=pytest.mark.slow),
        pytest.param("Acme", 10_000, marks=pytest.mark.slow),
    ],
)
def test_new_texts_that_begin_alike_have_the_answers_of_each(sender: str, templates: int) -> None:
    """In an order in which each way to begin was seen with each way to end."""
    recogniser = Recogniser(REGISTRY, RecogniseParams(cache_templates=templates))
    ways = [(head, use, tail) for tail in TAILS for use in USES for head in HEADS]
    for word in WORDS[:2]:
        events = [plain(head + use.format(word) + tail, sender) for head, use, tail in ways]
        for first in range(0, len(events), 100):
            some = events[first : first + 100]
            _check(recogniser, some, recogniser.columns(batch(some, lying)))


def test_a_name_stays_known_as_long_as_new_texts_begin_with_it() -> None:
    """Of each batch all earlier answers are forgotten: nobody but the new ones tells the name."""
    recogniser = Recogniser(REGISTRY, RecogniseParams(cache_templates=1))
    for at in range(8):
        events = [plain(f"【青禾】{use.format(f'{at}{WORDS[at]}')}") for use in USES * 2]
        events += [plain(f"【青禾】{USES[0].format(word + WORDS[at])}") for word in WORDS]
        _check(recogniser, events, recogniser.columns(batch(events, lying)))


def test_few_of_the_texts_that_a_score_decides_take_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = Recogniser(REGISTRY)
    looks: list[str] = []
    answer = recogniser._answer

    def look(key: Key, kind: int, message: Message, left: Any = None) -> int:
        looks.append(message.text)
        return answer(key, kind, message, left)

    monkeypatch.setattr(recogniser, "_answer", look)
    letters = "子丑寅卯辰巳午未申酉"
    texts = [f"【青禾】{USES[0].format(f'登录{a}{b}')}" for a in letters for b in letters]
    recogniser.columns(batch([plain(text) for text in texts[:8]], lying))
    assert looks == texts[:8]  # whose name it is takes a look
    recogniser.columns(batch([plain(text) for text in texts[8:]], lying))
    assert len(looks) < len(texts) // 2
    assert recogniser.misses == len(texts)


def test_a_text_that_the_rules_do_not_read_is_a_miss_and_belongs_to_its_sender() -> None:
    """Also if it names somebody: the search for names would take as long as the rules."""
    words = "Your Velmora login code is 4829. Do not share this verification code. " * 9
    assert read(look(mask(excerpt(words)))).rule == "crowded"
    recogniser = Recogniser(REGISTRY)
    codes = recogniser.columns(batch([plain(words, "AUTHMSG")] * 3))
    assert codes.otp.all()
    assert set(codes.names.values()) == {"from:authmsg"}
    assert (recogniser.misses, recogniser.hits) == (1, 2)


def test_texts_that_only_a_number_names_have_their_template_and_no_others_do() -> None:
    texts = [
        ("您的验证码是482913，5分钟内有效", "10690001"),
        ("您的验证码是771200，5分钟内有效", "10690002"),
        ("Your verification code is 482913", "10690003"),
        ("【淘宝】您的验证码是482913，5分钟内有效", "10690004"),
        ("Your verification code is 482913", "Acme"),
        ("Your verification code is 482913", ""),
        ("", "10690005"),
    ]
    recogniser = Recogniser(REGISTRY, RecogniseParams(confidence_min=0.4))
    events = batch([(text, sender, "", "", "", "") for text, sender in texts])
    for _ in range(2):  # new texts, and remembered ones
        codes = recogniser.columns(events)
        assert codes.page is not None
        assert codes.page[0] == codes.page[1] != 0, "the digits of a code do not matter"
        assert codes.page[2] not in (0, codes.page[0])
        assert codes.page[3:].tolist() == [0, 0, 0, 0]
        assert len(set(codes.platform[:3].tolist())) == 3, "the platform is the number all the same"
    named = recogniser.columns(batch([("【淘宝】验证码482913", "10690004", "", "", "", "")]))
    assert named.page is None
