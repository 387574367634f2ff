"""One spelling for every way of writing: folded once, places kept, names by one key."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.text.fold import fold, has_native_digits, map_places, mask, name_key

STRANGE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("0aй１٤é\u0301\u200bſßİıКкoоОΣｶﾞ𝟏𝐚①Ａ馬马㎏ﬁ"),
    ),
    max_size=40,
)


@given(STRANGE)
def test_a_fold_folds_once_and_keeps_places(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert len(folded) == len(map_places(text)) <= len(text)
    assert has_native_digits(folded) is False


@given(STRANGE)
def test_a_masked_text_folds_to_the_masked_fold(text: str) -> None:
    """What lets all ways of writing a template share one answer."""
    assert mask(fold(mask(text))) == mask(fold(text))


@given(STRANGE)
def test_a_name_key_is_its_own_key(text: str) -> None:
    key = name_key(text)
    assert name_key(key) == key


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("ＣＯＤＥ４８２９", "code4829"),
        ("c\u200bo\u00add\u2060e", "code"),
        ("①②③④", "1234"),
        ("१२३४ ٤٥٦", "1234 456"),
        ("𝐜𝐨𝐝𝐞 𝟒𝟖", "code 48"),
        ("cоdе", "code"),  # Cyrillic o and e
        ("кoд", "код"),  # Latin o
        ("ＮＯ⒋", "no4"),
        ("mã xác nhận", "ma xac nhan"),
        ("हिन्दी", "हिन्दी"),  # vowel signs of Indic scripts are letters
        ("كـود", "كود"),
    ],
)
def test_what_a_person_reads_alike_is_written_alike(written: str, read: str) -> None:
    assert fold(written) == read


def test_plain_texts_change_in_case_alone() -> None:
    assert fold("Your CODE is 4829, 验证码 код") == "your code is 4829, 验证码 код"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("淘寶網絡科技有限公司", "淘宝"),
        ("银行", "银行"),
        ("小红书APP客户端", "小红书"),
        ("Foo Corp.", "foo"),
        ("x Ltd", "xltd"),  # one letter is no name to take a suffix from
        ("[]【】 -_!", ""),
        ("AT&T", "att"),
        ("a" * 80, "a" * 64),
    ],
)
def test_variants_of_a_name_have_one_key(name: str, key: str) -> None:
    assert name_key(name) == key


def test_digits_that_no_mask_finds_are_told() -> None:
    assert has_native_digits("код १२")
    assert not has_native_digits("код 12")
    assert mask("c1 १ \udc80 99") == "c0 १ \udc80 00"
