"""The words of a script: where a table has none of a kind, none is found."""

from __future__ import annotations

import pytest

from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.vocabulary.scripts import FIELD, says
from tests.builders.detectors.recognise.patterns import any_of

REGISTRY = Registry.load_shipped()


def test_a_pattern_of_no_words_finds_nothing() -> None:
    assert any_of([]).search("any text, and none") is None
    assert any_of([], "(?<![a-z])", "(?![a-z])").search("any text, and none") is None


@pytest.mark.parametrize(
    "text",
    [
        "Καλημέρα σας, 0000",
        "გამარჯობა 0000",
        "வணக்கம் 0000",
        "ನಮಸ್ಕಾರ 0000",
        "ជំរាបសួរ 0000",
        "ສະບາຍດີ 0000",
        "မင်္ဂလာပါ 0000",
    ],
)
def test_a_greeting_tells_of_no_field(text: str) -> None:
    assert not says(text, FIELD)


@pytest.mark.parametrize(
    "text",
    [
        "ერთჯერადი კოდი: 4183. თანხა 45.90 GEL, GLOVO. არავის გაუზიაროთ",
        "Γεια! Ο αριθμός 214477 ενεργοποιεί τον λογαριασμό σου στο Freenow",
        "ಲಾಗಿನ್ ಒಟಿಪಿ 440182, ಯಾರಿಗೂ ಹೇಳಬೇಡಿ",
    ],
)
def test_a_code_in_a_script_with_few_words_is_not_held_for_a_courier_s(text: str) -> None:
    verdict = recognise(REGISTRY, text, "Example")
    assert verdict.otp, verdict


@pytest.mark.parametrize(
    "text",
    [
        "புதிய காலர் ட்யூன்: TUNE என டைப் செய்து 543219 எண்ணுக்கு அனுப்புங்கள்",
        "ಈ ಹಾಡಿಗೆ OK ಎಂದು ಬರೆದು 56782 ಗೆ ಕಳಿಸಿ",
        "Trimite DA la 1245 si primesti 2 GB",
        "Lähetä sana APU numeroon 16498",
        "ගීතයට SET ලෙස 9798 ට යවන්න",
        "Spende 5 Euro: DEC5 an 81191 senden",
    ],
)
def test_a_number_to_send_a_word_to_is_no_code(text: str) -> None:
    verdict = recognise(REGISTRY, text, "Example")
    assert not verdict.otp, verdict
