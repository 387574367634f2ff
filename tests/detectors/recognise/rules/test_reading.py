"""Reading by rules: what is read of a long text, and places in it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from detectors.recognise.rules.reading import (
    HEAD_CHARS,
    READ_CHARS,
    TAIL_CHARS,
    body_of,
    excerpt,
    in_text,
    likely,
    look,
    may_be,
    names_codes,
    parts,
    read,
    shown_at,
)
from detectors.recognise.text.fold import mask
from tests.builders.detectors.recognise.recognise_cache import TEXTS


@given(st.text(max_size=3000))
def test_only_an_excerpt_is_read(text: str) -> None:
    seen = excerpt(text)
    assert len(seen) <= READ_CHARS
    assert text.startswith(seen[:400])
    assert text.endswith(seen[-100:])


@given(TEXTS)
def test_spans_lie_inside_the_text_that_was_read(text: str) -> None:
    masked = mask(excerpt(text))
    looked = look(masked)
    for span in (read(looked).code, likely(looked), looked.signature, looked.host):
        assert span is None or 0 <= span[0] < span[1] <= len(masked)


@given(st.text("ab 0123456789.", min_size=READ_CHARS + 1, max_size=3000))
def test_a_place_in_an_excerpt_is_one_in_the_text(text: str) -> None:
    seen, at = excerpt(text), 0
    for start, end in parts(text):
        for place in {0, end - start - 1}:
            first, last = in_text(text, (at + place, at + place + 1))
            assert text[first:last] == seen[at + place]
        at += end - start + 1
    assert at == len(seen) + 1


def test_a_code_behind_a_page_of_terms_is_read_with_what_stands_around_it() -> None:
    text = "terms " * 100 + "Your code is 482913 now. " + "more " * 100
    assert "Your code is 482913 now" in excerpt(text)
    assert len(excerpt(text)) <= READ_CHARS
    plain = "terms " * 300
    assert excerpt(plain) == plain[:HEAD_CHARS] + "\n" + plain[-TAIL_CHARS:]


def test_a_place_past_the_excerpt_is_a_broken_invariant() -> None:
    with pytest.raises(AssertionError):
        in_text("x" * 2000, (READ_CHARS + 1, READ_CHARS + 2))


@pytest.mark.parametrize(
    ("text", "rule", "code"),
    [
        ("Your verification code is 482913", "named", "482913"),
        ("Your v-e-r-i-f-i-c-a-t-i-o-n code is 4*8*2*9", "named", "4*8*2*9"),
        ("验证码：４８２９１３", "named", "４８２９１３"),
        ("G-771804 is your verification code", "letter-code", "771804"),
        ("Your verification code expires on 12/05/2025", "shapeless", None),
        ("Compra aprobada $350.00, autorización 550918, tarjeta 4471", "spent", None),
        ("बैंकले कहिल्यै OTP माग्दैन। गुनासो 1618", "held", None),
        ("Ποτέ μη δίνετε τον κωδικό OTP. Καταγγελίες στο 11188", "held", None),
        ("Codul tau de tombola este 409182", "held", None),
        ("Twój kod loteryjny to 409182", "held", None),
        ("बैंकले OTP माग्दैन। तपाईंको ओटीपी 161803", "named", "161803"),
        ("hello", "numberless", None),
    ],
)
def test_the_code_is_told_in_places_of_the_text(text: str, rule: str, code: str | None) -> None:
    reading = read(look(mask(text)))
    assert reading.rule == rule
    assert (text[slice(*reading.code)] if reading.code else None) == code


def test_what_looks_most_like_a_code_is_told_where_no_rule_names_one() -> None:
    text = "sagt 482913 und 20 mal danke"
    assert likely(look(mask(text))) == (5, 11)
    assert likely(look("nothing here")) is None
    assert likely(look("on 00/00/0000")) == (3, 13), "a date, if there is nothing better"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Confirm here: https://acme.example/v/8Kq2", None),
        ("Confirm here by 18:05: https://acme.example/v/8Kq2, it holds for 100 minutes", None),
        ("Your token: zqrtk, or https://acme.example/v/8Kq2", "zqrtk"),
        ("Kod 4.8.2.0 or acme.example/v/8Kq2", "4.8.2.0"),
        ("Kod 24.10 is enough", "24.10"),
    ],
)
def test_neither_a_link_s_scheme_nor_how_long_it_holds_is_its_code(
    text: str, told: str | None
) -> None:
    span = likely(look(mask(text)))
    assert (text[slice(*span)] if span else None) == told


def test_signature_and_links_are_no_part_of_the_body() -> None:
    body = body_of(look("【code shop】 see https://code.example/0000 now"))
    assert "code" not in body
    assert len(body) == len("【code shop】 see https://code.example/0000 now")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your verification code: KXQRTB", "KXQRTB"),
        ("Your verification code: KXQRTB, valid for 10 minutes", "KXQRTB"),
        ("Your verification code: KXQRTB or 482913", "482913"),
        ("YOUR VERIFICATION CODE: KXQRTB", None),
    ],
)
def test_words_in_capitals_may_be_codes_where_no_number_is(text: str, code: str | None) -> None:
    looked = look(mask(text))
    span = read(looked).code
    assert (text[slice(*span)] if span else None) == code


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("Your order 482913 is ready", True),
        ("kod on 9 0 kaks 7 ara kysi", True),
        ("digits 57*20*91 please", True),
        ("Confirm your number: acme.example/v/8Kq2 (10 min)", False),
        ("New shoes are here: acme.example/v/8Kq2", False),
        ("3-3 olmuş :)", False),
        ("50 TL ve uzeri alisverislerde kargo bedava", False),
        ("Kumpulan jam 7 di rumah", False),
    ],
)
def test_only_a_text_that_shows_something_may_be_a_code(text: str, may: bool) -> None:
    looked = look(mask(text))
    assert may_be(looked, read(looked)) is may


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Confirm your number: acme.example/v/8Kq2 (10 min)", "link-login"),
        ("点击链接完成登录验证 https://hw.example/l/9Kd2 10分钟内有效", "link-login"),
        ("Confirm your number and get $20: acme.example/v/8Kq2", "shapeless"),
        ("Confirm your number: acme.example/", "link"),
        ("We have locked your account. Confirm your number: acme.example/v/8Kq2", "link"),
        ("Paina tästä niin pääset sisään: acme.example/v/8Kq", "link"),
        ("New shoes are here: acme.example/v/8Kq2", "link"),
    ],
)
def test_a_rule_alone_says_that_a_link_verifies(text: str, rule: str) -> None:
    assert read(look(mask(text))).rule == rule


@pytest.mark.parametrize(
    ("text", "may"), [("Enter QWRTK to go on", True), ("Enter MARCH to go on", False)]
)
def test_capitals_without_a_vowel_may_be_a_code(text: str, may: bool) -> None:
    looked = look(mask(text))
    assert may_be(looked, read(looked)) is may
    assert read(looked).code is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your login code is eight two four zero", "eight two four zero"),
        ("ФНС: код для входа К7М2Т. Никому не сообщайте", "К7М2Т"),
        ("动态码四8二0一9，五分钟内有效", "四8二0一9"),
        ("Your code: 57*20*91", "57*20*91"),
    ],
)
def test_a_hidden_code_is_found_at_its_place(text: str, code: str) -> None:
    span = read(look(mask(text))).code
    assert span is not None
    assert text[slice(*span)] == code


@pytest.mark.parametrize(
    ("text", "so"),
    [
        ("code 482913.", True),
        ("482 913 is it", True),
        ("code:4829", True),
        ("RET yaz 3347'ye gonder", False),
        ("call 02526468800", False),
        ("1.204,88 EUR", False),
        ("3-3", False),
    ],
)
def test_a_usual_code_is_shown(text: str, so: bool) -> None:
    assert (shown_at(look(mask(text))) is not None) is so


@pytest.mark.parametrize(
    ("sender", "named"), [("authmsg", True), ("verify", True), ("news", False), ("10690001", False)]
)
def test_a_sender_may_be_called_after_what_it_sends(sender: str, named: bool) -> None:
    assert names_codes(sender) is named
