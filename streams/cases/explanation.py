"""Explains an episode record to a person: what was seen, which rule applied, what passes. Pure.

An explanation is lines for a terminal, or their parts for a page. No codes and no texts appear,
because none are stored.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size

from detectors.episodes.episode import REASONS
from detectors.hot.votes import HOT_RULES
from detectors.model.event import Trust, platform_print
from detectors.model.records import Action, EpisodeRecord, Level, Rung, Sighting, Step
from detectors.suspects.suspect import SIGHTINGS_MAX
from detectors.suspects.volume import RULES as MASS
from detectors.thresholds import MASS_EACH
from streams.common import escape_unprintable, join_list, moment, tr, trc, trn

KINDS: Final = {"sig": "", "from": "sender ", "id": "platform "}
"""Words for the prefix of a platform's key."""

RULES: Final = {
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
    "volume_6h": "messages of new platforms, at most 9 of each, within 6 hours",
    "volume_24h": "messages of new platforms, at most 9 of each, within 24 hours",
    "limit_35min": "codes of one new platform after its first one, within 35 minutes",
    "limit_24h": "codes of one new platform after its first one, within 24 hours",
    "limit_total_1h": "codes of all platforms after their first of the day, within an hour",
    "limit_total_24h": "codes of all platforms after their first of the day, within 24 hours",
    "known_10min": "codes of one known platform during a flood, within 10 minutes",
    "known_1h": "codes of one known platform during a flood, within an hour",
    "known_24h": "codes of one known platform during a flood, within 24 hours",
    "returns": "new platforms that sent again after 10 minutes or more, within 3 hours",
    "relapse": "platforms of the flood of the last 3 days, within 10 minutes",
    "hot": "new platforms that other floods abuse, less those that none does, within 24 hours",
    "hot_burst": "the same, while new platforms come faster than people log in",
    "resend": "messages of one platform",
    "quiet": "no further message of the flood came, or the episode reached its longest",
}
"""The rules with the unit that each score counts."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons for one recipient's level. Empty parts do not apply."""

    headline: str
    facts: tuple[str, ...]
    path: tuple[tuple[str, str, str], ...]  # Time, level, and the rule with its score.
    # What is counted, score, WATCH threshold, THROTTLE threshold.
    rungs: tuple[tuple[str, str, str, str], ...]
    look_alikes: tuple[tuple[str, str], ...]  # An innocent cause, and why this is not one.
    # Time, platform, new or known, effect of a throttle.
    sightings: tuple[tuple[str, str, str, str], ...]
    passes: tuple[str, ...]
    refused: str


def explain(record: EpisodeRecord) -> Explanation:
    """Return the explanation of a record, in the language and zone of `streams.common.language`."""
    return Explanation(
        headline=_headline(record),
        facts=tuple(_facts(record)),
        path=tuple(
            (moment(step.at_ms), tr(step.level.name), _step(step))
            for step in record.path
        ),
        rungs=tuple(_rung(rung) for rung in record.rungs),
        look_alikes=tuple(_look_alikes(record)) if record.kind == "flood" else (),
        sightings=tuple(_sighting(record, sighting) for sighting in record.sightings),
        passes=tuple(_passes(record)) if record.kind == "flood" and not partial(record) else (),
        refused=_say_refused(record) if record.evidence.messages else "",
    )  # fmt: skip


def partial(record: EpisodeRecord) -> bool:
    """Return true if the record is a renewal whose earlier records are missing."""
    return record.since_ms is not None


def lines(record: EpisodeRecord) -> Iterator[str]:
    """Yield the explanation as lines for a terminal."""
    yield from map(escape_unprintable, _lines(explain(record), record))


def _lines(told: Explanation, record: EpisodeRecord) -> Iterator[str]:
    yield told.headline
    yield from (f"  {fact}" for fact in told.facts)
    # The name comes last, because a terminal of 80 columns breaks the longest ones.
    scores = [(*each[1:], each[0]) for each in told.rungs]
    heads = (tr("score"), tr("watch"), tr("throttle"), "")
    form = tr("{name}: {why}")
    for heading, rows in (
        (tr("levels"), _columns(told.path)),
        (tr("scores"), _columns([heads, *scores] if scores else ())),
        (tr("platforms"), _columns(_add_header(record, told.sightings))),
        (tr("why it is not"), [form.format(name=n, why=w) for n, w in told.look_alikes]),
        (tr("passes"), told.passes),
    ):
        if rows:
            yield ""
            yield heading
            yield from (f"  {row}" for row in rows)
    if told.refused:
        yield ""
        yield trc("messages", "refused: {what}").format(what=told.refused)


def _add_header(
    record: EpisodeRecord, sightings: Sequence[Sequence[str]]
) -> Sequence[Sequence[str]]:
    head = ("", "", "", tr("a throttle"))
    if not sightings or record.kind != "flood" or partial(record):
        return sightings
    return (head, *sightings)


def because(record: EpisodeRecord | Action) -> str:
    """Return the reason of a record in the current language."""
    return retold(record.reason.rule, record.reason.text)


