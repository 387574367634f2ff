"""Decide about one message: is it a verification code, where is the code, whose is it, how sure.

`recognise` reads every text. `recogniser.Recogniser` gives the same answers for batches, by the
same functions, and caches them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from detectors.model.event import Trust
from detectors.recognise.platform.keys import BRAND, brand_key, host_key, id_key, key_of_sender
from detectors.recognise.platform.names import tells_nobody
from detectors.recognise.platform.registry import Line, Registry, Sender
from detectors.recognise.rules import glance
from detectors.recognise.rules.reading import (
    Look,
    excerpt,
    in_text,
    likely,
    names_codes,
    prescan_texts,
)
from detectors.recognise.rules.rule_table import RULES
from detectors.recognise.rules.signature import is_note
from detectors.recognise.rules.traits import LONG
from detectors.recognise.text.fold import fold, mask, name_key
from detectors.recognise.weigh import (
    Weighed,
    confidence,
    name_rule,
    score_texts,
    surely_named,
    weigh_text,
)

if TYPE_CHECKING:
    from detectors.recognise.platform.brands import Brand

OTP_CATEGORY: Final = "otp"
PERSONS: Final = "p2p"
"""Category of messages between people. Such messages are no codes; their texts are not read."""
OTHER_CATEGORIES: Final = frozenset({"txn", "notice", "marketing", PERSONS})


class Message(NamedTuple):
    """The fields of an event that recognition uses. A missing field is ""."""

    text: str = ""
    sender: str = ""
    signature: str = ""
    category: str = ""
    platform: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of `recognise` about one message."""

    otp: bool  # True if the confidence is at least `confidence_min`
    confidence: float  # 0..1: probability of a verification code
    code_span: tuple[int, int] | None  # start and end of the code in the text; None if not shown
    platform: str  # platform key: `sig:`, `from:` or `id:`
    trust: Trust
    rule: str  # a key of RULES


class Source(NamedTuple):
    """The facts about the author of a message: by its fields, its sender and its signature."""

    key: str  # platform key; empty if only the sender or the running text names the platform
    trust: Trust
    hidden: bool  # the sender names no platform; perhaps the running text does
    person: bool  # a subscriber's number, and no name in the text


class Recognised(NamedTuple):
    """The decision about a message."""

    sure: float  # confidence that the message is a code
    rule: str | None  # the rule that decides without the text; None if the text decides
    key: str  # the platform's key; empty if the sender names it, or if the message is no code
    span: tuple[int, int] | None  # a platform name with digits in the running text


def recognise(
    registry: Registry,
    text: str,
    sender: str = "",
    signature: str = "",
    category: str = "",
    platform: str = "",
    template: str = "",
    confidence_min: float = 0.5,
) -> Verdict:
    r"""Recognise one message without a cache.

    The arguments are the fields of an event as the feed gives them. A missing field is "".

    >>> registry = Registry.load('[bank]\n"工商银行" = {ports = ["95588"]}')
    >>> verdict = recognise(registry, "【工商银行】动态码：194872，切勿泄露！", sender="95588")
    >>> verdict.otp, verdict.code_span, verdict.platform, verdict.trust.name
    (True, (10, 16), 'sig:工商银行', 'BANK')
    """
    message = Message(text, sender, signature, category, platform, template)
    return _recognise(registry, message, weigh_text(mask(excerpt(text))), confidence_min)


def recognise_many(
    registry: Registry, messages: Sequence[Message], confidence_min: float = 0.5
) -> Iterator[Verdict]:
    """Yield the result of `recognise` for each message, in order. All texts are scored in one pass.

    Memory grows with the number of messages. Pass a few thousand messages per call.
    """
    masked = [mask(excerpt(each.text)) for each in messages]
    new = list(dict.fromkeys(masked))
    weighed: dict[str, Weighed] = {}
    for part in glance.parts(new):
        seen = prescan_texts(new[part])
        for at, (text, score) in enumerate(zip(new[part], score_texts(seen).tolist(), strict=True)):
            weighed[text] = Weighed(seen.look(at), score)
    for message, text in zip(messages, masked, strict=True):
        yield _recognise(registry, message, weighed[text], confidence_min)


