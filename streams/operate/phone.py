"""The answer to a caller, in six lines: what happens, what is refused, what arrives, its end. Pure.

Whoever reads it aloud has the caller on the line, and knows no word of the engine's: no rule, no
score and no id appears.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from detectors.model.event import Trust, platform_print
from detectors.model.records import Action, EpisodeRecord, Level, Scope
from detectors.model.times import MINUTE_MS
from streams.language import listed, moment, tr, trn
from streams.operate.cases import SAYS, Case, Doing, doing, spoken
from streams.wire import Override

PLATFORMS_MAX: Final = 3
"""Refused platforms that are named with a command each, the newest first."""


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """Everything that is said of one number at one moment; sentences in the language in use."""

    state: Doing | None  # None: there is no case
    happening: str
    now: str
    arrives: str
    ends: str
    words: tuple[str, ...]  # of the operator, about this number, that hold now
    aloud: str  # to the caller
    commands: tuple[str, ...]  # to paste


def answer(
    recipient: str, cases: Sequence[Case], words: Sequence[Override], now_ms: int, since: str
) -> CallAnswer:
    """Say what is to be said of a number.

    `cases` are its own, the newest last; `words` all of the operator's; `since` how far back the
    topics were read, as it was typed.
    """
    held = tuple(spoken(word) for word in words if _holds(word, recipient, now_ms))
    floods = [case for case in cases if case.last.kind == "flood"]
    if not floods:
        return _nothing(recipient, cases, held, since)
    case = next((each for each in reversed(floods) if each.last.level is not Level.CLEAR),
                floods[-1])  # fmt: skip
    state = doing(case, words, now_ms)
    return CallAnswer(
        state=state,
        happening=_happening(case, state, now_ms),
        now=tr(SAYS[state]),
        arrives=_arrives(case, state),
        ends=_ends(case, state, now_ms),
        words=held,
        aloud=tr(ALOUD[state]),
        commands=tuple(_commands(recipient, case, state)),
    )


def lines(told: CallAnswer, behind: int | None) -> Iterator[str]:
    """Yield the answer for a terminal; `behind` counts events of minutes ago that nobody judged."""
    yield tr("what: {what}").format(what=told.happening)
    yield tr("now: {state}").format(state=told.now)
    yield tr("arrives: {what}").format(what=told.arrives)
    yield tr("ends: {when}").format(when=told.ends)
    yield tr("words: {words}").format(words=listed(list(told.words)) or tr("none that holds now"))
    yield tr("say: {what}").format(what=told.aloud)
    if behind is None:
        yield tr("How far the workers are cannot be said: what came last may be missing.")
    elif behind:
        yield tr("The workers are minutes behind: what came last is missing. Call the NOC.")
    if told.commands:
        yield tr("only for a caller who has shown that the number is theirs:")
    yield from (f"  {command}" for command in told.commands)


def _holds(word: Override, recipient: str, now_ms: int) -> bool:
    ended = word.expires_at_ms is not None and word.expires_at_ms <= now_ms
    return word.recipient == recipient and not ended


def _nothing(
    recipient: str, cases: Sequence[Case], held: tuple[str, ...], since: str
) -> CallAnswer:
    again = [case for case in cases if case.last.level is not Level.CLEAR]
    happening = tr("no flood of {recipient} in the last {since}")
    if again:
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
        commands=(),
    )


def _happening(case: Case, state: Doing, now_ms: int) -> str:
    last = case.last
    form = tr(
        "{recipient}: since {first} ({minutes}) {messages} from {platforms}, {novel} of them new "
        "to this number"
    )
    until_ms = now_ms
    if state is Doing.OVER:
        until_ms = last.evidence.last_ms
        form = tr(
            "{recipient}: it is over; from {first} on, for {minutes}, came {messages} from "
            "{platforms}, {novel} of them new to this number"
        )
    minutes = max(1, round((until_ms - last.evidence.first_ms) / MINUTE_MS))
    return form.format(
        recipient=last.recipient,
        first=moment(last.evidence.first_ms),
        minutes=trn("{n} minute", "{n} minutes", minutes),
        messages=trn("{n} message", "{n} messages", last.evidence.messages),
        platforms=trn("{n} platform", "{n} platforms", last.evidence.platforms),
        novel=last.evidence.novel,
    )


def _newest(case: Case) -> Action:
    """The lease in force: what gateways go by, and whole where a record says what changed alone."""
    return max(case.actions, key=lambda action: (action.epoch, action.revision))


def _arrives(case: Case, state: Doing) -> str:
    if state not in _REFUSING:
        return tr("everything that reaches the carrier")
    scope = _newest(case).scope
    known = len({*map(platform_print, scope.pass_ids), *scope.pass_prints})
    classes = [tr(trust.name.lower()) for trust in scope.trust if trust is not Trust.NONE]
    told = [
        tr("everything that is no verification code"),
        tr("codes of {classes}").format(classes=listed(classes)),
    ]
    if known:
        told.append(
            trn(
                "codes of the {n} platform that this number knew before",
                "codes of the {n} platforms that this number knew before",
                known,
            )
        )
    return listed(told)


_REFUSING: Final = (Doing.THROTTLED, Doing.UNCONFIRMED)


def _ends(case: Case, state: Doing, now_ms: int) -> str:
    if state not in _REFUSING:
        return tr("nothing is refused now; refused before: {n}").format(n=case.refused)
    newest = _newest(case)
    minutes = max(1, round((newest.expires_at_ms - now_ms) / MINUTE_MS))
    return tr(
        "by itself at {at} (in {minutes}) unless the flood goes on; refused so far: {n}"
    ).format(
        at=moment(newest.expires_at_ms),
        minutes=trn("{n} minute", "{n} minutes", minutes),
        n=case.refused,
    )


_WAIT: Final = (
    "Somebody has your number sent codes by many websites. We stop those of sites that you never "
    "used; your bank's codes and those of the sites that you know arrive. Tell nobody a code. It "
    "ends by itself; if you wait for a code of a new site now, tell me its name."
)
_OPEN: Final = (
    "Somebody has your number sent codes by many websites. At this moment we stop none of them: "
    "all codes arrive, your bank's too. Tell nobody a code."
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
"""Sentences for the caller in each state; whole, for translation."""


def _commands(recipient: str, case: Case, state: Doing) -> Iterator[str]:
    """Yield the commands to paste, each with a reason, which the words ask for."""
    asked = tr("she asked for it")
    reason = f'--reason "{asked}"'
    if state in _REFUSING:
        for key in _refused(case.last, _newest(case).scope):
            yield f"otpguard allow {recipient} {shlex.quote(key)} {reason} --for 1h"
        yield f"otpguard release {recipient} {reason} --for 1h"
    yield f"otpguard explain {recipient}"


def _refused(record: EpisodeRecord, scope: Scope) -> list[str]:
    """Keys of the newest platforms that a throttle refuses, which a caller may wait for."""
    refused = [
        sighting.platform
        for sighting in sorted(record.sightings, key=lambda each: -each.at_ms)
        if sighting.trust not in scope.trust
        and sighting.platform_id not in scope.pass_ids
        and platform_print(sighting.platform_id) not in scope.pass_prints
        and not sighting.platform.startswith("#")  # a name that was let go: nothing to allow it by
    ]
    return list(dict.fromkeys(refused))[:PLATFORMS_MAX]
