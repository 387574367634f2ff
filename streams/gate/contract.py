"""The gate's questions and answers, version 1: what `openapi.yaml` beside this file describes.

A question is one submission; its answer says `pass` or `refuse`, and why. Whatever is wrong with a
question, its answer is `pass`: a gateway that reads the ruling alone never holds back by mistake.

What passes unseen is worth something to whoever writes the messages. So nothing that a message says
makes its question wrong: what its author chose (`AUTHORED`, the numbers of parts) is mended.
"""

from __future__ import annotations

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
"""Of one request. A bulk of usual messages has 70 kB."""

QUESTION_BYTES_MAX: Final = 128 << 10
"""Of one question, alone or in a bulk. A text of 255 parts is 103 kB escaped."""

BULK_MAX: Final = 200
"""Messages in one request. They are read and answered in turns: others are answered between."""

_Name = Annotated[str, Meta(max_length=64)]
_Identifier = Annotated[str, Meta(max_length=128)]
_Ordinal = Annotated[int, Meta(ge=1, le=255)]
_TimeMs = Annotated[int, Meta(ge=10**12, le=10**13)]
"""As in `streams.wire.events`: what is longer or out of range the worker would refuse."""


class AnswerReason(StrEnum):
    """The reason of an answer: the closed set of the field `why` and of a metric's label."""

    NO_LEASE = "no_lease"
    OVER = "over"
    NOT_A_CODE = "not_a_code"
    TRUSTED = "trusted"
    KNOWN = "known"
    AGAIN = "again"  # a code that was refused, and that the recipient asks for once more
    REFUSE = "refuse"
    REBUILDING = "rebuilding"  # the gate has not read all leases yet, and found none
    BAD_RECIPIENT = "bad_recipient"  # neither a number nor a token: no event was made of it
    MOBILE_ORIGINATED = "mobile_originated"
    REPORTED = "reported"  # nothing was asked
    UNREADABLE = "unreadable"  # no question of this contract: no event was made of it


class Submission(msgspec.Struct, gc=False, kw_only=True):
    """One message as a gateway is offered it. Unknown fields are skipped; null means absent."""

    recipient: _Identifier
    message_id: _Identifier
    sender: _Name = ""
    text: str | None = None
    signature: _Name | None = None
    category: _Name | None = None
    platform_id: _Name | None = None
    template_id: _Identifier | None = None
    event_time_ms: _TimeMs | None = None  # when the gateway took it; none: now
    segment: _Ordinal = 1
    segments: _Ordinal = 1
    reference: Annotated[int, Meta(ge=0, le=65_535)] = 0  # that the parts of a long message share
    attempt: _Ordinal = 1
    direction: Literal["mt", "mo"] = "mt"
    account_id: _Name | None = None
    route_id: _Name | None = None
    mcc_mnc: _Name | None = None
    status: _Name | None = None  # of a report: what the gateway did
    error_code: _Name | None = None

    def __post_init__(self) -> None:
        """Be whole where there are no such parts: no phone heeds a header that says so."""
        if self.segment > self.segments:
            self.segment = self.segments = 1


class Bulk(msgspec.Struct, gc=False):
    """Several submissions in one request."""

    messages: Annotated[list[msgspec.Raw], Meta(max_length=BULK_MAX)]


class Told(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The answer to one submission."""

    ruling: Literal["pass", "refuse"]
    why: AnswerReason
    action_id: str | None = None
    retry: Literal["permanent"] | None = None
    """Only with `refuse`: the message must be refused for good. A sender that repeats it by itself
    would look like a person who asks for a second code."""


class ToldAll(msgspec.Struct, gc=False, frozen=True):
    """The answers to a bulk, in its order."""

    answers: list[Told]


AUTHORED: Final = ("sender", "signature")
"""Names that the author of a message chooses, cut to what the contract has."""
_PART: Final = ("segment", "segments", "reference")
NAME_CHARS: Final = 64
"""Of a sender, signature or platform id: what `sms.delivery.v1` has at most."""

submission: Final = msgspec.json.Decoder(Submission).decode
bulk: Final = msgspec.json.Decoder(Bulk).decode
encode: Final = msgspec.json.Encoder().encode


def question(body: bytes) -> Submission | None:
    """Read one question; None if it is none of this contract."""
    if len(body) > QUESTION_BYTES_MAX:
        return None
    try:
        return submission(body)
    except UNDECODABLE:
        return _mended(_loosely(body))


def questions(body: bytes) -> Iterator[Submission | None] | None:
    """Read a bulk; None if it is none, and None for each message in it that is no question.

    Each message is read when it is asked for.
    """
    try:
        return _each(body)
    except msgspec.ValidationError:  # JSON, and no bulk
        return None
    except UNDECODABLE:
        return _each_of(_loosely(body))


def reported(body: bytes) -> Submission | Iterator[Submission | None] | None:
    """Read what is one question or a bulk; None if it is neither."""
    if len(body) > QUESTION_BYTES_MAX:
        return questions(body)
    with suppress(*UNDECODABLE):
        return submission(body)
    with suppress(*UNDECODABLE):
        return _each(body)
    value = _loosely(body)
    return _mended(value) or _each_of(value)


def _each(body: bytes) -> Iterator[Submission | None]:
    return (question(bytes(each)) for each in bulk(body).messages)


def _each_of(value: Any) -> Iterator[Submission | None] | None:
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or len(messages) > BULK_MAX:
        return None
    return map(_mended, messages)


def _loosely(body: bytes) -> Any:
    """Read JSON with other octets than those of UTF-8, and with halves of surrogate pairs."""
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _mended(value: Any) -> Submission | None:
    if not isinstance(value, dict):
        return None
    fields = {_whole(k): _whole(v) if isinstance(v, str) else v for k, v in value.items()}
    for name in AUTHORED:
        if isinstance(given := fields.get(name), str):
            fields[name] = given[:NAME_CHARS]
    try:
        part = {name: fields.pop(name) for name in _PART if name in fields}
        asked = msgspec.convert(fields, Submission)
        with suppress(msgspec.ValidationError):  # a header that no phone heeds
            return msgspec.convert(fields | part, Submission)
    except msgspec.ValidationError:
        return None
    return asked


def _whole(text: str) -> str:
    """The text with another character in place of each half of a surrogate pair."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


PASSES: Final[Mapping[AnswerReason, Told]] = {
    why: Told("pass", why) for why in AnswerReason if why is not AnswerReason.REFUSE
}


def refused(action_id: str) -> Told:
    """Return the answer that refuses a message under an action.

    >>> encode(refused("1:sms.delivery.v1:0:7"))
    b'{"ruling":"refuse","why":"refuse","action_id":"1:sms.delivery.v1:0:7","retry":"permanent"}'
    """
    return Told("refuse", AnswerReason.REFUSE, action_id, "permanent")


def openapi() -> bytes:
    """Return the description of the contract, OpenAPI 3.1 in YAML."""
    return files("streams.gate").joinpath("openapi.yaml").read_bytes()
