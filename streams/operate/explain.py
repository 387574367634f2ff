"""An episode record in words for a person: what was seen, which rule, what passes. Pure.

One explanation, three forms: lines for a terminal, Markdown for a ticket, and what goes into JSON.
No code and no text appear, for none was kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from rich.cells import cell_len, set_cell_size

from detectors.bars import MASS_EACH
from detectors.model.event import Trust, platform_print
from detectors.model.records import Action, EpisodeRecord, Level, Rung, Sighting
from detectors.suspects.mass import RULES as MASS
from streams.shown import in_markdown, shown

KINDS: Final = MappingProxyType(
    {"sig": "", "text": "", "from": "sender ", "port": "", "host": "", "id": "platform "}
)
"""Words for the prefix of a platform's key."""

RULES: Final = MappingProxyType(
    {
        "burst": "level of the bucket: a platform adds 1, a minute takes 1.5 away",
        "burst_novel": "new platforms since the bucket was last empty",
        "raw_35min": "new platforms within 35 minutes",
        "raw_24h": "new platforms within 24 hours",
        "spaced_50s_3h": "moments with a new platform, 50 s apart or more, within 3 hours",
        "spaced_2min_3h": "moments with a new platform, 2 min apart or more, within 3 hours",
        "spaced_5min_3h": "moments with a new platform, 5 min apart or more, within 3 hours",
        "spaced_10min_24h": "moments with a new platform, 10 min apart or more, within 24 hours",
        "mass_10min": "messages of new platforms, repeats and all, within 10 minutes",
        "mass_35min": "messages of new platforms, repeats and all, within 35 minutes",
        "mass_1h": "messages of new platforms, repeats and all, within an hour",
        "resend": "messages of one platform",
        "quiet": "no further message of the flood came, or the episode reached its longest",
    }
)
"""The unit that each score counts."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Reasons for one recipient's level. Empty parts do not apply."""

    headline: str
    facts: tuple[str, ...]
    path: tuple[tuple[str, str, str], ...]  # when, level, by which rule
    rungs: tuple[tuple[str, str, str, str], ...]  # what is counted, score, WATCH, THROTTLE
    look_alikes: tuple[tuple[str, str], ...]  # what it could have been, why it is not
    sightings: tuple[tuple[str, str, str, str], ...]  # when, platform, novel or known, fate
    passes: tuple[str, ...]
    refused: str


def explain(record: EpisodeRecord) -> Explanation:
    """The record in words. Times are UTC."""
    evidence = record.evidence
    return Explanation(
        headline=_headline(record),
        facts=tuple(_facts(record)),
        path=tuple(
            (clock(step.at_ms), step.level.name, f"{step.rule} {step.score:g} of {step.threshold:g}"
             if step.threshold else step.rule)
            for step in record.path
        ),
        rungs=tuple(_rung(rung) for rung in record.rungs),
        look_alikes=tuple(_look_alikes(record)) if record.kind == "flood" else (),
        sightings=tuple(_sighting(record, sighting) for sighting in record.sightings),
        passes=tuple(_passes(record)) if record.kind == "flood" else (),
        refused=_refused(record) if evidence.messages else "",
    )  # fmt: skip


def lines(record: EpisodeRecord) -> Iterator[str]:
    """For a terminal."""
    yield from map(shown, _lines(explain(record), record))


def _lines(told: Explanation, record: EpisodeRecord) -> Iterator[str]:
    yield told.headline
    yield from (f"  {fact}" for fact in told.facts)
    for heading, rows in (
        ("levels", told.path),
        ("scores", (("", "score", "watch", "throttle"), *told.rungs) if told.rungs else ()),
        ("platforms", _headed(record, told.sightings)),
    ):
        if rows:
            yield ""
            yield heading
            yield from (f"  {row}" for row in _columns(rows))
    if told.look_alikes:
        yield ""
        yield "why it is not"
        yield from (f"  {name}: {why}" for name, why in told.look_alikes)
    if told.passes:
        yield ""
        yield "passes"
        yield from (f"  {each}" for each in told.passes)
    if told.refused:
        yield ""
        yield f"refused: {told.refused}"


