"""Floods whose codes a gateway marks as something else, or whose platforms share one sender.

The whole chain of one partition decides: decoder, recogniser, sieve and judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import pytest

from detectors.chain import Partition, process
from detectors.model.records import Level
from detectors.recognise.recogniser import Recogniser
from streams.wire.events import decode
from tests.scenarios.play import INTAKE, PARAMS, REGISTRY

START_MS: Final = 1_790_000_000_000
STEP_MS: Final = 20_000  # three codes a minute, which is slow for a flooding tool
PLATFORMS: Final = 60
THROTTLED_BY: Final = 12  # message of the flood by which a lease must be published

HEADS: Final = (
    "Var", "Kel", "Mor", "Tas", "Zin", "Hol", "Pra", "Lum", "Ges", "Nov", "Rik", "Dus", "Fab",
    "Wen", "Jor",
)  # fmt: skip
NAMES: Final = [head + tail for tail in ("ovia", "dika", "quent", "bura") for head in HEADS]

Value = dict[str, Any]


def value(number: int, text: str, **more: Any) -> Value:
    """One message of a flood: a code of the platform with this number."""
    return {
        "schema_version": 1,
        "recipient": "8613800000001",
        "sender": NAMES[number],
        "event_time_ms": START_MS + number * STEP_MS,
        "message_id": f"m{number}",
        "text": text,
        **more,
    }


def code(number: int) -> str:
    return f"Your verification code is {482_913 + number}. Do not share it with anyone."


def throttled_at(values: Iterable[Value]) -> int | None:
    """Return the offset of the message that leads to the first THROTTLE, or None."""
    raw: list[bytes | None] = [msgspec.json.encode(each) for each in values]
    decoded = decode(INTAKE, "t", 0, raw, [None] * len(raw), range(len(raw)), None, len(raw))
    assert not decoded.rejects
    codes = Recogniser(REGISTRY).columns(decoded.batch)
    actions = process(PARAMS, Partition(PARAMS), decoded.batch, codes).actions
    return next((a.cause.offset for a in actions if a.level is Level.THROTTLE), None)


def marked(**fields: Any) -> Callable[[int], list[Value]]:
    return lambda number: [value(number, code(number), **fields)]


def behind_an_advert(number: int) -> list[Value]:
    """A long message: its first part is an advert, its second part has the code."""
    advert = f"{NAMES[number]}: summer sale, up to 50% off everything. Shop now in our stores. "
    return [
        value(number, advert, segment=1, segments=2),
        value(number, code(number), segment=2, segments=2),
    ]


FLOODS: Final = {
    "marketing": marked(category="marketing"),
    "notice": marked(category="notice"),
    "second attempts": marked(attempt=2),
    "fifth attempts": marked(attempt=5),
    "later parts alone": marked(segment=2, segments=2),
    "adverts with a code behind": behind_an_advert,
}

WORDINGS: Final = (
    "Your {} verification code is {}",
    "{}: {} is your code",
    "{} is not asked for by phone. {} is your login code",
    "Use your {} code to log in: {}",
    "Tu código de {} es {}",
    "Код для входа в {}: {}",
    "{}验证码{}，5分钟内有效",
    "Mã xác thực {} của bạn là {}",
)


def of_names_with_digits(number: int) -> list[Value]:
    name = f"{NAMES[number][:3]}{number % 9 + 1}{NAMES[number][3:]}"
    text = WORDINGS[number % len(WORDINGS)].format(name, 482_913 + number)
    return [value(number, text, sender="AUTHMSG")]


def of_names_that_differ_in_digits(number: int) -> list[Value]:
    return [value(number, f"Your Velmora{100 + number} code is 482913", sender="AUTHMSG")]


@pytest.mark.parametrize("flood", [of_names_with_digits, of_names_that_differ_in_digits])
def test_a_flood_of_names_with_digits_behind_a_shared_sender_is_throttled(
    flood: Callable[[int], list[Value]],
) -> None:
    at = throttled_at(flood(number)[0] for number in range(PLATFORMS))
    assert at is not None
    assert at < THROTTLED_BY


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_that_its_gateway_marks_as_something_else_is_throttled(
    flood: Callable[[int], list[Value]],
) -> None:
    messages = [flood(number) for number in range(PLATFORMS)]
    at = throttled_at(one for message in messages for one in message)
    assert at is not None
    assert at // len(messages[0]) < THROTTLED_BY
