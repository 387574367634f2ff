"""Labelled events: each is a value of `sms.delivery.v1` and, separately, its truth."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """The reason for which a message was sent."""

    ATTACK = "attack"
    BANK = "bank"  # the recipient's own code, of a trusted platform
    KNOWN = "known"  # the recipient's own code, of a platform that it knew before
    NEW = "new"  # the recipient's own code, of any other platform
    OTHER = "other"  # no verification code


@dataclass(frozen=True, slots=True)
class Truth:
    """The facts that the writer of the event knows and the detector must find out."""

    role: Role
    scenario: str  # "A1", "B2", "ordinary", "history"
    platform: str  # its name; empty where a person wrote


@dataclass(frozen=True, slots=True)
class Labelled:
    """An event's value, ready to be JSON, and its truth."""

    value: dict[str, Any]
    truth: Truth


def message(
    recipient: str, sender: str, text: str, time_ms: int, message_id: str, **fields: Any
) -> dict[str, Any]:
    """Return a value of `sms.delivery.v1`; `fields` are optional fields of the contract.

    An empty text is left out, as in a feed that has none.
    """
    value: dict[str, Any] = {
        "schema_version": 1,
        "recipient": recipient,
        "sender": sender,
        "event_time_ms": time_ms,
        "message_id": message_id,
    }
    if text:
        value["text"] = text
    value.update(fields)
    return value


def merge_streams(*streams: Iterable[Labelled]) -> Iterator[Labelled]:
    """Yield all events by event time. Each stream must be in order.

    One event of each stream is in memory at a time.

    Events of one time come in the order of their streams.
    """
    return heapq.merge(*streams, key=lambda event: event.value["event_time_ms"])
