"""Background traffic with the real timing of person-to-person messages."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Final

from streams.tools.scenarios.labelled_events import Labelled, Role, Truth, message
from streams.tools.scenarios.numbering import port, subscriber
from streams.tools.scenarios.wording import PERSONAL

_TRUTH: Final = Truth(Role.OTHER, "trace", "")


def person_to_person(
    lines: Iterable[str], start_ms: int, *, first: int = 0, as_codes: bool = False
) -> Iterator[Labelled]:
    """The messages of a trace, in its order, between made-up numbers with made-up texts.

    `lines` are those of a CSV file with the columns timestamp (seconds), sender and recipient
    (small integers), as the Copenhagen Networks Study published it (Sapiezynski et al. 2019).
    With `as_codes`, every message is a verification code and every sender a port: the pace of real
    conversations at its hardest, which a count of messages takes for a flood.
    """
    for number, row in enumerate(csv.DictReader(lines)):
        who, recipient = int(row["sender"]), subscriber(first + int(row["recipient"]))
        sender = port(str(who)) if as_codes else "+" + subscriber(first + who)
        code = f"您的验证码为{number % 10_000:04d}，请在页面上输入。"
        text = code if as_codes else PERSONAL[number % len(PERSONAL)].format(a=number % 10_000)
        at_ms = start_ms + 1000 * int(row["timestamp"])
        yield Labelled(message(recipient, sender, text, at_ms, f"trace-{number}"), _TRUTH)
