"""Converts submissions to `sms.delivery.v1` events that need no message text.

Without a text, the worker identifies the platform from sender, signature, category and platform id.
`Reporter` chooses these fields so that the worker finds the same platform and trust that the gate
found in the text. If no choice achieves this, the gate rules by what the worker will find. So gate
and worker always judge the same platform.
"""

from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from detectors.model.event import Trust
from detectors.recognise.decide import OTHER_CATEGORIES, OTP_CATEGORY, recognise
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from streams.gateways.gate.contract import NAME_CHARS, Submission
from streams.wire.version import SCHEMA_VERSION

PREFIX_CHARS: Final = 70  # maximum length of `text_prefix` in the contract
SILENT_CATEGORY: Final = "notice"
"""Category for a message that is not a code. With this category the worker does not need the text.
"""

SENDERS_MAX: Final = 65_536
"""Maximum number of cached platform and sender pairs. Choosing the fields of a pair takes about 150
µs."""

TextSetting = Literal["none", "prefix", "whole"]


class EventReading(NamedTuple):
    """The result of classifying one message; the worker finds the same platform and trust."""

    otp: bool
    platform: str  # platform key; empty if the message is not a code
    trust: Trust
    confidence: float
    signature: str | None  # the next three fields let the worker find the platform
    category: str | None
    platform_id: str | None


_encode: Final = msgspec.json.Encoder().encode


class Reporter:
    """Classifies submissions and encodes their events. Not thread-safe."""

    def __init__(
        self, recogniser: Recogniser, gateway_id: str, reported_by: str, text: TextSetting = "none"
    ) -> None:
        """`reported_by` is the source name of the events, different for each gate of a gateway."""
        self._recogniser = recogniser
        self._gateway_id = gateway_id
        self._reported_by = reported_by
        self._text = text
        self._told = _teller(recogniser.registry)

    def read(self, asked: Submission) -> EventReading:
        """Classify one submission: is it a code, and of which platform."""
        signature, category = asked.signature or "", asked.category or ""
        platform = asked.platform_id or ""
        found = self._recogniser.one(
            asked.text or "",
            asked.sender,
            signature,
            category,
            platform,
            asked.template_id or "",
        )
        if not asked.text:  # Without a text the worker receives the submission's fields unchanged.
            return EventReading(
                found.otp, found.platform, found.trust, found.confidence,
                asked.signature, asked.category, asked.platform_id,
            )  # fmt: skip
        if not found.otp:
            told = category if category in OTHER_CATEGORIES else SILENT_CATEGORY
            return EventReading(found.otp, "", Trust.NONE, found.confidence, None, told, None)
        name, id_, key, trust = self._told(found.platform, found.trust, asked.sender, platform)
        return EventReading(found.otp, key, trust, found.confidence, name, OTP_CATEGORY, id_)

    def owner(self, asked: Submission) -> tuple[str, Trust]:
        """Return the platform key and trust that a message would have if it were a code."""
        found = recognise(
            self._recogniser.registry,
            asked.text or "",
            asked.sender,
            asked.signature or "",
            OTP_CATEGORY,
            asked.platform_id or "",
        )
        return found.platform, found.trust

    def event(
        self, asked: Submission, recipient: str, read: EventReading, now_ms: int, status: str | None
    ) -> bytes:
        """Return the encoded event for one submission. `recipient` is in canonical form."""
        text, kept = asked.text, self._text
        # The fields have the order of the contract's table. Fields without a value are left out.
        fields = {
            "schema_version": SCHEMA_VERSION,
            "recipient": recipient,
            "sender": asked.sender,
            "event_time_ms": asked.event_time_ms or now_ms,
            "message_id": asked.message_id,
            "event_type": "submit",
            "gateway_id": self._gateway_id,
            "signature": read.signature,
            "category": read.category,
            "platform_id": read.platform_id,
            "template_id": asked.template_id,
            "confidence": read.confidence,
            "text": text if kept == "whole" else None,
            "text_prefix": text[:PREFIX_CHARS] if text and kept == "prefix" else None,
            "segment": asked.segment if asked.segment > 1 else None,
            "segments": asked.segments if asked.segments > 1 else None,
            "attempt": asked.attempt if asked.attempt > 1 else None,
            "direction": None if asked.direction == "mt" else asked.direction,
            "account_id": asked.account_id,
            "route_id": asked.route_id,
            "mcc_mnc": asked.mcc_mnc,
            "status": status or asked.status,
            "error_code": asked.error_code,
            "reported_by": self._reported_by,
        }
        return _encode({name: value for name, value in fields.items() if value is not None})


_Fields = tuple[str | None, str | None, str, Trust]
"""Signature, platform id, and the platform key and trust that the worker finds from them."""


def _teller(registry: Registry):  # type: ignore[no-untyped-def]  # a cached function
    """Return a cached function that chooses the signature or platform id for a platform key."""

    @lru_cache(maxsize=SENDERS_MAX)
    def make_fields(platform: str, trust: Trust, sender: str, given: str) -> _Fields:
        name = platform.partition(":")[2]
        tries: list[tuple[str | None, str | None]] = [(None, None), (None, given or None)]
        if len(name) <= NAME_CHARS and platform.startswith("sig:"):
            tries += [(name, None), (name, given or None)]
        if len(platform) <= NAME_CHARS:
            tries.append((None, platform))
        for signature, id_ in tries:
            found = recognise(registry, "", sender, signature or "", OTP_CATEGORY, id_ or "")
            if (found.platform, found.trust) == (platform, trust):
                return signature, id_, platform, trust
        # No choice works: the worker will only see the sender, so the ruling follows the sender.
        found = recognise(registry, "", sender, "", OTP_CATEGORY)
        return None, None, found.platform, found.trust

    return make_fields