def _recognise(
    registry: Registry, message: Message, weighed: Weighed, confidence_min: float
) -> Verdict:
    origin = registry.sender(message.sender)
    source = find_source(registry, message, weighed.look, origin)
    sure, rule, key, _ = decide(registry, message, weighed, origin, source, confidence_min)
    code = weighed.reading.code if message.text and rule in (None, "category-otp") else None
    if rule is None:
        rule = name_rule(weighed.reading.rule, sure)
        code = likely(weighed.look) if code is None and rule == "rescued" else code
    otp = sure >= confidence_min
    span = in_text(message.text, code) if otp and code else None
    key = key or source.key or key_of_sender(registry, origin)
    return Verdict(otp, sure, span, key, source.trust, rule)


def decide(
    registry: Registry,
    message: Message,
    weighed: Weighed,
    origin: Sender,
    source: Source,
    confidence_min: float,
) -> Recognised:
    """Decide about a message, whose text is read only if neither fields nor score decide."""
    rule = _decide_by_fields(registry, origin, message)
    told = {"trusted": source.trust is not Trust.NONE, "person": source.person}
    sure = RULES[rule].confidence if rule else confidence(weighed, **told)
    if rule == "category-other" and message.text and message.category != PERSONS:
        named = surely_named(weighed, **told)
        sure, rule = (sure, rule) if named is None else (named, None)
    if sure < confidence_min or source.key or not source.hidden:
        return Recognised(sure, rule, source.key if sure >= confidence_min else "", None)
    if len(weighed.look.folded) > LONG and weighed.reading.rule == "crowded":
        return Recognised(sure, rule, "", None)  # a search for names would take too long
    brand = find_brand()(registry, weighed.look, excerpt(message.text))
    return Recognised(sure, rule, *(brand or ("", None)))


def find_brand() -> Callable[[Registry, Look, str], Brand | None]:
    """Import `brands.brand` on demand.

    Its patterns take a quarter of this module's import time and are needed for few texts.
    """
    from detectors.recognise.platform.brands import brand  # noqa: PLC0415

    return brand


def _decide_by_fields(registry: Registry, origin: Sender, message: Message) -> str | None:
    """Return the rule that decides without reading a text, or None.

    Such rules use the category of the message or its template, or, without a text, the sender.
    """
    for told in (message.category, registry.templates.get(message.template, "")):
        if told == OTP_CATEGORY:
            return "category-otp"
        if told in OTHER_CATEGORIES:
            return "category-other"
    if message.text:
        return None
    if origin.line in (Line.PERSON, Line.ABSENT) or not origin.key:  # a blank sender names nobody
        return "sender-person"
    return "sender-codes" if names_codes(origin.key) else "sender-service"


def find_source(registry: Registry, message: Message, looked: Look, origin: Sender) -> Source:
    """Return the source of a message, without the names in its running text.

    The key comes from the signature, else from a registered id or port, else from another id or a
    host. A registered id comes from the gateway and is more credible than a number.
    """
    person = origin.line is Line.PERSON and looked.signature is None
    return Source(*_find_platform(registry, message, looked, origin), tells_nobody(origin), person)


def _find_platform(
    registry: Registry, message: Message, looked: Look, origin: Sender
) -> tuple[str, Trust]:
    written, seen = message.signature, excerpt(message.text)
    if not written or is_note(mask(fold(written))) or not name_key(written):
        written = seen[slice(*looked.signature)] if looked.signature else ""
    claim = name_key(written)
    told = registry.ids.get(message.platform)
    claimed = registry.signatures.get(claim) if claim else told
    vouched = told is not None and told == claimed
    if claim and not vouched and registry.speaks_of(claimed, origin):
        claimed, claim = None, ""
    trust = claimed.trust if claimed and vouched else registry.trust(claimed, origin)
    if claimed or claim:
        return f"{BRAND}{claimed.key}" if claimed else brand_key(registry, written), trust
    if origin.owners:
        return key_of_sender(registry, origin), trust
    if message.platform:
        return id_key(registry, message.platform), trust
    return host_key(registry, seen[slice(*looked.host)]) if looked.host else "", trust
