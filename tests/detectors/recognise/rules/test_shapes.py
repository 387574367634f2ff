"""Shapes: which numbers may be codes, links, signatures, the last line, sentences."""

from __future__ import annotations

import pytest

from detectors.recognise.rules.shapes import (
    HOST_LINE,
    NUMBERS_MAX,
    Form,
    app_hash,
    has_link,
    leading,
    numbers,
    of_digits,
    sentence_span,
    without_links,
)


def forms(body: str) -> list[tuple[str, Form]]:
    return [(body[number.code : number.end], number.form) for number in numbers(body)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("code 000000 ok", [("000000", Form.PLAIN)]),
        ("twoj kod sms to 000000", [("000000", Form.PLAIN)]),
        ("girmek icin 000000 yaz. ", [("000000", Form.PLAIN)]),
        ("write 0000 on the page", [("0000", Form.PLAIN)]),
        ("000 000", [("000 000", Form.PLAIN)]),
        ("0 0 0 0", [("0 0 0 0", Form.PLAIN)]),
        ("g-000000", [("000000", Form.LETTER)]),
        ("is 0kx0tt now", [("0kx0tt", Form.MIXED)]),
        ("qx0-00t", [("qx0-00t", Form.DASHED)]),
        ("00-00-00", [("00-00-00", Form.DASHED)]),
        ("是一二三四", [("一二三四", Form.SPELLED)]),
        ("your code is 00", [("00", Form.CUT)]),
        ("pin 000 ok", [("000", Form.ODD)]),
        ("bib#00k", [("bib#00k", Form.ODD)]),
    ],
)
def test_a_number_of_a_code_s_shape_is_found_in_its_form(
    body: str, found: list[tuple[str, Form]]
) -> None:
    assert forms(body) == found


@pytest.mark.parametrize(
    "body",
    [
        "on 00/00/0000 it", "at 00:00 it", "$0000", "0000 eur", "0000元", "0000 分钟", "rs. 0000",
        "*0000", "0.000,00", "00000000000", "+000000000000", "x@0000", "300tl", "00gb", "0h00",
        "text stop to 00000", "0000 numarasina sms gonder", "no. 0000",
        "ret yazip 0000'ye gonderin", "yazin yurticinden 0000'a gonderin",
        "0000'da tasindik", "0000'e evet yaz", "0000 numarasina yaz", "write 0000 on the envelope",
        "scrivi 0000 sul bollettino", "请把0000写在信封上",
    ],
)  # fmt: skip
def test_dates_amounts_phones_and_addresses_are_none(body: str) -> None:
    assert [form for _, form in forms(f"{body} .") if form is Form.PLAIN] == []


@pytest.mark.parametrize(
    "body",
    [
        "kod sms do logowania to 000000", "haslo sms do przelewu to 000000",
        "kod z sms potwierdzajacy przelew to 000000", "sms kod pro prihlaseni na 000000",
        "codice sms per entrare a 000000", "codigo sms para ingresar a 000000",
        "sms code for your login to 000000", "sms-код для входа на 000000",
    ],
)  # fmt: skip
def test_sms_beside_a_code_s_name_is_no_verb(body: str) -> None:
    assert forms(f"{body} .") == [("000000", Form.PLAIN)]


@pytest.mark.parametrize(
    "body",
    [
        "sms code to 00000", "wyslij sms z kodem na 00000",
        "invia un sms con il codice gara al 00000", "sms win to 00000",
    ],
)  # fmt: skip
def test_what_an_sms_with_a_word_is_sent_to_is_an_address(body: str) -> None:
    assert [form for _, form in forms(f"{body} .") if form is Form.PLAIN] == []


@pytest.mark.parametrize(
    "body",
    [
        "your otp is 000000valid for 5 min", "otp anda 000000berlaku 5 menit",
        "kod:000000wazny 5 min", "000000er din kode", "000000is your code",
        "000000do not share it", "000000es tu codigo", "000000koodii galmee",
        "kode 000000jangan dibagikan",
    ],
)  # fmt: skip
def test_a_word_written_together_with_a_number_is_left_off(body: str) -> None:
    assert forms(body)[0] == ("000000", Form.PLAIN)


@pytest.mark.parametrize(
    "body",
    [
        "0k run", "000rb saja", "0nd floor", "00min left", "00gb free", "0000mah battery",
        "0000usd sent", "0000baht only", "0000points won", "0000th guest", "000er pack",
        "0000hours used", "00000ribu lagi", "0000coins bonus", "0000abcd@shop.example",
        "id 0000-0000beef-00",
    ],
)  # fmt: skip
def test_units_and_ordinals_are_no_such_words(body: str) -> None:
    assert [form for _, form in forms(body) if form is Form.PLAIN] == []


def test_a_few_letters_behind_a_number_are_the_code_s() -> None:
    assert forms("kod: 0000abc ok") == [("0000abc", Form.MIXED)]
    assert forms("kod: 000000ab ok") == [("000000ab", Form.MIXED)]


def test_after_a_dozen_numbers_no_more_are_looked_at() -> None:
    assert len(numbers("0000 x " * 50)) == NUMBERS_MAX


def test_only_plain_forms_are_sure_and_pairs_are_of_digits() -> None:
    (pair,) = numbers("a 00 00 00 b")
    (mixed,) = numbers("a 0kx0tt b")
    assert (pair.sure, of_digits("a 00 00 00 b", pair)) == (False, True)
    assert (mixed.sure, of_digits("a 0kx0tt b", mixed)) == (False, False)


def test_a_text_may_begin_with_its_number() -> None:
    assert leading("«0000» is it", numbers("«0000» is it")[0])
    assert not leading("it is 0000", numbers("it is 0000")[0])


def test_a_sentence_ends_at_its_mark_or_with_the_line() -> None:
    body = "hi. your code is 0000, ok? bye\nand more"
    (number,) = numbers(body)
    start, end = sentence_span(body, number.start, number.end)
    assert body[start:end].strip() == "your code is 0000, ok"


@pytest.mark.parametrize(
    ("text", "blanked"),
    [
        ("see https://a.example/x?code=0000 now", "see                               now"),
        ("at shop.example.com, ok", "at                 , ok"),
        ("v1.2 and e.g. this", None),
        ("me@shop.com", None),
    ],
)
def test_links_are_blanked_with_places_kept(text: str, blanked: str | None) -> None:
    assert has_link(text) is (blanked is not None)
    assert without_links(text) == (blanked or text)
    assert len(without_links(text)) == len(text)


def test_the_last_line_may_name_host_and_code() -> None:
    found = HOST_LINE.search("000000\n@shop.example.tw #000000")
    assert found is not None
    assert found.groups() == ("shop.example.tw", "000000")
    assert HOST_LINE.search("@shop.example #000000 and more") is None


def test_an_app_s_text_has_its_mark_and_its_hash() -> None:
    text = "<#> your code: 0000\nfa+0qcx0vsu"
    assert app_hash(text) == text.index("fa+")
    assert app_hash(text[4:]) is None
    assert app_hash("<#> your code: 0000") is None
