"""List the gaps of a pack: what its records cannot show. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any, Final

from detectors.model.records import Level
from detectors.model.times import MINUTE_MS
from streams.common import CHINESE, ENGLISH, speaking, tr
from streams.people.evidence.pack_records import Chosen

GAPS: Final = {
        "no_text": "No text of a message and no code is in this pack: none was kept. The texts are "
        "on the phone that received them.",
        "no_messages": ("No record describes single messages (sender number, message id, "
                       "gateway): only the first message of each platform is recorded, "
                       "without these."),
        "earlier": ("Before the throttle only the first message of each platform is recorded, "
                   "without sender number and message id."),
        "counted": ("{passed} messages that passed and {refused} that were to be refused are "
                   "only counted: at most 600 in an hour are listed."),
        "missing": "{n} single messages are missing in the middle: their records are not there.",
        "class_only": ("Messages of known and trusted platforms, which pass, are recorded by "
                      "class only."),
        "fate": ("Whether a single message was refused follows from the lease, not from the "
                "gateway's report; gateways report only counts."),
        "shadow": ("{n} of {all} decisions to throttle in this case were made in shadow mode: "
                  "they were published, and gateways refused nothing because of them."),
        "no_acks": ("There is no acknowledgement of a lease: it is not known whether anything "
                   "was refused."),
        "no_count": ("For {n} of {all} leases there is no count of refused messages: what "
                    "they refused is not known."),
        "no_leases": "No lease was issued in this case: nothing was refused.",
        "leases_lost": "The case reached THROTTLE, and the records of its leases are not there: "
        "what they refused is not known.",
        "partial": ("The record of the beginning no longer exists: {n} records contain only "
                   "changes."),
        "lines": ("Positions of {n} records are lines of a file: their offsets in a topic are "
                 "unknown."),
        "store": ("The positions of {n} records in their topics are unknown, because they are "
                 "from the desk's store, which keeps what topics delete. It has only the "
                 "last acknowledgement, count and notice of each kind."),
        "behind": "The desk's store was {n} min behind the topics when the pack was made: what "
        "they got in that time may be missing.",
        "token": "The recipient is a token; whose number it is, only the operator can say.",
        "words": "The topic keeps only the last override of each kind for a number.",
        "settings": "The settings in this pack are not those by which every record was decided "
        "(their fingerprints differ): a repetition needs those.",
        "open": "The case was not over when the pack was made.",
        "claims": "A sender number is as it was submitted: it is a claim, and can be forged.",
    }  # fmt: skip
"""Name of a gap -> its sentence, with placeholders for figures."""

BEHIND_S: Final = MINUTE_MS // 1000
"""A copy of the topics that is this many seconds behind is listed as a gap.

The desk's page calls its data old from the same age.
"""


def gaps(chosen: Chosen, settings: str) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the gaps of a case: the name of each in `GAPS`, and the figures of its sentence.

    `settings`: fingerprint of the settings in the pack.
    """
    case = chosen.case
    yield "no_text", {}
    yield "claims", {}
    yield from _of_messages(chosen)
    if case.last.level:
        yield "open", {}
    throttled = [each for each in case.records if each.level is Level.THROTTLE]
    leases = [each for each in case.actions if each.is_lease]
    decided = [each.mode for each in leases or throttled]
    if shadowed := decided.count("shadow"):
        yield "shadow", {"n": shadowed, "all": len(decided)}
    if not leases:
        yield ("leases_lost" if throttled else "no_leases"), {}
    elif not case.acks:
        yield "no_acks", {}
    else:
        counted = {
            each.action_id
            for each in leases
            if any(ack.state == "expired" for ack in case.acks.get(each.action_id, ()))
        }
        if len(counted) < len(leases):
            yield "no_count", {"n": len(leases) - len(counted), "all": len(leases)}
    if partial := sum(each.since_ms is not None for each in case.records):
        yield "partial", {"n": partial}
    if any(record.config != settings for record in case.records):
        yield "settings", {}
    yield from _of_places(chosen)
    if ":" in case.last.recipient:
        yield "token", {}
    if chosen.of("word"):
        yield "words", {}


def _of_places(chosen: Chosen) -> Iterator[tuple[str, dict[str, int]]]:
    if lines := sum("line" in each.at for each in chosen.records):
        yield "lines", {"n": lines}
    if stored := sum("store" in each.at for each in chosen.records):
        yield "store", {"n": stored}
    if chosen.behind_s >= BEHIND_S:
        yield "behind", {"n": -(-chosen.behind_s // BEHIND_S)}


def _of_messages(chosen: Chosen) -> Iterator[tuple[str, dict[str, int]]]:
    incidents = sorted(chosen.of("incident"), key=lambda each: (each.first, each.revision))
    if not incidents:
        yield "no_messages", {}
        return
    yield "earlier", {}
    yield "class_only", {}
    yield "fate", {}
    unlisted = [each.unlisted for each in incidents if each.unlisted is not None]
    if unlisted:
        passed, refused = (sum(counts) for counts in zip(*unlisted, strict=True))
        yield "counted", {"passed": passed, "refused": refused}
    expected = missing = 0
    for each in incidents:
        missing += max(0, each.first - expected)
        expected = max(expected, each.first + len(each.messages))
    if missing:
        yield "missing", {"n": missing}


def describe_gap(gap: str, figures: dict[str, int]) -> str:
    """Return the sentence of a gap in the current language."""
    return tr(GAPS[gap]).format(**figures)


def documents(gaps_: Iterable[tuple[str, dict[str, int]]]) -> list[dict[str, Any]]:
    """Return the gaps for a manifest, each with its sentence in English and in Chinese."""
    found = []
    for gap, figures in gaps_:
        told_in = {}
        for tag in (ENGLISH, CHINESE):
            with speaking(tag, UTC):
                told_in[tag] = describe_gap(gap, figures)
        found.append({"gap": gap, **told_in})
    return found
