"""Names with capitals: how they are put together, and where they stand."""

from __future__ import annotations

import pytest

from detectors.recognise.platform.capitals import CERTAIN, SURE, capitals, head, signs, small


def names(text: str) -> list[str]:
    return [place.name for place in capitals(text)]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Banque du Falkhof, code 000000", "Banque du Falkhof"),
        ("Mutuelle des Falkhof: code 000000", "Mutuelle des Falkhof"),
        ("Falkhof 'n Go code 000000", "Falkhof 'n Go"),
        ("Bank of Falkhof code 000000", "Bank of Falkhof"),
        ("FalkHof, il tuo PIN: 000000", "FalkHof"),
        ("Falkhof her. Adgang med 000000", "Falkhof"),
        ("Falkhof 🎈 verifica teu perfil: 000000", "Falkhof"),
        ("Falkhof қосымшасын растау үшін 000000", "Falkhof"),
        ("Никому не сообщайте код 000000. Фалькхоф", "Фалькхоф"),
        ("Your code is 000000. Do not share it.\n- Falkhof", "Falkhof"),
    ],
)
def test_a_name_is_read_whole_and_where_it_signs(text: str, name: str) -> None:
    assert names(text)[0] == name


@pytest.mark.parametrize(
    "text",
    [
        "Código de Falkhof 000000",  # no house of its own
        "Your Falkhof code 000000",
    ],
)
def test_only_what_a_house_is_called_is_joined_by_of(text: str) -> None:
    assert names(text)[0] == "Falkhof"


@pytest.mark.parametrize(
    "text",
    [
        "Your code is 000000. Thanks",
        "Your code is 000000. Not you? Ignore.",
        "Tu código es 000000. Gracias",
        "Falkhofs, your code is 000000",  # perhaps a person
    ],
)
def test_a_last_word_of_thanks_signs_nothing(text: str) -> None:
    assert names(text) == []


def test_places_have_points() -> None:
    one = capitals("000000 Falkhof")[0].worth
    assert one < capitals("Your Falkhof 000000")[0].worth == SURE
    assert capitals("Your Falkhof code 000000")[0].worth == CERTAIN
    assert capitals("Your code 000000. Falkhof")[0].worth == one


def test_who_signs_is_short_and_stands_last() -> None:
    text = "Your code is 000000. Falkhof"
    start = text.index("Falkhof")
    assert signs(text, start, len(text))
    assert not signs(text + " says hello", start, len(text))
    assert not signs("Falkhof", 0, len("Falkhof"))


def test_heads_and_small_names() -> None:
    assert head("Falkhof: 000000") == ["Falkhof"]
    assert head("Code: 000000") == []
    assert small("your falkhof code 000000") == ["falkhof"]
    assert small("your code 000000") == []
    assert small("someone opened your falkhof account") == ["falkhof"]
    for word in ("online", "savings", "driver", "verified"):
        assert small(f"someone opened your {word} account") == []
