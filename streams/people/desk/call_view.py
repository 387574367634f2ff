"""Formats a case for the person on the phone: five answers, a text to read aloud, a chart. Pure.

No output of this module has a full phone number. A person with the right to see the number requests
it separately.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from detectors.model.event import Trust
from detectors.model.records import NOWHERE, Level
from detectors.model.times import MINUTE_MS
from streams.cases.call_answer import CallAnswer, answer
from streams.cases.explanation import at_least, because, explain, platform_count, platform_name
from streams.cases.standing import REFUSING, Doing, says
from streams.cases.store.answers import Answer, CaseEvent, CaseFile, CaseLine, Freshness, WordLine
from streams.common.language import (
    LANGUAGES,
    current_language,
    join_list,
    moment,
    speaking,
    tr,
    trn,
    zone,
)
from streams.people.desk.masks import mask_recipient
from streams.people.desk.override_publisher import Said
from streams.people.desk.timeline import Mark, Timeline, bars
from streams.wire import Override

MARKS_MAX: Final = 12  # Maximum number of labelled moments in the chart. The newest are shown.

STATES: Final = {
    Doing.THROTTLED: "throttled",
    Doing.UNCONFIRMED: "not confirmed yet",
    Doing.FAILED: "no gateway obeys",
    Doing.RELEASED: "released",
    Doing.EXEMPT: "exempt",
    Doing.OFF: "kill switch on",
    Doing.SHADOW: "observed",
    Doing.LAPSED: "lease ended",
    Doing.WATCHED: "watched",
    Doing.OVER: "over",
}
"""Short text for each state. The texts are translated."""

TONES: Final = {
    **dict.fromkeys(Doing, "plain"),
    Doing.THROTTLED: "throttle",
    Doing.UNCONFIRMED: "watch",
    Doing.FAILED: "watch",
    Doing.SHADOW: "watch",
    Doing.OFF: "watch",
    Doing.WATCHED: "watch",
    Doing.RELEASED: "good",
    Doing.EXEMPT: "good",
    Doing.OVER: "good",
}
"""Colour class of each state in the style sheet."""


def view(file: CaseFile, now_ms: int) -> dict[str, Any]:
    """Return the texts and figures that the page of a case shows.

    They are in the current language and time zone. `now_ms` is the current time.
    """
    line = file.line
    hidden = mask_recipient(line.recipient)

    def answer_call() -> CallAnswer:
        return answer(line.recipient, file, file.words, now_ms, "")

    here = answer_call()
    state = line.state
    platforms = rows(file, now_ms)
    leases = [each.expires_at_ms for each in file.case.actions if each.verb != "release"]
    ends_ms = max(leases, default=0) if state in REFUSING else 0
    step_ms, found = bars(file.events)
    told = explain(replace(file.case.last, recipient=hidden))
    title = tr("Messages of the flood by time. {what}").format(what=_happens(line))
    return {
        "number": hidden,
        "state": tr(STATES[state]),
        "tone": TONES[state],
        "says": says(state, file.case.lease(now_ms)),
        "refusing": state in REFUSING,
        "minutes": spell(max(MINUTE_MS, line.lasts_ms(now_ms))),
        "line": replace(line, recipient=hidden),
        "aloud": _aloud(answer_call),
        "happens": _happens(line),
        "novel": at_least(line.novel),
        # Number of platforms as the detector counted it with the messages.
        "counted": at_least(line.platforms),
        # Of all; may exceed the detector's count if messages are recorded.
        "platforms_count": max(line.platforms, len(platforms)),
        "bank": _bank(file, platforms, now_ms),
        "arrives": here.arrives,
        # End of the lease in force; 0: there is none.
        "ends_ms": ends_ms,
        "ends_in": spell(max(MINUTE_MS, ends_ms - now_ms)),
        "platforms": platforms[:500],
        "timeline": Timeline(title, step_ms, found, _marks(file)),
        # Bars of the chart: start, passed, refused, unknown.
        "figures": [(bar.from_ms, *bar.counts) for bar in found if any(bar.counts)],
        "explanation": told,
        "because": because(file.case.last),
        "path": [(at, level.lower(), rule) for at, level, rule in told.path],
    }


def _aloud(told: Callable[[], CallAnswer]) -> list[dict[str, str]]:
    """Return the texts to read to the caller, the page's language first."""
    found = []
    for tag in sorted(LANGUAGES, key=lambda tag: (tag != current_language(), tag)):
        with speaking(tag, zone()):
            found.append({"tag": tag, "text": told().aloud})
    return found


