"""The explanation of an answer: its parts add up, and it says without which it would be another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.recognise import weigh, why as explained
from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import look
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.traits import TRAITS
from detectors.recognise.score.model import confidence_of
from detectors.recognise.text.fold import mask
from detectors.recognise.why import Why, why

REGISTRY = Registry.load_shipped()
TEXTS = (
    "Your Tandem code is 482913. Do not share it.",
    "Besoin de toi avant 482913 ce soir",
    "您的取件码629014，请到驿站领取",
    "验证码482913",
)


def told(text: str, sender: str = "Example", *, trusted: bool = False) -> Why:
    rule = recognise(REGISTRY, text, sender=sender).rule
    return why(REGISTRY, text, sender, rule, trusted=trusted)


@pytest.mark.parametrize("text", TEXTS)
def test_the_parts_add_up_to_the_whole_sum(text: str) -> None:
    found = told(text)
    assert found.odds is not None
    assert sum(part.adds for part in found.parts) == pytest.approx(found.odds)
    weights = [abs(part.adds) for part in found.parts]
    assert weights == sorted(weights, reverse=True)
    assert {part.kind for part in found.parts} >= {"rule", "piece", "pieces"}


def test_every_trait_and_rule_is_told_in_words() -> None:
    found = told(TEXTS[0])
    assert found.says in {rule.says for rule in RULES.values()}
    assert {part.says for part in found.parts if part.kind == "trait"} <= set(TRAITS.values())
    assert ("code", "weak") in found.words


def test_a_part_whose_loss_turns_the_answer_is_named() -> None:
    for text in TEXTS:
        found = told(text)
        assert found.odds is not None
        for part in found.parts:
            turned = (found.odds - part.adds > 0) != (found.odds > 0)
            assert (part.says in found.without) >= turned


def test_the_sum_is_that_of_the_verdict_where_no_score_decided_alone() -> None:
    verdict = recognise(REGISTRY, TEXTS[1], sender="Example")
    odds = told(TEXTS[1]).odds
    assert odds is not None
    assert (confidence_of(round(100 * odds)) >= 0.5) == verdict.otp


@pytest.mark.parametrize(
    ("text", "trusted", "rule"),
    [
        (TEXTS[0], True, "weak-login"),
        ("", False, "sender-service"),
        ("hello", False, "numberless"),
        (TEXTS[0], False, "category-otp"),
    ],
)
def test_no_sum_is_told_where_none_was_asked(text: str, trusted: bool, rule: str) -> None:
    found = why(REGISTRY, text, "Example", rule, trusted=trusted)
    assert (found.rule, found.parts, found.odds, found.without) == (rule, (), None, ())


@pytest.mark.parametrize(
    ("text", "code", "otp"),
    [
        ("Your locker number is 482913", -900, True),
        ("您的动态码是482913", 9_000, False),
    ],
)
def test_a_sum_that_did_not_decide_is_not_told_against_the_score_that_did(
    text: str, code: int, otp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(weigh.model(), code=code, other=code - 1)
    monkeypatch.setattr(weigh, "model", lambda: known)
    monkeypatch.setattr(explained, "model", lambda: known)
    verdict = recognise(REGISTRY, text)
    assert verdict.otp is otp
    found = told(text, "")
    assert {part.kind for part in found.parts} == {"piece", "pieces"}
    looked = look(mask(text))
    assert found.odds == pytest.approx(known.score(looked.folded, looked.cased) / 100)
    assert sum(part.adds for part in found.parts) == pytest.approx(found.odds)
