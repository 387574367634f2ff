"""Gaps: all that a pack does not show, said plainly. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from types import MappingProxyType
from typing import Any, Final

from streams.evidence.records import Chosen
from streams.language import CHINESE, ENGLISH, speaking, tr

GAPS: Final = MappingProxyType(
    {
        "no_text": "No text of a message and no code is in this pack: none was kept. The texts are "
        "on the phone that received them.",
        "no_events": "No record tells of single messages (sender number, message id, gateway): "
        "only the first message of each platform is told of, without them.",
        "events_cut": "Single messages beyond the bound of an hour are told of by count only.",
        "first_only": "Of each platform the first message within 24 hours is listed; repeats are "
        "in the counts.",
        "shadow": "The system ran in shadow: it decided, and no gateway refused anything.",
        "no_acks": "No gateway's answer about a lease is there: whether anything was refused is "
        "not known.",
        "no_count": "No count of refused messages came for {n} of {all} leases: what they refused "
        "is not known.",
        "no_leases": "No lease was issued in this case: nothing was refused.",
        "partial": "The record of the beginning is not there any more: {n} records say only what "
        "changed.",
        "lines": "Positions of {n} records are lines of a file: which offsets of a topic they had "
        "is not told.",
        "token": "The recipient is a token; whose number it is, only the operator can say.",
        "words": "Of the operator's words about one number only the last of each kind is kept by "
        "the topic.",
        "open": "The case was not over when the pack was made.",
        "claims": "A sender number is as it was submitted: it is a claim, and can be forged.",
    }
)  # fmt: skip
"""Each gap in a sentence."""


def gaps(chosen: Chosen) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the gaps of a case: their names in GAPS, and the figures in their sentences."""
    case = chosen.case
    yield "no_text", {}
    yield "claims", {}
    yield "first_only", {}
    yield "no_events", {}
    if case.last.level:
        yield "open", {}
    if case.last.mode == "shadow":
        yield "shadow", {}
    if not case.actions:
        yield "no_leases", {}
    elif not case.acks:
        yield "no_acks", {}
    else:
        leases = [each for each in case.actions if each.verb == "throttle"]
        counted = {
            each.action_id
            for each in leases
            if any(ack.state == "expired" for ack in case.acks.get(each.action_id, ()))
        }
        if len(counted) < len(leases):
            yield "no_count", {"n": len(leases) - len(counted), "all": len(leases)}
    if partial := sum(each.since_ms is not None for each in case.records):
        yield "partial", {"n": partial}
    if lines := sum("line" in each.at for each in chosen.records):
        yield "lines", {"n": lines}
    if ":" in case.last.recipient:
        yield "token", {}
    if chosen.of("word"):
        yield "words", {}


def told(gap: str, figures: dict[str, int]) -> str:
    """Return a gap's sentence in the language in use."""
    return tr(GAPS[gap]).format(**figures)


def documents(chosen: Chosen) -> list[dict[str, Any]]:
    """Return the gaps for a manifest, in both languages."""
    found = []
    for gap, figures in gaps(chosen):
        told_in = {}
        for tag in (ENGLISH, CHINESE):
            with speaking(tag, UTC):
                told_in[tag] = told(gap, figures)
        found.append({"gap": gap, **told_in})
    return found
