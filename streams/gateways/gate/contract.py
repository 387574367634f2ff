"""Requests and responses of the gate's API, version 1, as `openapi.yaml` in this folder describes.

A request contains one submission (one message of a gateway). The response contains a ruling, `pass`
or `refuse`, and the reason. For any faulty request the ruling is `pass`. So a gateway that reads
only the ruling never refuses a message because of an error.

A message that passes unchecked is valuable to an attacker. So nothing in the content of a message
may make its request invalid. Fields that the message's author controls (`AUTHORED`, the part
numbers) are corrected instead.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from streams.wire.version import UNDECODABLE

BODY_BYTES_MAX: Final = 1 << 20
"""Maximum size of one HTTP request body. A full bulk of typical messages is 70 kB."""

QUESTION_BYTES_MAX: Final = 128 << 10
"""Maximum size of one submission, alone or in a bulk. A text of 255 parts is 103 kB when escaped.
"""

BULK_MAX: Final = 200
"""Maximum number of messages in one bulk request. Other clients are served between the messages of
a bulk."""

_Name = Annotated[str, Meta(max_length=64)]
_Identifier = Annotated[str, Meta(max_length=128)]
_Ordinal = Annotated[int, Meta(ge=1, le=255)]
_TimeMs = Annotated[int, Meta(ge=10**12, le=10**13)]
"""Limits as in `streams.wire.events`. The worker would reject longer or out-of-range values."""


class AnswerReason(StrEnum):
    """Reason of a ruling: the possible values of the field `why` and of a metric label."""

    NO_LEASE = "no_lease"
    OVER = "over"
    NOT_A_CODE = "not_a_code"
    TRUSTED = "trusted"
    OTHER = "other"  # the lease refuses single platforms, and not this one
    KNOWN = "known"
    AGAIN = "again"  # the recipient asked again for a code that was refused
    REFUSE = "refuse"
    # the gate has not read all leases yet, and found none for this recipient
    REBUILDING = "rebuilding"
    BAD_RECIPIENT = "bad_recipient"  # neither a number nor a pseudonym: no event is published
    MOBILE_ORIGINATED = "mobile_originated"
    REPORTED = "reported"  # request to `/v1/report`: an event, no ruling needed
    UNREADABLE = "unreadable"  # not a valid request: no event is published


class Submission(msgspec.Struct, gc=False, kw_only=True):
    """One message for which a gateway asks for a ruling.

    Unknown fields are ignored. Null means that a field is absent.
    """

    recipient: _Identifier
    message_id: _Identifier
    sender: _Name = ""
    text: str | None = None
    signature: _Name | None = None
    category: _Name | None = None
    platform_id: _Name | None = None
    template_id: _Identifier | None = None
    event_time_ms: _TimeMs | None = None  # when the gateway accepted the message; None: now
    segment: _Ordinal = 1
    segments: _Ordinal = 1
    reference: Annotated[int, Meta(ge=0, le=65_535)] = 0  # shared by the parts of a long message
    attempt: _Ordinal = 1
    direction: Literal["mt", "mo"] = "mt"
    account_id: _Name | None = None
    route_id: _Name | None = None
    mcc_mnc: _Name | None = None
    status: _Name | None = None  # for a report: what the gateway did with the message
    error_code: _Name | None = None

    def __post_init__(self) -> None:
        """Treat the message as a single part if its part numbers contradict each other.

        Phones ignore such a header as well.
        """
        if self.segment > self.segments:
            self.segment = self.segments = 1


class Bulk(msgspec.Struct, gc=False):
    """A request with several submissions."""

    messages: Annotated[list[msgspec.Raw], Meta(max_length=BULK_MAX)]


class Told(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The response to one submission."""

    ruling: Literal["pass", "refuse"]
    why: AnswerReason
    action_id: str | None = None
    retry: Literal["permanent"] | None = None
    """Set only with `refuse`: the sender must not retry. An automatic retry would look like a
    person who asks for a second code."""


AUTHORED: Final = ("sender", "signature")
"""Fields that the author of a message chooses. Longer values are cut to the contract's limit."""
_PART: Final = ("segment", "segments", "reference")
NAME_CHARS: Final = 64
"""Maximum length of a sender, signature or platform id, as in `sms.delivery.v1`."""

submission: Final = msgspec.json.Decoder(Submission).decode
bulk: Final = msgspec.json.Decoder(Bulk).decode
encode: Final = msgspec.json.Encoder().encode


def question(body: bytes) -> Submission | None:
    """Decode one submission; None if it does not follow this contract."""
    if len(body) > QUESTION_BYTES_MAX:
        return None
    try:
        return submission(body)
    except UNDECODABLE:
        return _decode_loosely(_loosely(body))


def questions(body: bytes) -> Iterator[Submission | None] | None:
    """Decode a bulk lazily; None if the body is not a bulk.

    The iterator yields None for each message that is not a valid submission.
    """
    try:
        return _each(body)
    except msgspec.ValidationError:  # valid JSON, but not a bulk
        return None
    except UNDECODABLE:
        return _each_of(_loosely(body))


def decode_reported(body: bytes) -> Submission | Iterator[Submission | None] | None:
    """Decode a body that is one submission or a bulk; None if it is neither."""
    if len(body) > QUESTION_BYTES_MAX:
        return questions(body)
    with suppress(*UNDECODABLE):
        return submission(body)
    with suppress(*UNDECODABLE):
        return _each(body)
    value = _loosely(body)
    return _decode_loosely(value) or _each_of(value)


def _each(body: bytes) -> Iterator[Submission | None]:
    return (question(bytes(each)) for each in bulk(body).messages)


def _each_of(value: Any) -> Iterator[Submission | None] | None:
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or len(messages) > BULK_MAX:
        return None
    return map(_decode_loosely, messages)


def _loosely(body: bytes) -> Any:
    """Decode JSON that contains bytes other than UTF-8, or half surrogate pairs."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _decode_loosely(value: Any) -> Submission | None:
    if not isinstance(value, dict):
        return None
    fields = {_whole(k): _whole(v) if isinstance(v, str) else v for k, v in value.items()}
    for name in AUTHORED:
        if isinstance(given := fields.get(name), str):
            fields[name] = given[:NAME_CHARS]
    try:
        part = {name: fields.pop(name) for name in _PART if name in fields}
        asked = msgspec.convert(fields, Submission)
        # Part numbers that are invalid here are ignored by phones too.
        with suppress(msgspec.ValidationError):
            return msgspec.convert(fields | part, Submission)
    except msgspec.ValidationError:
        return None
    return asked


def _whole(text: str) -> str:
    """Return the text with a replacement character for each half surrogate pair."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


PASSES: Final[Mapping[AnswerReason, Told]] = {
    why: Told("pass", why) for why in AnswerReason if why is not AnswerReason.REFUSE
}


def refuse_by(action_id: str) -> Told:
    """Return the response that refuses a message because of an action.

    >>> encode(refuse_by("1:sms.delivery.v1:0:7"))
    b'{"ruling":"refuse","why":"refuse","action_id":"1:sms.delivery.v1:0:7","retry":"permanent"}'
    """
    return Told("refuse", AnswerReason.REFUSE, action_id, "permanent")


def openapi() -> bytes:
    """Return the OpenAPI 3.1 description of the contract, in YAML."""
    return files("streams.gateways.gate").joinpath("openapi.yaml").read_bytes()