def retold(rule: str, text: str) -> str:
    """Return a reason in the current language, with its figures.

    A text that another program version wrote in other words stays unchanged.
    """
    form = REASONS.get(rule, "")
    pattern = "([0-9]+)".join(map(re.escape, _FIGURE.split(form)[::2]))
    found = re.fullmatch(pattern, text)
    if found is None:
        return tr(text)
    figures = dict(zip(_FIGURE.findall(form), found.groups(), strict=True))
    return _FIGURE.sub(lambda place: figures[place[1]], tr(form))


_FIGURE: Final = re.compile(r"{([a-z]+)[^}]*}")


def platform_name(key: str) -> str:
    """Return a platform key as a readable name; unprintable characters are escaped.

    >>> platform_name("sig:淘宝"), platform_name("from:106550200001"), platform_name("#12")
    ('淘宝', 'sender 106550200001', '#12')
    """
    kind, colon, name = key.partition(":")
    return escape_unprintable(tr(KINDS.get(kind, f"{kind} ")) + name if colon else key)


def at_least(n: int) -> str:
    """Return a count of a case's platforms as text; at the detector's limit, "64 or more"."""
    return tr("{n} or more").format(n=n) if n >= SIGHTINGS_MAX else f"{n:,}"


def platform_count(n: int) -> str:
    """Return the number of a case's platforms, with the noun."""
    if n >= SIGHTINGS_MAX:
        return tr("{n} or more platforms").format(n=n)
    return trn("{n} platform", "{n} platforms", n)


def _headline(record: EpisodeRecord) -> str:
    if record.level is Level.CLEAR:
        return tr("{recipient}: over ({why})").format(
            recipient=record.recipient, why=because(record)
        )
    if record.kind == "limit":
        return tr("{recipient}: {refused} ({mode}), because {why}").format(
            recipient=record.recipient, refused=_say_refused(record), mode=tr(record.mode),
            why=because(record),
        )  # fmt: skip
    by = tr("one platform re-sends") if record.kind == "resend" else because(record)
    level = tr(record.level.name)
    if record.level is not Level.THROTTLE:  # The mode is only decided at the first throttle.
        return tr("{recipient}: {level}, because {why}").format(
            recipient=record.recipient, level=level, why=by
        )
    return tr("{recipient}: {level} ({mode}), because {why}").format(
        recipient=record.recipient, level=level, mode=tr(record.mode), why=by
    )


def _step(step: Step) -> str:
    if not step.threshold:
        return step.rule
    return tr("{rule} {score} of {bar}").format(
        rule=step.rule, score=f"{step.score:g}", bar=f"{step.threshold:g}"
    )


def _facts(record: EpisodeRecord) -> Iterator[str]:
    evidence = record.evidence
    yield tr("episode {id} ({kind}), {change} at {at}").format(
        id=record.episode_id,
        kind=tr(record.kind),
        change=tr(record.change),
        at=moment(record.at_ms),
    )
    counted = {
        "messages": trn("{n} message", "{n} messages", evidence.messages),
        "first": moment(evidence.first_ms),
        "last": moment(evidence.last_ms),
        "platforms": platform_count(evidence.platforms),
    }
    # For re-sends, the record does not say whether the recipient knows the platform.
    if record.kind == "resend":
        yield tr("{messages} from {first} to {last}, of {platforms}").format(**counted)
    else:
        yield tr(
            "{messages} from {first} to {last}, of {platforms}, {novel} of them new to this "
            "recipient"
        ).format(**counted, novel=at_least(evidence.novel))
    if record.since_ms is not None:
        yield tr("this lists what came since {at}; earlier events are in older records").format(
            at=moment(record.since_ms)
        )
    elif record.kind != "resend":
        yield tr("it knew {platforms}, in {days}").format(
            platforms=_platforms(record.known), days=trn("{n} day", "{n} days", record.memory_days)
        )
    hot = [platform_name(s.platform) for s in record.sightings if s.hot]
    if hot:
        yield tr("abused in other floods this week: {platforms}").format(platforms=join_list(hot))
    cause = record.cause
    yield tr(
        "caused by {topic} partition {partition} offset {offset}; detector {version}, "
        "settings {settings}"
    ).format(
        topic=cause.topic,
        partition=cause.partition,
        offset=cause.offset,
        version=record.version,
        settings=record.config or tr("unsigned"),
    )
    if record.chronic:
        yield tr(
            "throttled on many of 14 days: a test number or a public inbox, and no victim? then "
            "`otpguard exempt {recipient} --reason …`"
        ).format(recipient=record.recipient)


