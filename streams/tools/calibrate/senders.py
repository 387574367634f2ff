"""Finds sender numbers that behave like a bank's and are in no registry. Pure.

A bank writes to the same people again and again, from one number, under one name, and about money.
The findings are only proposals: an attacker who knows these signs can imitate them. A person must
look the number up before it is trusted.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from detectors.model.event import Batch, EventKind
from detectors.model.times import DAY_MS
from detectors.recognise.platform.registry import Line, Registry
from detectors.recognise.rules.reading import excerpt
from detectors.recognise.rules.signature import signature_span
from detectors.recognise.text.fold import fold
from detectors.recognise.vocabulary.owners import has_price

RECIPIENTS_LEAST: Final = 50
"""Minimum number of recipients of a number. Chosen: fewer are too few for the shares below."""
AGAIN_LEAST: Final = 0.3
"""Minimum share of its recipients with messages on two or more days. Chosen: most people receive a
shop's codes once a week, and most customers receive a bank's notices more often."""
MONEY_LEAST: Final = 0.2
"""Minimum share of its texts that name an amount of money. Chosen: a bank sends payment notices as
well as log-in codes."""
NAME_LEAST: Final = 0.8
"""Minimum share of its texts with the same signature, or without one. Below this, several customers
share the number."""

SENDERS_MAX: Final = 4_096
OTHERS_MAX: Final = 65_536
RECIPIENTS_MAX: Final = 512
"""Maximum number of recipients that are stored per number."""
TEXTS_MAX: Final = 256  # Maximum number of texts that are parsed per number.


class BankLike(NamedTuple):
    """A number that behaves like a bank's. Shares are 0 to 1."""

    sender: str
    name: str  # signature of most of its texts; empty without one
    recipients: int  # At most RECIPIENTS_MAX.
    again: float  # Share of its recipients with messages on two or more days.
    money: float  # Share of its texts that name an amount of money.


@dataclass(slots=True)
class _Sent:
    # Recipient -> first day; -1: several days.
    day_of: dict[int, int] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)
    money: int = 0


class NumberHabits:
    """Counts what unlisted service numbers send, and to whom."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._sent: dict[str, _Sent] = {}
        self._is_unlisted = lru_cache(OTHERS_MAX)(self._look_up)

    def observe(self, batch: Batch) -> None:
        for row in (batch.kind == EventKind.MESSAGE).nonzero()[0].tolist():
            sender = batch.sender[row]
            if sender not in self._sent:
                if len(self._sent) >= SENDERS_MAX or not self._is_unlisted(sender):
                    continue
                self._sent[sender] = _Sent()
            day = int(batch.event_time_ms[row]) // DAY_MS
            _count(self._sent[sender], int(batch.recipient[row]), day, batch.text[row])

    def bank_like(self) -> Iterator[BankLike]:
        """Yield the numbers that behave like a bank's, ordered by falling number of recipients."""
        for sender, sent in sorted(
            self._sent.items(), key=lambda each: (-len(each[1].day_of), each[0])
        ):
            recipients, texts = len(sent.day_of), sent.names.total()
            if recipients < RECIPIENTS_LEAST or not texts:
                continue
            again = sum(day < 0 for day in sent.day_of.values()) / recipients
            ((name, named),) = sent.names.most_common(1)
            found = BankLike(sender, name, recipients, again, sent.money / texts)
            if again >= AGAIN_LEAST and found.money >= MONEY_LEAST and named >= NAME_LEAST * texts:
                yield found

    def _look_up(self, sender: str) -> bool:
        """Return true if the sender is a service number that no registry gives to anybody."""
        origin = self._registry.sender(sender)
        return origin.line in (Line.OWNED, Line.RENTED) and not origin.owners


def _count(sent: _Sent, recipient: int, day: int, text: str) -> None:
    first = sent.day_of.get(recipient)
    if first is not None:
        if first != day:
            sent.day_of[recipient] = -1
    elif len(sent.day_of) < RECIPIENTS_MAX:
        sent.day_of[recipient] = day
    if text and sent.names.total() < TEXTS_MAX:
        folded = fold(excerpt(text))
        span = signature_span(folded)
        sent.names[folded[slice(*span)] if span else ""] += 1
        sent.money += has_price(folded)
