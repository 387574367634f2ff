"""Senders that many platforms share are told from banks that name shops."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.recognise.decide import recognise
from detectors.recognise.platform.fanout import NAMES_LEAST, TEMPLATES_MAX, FanOut
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from tests.builders.detectors.recognise.fanout import BRANDS
from tests.builders.detectors.recognise.recognise_cache import Event, batch

REGISTRY = Registry.load_shipped()


def event(text: str, sender: str) -> Event:
    return text, sender, "", "", "", ""


def counted(events: Sequence[Event]) -> FanOut:
    found = FanOut(REGISTRY)
    messages = batch(list(events))
    found.take(messages, Recogniser(REGISTRY).columns(messages))
    return found


def of_many(sender: str, brands: Sequence[str] = BRANDS) -> list[Event]:
    return [event(f"Your {name} code is 48291{i}", sender) for i, name in enumerate(brands)]


def test_a_sender_with_many_names_is_shared() -> None:
    assert counted(of_many("ACMESEND")).list_shared() == {"acmesend": len(BRANDS)}


def test_a_sender_with_few_names_is_not() -> None:
    assert counted(of_many("ACMESEND", BRANDS[: NAMES_LEAST - 1]) * 20).list_shared() == {}


def test_a_bank_that_names_shops_is_not() -> None:
    shops = [
        event(f"NORBANK: use 48291{i} to pay EUR 12.0{i} at {name}", "NORBNK")
        for i, name in enumerate(BRANDS)
    ]
    assert counted(shops).list_shared() == {}


def test_what_is_known_already_or_no_name_is_not_counted() -> None:
    known = [*of_many("AUTHMSG"), *of_many("10690001"), *of_many("+447700900106"), *of_many("")]
    assert counted(known).list_shared() == {}


def test_a_template_counts_once_and_a_hundred_of_them_are_enough() -> None:
    many = [
        event(f"Your {name} code is 482910 {'x' * n}", "ACMESEND")
        for n in range(TEMPLATES_MAX)
        for name in BRANDS
    ]
    found = counted([*many, *many])
    assert found.list_shared() == {"acmesend": len(BRANDS)}
    assert len(found._sent["acmesend"].templates) == TEMPLATES_MAX


def test_what_the_operator_calls_shared_is_told_apart_by_its_texts() -> None:
    shared, _ = REGISTRY.merge(Registry(shared=frozenset({"acmesend"})))
    text = "Your Tandem code is 482913"
    assert recognise(REGISTRY, text, "AcmeSend").platform == "sig:acmesend"
    assert recognise(shared, text, "AcmeSend").platform == "sig:tandem"
    messages = batch(of_many("AcmeSend"))
    codes = Recogniser(shared).columns(messages)
    assert len(set(codes.platform.tolist())) == len(BRANDS)
    assert FanOut(shared).list_shared() == {}