def _look_alikes(record: EpisodeRecord) -> Iterator[tuple[str, str]]:
    """Yield innocent causes that look similar, and why the evidence differs from each."""
    evidence = record.evidence
    steps = [step for step in record.path if step.level is not Level.CLEAR]
    if not steps:
        return
    yield from _person_at_work(record, steps[-1])
    if steps[-1].rule not in MASS:
        again = trn("{n} repeat", "{n} repeats", max(0, evidence.messages - evidence.novel))
        weight = tr("the {repeats} among them count nothing").format(repeats=again)
    elif steps[-1].level is Level.THROTTLE:
        weight = tr("of each at most {n} messages count").format(n=MASS_EACH)
    else:
        weight = tr("it is watched, not throttled, for it may be just that")
    yield (
        tr("a page that fails and is tried again"),
        tr("this is one platform; here were {n}, and {weight}").format(
            n=evidence.platforms, weight=weight
        ),
    )
    yield (
        tr("a person's usual platforms"),
        tr(
            "{novel} of {all} had never reached this recipient, of whom {platforms} are known"
        ).format(novel=evidence.novel, all=evidence.platforms, platforms=_platforms(record.known)),
    )
    trusted = sum(s.trust is not Trust.NONE for s in record.sightings)
    if trusted:
        yield (
            tr("its bank, an authority or the carrier"),
            tr("their {platforms} here are no part of what is refused").format(
                platforms=_platforms(trusted)
            ),
        )


def _person_at_work(record: EpisodeRecord, step: Step) -> Iterator[tuple[str, str]]:
    """Compare the last rise, by its rule, with a person who logs in or sets up accounts."""
    rule, rungs = step.rule, {rung.rule: rung for rung in record.rungs}
    if rule == "burst":
        seen = [s for s in record.sightings if s.at_ms <= step.at_ms]
        run = seen[-(int(rungs["burst_novel"].watch) + 2) :] if "burst_novel" in rungs else seen
        pace = (run[-1].at_ms - run[0].at_ms) / 1000 / (len(run) - 1) if len(run) > 1 else 0.0
        yield (
            tr("a new phone's log-ins"),
            tr(
                "those come 54 to 90 s apart; the last {n} platforms before this level came "
                "{pace} s apart, and the bucket reached {score}"
            ).format(n=len(run), pace=f"{pace:.0f}", score=f"{step.score:.1f}"),
        )
    elif rule in HOT_RULES:
        yield (
            tr("somebody who sets up accounts"),
            tr(
                "of what people meet one platform in twenty at most is abused in other floods; "
                "here those that are outnumber the others by {score}"
            ).format(score=f"{step.score:g}"),
        )
    elif rule in rungs:
        yield (
            tr("somebody who sets up accounts"),
            tr("one sitting stays under {bar} {what}; here were {score}").format(
                bar=f"{rungs[rule].watch:g}", what=tr(RULES[rule]), score=f"{step.score:g}"
            ),
        )


def _rung(rung: Rung) -> tuple[str, str, str, str]:
    mark = " *" if rung.score >= rung.throttle else ""
    name = RULES.get(rung.rule, rung.rule)
    return tr(name), f"{rung.score:.4g}{mark}", f"{rung.watch:g}", f"{rung.throttle:g}"


def _sighting(record: EpisodeRecord, sighting: Sighting) -> tuple[str, str, str, str]:
    scope = record.scope
    if sighting.trust in scope.trust:
        fate = tr("lets it pass: {why}").format(why=tr(sighting.trust.name.lower()))
    elif sighting.platform_id in scope.pass_ids or (
        platform_print(sighting.platform_id) in scope.pass_prints
    ):
        fate = tr("lets it pass: {why}").format(why=tr("known"))
    else:
        fate = tr("refuses it")
    novelty = tr("new") if sighting.novel else tr("known")
    if sighting.hot:
        novelty = tr("new, abused elsewhere")
    if partial(record):
        fate = ""
    if record.kind == "resend":
        novelty = fate = ""
    return moment(sighting.at_ms), platform_name(sighting.platform), novelty, fate


def _passes(record: EpisodeRecord) -> Iterator[str]:
    scope = record.scope
    yield tr("everything that is no verification code")
    if scope.trust:
        classes = join_list([tr(trust.name.lower()) for trust in scope.trust])
        yield tr("codes of {classes}").format(classes=classes)
    known = len({*map(platform_print, scope.pass_ids), *scope.pass_prints})
    yield tr("codes of the {platforms} that this recipient knew before").format(
        platforms=_platforms(known)
    )


def _say_refused(record: EpisodeRecord) -> str:
    if record.kind == "resend":
        return tr("nothing: the platform is reported, the recipient is not throttled")
    if record.kind == "limit" and record.level is not Level.CLEAR:
        return trn(
            "codes of {n} platform are refused, and no others",
            "codes of {n} platforms are refused, and no others",
            len(record.sightings),
        )
    throttled = Level.THROTTLE in {record.level, *(step.level for step in record.path)}
    if record.kind != "limit" and not throttled:
        return tr("nothing: a watched number is not throttled")
    if record.level is Level.CLEAR:
        return tr("nothing any more")
    what = tr(
        "codes of platforms that are new to this recipient and not trusted, its own among them"
    )
    if record.mode == "enforce":
        return what
    return tr("nothing (observed); enforced, {what}").format(what=what)


def _platforms(n: int) -> str:
    return trn("{n} platform", "{n} platforms", n)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(set_cell_size, row, widths)).rstrip() for row in rows]
