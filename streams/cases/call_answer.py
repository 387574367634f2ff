"""The answer to a caller in six lines, such as what happens and what is refused. Pure.

The reader has the caller on the line and does not know the detector's terms. Therefore no rule, no
score and no id appears.
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from detectors.leases.gateway_rule import forbids, lease_of
from detectors.model.event import Trust, platform_print
from detectors.model.records import Action, EpisodeRecord
from detectors.model.times import MINUTE_MS
from streams.cases.explanation import at_least, because, platform_count
from streams.cases.outcome import FloodOutcome, Observed
from streams.cases.standing import REFUSING, Doing, format_override, says
from streams.cases.store.answers import CaseFile, CaseLine, WordLine
from streams.common import join_list, moment, tr, trn

PLATFORMS_MAX: Final = 3
"""Maximum number of refused platforms that are named with a command each, the newest first."""


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """Everything to say about one number at one moment, as sentences in the current language."""

    state: Doing | None  # None: there is no case.
    happening: str
    now: str
    arrives: str
    ends: str
    words: tuple[str, ...]  # The operator's overrides for this number that are in force.
    aloud: str  # To read aloud to the caller.
    outcome: FloodOutcome | None  # What is done about the flood. None: there is no case.
    observed: Observed | None  # Why the flood is only observed. None: it is not.
    commands: tuple[str, ...]  # Commands to paste.


def answer(
    recipient: str, file: CaseFile | None, words: Iterable[WordLine], now_ms: int, since: str
) -> CallAnswer:
    """Return everything to say about a number.

    `file` is the case that counts, or None. `words` are the operator's overrides for this number.
    `now_ms` is UTC. `since` says how far back the records go, as it was typed.
    """
    held = tuple(format_override(each.word) for each in words if each.holds)
    if file is None or file.line.kind == "resend":
        return _nothing(recipient, file, held, since)
    line, state = file.line, file.line.state
    newest = file.case.lease(now_ms) if state in REFUSING else None
    return CallAnswer(
        state=state,
        happening=_happening(line, file.case.last, now_ms),
        now=says(state, newest),
        arrives=_arrives(newest),
        ends=_ends(line, newest, now_ms),
        words=held,
        aloud=_aloud(state, newest, file.observed),
        outcome=line.outcome,
        observed=file.observed,
        commands=tuple(_commands(recipient, file.case.last, newest)),
    )


def lines(told: CallAnswer, behind: int | None) -> Iterator[str]:
    """Yield the answer as lines for a terminal.

    `behind` is the number of events from minutes ago that no worker has processed; None: unknown.
    """
    yield tr("what: {what}").format(what=told.happening)
    yield tr("now: {state}").format(state=told.now)
    yield tr("arrives: {what}").format(what=told.arrives)
    yield tr("ends: {when}").format(when=told.ends)
    yield tr("overrides: {words}").format(words=join_list(list(told.words)) or tr("none in force"))
    yield tr("tell the caller: {what}").format(what=told.aloud)
    if behind is None:
        yield tr("The workers' position is unknown: the newest events may be missing.")
    elif behind:
        yield tr("The workers are minutes behind: what came last is missing. Call the NOC.")
    if told.commands:
        yield tr("only for a caller who has shown that the number is theirs:")
    yield from (f"  {command}" for command in told.commands)


def _nothing(
    recipient: str, file: CaseFile | None, held: tuple[str, ...], since: str
) -> CallAnswer:
    happening = tr("no flood of {recipient} in the last {since}")
    if file is not None and file.line.open:
        happening = tr("no flood of {recipient}; one platform sends it code after code")
    return CallAnswer(
        state=None,
        happening=happening.format(recipient=recipient, since=since),
        now=tr("nothing is refused"),
        arrives=tr("everything that reaches the carrier"),
        ends=tr("there is nothing to end"),
        words=held,
        aloud=tr(
            "I see no flood of codes to your number. If codes that you did not ask for come in, "
            "tell nobody a code, and call again."
        ),
        outcome=None,
        observed=None,
        commands=(),
    )


def _happening(line: CaseLine, record: EpisodeRecord, now_ms: int) -> str:
    form = tr(
        "{recipient}: since {first} ({minutes}) {messages} from {platforms}, {novel} of them new "
        "to this number; counted until {last}"
    )
    if line.state is Doing.OVER:
        form = tr(
            "{recipient}: it is over; from {first} on, for {minutes}, came {messages} from "
            "{platforms}, {novel} of them new to this number"
        )
    elif line.kind == "limit":
        form = tr(
            "{recipient}: single platforms are limited since {opened}, because {why}; {messages} "
            "from {platforms} since {first}"
        )
    minutes = max(1, round(line.lasts_ms(now_ms) / MINUTE_MS))
    return form.format(
        opened=moment(min((step.at_ms for step in record.path), default=line.first_ms)),
        why=because(record),
        recipient=line.recipient,
        first=moment(line.first_ms),
        last=moment(line.last_ms),
        minutes=trn("{n} minute", "{n} minutes", minutes),
        messages=trn("{n} message", "{n} messages", line.messages),
        platforms=platform_count(line.platforms),
        novel=at_least(line.novel),
    )


def _arrives(lease: Action | None) -> str:
    if lease is None:
        return tr("everything that reaches the carrier")
    if lease.verb == "throttle_platforms":
        n = len(lease.refused_ids)
        return trn(
            "everything but the codes of {n} platform",
            "everything but the codes of {n} platforms",
            n,
        )
    scope = lease.scope
    known = len({*map(platform_print, scope.pass_ids), *scope.pass_prints})
    classes = [tr(trust.name.lower()) for trust in scope.trust if trust is not Trust.NONE]
    told = [
        tr("everything that is no verification code"),
        tr("codes of {classes}").format(classes=join_list(classes)),
    ]
    if known:
        told.append(
            trn(
                "codes of the {n} platform that this number knew before",
                "codes of the {n} platforms that this number knew before",
                known,
            )
        )
    return join_list(told)


def _ends(line: CaseLine, lease: Action | None, now_ms: int) -> str:
    if lease is None:
        return tr("nothing is refused now; refused before: {n}").format(n=line.refused)
    minutes = max(1, round((lease.expires_at_ms - now_ms) / MINUTE_MS))
    return tr(
        "by itself at {at} (in {minutes}) unless the flood goes on; refused so far: {n}"
    ).format(
        at=moment(lease.expires_at_ms),
        minutes=trn("{n} minute", "{n} minutes", minutes),
        n=line.refused,
    )


_WAIT: Final = (
    "Somebody has your number sent codes by many websites. We stop those of sites that you never "
    "used; your bank's codes and those of the sites that you know arrive. Tell nobody a code. It "
    "ends by itself; if you wait for a code of a new site now, tell me its name."
)
_OPEN: Final = (
    "Somebody has your number sent codes by many websites. {why} All codes arrive, your bank's "
    "too. Tell nobody a code."
)
_FEW: Final = (
    "Several websites sent codes to your number in a short time. It is no flood yet, and we stop "
    "none of them. Tell nobody a code, and call again if it goes on."
)
_PAST: Final = (
    "Somebody had your number sent codes by many websites; it is over. All codes arrive. Tell "
    "nobody a code, and call again if it comes back."
)

ALOUD: Final = {
    **dict.fromkeys(Doing, _OPEN),
    Doing.THROTTLED: _WAIT,
    Doing.UNCONFIRMED: _WAIT,
    Doing.WATCHED: _FEW,
    Doing.OVER: _PAST,
}
"""Complete sentences for the caller in each state, so that they can be translated."""


def _aloud(state: Doing, lease: Action | None, observed: Observed | None) -> str:
    if lease is None or lease.verb != "throttle_platforms":
        slow = tr("It has slowed down, so we refuse nothing now.")
        return tr(ALOUD[state]).format(why=slow if observed is None else observed.sentence())
    return tr(
        "Somebody has your number sent codes by a few websites. We stop the codes of these and of "
        "no others. Tell nobody a code. It ends by itself; if you wait for a code of one of them "
        "now, tell me its name."
    )


def _commands(recipient: str, record: EpisodeRecord, lease: Action | None) -> Iterator[str]:
    """Yield commands to paste; those that publish an override have a reason, as they must."""
    asked = tr("she asked for it")
    reason = f'--reason "{asked}"'
    if lease is not None:
        for key in _list_refused(record, lease):
            yield f"otpguard allow {recipient} {shlex.quote(key)} {reason} --for 1h"
        yield f"otpguard release {recipient} {reason} --for 1h"
    yield f"otpguard explain {recipient}"


def _list_refused(record: EpisodeRecord, action: Action) -> list[str]:
    """Return the newest platforms that a lease refuses and that a caller may wait for."""
    lease = lease_of(action)
    refused = [
        sighting.platform
        for sighting in sorted(record.sightings, key=lambda each: -each.at_ms)
        if forbids(lease, sighting.platform_id, sighting.trust)
        # The name is no longer known, so no override can allow it.
        and not sighting.platform.startswith("#")
    ]
    return list(dict.fromkeys(refused))[:PLATFORMS_MAX]
