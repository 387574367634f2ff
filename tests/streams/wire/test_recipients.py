"""Recipients: one integer for every form of a number, one by one and in bulk; tokens; keys."""

from __future__ import annotations

import random

import numpy as np
import phonenumbers
import pytest
from hypothesis import given, strategies as st

from detectors.model.event import TOKEN_BIT
from detectors.model.strings import StringBuffer, StringList
from streams.wire import Numbers
from streams.wire.recipients import matrix
from tests.builders.streams.wire.events import CHINA, TOKEN


@pytest.mark.parametrize(
    ("country", "written", "canonical"),
    [
        ("CN", "8617000000001", "8617000000001"),
        ("CN", "+8617000000001", "8617000000001"),
        ("CN", "008617000000001", "8617000000001"),
        ("CN", "17000000001", "8617000000001"),
        ("CN", "017000000001", "8617000000001"),  # with the trunk prefix, as from another city
        ("CN", "+86 170-0000-0001", "8617000000001"),
        ("CN", "８６１７" + "０" * 8 + "１", "8617000000001"),
        ("CN", "+442071838750", "442071838750"),
        ("CN", "00442071838750", "442071838750"),
        ("CN", "01088888888", "861088888888"),  # a fixed line in Beijing
        ("CN", "+0617000000001", None),
        ("US", "2025550123", "12025550123"),
        ("US", "12025550123", "12025550123"),
        ("US", "+8617000000001", "8617000000001"),
        ("DE", "01701234567", "491701234567"),
        ("DE", "491701234567", "491701234567"),
        ("IT", "3123456789", "393123456789"),
        ("CN", TOKEN, TOKEN),
        ("CN", TOKEN.upper().replace("HK", "hk"), TOKEN),
        ("CN", "k1:00112233445566778899aabbccddeeff", None),
        ("CN", "hk1:0011223344556677", "hk1:0011223344556677"),
        ("CN", "hk1:001122334455667", None),
    ],
)
def test_number_forms_lead_to_one_canonical_form(
    country: str, written: str, canonical: str | None
) -> None:
    numbers = Numbers(country)
    assert numbers.canonical(written) == canonical
    # The same in a column, alone (the bulk path) and among others (one by one).
    for others in ([], ["+442071838750"]):
        column, tokens, bad = numbers.column(StringList([written, *others]))
        if canonical is None:
            assert bad == [0]
        else:
            assert tokens.get(int(column[0]), str(column[0])) == canonical


@pytest.mark.parametrize("country", ["CN", "US", "RU", "IT", "IN", "DE", "KR", "BR", "ID"])
def test_numbers_that_are_written_alike_are_read_as_each_is_alone(country: str) -> None:
    numbers = Numbers(country)
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    national = str(example.national_number)
    rng = random.Random(1)
    written = []
    for _ in range(400):
        one = national[:-4] + f"{rng.randrange(10_000):04}"
        if rng.random() < 0.1:  # perhaps no mobile number, or none at all
            one = f"{rng.randrange(10 ** len(one)):0{len(one)}}"
        forms = (
            one,
            f"{numbers._trunk}{one}",
            *(f"{lead}{example.country_code}{one}" for lead in ("", "+", "00")),
        )
        written.append(rng.choice(forms))
    for some in ([w for w in written if len(w) == len(national)], written):
        column, tokens, bad = numbers.column(StringList(some))
        alone = [numbers._number(one) for one in some]
        assert column.tolist() == [known or 0 for known in alone]
        assert bad == [at for at, known in enumerate(alone) if known is None]
        assert not tokens


@given(
    st.lists(
        st.sampled_from(
            ["8617000000001", "+8617000000002", "008617000000003", "17000000004", TOKEN, "x", ""]
        )
        | st.text("0123456789+\n", max_size=16),
        max_size=8,
    )
)
def test_the_bulk_path_agrees_with_one_by_one(written: list[str]) -> None:
    column, tokens, bad = CHINA.numbers.column(StringList(written))
    lying = CHINA.numbers.column(StringBuffer.of(StringList(written)))
    assert (lying[0].tolist(), *lying[1:]) == (column.tolist(), tokens, bad)
    for at, one in enumerate(written):
        canonical = CHINA.numbers.canonical(one)
        assert (at in bad) == (canonical is None)
        if canonical is not None:
            assert tokens.get(int(column[at]), str(column[at])) == canonical


@pytest.mark.parametrize("country", ["", "XX", "AQ", "cn"])
def test_a_country_without_a_numbering_plan_is_refused(country: str) -> None:
    with pytest.raises(ValueError, match="no numbering plan"):
        Numbers(country)


def test_a_token_is_its_top_bit_and_the_rest_of_its_first_64() -> None:
    column, tokens, bad = CHINA.numbers.column(StringList([TOKEN, "hk1:ffffffffffffffff"]))
    assert column.tolist() == [0x0011223344556677 | TOKEN_BIT, 0xFFFFFFFFFFFFFFFF]
    assert tokens[0x0011223344556677 | TOKEN_BIT] == TOKEN
    assert bad == []


def test_keys_of_a_token_are_compared_as_they_were_written() -> None:
    column, tokens, _ = CHINA.numbers.column(StringList([TOKEN, TOKEN, "8617000000001"]))
    keys = [TOKEN.encode(), b"hk1:0011223344556677", b"8617000000001"]
    assert CHINA.numbers.noncanonical(keys, column, tokens) == 1


def test_letters_are_never_dialled() -> None:
    assert CHINA.numbers.canonical("+1800FLOWERS") is None
    assert CHINA.numbers.canonical("1" * 400) is None


@pytest.mark.parametrize(
    ("keys", "width"),
    [([b"12", b"34"], 2), ([b"12", b"345"], None), ([b"12", None], None), ([b"1\n", b"34"], None)],
)
def test_keys_of_one_width_are_a_matrix(keys: list[bytes | None], width: int | None) -> None:
    rows = matrix(keys)
    assert (None if rows is None else rows.shape) == (None if width is None else (2, width))
    if rows is not None:
        assert rows.dtype == np.uint8
        assert rows.tobytes() == b"1234"
