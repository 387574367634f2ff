"""Decisions: what fields decide without a text, and what a gateway's category cannot hide."""

from __future__ import annotations

import pytest

from detectors.model.event import Trust
from detectors.recognise.decide import Message, find_source, recognise, recognise_many
from detectors.recognise.platform.registry import Registry
from detectors.recognise.rules.reading import look
from detectors.recognise.text.fold import mask

REGISTRY = Registry.load('[bank]\n"工商银行" = {ports = ["95588"], ids = ["acct-7"]}')


@pytest.mark.parametrize(
    ("message", "rule", "otp"),
    [
        (Message("hello", category="otp"), "category-otp", True),
        (Message("hello", category="marketing"), "category-other", False),
        (Message("您的验证码是482913，请勿泄露", category="marketing"), "named", True),
        (Message("您的验证码是482913，请勿泄露", category="p2p"), "category-other", False),
        (Message(sender="AUTHMSG"), "sender-codes", True),
        (Message(sender="+12025550109"), "sender-person", False),
    ],
)
def test_fields_decide_unless_a_word_surely_names_a_code(
    message: Message, rule: str, otp: bool
) -> None:
    verdict = recognise(REGISTRY, *message)
    assert (verdict.rule, verdict.otp) == (rule, otp)
    assert next(recognise_many(REGISTRY, [message])) == verdict


@pytest.mark.parametrize(
    ("message", "key", "trust"),
    [
        (Message("验证码482913", sender="95588"), "sig:工商银行", Trust.BANK),
        (Message("【京东】验证码482913", sender="95588"), "sig:工商银行", Trust.BANK),
        (Message("【京东】验证码482913", sender="10690001"), "sig:京东", Trust.NONE),
        (Message("验证码482913", platform="acct-7"), "sig:工商银行", Trust.BANK),
        (Message("验证码482913", platform="p9"), "id:p9", Trust.NONE),
        (Message("4829\n@shop.example #4829"), "sig:shop", Trust.NONE),
        (Message("验证码482913", sender="10690001"), "", Trust.NONE),
    ],
)
def test_the_source_is_named_by_signature_id_number_or_host(
    message: Message, key: str, trust: Trust
) -> None:
    origin = REGISTRY.sender(message.sender)
    source = find_source(REGISTRY, message, look(mask(message.text)), origin)
    assert (source.key, source.trust) == (key, trust)