def aloud_without() -> list[dict[str, str]]:
    """Return the texts to read aloud if there is no case, the page's language first."""
    return _aloud(lambda: answer("", None, (), 0, ""))


def spell(span_ms: float) -> str:
    """Format a duration in minutes, hours and minutes, or days and hours.

    >>> spell(34 * 60_000), spell(3 * 3_600_000 + 5 * 60_000), spell(50 * 3_600_000)
    ('34 min', '3 h 5 min', '2 d 2 h')
    >>> spell(3_600_000), spell(7 * 86_400_000)
    ('1 hour', '7 days')
    """
    minutes = max(1, round(span_ms / MINUTE_MS))
    if minutes < 60:
        return tr("{n} min").format(n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        whole = trn("{n} hour", "{n} hours", hours)
        return tr("{h} h {m} min").format(h=hours, m=minutes) if minutes else whole
    days, hours = divmod(hours, 24)
    if not hours:
        return trn("{n} day", "{n} days", days)
    return tr("{d} d {h} h").format(d=days, h=hours)


def _happens(line: CaseLine) -> str:
    if line.kind == "resend":
        return tr("One platform sends code after code to this number. Nothing is refused.")
    form = tr("{messages} from {platforms}, {novel} of them new to this number.")
    if line.kind == "limit":
        form = tr("Single platforms passed their limit: {messages} from {platforms}.")
    told = form.format(
        messages=trn("{n} message", "{n} messages", line.messages),
        platforms=platform_count(line.platforms),
        novel=at_least(line.novel),
    )
    if not line.open:
        return told
    return f"{told} " + tr("Counted until {last}.").format(last=moment(line.last_ms))


def _bank(file: CaseFile, platforms: Sequence[dict[str, Any]], now_ms: int) -> str:
    """Answer the question if codes of the subscriber's bank arrive."""
    trusted = tr(Trust.BANK.name.lower())
    seen = [each for each in platforms if each["trust"] == trusted]
    if any(each["refused"] for each in seen):
        return tr("CODES OF A BANK WERE REFUSED. Release now, and tell the NOC.")
    if file.line.state not in REFUSING:
        return tr("Yes: nothing is refused, her bank's codes arrive too.")
    newest = file.case.lease(now_ms)
    scope = newest.scope if newest is not None else NOWHERE
    if Trust.BANK not in scope.trust:
        return tr(
            "Codes of banks are not exempt here; those of a bank that she used before arrive."
        )
    if seen:
        count = sum(each["messages"] for each in seen)
        return tr("Yes: codes of banks arrive. In this flood {n}, none of them refused.").format(
            n=trn("{n} message of a bank", "{n} messages of banks", count)
        )
    return tr("Yes: codes of banks arrive, whatever happens.")


def rows(file: CaseFile, now_ms: int) -> list[dict[str, Any]]:
    """Return the platforms of a case: refused platforms first, then the most recent first."""
    found: dict[int, dict[str, Any]] = {}
    named = {each.platform_id: each.platform for each in file.case.last.sightings}
    allowed = {each.word.platform for each in file.words if each.holds}
    newest = file.case.lease(now_ms)
    told = {each.platform_id for each in file.events}
    # In a new flood the platforms are known a little earlier than the messages are recorded.
    early = [each for each in file.case.last.sightings if each.platform_id not in told]
    for each in [*map(CaseEvent.seen, early), *file.events]:
        before = found.get(each.platform_id, {"messages": 0, "last_ms": 0})
        key = each.platform or named.get(each.platform_id, "")
        found[each.platform_id] = {
            # Empty if no override can allow the platform.
            "key": "" if key.startswith("#") else key,
            "name": _name_platform(key, each.trust, novel=each.novel),
            "trust": "" if each.trust is Trust.NONE else tr(each.trust.name.lower()),
            "novel": each.novel,
            "messages": before["messages"] + 1,
            "refused": file.refused.get(each.platform_id, 0),
            # Decision of the throttle: pass, refuse, or empty if not known.
            "would": each.ruling(newest),
            "allowed": key in allowed,
            "last_ms": max(each.at_ms, before["last_ms"]),
        }
    return sorted(
        found.values(), key=lambda row: (row["would"] != "refuse", -row["last_ms"], row["name"])
    )


def _name_platform(key: str, trust: Trust, *, novel: bool) -> str:
    if key:
        return platform_name(key)
    if trust is not Trust.NONE:
        return tr("a platform of this class: {trust}").format(trust=tr(trust.name.lower()))
    return tr("a platform without a name") if novel else tr("a platform that she knew before")


def _marks(file: CaseFile) -> list[Mark]:
    """Return the labelled moments of the chart: level changes and overrides."""
    marks = [
        Mark(step.at_ms, tr(step.level.name.lower()))
        for step in file.case.last.path
        if step.level is not Level.CLEAR
    ]
    marks += [Mark(each.word.issued_at_ms, tr(each.word.verb)) for each in file.words]
    return marks[-MARKS_MAX:]


def word_sentence(word: Override) -> str:
    """Describe an override in a few words, without its actor and time."""
    if word.verb == "allow":
        form = tr("let {platform} pass once") if word.once else tr("let {platform} pass")
        return form.format(platform=platform_name(word.platform))
    if word.verb == "mode":
        return tr("mode {mode}").format(mode=tr(word.mode))
    return tr(word.verb)


def describe_confirmed(line: WordLine, gateways: Collection[str]) -> str:
    """Describe how many gateways confirmed an override, and which have not answered.

    `gateways` are the gateways at work now. Missing answers are only named while the override is in
    force, because an expired override may be older than a gateway.
    """
    done = {ack.gateway_id for ack in line.acks if ack.state == "applied"}
    answered = {ack.gateway_id for ack in line.acks}
    of = len(answered | set(gateways))
    said = tr("{n} of {of} gateways have applied it").format(n=len(done), of=of)
    missing = sorted(set(gateways) - answered) if line.holds else []
    return f"{said}. {warn_unconfirmed(missing)}" if missing else said


def warn_unconfirmed(gateways: Sequence[str]) -> str:
    """Return a warning that names the gateways without an answer, or an empty text."""
    if not gateways:
        return ""
    return tr("Not confirmed by {told}: call the NOC.").format(told=join_list(list(gateways)))


def name_unanswered(said: Said) -> str:
    """Name the gateways that have not confirmed an override, and those that are stopped."""
    stopped = tr("Which other gateways run is not known.") if said.has_unknown else ""
    if said.list_stopped:
        stopped = tr("Stopped: {told}; it counts there when they start.").format(
            told=join_list(said.list_stopped)
        )
    return f"{warn_unconfirmed(said.missing)} {stopped}".strip()


def fresh_sentence(fresh: Freshness, stale_ms: float) -> str:
    """Describe the age of the index in a sentence. From `stale_ms` on the index counts as old."""
    if not fresh.read_ms:
        return tr("Nothing was read from the topics yet: a search finds nothing.")
    lag_s = fresh.lag_ms / 1000
    if fresh.lag_ms > stale_ms:
        return tr("These pages are {span} old.").format(span=spell(fresh.lag_ms))
    return tr("Data of {lag} s ago.").format(lag=f"{lag_s:.1f}")


def nothing_sentence(found: Answer, stale_ms: float) -> str:
    """Describe how reliable a search without a result is."""
    if found.freshness.lag_ms > stale_ms or not found.freshness.read_ms:
        return tr(
            "These pages are old: a flood of the last minutes may be missing. Say that you cannot "
            "see it yet, and search again."
        )
    return tr("No flood of this number, as far as the topics were read.")


def known_facts(found: Answer) -> list[tuple[str, str]]:
    """Return pairs of label and value about a number without a flood. They are mostly counts."""
    held = [word_sentence(each.word) for each in found.words if each.holds]
    return [
        (
            tr("codes within a day"),
            tr("none that any record tells of") if found.codes is None else f"{found.codes:,}",
        ),
        (
            tr("platforms it knows"),
            tr("no record tells") if found.known is None else f"{found.known:,}",
        ),
        (tr("leases that ended"), f"{found.leases_ended:,}"),
        (tr("overrides in force"), join_list(held) or tr("none")),
    ]
