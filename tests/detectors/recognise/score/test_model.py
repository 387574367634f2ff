"""The linear model: the same score however it is asked, the same model when trained again."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
from hypothesis import given, strategies as st

from detectors.model.event import Trust
from detectors.recognise.decide import recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import excerpt, prescan_texts
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.traits import TRAITS
from detectors.recognise.score.grams import NOWHERE
from detectors.recognise.score.model import confidence_of
from detectors.recognise.text.fold import fold, mask
from detectors.recognise.weigh import model, score_texts
from tests.detectors.recognise import train
from tests.detectors.recognise.corpus import rows

REGISTRY = Registry.load_shipped()
CORPUS = rows()
MODEL = model()

FOLDED = st.text(st.sampled_from("ab code验证码0012 \n\0é"), max_size=30).map(fold)


@given(st.lists(FOLDED, min_size=1, max_size=6))
def test_a_text_has_the_same_score_in_any_company(texts: list[str]) -> None:
    together = MODEL.scores(texts, texts).tolist()
    assert together == [MODEL.score(text, text) for text in texts]
    assert together[::-1] == MODEL.scores(texts[::-1], texts[::-1]).tolist()


@pytest.mark.parametrize(
    ("text", "word"), [("your verification code is 000000", "code"), ("验证码是000000", "验证")]
)
def test_a_word_adds_what_its_text_loses_without_it(text: str, word: str) -> None:
    told = dict(MODEL.explain(text, text))
    other = text.replace(word, "")
    lost = MODEL.score(text, text) - MODEL.score(other, other)
    assert told[word] == round(MODEL.share * lost) > 0


@given(FOLDED, st.permutations("0123456789"))
def test_digits_change_no_score(text: str, others: list[str]) -> None:
    other = text.translate(str.maketrans("0123456789", "".join(others)))
    assert MODEL.score(text, text) == MODEL.score(other, other)


def test_no_texts_have_no_scores() -> None:
    assert MODEL.scores([], []).tolist() == []


def test_a_model_has_a_weight_for_every_rule_that_is_weighed() -> None:
    weighed = {name for name, rule in RULES.items() if rule.weighed}
    assert set(MODEL.rules) == weighed
    assert set(MODEL.traits) == set(TRAITS)
    assert len(MODEL.weights) == NOWHERE + 1
    assert MODEL.weights[-1] == 0


def test_a_trusted_platform_s_text_is_told_by_the_rules_alone() -> None:
    """Whoever could write what deceives the model would else decide what a bank's message is."""
    texts = [row.text for row in CORPUS if row.lang == "zh-Hans"][:400]
    for text in texts:
        verdict = recognise(REGISTRY, text, sender="95588")
        if verdict.trust is not Trust.NONE:
            assert verdict.rule not in ("rescued", "overruled")
            assert verdict.confidence == RULES[verdict.rule].confidence


@pytest.mark.parametrize(
    ("odds", "confidence"), [(1, 0.5), (0, 0.49), (-1, 0.49), (100, 0.73), (-100, 0.27)]
)
def test_a_confidence_is_the_probability_of_log_odds(odds: int, confidence: float) -> None:
    assert confidence_of(odds) == confidence


@pytest.mark.slow
def test_a_model_trained_again_is_the_one_that_is_shipped() -> None:
    """The weights; those of the rules take all folds: `python -m tests...train --check`."""
    shipped = tomllib.loads((train.DATA / "model.toml").read_text("utf-8"))
    assert shipped["version"] == train.VERSION
    assert shipped["data"] == f"{train.data_version(CORPUS):08x}", "texts have changed: train anew"
    parts = train.Pieces([row.text for row in CORPUS])
    labels = np.array([row.otp for row in CORPUS])
    octets, _ = train.quantised(train.fit(parts, labels, np.ones(len(CORPUS), np.bool_))[0])
    assert train.agree(octets, (train.DATA / "model.weights").read_bytes())


def test_a_step_more_in_many_weights_is_another_model() -> None:
    octets = (train.DATA / "model.weights").read_bytes()
    weights = np.frombuffer(octets, np.int8)
    assert train.agree(octets, octets)
    assert not train.agree(octets, (weights // 2).tobytes())


def test_texts_kept_back_are_not_trained_on() -> None:
    kept = {row.text for row in rows(kept_back=True)}
    assert kept
    assert not kept & {row.text for row in CORPUS}


def test_texts_are_scored_a_batch_at_a_time_as_one_by_one() -> None:
    texts = [mask(excerpt(row.text)) for row in CORPUS[:2000]]
    whole = score_texts(prescan_texts(texts)).tolist()
    starts = range(0, len(texts), 37)
    parts = [score_texts(prescan_texts(texts[at : at + 37])) for at in starts]
    assert whole == np.concatenate(parts).tolist()
