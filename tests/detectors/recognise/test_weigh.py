"""Rules and model as one answer: who may decide alone, and which rule a verdict is told by."""

from __future__ import annotations

from collections import Counter

import pytest

from detectors.recognise import weigh
from detectors.recognise.rules.reading import Reading, excerpt, look, prescan_texts, read
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.text.fold import mask
from detectors.recognise.weigh import (
    CODE as CODE_FROM,
    RESCUE_IN_DOUBT,
    Weighed,
    confidence,
    is_barred,
    model,
    name_rule,
)
from tests.detectors.recognise import corpus

CODE = look(mask("Your verification code is 482913"))
CHAT = look(mask("see you at the station"))


class Unread(Weighed):
    """A text that no rule may read."""

    @property
    def reading(self) -> Reading:
        raise AssertionError("a score that is far enough decides alone")


def test_a_score_far_from_nought_decides_alone() -> None:
    sure, other = model().code, model().other
    assert confidence(Unread(CODE, sure), trusted=False, person=False) == model().sure_code
    assert confidence(Unread(CHAT, other), trusted=False, person=False) == model().sure_other
    with pytest.raises(AssertionError, match="decides alone"):
        confidence(Unread(CODE, (sure + other) // 2), trusted=False, person=False)
    with pytest.raises(AssertionError, match="decides alone"):  # perhaps it stands in an advert
        confidence(Unread(CODE, other), trusted=False, person=False)


@pytest.mark.parametrize("count", range(6))
def test_texts_are_scored_together_as_each_by_itself(count: int) -> None:
    texts = [
        "Your code is 000000",
        "c-o-d-e 0*0*0*0",
        "",
        "您的验证码是 000000",
        "Κωδικός: 0000 ΣΑΣ",
    ]
    seen = prescan_texts(texts[:count])
    looks = list(map(look, texts[:count]))
    assert weigh.score_texts(seen).tolist() == [
        model().score(each.folded, each.cased) for each in looks
    ]


def test_what_is_decided_without_a_look_is_what_a_look_decides() -> None:
    """Of all labelled texts, with those of many lines, long ones, and those that machines read."""
    texts = [mask(excerpt(row.text)) for row in corpus.rows()[::3]]
    texts += [f"{text}\n\n\n\n" for text in texts[:200]]
    texts += [f"{text}{' x' * 200}" for text in texts[:200]]
    texts += [f"<#> {text}" for text in texts[:100]]
    texts += [f"{text}\n@example.com #0000" for text in texts[:100]]
    seen = prescan_texts(texts)
    scores = weigh.score_texts(seen)
    counts = Counter[int]()
    answers = zip(scores.tolist(), weigh.decide_by_scores(seen, scores).tolist(), strict=True)
    for at, (score, told) in enumerate(answers):
        counts[told] += 1
        if told:
            looked = seen.look(at)
            assert looked.host_line is None
            assert weigh.alone(looked, score, person=False) == (
                model().sure_code if told > 0 else model().sure_other
            )
    assert min(counts[1], counts[0], counts[-1]) > 50


def test_a_text_without_a_digit_is_no_code_by_its_score_alone() -> None:
    read_ = confidence(Weighed(CHAT, model().code), trusted=False, person=False)
    assert read_ == RULES["numberless"].confidence


@pytest.mark.parametrize(
    "text",
    [
        "3-3 olmuş :)",
        "50 TL ve uzeri alisverislerde kargo bedava",
        "cya at 9 gud ni8 tc",
        "Gib dein Geburtsdatum so ein: 24.12. als DDMMYYYY",
        "https://magazin.example.tr/2-AL-1-ODE-YAZLIK-ELBISE-VE-TERLIK-KAMPANYASI-SECILI-MAGAZALARDA",
        (
            "To our dear aunt who is 9 for the 9th time: all 4 of us wish you a HAPPY BIRTHDAY, "
            "good health, warm feet in winter, and that this cake tastes better than the last one"
        ),
    ],
)
def test_no_score_makes_a_code_of_what_shows_nothing_that_could_be_one(text: str) -> None:
    looked = look(mask(text))
    assert confidence(Weighed(looked, 10_000), trusted=False, person=False) < 0.5


def test_a_person_s_text_is_read_whatever_its_score() -> None:
    with pytest.raises(AssertionError, match="decides alone"):
        confidence(Unread(CODE, model().code), trusted=False, person=True)


@pytest.mark.parametrize("score", [-10_000, 0, 10_000])
def test_the_rules_alone_decide_on_a_trusted_platform_s_text(score: int) -> None:
    rule = RULES[read(CODE).rule]
    assert confidence(Weighed(CODE, score), trusted=True, person=False) == rule.confidence


def test_what_machines_read_is_not_weighed() -> None:
    host = look(mask("118204\n@shop.example.tw #118204"))
    assert confidence(Unread(host, -10_000), trusted=False, person=False) == 0.99
    app = look(mask("<#> ExampleApp: 123456\nFA+9qCX9VSu"))
    assert confidence(Weighed(app, -10_000), trusted=False, person=False) == 0.98


@pytest.mark.parametrize("odds", [-2, -1, 0])
def test_a_sum_that_does_not_speak_for_a_code_makes_none(odds: int) -> None:
    """Rounded to a half it would be one, and nobody would ask if the text shows any number."""
    looked = look(mask("Neue Folgen: kanal.example/staffel/zwei"))
    rest = sum(model().traits[trait] for trait in read(looked).traits)
    score = round((odds - model().rules[read(looked).rule] - rest) / model().share)
    told = confidence(Weighed(looked, score), trusted=False, person=False)
    assert told < CODE_FROM, model().odds(score, read(looked).rule, read(looked).traits)


@pytest.mark.parametrize(
    ("rule", "sure", "told"),
    [
        ("named", 0.97, "named"),
        ("named", 0.1, "overruled"),
        ("wordless", 0.2, "wordless"),
        ("wordless", 0.9, "rescued"),
        ("host-line", 0.1, "host-line"),  # no model has a say in it
    ],
)
def test_a_verdict_is_told_by_its_rule_unless_the_model_went_against_it(
    rule: str, sure: float, told: str
) -> None:
    assert name_rule(rule, sure) == told


@pytest.mark.parametrize(
    ("text", "odds", "so"),
    [
        ("Toimipisteesi on 482913, tervetuloa", 10, False),
        ("Toimipisteesi on 482913, 20 EUR", RESCUE_IN_DOUBT - 1, True),
        ("Toimipisteesi on 482913, 20 EUR", RESCUE_IN_DOUBT, False),
        ("Toimipisteesi on 482913, 20 EUR, soita +358 20 500 0142", 400, True),
        ("Lokero A7 on tyhja, avain on B4K2", RESCUE_IN_DOUBT - 1, True),
        ("Lokero A7 on tyhja, avain on B4K2", RESCUE_IN_DOUBT, False),
        ("Your verification code is 482913 for 20 EUR, call +358 20 500 0142", 10, False),
    ],
)
def test_where_it_is_doubtful_a_high_sum_alone_rescues(text: str, odds: int, so: bool) -> None:
    looked = look(mask(text))
    assert is_barred(looked, read(looked), odds) is so
