"""Ends of sentences, and the short words whose full stop ends none."""

from __future__ import annotations

import tomllib

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.text.sentences import STOP
from detectors.recognise.text.shipped import read_data

REGISTRY = Registry.load_shipped()


def sentences(text: str) -> list[str]:
    return [part.strip() for part in STOP.split(mask(fold(text))) if part.strip()]


@pytest.mark.parametrize(
    "text",
    [
        "Pay Rs. 480 from A/c No. XX3307 to Dr. A. K. Mehta",
        "Call tel. +7900 or see p. 12",
        "Перевод 480 руб. на карту, г. Тула, ул. Лесная, д. 5, кв. 12",
        "Auftrag Nr. 55 an Fa. Meier inkl. Versand",
        "transferencia del Sr. J. Pérez a la cta. 3307",
        "Przelew nr. 5 na ul. Leśna sp. z o.o. to 482913",
        "Kirim Rp. 480.000 ke PT. Laut Biru di Jl. Merdeka No. 12",
        "virement à M. Dupont, art. 5",
        "Sn. A. Yılmaz",
        "रु. 480 डॉ. मेहता",
        "Harbour Stores Ltd. is closed",
    ],
)
def test_the_full_stop_of_a_short_word_ends_no_sentence(text: str) -> None:
    assert len(sentences(text)) == 1


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("I said no. Call me", "i said no"),
        ("Paid to Harbour Ltd. Do not share", "paid to harbour ltd"),
        ("Оплачено 480 руб. Остаток 4800", "оплачено 000 руб"),
        ("Списано 480 р. Остаток 4800", "списано 000 р"),
        ("It opens at 5 p.m. Bring the code", "it opens at 0 p.m"),
        ("love u. Your number", "love u"),
        ("So do I. Call 4829", "so do i"),
        ("You ran 5 m. Well done", "you ran 0 m"),
        ("Casino. Your code", "casino"),
        ("Betreff: Konto. 4829", "betreff: konto"),
    ],
)
def test_other_full_stops_end_one(text: str, first: str) -> None:
    assert sentences(text)[0] == first
    assert len(sentences(text)) > 1


def test_short_words_are_plain_and_each_is_listed_once_in_its_list() -> None:
    for kind in tomllib.loads(read_data("abbreviations")).values():
        words = [
            word
            for name, some in kind.items()
            if name != "next"
            for word in some.replace("\n", "").split("|")
        ]
        assert all(word == word.strip() and word for word in words)
        assert len(set(words)) == len(words)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            (
                "Dear customer, OTP to approve the payment of Rs. 480.00 from your A/c No. ending"
                " 3307 to Lotus Home Appliances Private Limited is 48291357. Do not share it. -HRB"
            ),
            "48291357",
        ),
        ("Use OTP for txn of INR. 480.00 at St. Mary's Store: 482913", "482913"),
        (
            "Verification code for Mr. John B. Smith of 12 Hill St. apartment 4 is 482913",
            "482913",
        ),
        ("Код подтверждения оплаты 480 руб. в магазине Лес: 482913", "482913"),
        (
            "Ihr Bestätigungscode für den Auftrag Nr. 55 über 48 EUR an Fa. Meier ist 482913",
            "482913",
        ),
        (
            "El código de verificación para transferir al Sr. J. Pérez a la cta. 3307 es 482913",
            "482913",
        ),
        ("O código de autenticação para pagamento ao Sr. Silva na Av. Brasil é 482913", "482913"),
        ("Kode verifikasi untuk transfer Rp. 480.000 ke PT. Laut Biru adalah 482913", "482913"),
        (
            "Votre code de vérification pour le virement à M. Dupont, art. 5 est 482913",
            "482913",
        ),
        (
            (
                "OTP for the standing instruction of Rs. 1,480.00 in favour of Lotus Furnishings"
                " Private Limited, to be debited on the fifth of each month from your savings"
                " account and paid to them, is 482913"
            ),
            "482913",
        ),
    ],
)
def test_a_name_governs_a_number_over_a_long_object_with_short_words(text: str, code: str) -> None:
    verdict = recognise(REGISTRY, text)
    assert verdict.otp
    assert verdict.code_span is not None
    assert text[slice(*verdict.code_span)] == code


@pytest.mark.parametrize(
    "text",
    [
        "Your OTP was sent. Rs. 4800 was paid to A/c No. 3307482",
        "Did you get the OTP? I said no. 482913 is the parcel's number",
        "OTP will be asked at delivery of order No. 482913",
        "Your account no. ending with 5578 is debited with INR 1,480 on 25-09-31",
        "PKR 1,480.00 was moved into your Account No. 0101xxx7701 on 31-01-31 via App",
        "Do not give your OTP to anybody who calls for Harbour Ltd. Our number is 482913",
    ],
)
def test_it_governs_none_of_another(text: str) -> None:
    assert not recognise(REGISTRY, text).otp