def _headed(record: EpisodeRecord, sightings: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    head = ("", "", "", "a throttle")
    return (head, *sightings) if sightings and record.kind == "flood" else sightings


def markdown(record: EpisodeRecord) -> Iterator[str]:
    """For a ticket or a mail."""
    told = explain(record)
    yield f"### {shown(told.headline)}"
    yield ""
    yield from (f"- {shown(fact)}" for fact in told.facts)
    for names, rows in (
        (("when (UTC)", "level", "rule"), told.path),
        (("counted", "score", "WATCH", "THROTTLE"), told.rungs),
        (
            ("when (UTC)", "platform", "to this recipient", "a throttle"),
            [(at, in_markdown(name), *rest) for at, name, *rest in told.sightings],
        ),
    ):
        if rows:
            yield ""
            yield from (_row(each) for each in (names, ["---"] * len(names), *rows))
    yield ""
    yield from (f"- Not {name}: {why}" for name, why in told.look_alikes)
    yield from (f"- Passes: {each}" for each in told.passes)
    if told.refused:
        yield f"- Refused: {told.refused}"


def document(record: EpisodeRecord) -> dict[str, Any]:
    """For a program."""
    return asdict(explain(record))


def told(action: Action) -> str:
    """A lease in one line.

    It names no sightings: those are in the episode record with the same cause.
    """
    name = f"{action.verb} of {action.recipient}, {action.mode}"
    if action.verb == "release":
        return f"{name}, at {clock(action.issued_at_ms)}"
    reason = action.reason
    return shown(
        f"{name}, {clock(action.issued_at_ms)} to {clock(action.expires_at_ms)}, by {reason.rule} "
        f"{reason.score:g} of {reason.threshold:g}: {reason.text}"
    )


def platform_name(key: str) -> str:
    """A platform key as a reader would say it; whatever cannot be printed is escaped.

    >>> platform_name("sig:淘宝"), platform_name("from:106550200001"), platform_name("#12")
    ('淘宝', 'sender 106550200001', '#12')
    """
    kind, colon, name = key.partition(":")
    return shown(KINDS.get(kind, f"{kind} ") + name if colon else key)


def clock(at_ms: int) -> str:
    """A time for people, in UTC.

    >>> clock(1_772_422_380_000)
    '2026-03-02 03:33:00Z'
    """
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _headline(record: EpisodeRecord) -> str:
    if record.level is Level.CLEAR:
        return f"{record.recipient}: over ({record.reason.text})"
    by = "one platform re-sends" if record.kind == "resend" else record.reason.text
    return f"{record.recipient}: {record.level.name} ({record.mode}), because {by}"


def _facts(record: EpisodeRecord) -> Iterator[str]:
    evidence = record.evidence
    yield f"episode {record.episode_id} ({record.kind}), {record.change} at {clock(record.at_ms)}"
    counted = (
        f"{_count(evidence.messages, 'message')} from {clock(evidence.first_ms)} to "
        f"{clock(evidence.last_ms)}, of {_count(evidence.platforms, 'platform')}"
    )
    if record.kind == "resend":  # whether the recipient knows the platform was never asked
        yield counted
    else:
        yield f"{counted}, {evidence.novel} of them new to this recipient"
        yield f"it knew {_count(record.known, 'platform')}, in {_count(record.memory_days, 'day')}"
    cause = record.cause
    yield (
        f"caused by {cause.topic} partition {cause.partition} offset {cause.offset}; "
        f"detector {record.version}, settings {record.config or 'unsigned'}"
    )
    if record.level is Level.THROTTLE and record.mode == "shadow":
        yield "in shadow: gateways are told, and do not obey"
    if record.chronic:
        yield (
            "throttled on many of 14 days: a test number or a public inbox, and no victim? then "
            f"`otpguard exempt {record.recipient} --reason …`"
        )


def _look_alikes(record: EpisodeRecord) -> Iterator[tuple[str, str]]:
    """Compare what was seen with what an innocent cause would look like."""
    evidence, rule = record.evidence, record.path[-1].rule if record.path else ""
    rungs = {rung.rule: rung for rung in record.rungs}
    steps = [step for step in record.path if step.level is not Level.CLEAR]
    if not steps:
        return
    rule = steps[-1].rule
    if rule == "burst":
        seen = [s for s in record.sightings if s.at_ms <= steps[-1].at_ms]
        run = seen[-(int(rungs["burst_novel"].watch) + 2) :] if "burst_novel" in rungs else seen
        pace = (run[-1].at_ms - run[0].at_ms) / 1000 / (len(run) - 1) if len(run) > 1 else 0.0
        yield (
            "a new phone's log-ins",
            (
                f"those come 54 to 90 s apart; the last {len(run)} platforms before this level "
                f"came {pace:.0f} s apart, and the bucket reached {steps[-1].score:.1f}"
            ),
        )
    elif rule in rungs:
        rung = rungs[rule]
        yield (
            "somebody who sets up accounts",
            f"one sitting stays under {rung.watch:g} {RULES[rule]}; here were {steps[-1].score:g}",
        )
    again = _count(max(0, evidence.messages - evidence.novel), "repeat")
    if rule in MASS:
        weight = (
            f"of each at most {MASS_EACH} messages count"
            if steps[-1].level is Level.THROTTLE
            else "it is watched, not throttled, for it may be just that"
        )
    else:
        weight = f"the {again} among them weigh nothing"
    yield (
        "a page that fails and is tried again",
        f"that is one platform; here were {evidence.platforms}, and {weight}",
    )
    yield (
        "a person's usual platforms",
        (
            f"{evidence.novel} of {evidence.platforms} had never reached this recipient, of whom "
            f"{_count(record.known, 'platform')} are known"
        ),
    )
    trusted = sum(s.trust is not Trust.NONE for s in record.sightings)
    if trusted:
        yield (
            "its bank, an authority or the carrier",
            f"their {_count(trusted, 'platform')} here are no part of what is refused",
        )


def _rung(rung: Rung) -> tuple[str, str, str, str]:
    mark = " *" if rung.score >= rung.throttle else ""
    name = RULES.get(rung.rule, rung.rule)
    return name, f"{rung.score:.4g}{mark}", f"{rung.watch:g}", f"{rung.throttle:g}"


def _sighting(record: EpisodeRecord, sighting: Sighting) -> tuple[str, str, str, str]:
    scope = record.scope
    if sighting.trust in scope.trust:
        fate = f"lets it pass: {sighting.trust.name.lower()}"
    elif sighting.platform_id in scope.pass_ids or (
        platform_print(sighting.platform_id) in scope.pass_prints
    ):
        fate = "lets it pass: known"
    else:
        fate = "refuses it"
    novelty = "new" if sighting.novel else "known"
    if record.kind == "resend":
        novelty = fate = ""
    return clock(sighting.at_ms), platform_name(sighting.platform), novelty, fate


def _passes(record: EpisodeRecord) -> Iterator[str]:
    scope = record.scope
    yield "everything that is no verification code"
    if scope.trust:
        yield f"codes of {', '.join(trust.name.lower() for trust in scope.trust)}"
    known = len({*map(platform_print, scope.pass_ids), *scope.pass_prints})
    yield f"codes of the {_count(known, 'platform')} that this recipient knew before"


def _refused(record: EpisodeRecord) -> str:
    if record.kind == "resend":
        return "nothing: the platform is told, the recipient is not throttled"
    if Level.THROTTLE not in {step.level for step in record.path}:
        return "nothing: WATCH refuses nothing"
    if record.level is Level.CLEAR:
        return "nothing any more"
    what = "codes of platforms that are new to this recipient and not trusted, its own among them"
    return what if record.mode == "enforce" else f"nothing yet (shadow); enforced, {what}"


def _count(n: int, one: str) -> str:
    """A number with its noun.

    >>> _count(1, "platform"), _count(0, "platform")
    ('1 platform', '0 platforms')
    """
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(
            set_cell_size(cell, w) for cell, w in zip(row, widths, strict=True)
        ).rstrip()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(shown, cells)) + " |"
