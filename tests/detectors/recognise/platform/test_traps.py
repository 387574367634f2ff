"""Capitals that name no platform: persons, payees, places, shouting; and names beside them."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.platform.traps import names_other
from detectors.recognise.text.fold import name_key

REGISTRY = Registry.load_shipped()


def platform(text: str) -> str:
    """The platform of a code that a sender of many passes on."""
    return recognise(REGISTRY, text, "AUTHMSG", category="otp").platform


@pytest.mark.parametrize(
    "text",
    [
        "Hi Margaret, your login code is 482913",
        "Dear Mrs. Adeyemi, your login code is 482913",
        "Welcome back, Dorothy! Your code is 482913",
        "Guten Tag Herr Vogelsang, Ihr Code: 482913",
        "Sayın Elif Demir, giriş kodunuz 482913",
        "Elif Hanım, giriş kodunuz 482913",
        "Анна Сергеевна, код для входа 482913",
        "Уважаемый Пётр, код для входа 482913",
        "Halo Dewi, kode masuk kamu 482913",
        "Geachte heer Wouters, uw code: 482913",
        "Kære Mogens, din kode: 482913",
        "Szanowna Pani Zielińska, kod 482913",
        "Kedves Zsófia! A kód: 482913",
        "Encik Farhan, kod anda 482913",
        "Αγαπητέ Νίκο, ο κωδικός: 482913",
        "Passcode for Oliver's iPhone: 482913",
        "Your visit with Dr. Hargreaves: confirm with code 482913",
    ],
)
def test_who_is_addressed_is_no_platform(text: str) -> None:
    assert platform(text) == "from:authmsg"


@pytest.mark.parametrize(
    "text",
    [
        "Payment to Penny's Cake Shop 30.00, authorize with 482913",
        "OTP 482913 for purchase of Rs 2,499 at Mehta General Stores",
        "Use 482913 to approve $48.10 at Cedar Hardware",
        "Zahlung 45,00 EUR an Metzgerei Lang, Freigabe mit TAN 482913",
        "TAN 482913 für die Überweisung an Paul Richter",
        "Achat de 45,00 EUR chez Fromagerie Blanc : 482913",
        "Transferencia a Lucía Ortega por 50 euros. Código 482913",
        "Bonifico a Luca Ferri: conferma con 482913",
        "Przelew do Anna Nowak 100,00 PLN, kod 482913",
        "Перевод в «Цветочный рай», код 482913",
    ],
)
def test_who_is_paid_is_no_platform(text: str) -> None:
    assert platform(text) == "from:authmsg"


@pytest.mark.parametrize(
    "text",
    [
        "New sign-in near Bristol, England. Code: 482913",
        "Neue Anmeldung aus Hamburg. Code 482913",
        "Connexion depuis Nantes, France. Code : 482913",
        "Use code 482913 to sign in from Firefox on Linux.",
        "Delivery to 14 Maple Avenue: verify your phone with 482913",
        "Um sich bei der Kontoverwaltung anzumelden: 482913",
        "Code 482913. Valable jusqu'à Vendredi",
        "PLEASE NEVER TELL THIS NUMBER TO ANYBODY 482913",
        "This is your Wi-Fi code: 482913",
        "Registration code 482913, to be used before October 5",
        "Your code is 482913. Powered by Textrelay",
    ],
)
def test_towns_streets_days_devices_and_shouting_are_no_platform(text: str) -> None:
    assert platform(text) == "from:authmsg"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi Margaret, your Falkhof code is 482913", "falkhof"),
        ("Falkhof: payment to Penny's Cake Shop, code 482913", "falkhof"),
        ("A payment of $82.10 to Cedar Hardware. Falkhof code 482913", "falkhof"),
        ("Confirm your payment with Falkhof: 482913", "falkhof"),
        ("Bezahlen Sie Ihren Einkauf mit Falkhof: 482913", "falkhof"),
        ("482913 is your one-time code from Falkhof.", "falkhof"),
        ("YOUR FALKHOF CODE IS 482913", "falkhof"),
        ("Für die Kontofreischaltung bei Falkhof: 482913", "falkhof"),
        ("Ku soo dhawoow Falkhof! Lambarka 482913", "falkhof"),
        ("Welcome to Falkhof! Your code is 482913", "falkhof"),
        ("Sign in to Falkhof from Bristol, England: 482913", "falkhof"),
        ("Your Falkhof code was asked for by Dr. Hargreaves: 482913", "falkhof"),
    ],
)
def test_a_name_beside_them_is_still_found(text: str, name: str) -> None:
    assert platform(text) == f"sig:{name}"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mã xác thực Hạt Tiêu của bạn là 482913", "hattieu"),
        ("482913 je tvoj kod za Štrumfić", "strumfic"),
        ("482913 είναι ο κωδικός σας για το Ροδάκι", "ροδάκι"),
        ("Ваш код для входу в Їжачок: 482913", "їжачок"),
        ("482913 – Қоңырау қосымшасына кіру коды", "қоңырау"),
    ],
)
def test_capitals_of_every_alphabet_are_read(text: str, name: str) -> None:
    assert platform(text) == f"sig:{name_key(name)}"


def test_a_title_tells_whatever_follows_and_a_greeting_only_with_a_mark() -> None:
    for text, other in (
        ("Mr Falkhof says", True),
        ("Hi Falkhof,", True),
        ("Hi Falkhof code", False),
    ):
        start = text.index("Falkhof")
        assert names_other(text, start, start + len("Falkhof")) is other
