"""Pages for a phone call: search a number, read its case, and publish overrides for the caller."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec
from sqlalchemy import Row
from starlette.responses import RedirectResponse, Response

from detectors.model.times import DAY_MS
from streams.cases.store.answers import Answer, CaseFile, CaseLine
from streams.cases.store.index_tables import TAIL
from streams.common import UnavailableError, UsageError, join_list, tr, trc
from streams.people.desk.call_view import (
    STATES,
    TONES,
    aloud_without,
    describe_confirmed,
    known_facts,
    name_unanswered,
    nothing_sentence,
    spell,
    view,
    word_sentence,
)
from streams.people.desk.desk_context import Desk, receivers_of
from streams.people.desk.masks import mask_mentions, mask_recipient, whole
from streams.people.desk.override_publisher import Said
from streams.people.desk.render import Flash
from streams.people.desk.rights import DeskRight
from streams.people.desk.visit import RefusedError, Visit
from streams.wire import Override

IDENTIFIED: Final = {
    "own_line": "calls from this number, and the network says so",
    "called_back": "was called back on this number",
    "questions": "answered the questions of the account",
    "papers": "is in a shop, with papers",
    "none": "is not identified",
}
"""Ways in which a caller proves that a number is theirs. The texts are translated."""

DECIDED: Final = {
    "granted": "the subscriber was right",
    "refused": "the chart's unit",
    "withdrawn": "the appeal was withdrawn",
}
"""Outcomes of an appeal. The texts are translated."""

NOBODY: Final = "none"  # Key in `IDENTIFIED` of a caller who is not identified.

RELEASES_S: Final[Mapping[str, int]] = {"10m": 600, "1h": 3_600, "1d": 86_400}
EXEMPTS_S: Final[Mapping[str, int]] = {
    "1d": 86_400,
    "7d": 604_800,
    "30d": 2_592_000,
    "90d": 7_776_000,
}
"""Choices for how long an override lasts, in seconds."""

REASON_MAX: Final = 200

TAIL_MS: Final = 30 * DAY_MS
"""Age (ms) of the oldest case that a search by last digits finds. Chosen: complaints are younger.
"""

FOUND_MAX: Final = 100  # Maximum number of cases that a search by last digits shows.

CALLS_SHOWN: Final = 10
CALL_MS: Final = 600_000
"""Longest duration of a call (ms). If an agent identified the caller of a number within this time,
the form preselects the same way of identification."""

ACTS: Final = ("release", "allow", "exempt")  # Outcomes of calls that require an identified caller.


@dataclass(frozen=True, slots=True)
class Subject:
    """The number that a form is about, and the case on whose page the form was, if any."""

    recipient: str
    episode_id: str = ""


@dataclass(slots=True)
class CasePages:
    """The search page, the page of a case, and the forms on it."""

    desk: Desk

    # --- search and read ---------------------------------------------------------------------

    def search_page(self, visit: Visit, flash: Flash | None = None, status: int = 200) -> Response:
        flashes = [flash] if flash else []
        return self.desk.page(visit, "search", status=status, flashes=flashes)

    def search(self, visit: Visit) -> Response:
        """Redirect to the case of a number, or show what is known about a number without a case."""
        self.desk.take("searches", visit)
        number = visit.read_field("number", 128)
        recipient = self.desk.settings.intake().numbers.canonical(number) if number else None
        if recipient is None:
            return self._find_named(visit, number)
        found = self.desk.store.find(recipient)
        episode_id = found.newest.line.episode_id if found.newest else ""
        outcome = "done" if found.newest else "nothing"
        self.desk.audit(visit, "search", outcome, subject=recipient, episode_id=episode_id)
        if found.newest:
            return RedirectResponse(self.path(visit, episode_id), 303)
        return self._nothing(visit, found)

    def _find_named(self, visit: Visit, named: str) -> Response:
        """Show the cases of a case id or a ticket.

        Ids count up, so anybody can guess one. A person who may not browse finds only cases of her
        own calls. The text goes to no log: it may be a mistyped number.
        """
        browse = visit.may(DeskRight.BROWSE)
        agent = "" if browse else visit.person.account.name
        mine = self.desk.store.papers.list_calls(agent=agent, named=named) if named else ()
        ids = {each.episode_id: None for each in mine} | ({named: None} if browse else {})
        lines = self.desk.store.find_many(list(ids)[-FOUND_MAX:])
        for line in lines:
            self.desk.audit(
                visit, "search", "done", subject=line.recipient, episode_id=line.episode_id
            )
        if not lines:
            self.desk.audit(visit, "search", "refused")
            says = tr("That is neither a number nor a token, and no case or ticket that you may "
                      "open.")  # fmt: skip
            return self.search_page(visit, Flash(says, "bad"), 400)
        return self._found(visit, lines)

    def find_digits(self, visit: Visit) -> Response:
        """Show recent cases of numbers that end with four digits, which every masked number shows.

        A reason is required, and goes to the audit log with the digits.
        """
        self.desk.take("unmasks", visit)
        digits, reason = visit.read_field("digits", 8), visit.read_field("reason", REASON_MAX)
        if not (reason and len(digits) == TAIL and digits.isascii() and digits.isdecimal()):
            raise UsageError(tr("Exactly four digits, and a reason, are needed."))
        since_ms = self.desk.now_ms() - TAIL_MS
        lines = self.desk.store.find_tail(digits, since_ms, FOUND_MAX)
        for line in lines:
            reason = mask_mentions(reason, line.recipient)
        told = f"last digits {digits}, {len(lines)} cases"
        outcome = "done" if lines else "nothing"
        self.desk.audit(visit, "search", outcome, detail=told, reason=reason)
        return self._found(visit, lines)

    def _found(self, visit: Visit, lines: Sequence[CaseLine]) -> Response:
        if len(lines) == 1:
            return RedirectResponse(self.path(visit, lines[0].episode_id), 303)
        found = [(each, self.path(visit, each.episode_id)) for each in lines]
        return self.desk.page(visit, "found", found=found, states=STATES, tones=TONES)

    def _nothing(
        self, visit: Visit, found: Answer, flashes: Sequence[Flash] = (), status: int = 200
    ) -> Response:
        return self.desk.page(
            visit,
            "nothing",
            status=status,
            flashes=flashes,
            number=mask_recipient(found.recipient),
            recipient=found.recipient,
            grant=self.desk.grant(visit, found.recipient),
            says=nothing_sentence(found, self.desk.stale_ms),
            aloud=aloud_without(),
            facts=known_facts(found),
            calls=found.calls[:CALLS_SHOWN],
            words=self._words(found.words),
            **self._choices(visit, found.calls),
        )

    def case_page(self, visit: Visit) -> Response:
        """Show a case to a person who searched for its number or has the right to browse."""
        file = self.open_case(
            visit, visit.request.path_params["episode_id"], visit.request.query_params.get("k")
        )
        self.desk.audit(
            visit, "view", "done", subject=file.line.recipient, episode_id=file.line.episode_id
        )
        self.desk.store.papers.read_handovers(
            visit.person.account.name, receivers_of(visit), file.line.episode_id
        )
        # The mark in the link signs the override and this case. Without it, a forged link could
        # show on this page that the override of another case is done.
        word_id, _, mark = visit.request.query_params.get("said", "").partition(".")
        known = self.desk.is_granted(visit, f"{word_id} {file.line.episode_id}", mark)
        flashes = [self._describe_answers(word_id)] if known else []
        if flashes:  # load again: the index may have the override by now
            file = self.desk.store.case(file.line.episode_id)
        return self._case(visit, file, flashes)

    def _case(
        self, visit: Visit, file: CaseFile, flashes: Sequence[Flash] = (), status: int = 200,
        **more: Any,
    ) -> Response:  # fmt: skip
        values = {
            "case": view(file, self.desk.now_ms()),
            "grant": self._grant(visit, file.line.episode_id),
            "whole": "",
            "words": self._words(file.words),
            "calls": file.papers.calls[:CALLS_SHOWN],
            "notes": file.papers.notes,
            "appeals": file.papers.appeals,
            "decided": {state: tr(says) for state, says in DECIDED.items()},
            "notices": file.notices,
            "held": file.papers.held,
            "earlier": [
                (each, self.path(visit, each.episode_id)) for each in file.others[:CALLS_SHOWN]
            ],
            "gateways": self._gateways(file),
            "receivers": self.desk.receivers(visit) if visit.may(DeskRight.NOTE) else {},
            **self._choices(visit, file.papers.calls),
            **more,
        }
        return self.desk.page(visit, "case", status=status, flashes=flashes, **values)

    def unmask(self, visit: Visit) -> Response:
        """Show the full number of a case once. A reason is required, and goes to the audit log."""
        file = self.open_case(visit, visit.read_field("episode"), visit.read_field("k"))
        self.desk.take("unmasks", visit)
        reason = mask_mentions(visit.read_field("reason", REASON_MAX), file.line.recipient)
        if not reason:
            raise UsageError(tr("A reason is needed."))
        self.desk.audit(
            visit, "unmask", "done", subject=file.line.recipient, reason=reason,
            episode_id=file.line.episode_id,
        )  # fmt: skip
        return self._case(visit, file, whole=whole(file.line.recipient))

    # --- act ---------------------------------------------------------------------------------

    def say(self, visit: Visit) -> Response:
        """Publish an override for a caller: release, allow a platform, exempt, or end an override.

        The call is stored, and the page shows which gateways have confirmed.
        """
        subject = self._subject(visit)
        try:
            word = self._word(visit, subject)
        except UsageError:
            self.desk.audit(
                visit, "act", "refused", subject=subject.recipient, episode_id=subject.episode_id
            )
            raise
        self.desk.take("acts", visit)
        about: dict[str, Any] = {
            "subject": subject.recipient,
            "episode_id": subject.episode_id,
            "reason": word.reason,
            "ticket": word.ticket,
            "until_ms": word.expires_at_ms,
        }
        self.desk.audit(visit, word.verb, "asked", detail=word.platform[:256], **about)
        try:
            said = self.desk.voice.say(word, self.desk.settings.console.wait_s)
        except UnavailableError as error:
            self.desk.audit(visit, word.verb, error.outcome, **about)
            return self._again(visit, subject, Flash(str(error), "bad"), 503)
        self.desk.audit(visit, word.verb, "done", detail=said.word_id, **about)
        identified = visit.read_field("identified", 32)
        self.desk.store.papers.add_call(
            visit.person.account.name,
            subject.recipient,
            identified_by=identified,
            same_caller=identified == "own_line",
            episode_id=subject.episode_id,
            ticket=word.ticket,
            outcome=word.verb,
        )
        if subject.episode_id:
            path = self.path(visit, subject.episode_id)
            joint = "&" if "?" in path else "?"
            mark = self.desk.grant(visit, f"{said.word_id} {subject.episode_id}")
            return RedirectResponse(f"{path}{joint}said={said.word_id}.{mark}", 303)
        return self._nothing(visit, self.desk.store.find(subject.recipient), [_flash(said)])

    def _word(self, visit: Visit, subject: Subject) -> Override:
        """Build the override that a form asks for. Raise UsageError if it is not allowed."""
        act, _, span = visit.read_field("act", 300).partition(" ")
        identified, reason = (
            visit.read_field("identified", 32),
            _read_field(visit, subject, "reason"),
        )
        if identified not in IDENTIFIED:
            raise UsageError(tr("First state how the caller showed that the number is theirs."))
        if identified == NOBODY and act != "end":
            raise UsageError(
                tr("Do nothing for a caller who is not identified: it may be the attacker.")
            )
        if not reason:
            raise UsageError(tr("A reason is needed."))
        now_ms = self.desk.now_ms()
        more: dict[str, Any] = {}
        if act == "release" and span in RELEASES_S:
            lasts_s = RELEASES_S[span]
        elif act == "allow":
            more["platform"] = named_platform(self.desk, span or visit.read_field("platform"))
            lasts_s = 86_400
        elif act == "exempt" and visit.read_field("for", 8) in EXEMPTS_S:
            lasts_s = EXEMPTS_S[visit.read_field("for", 8)]
            if lasts_s > self._exempt_max_s(visit):
                raise UsageError(
                    tr("You may exempt for {span} at most; a lead may for longer.").format(
                        span=spell(self._exempt_max_s(visit) * 1000)
                    )
                )
        elif act == "end":
            return self._ending(visit, subject, span, now_ms)
        else:
            raise UsageError(tr("Choose what is to be done."))
        verb: Any = act
        return Override(
            recipient=subject.recipient, verb=verb, actor=visit.person.account.name,
            reason=f"{reason} [{identified}]", issued_at_ms=now_ms,
            expires_at_ms=now_ms + lasts_s * 1000, via="desk",
            ticket=_read_field(visit, subject, "ticket", 64), **more,
        )  # fmt: skip

    def _ending(self, visit: Visit, subject: Subject, word_id: str, now_ms: int) -> Override:
        """Build a copy of an override in force that expires at once.

        An expired override cannot be ended, because its copy could replace a newer override with
        the same key. This is dangerous: the caller need not be identified to end an override.
        """
        line = self.desk.store.word(word_id)
        if (
            line is None
            or not line.holds
            or line.word.recipient != subject.recipient
            or line.word.verb == "mode"
        ):
            raise UsageError(tr("That override is for another number, or has ended."))
        return msgspec.structs.replace(
            line.word, actor=visit.person.account.name, reason=_read_field(visit, subject,
            "reason"), issued_at_ms=now_ms, expires_at_ms=now_ms, via="desk", approved_by="",
            ticket=_read_field(visit, subject, "ticket", 64),
        )  # fmt: skip

    def _exempt_max_s(self, visit: Visit) -> float:
        console = self.desk.settings.console
        return console.exempt_lead_s if visit.may(DeskRight.EXEMPT_LONG) else console.exempt_s

    def note(self, visit: Visit) -> Response:
        """Store a note, or a call that needed no action."""
        subject = self._subject(visit)
        self.desk.take("forms", visit)
        name = visit.person.account.name
        about = {"subject": subject.recipient, "episode_id": subject.episode_id}
        if visit.read_field("what", 8) == "call":
            identified = visit.read_field("identified", 32)
            self.desk.audit(visit, "call", "done", **about)
            self.desk.store.papers.add_call(
                name, subject.recipient, identified_by=identified, outcome="told",
                same_caller=identified == "own_line", episode_id=subject.episode_id,
                ticket=_read_field(visit, subject, "ticket", 64),
            )  # fmt: skip
            says = tr("The call is noted.")
        else:
            text = _read_field(visit, subject, "text", 4_001)
            self.desk.audit(visit, "note", "done", **about)
            self.desk.store.papers.add_note(
                name, text, recipient=subject.recipient, episode_id=subject.episode_id
            )
            says = tr("The note is kept.")
        return self._again(visit, subject, Flash(says))

    def appeal(self, visit: Visit) -> Response:
        """Store an appeal, or decide an open one."""
        subject = self._subject(visit)
        self.desk.take("forms", visit)
        name = visit.person.account.name
        about = {"subject": subject.recipient, "episode_id": subject.episode_id}
        if number := visit.read_field("appeal", 20):
            state = _outcome(visit)
            appeal_id = self._appeal(subject, number)
            self.desk.audit(visit, "appeal", state, detail=number, **about)
            text = _read_field(visit, subject, "text", 4_001)
            self.desk.store.papers.decide_appeal(appeal_id, name, state, text)
            says = tr("The outcome is kept. Tell the subscriber.")
        else:
            due_ms = self.desk.now_ms() + round(self.desk.settings.console.appeal_s * 1000)
            self.desk.audit(visit, "appeal", "asked", until_ms=due_ms, **about)
            self.desk.store.papers.add_appeal(
                name, subject.recipient, _read_field(visit, subject, "text", 4_001),
                due_ms=due_ms, identified_by=visit.read_field("identified", 32),
                episode_id=subject.episode_id,
            )  # fmt: skip
            says = tr("The appeal is recorded; it is to be decided within {span}.").format(
                span=spell(self.desk.settings.console.appeal_s * 1000)
            )
        return self._again(visit, subject, Flash(says))

    # --- parts -------------------------------------------------------------------------------

    def open_case(self, visit: Visit, episode_id: str, grant: str | None) -> CaseFile:
        """Return a case by its episode id.

        Raise RefusedError if the case does not exist. Raise it also if the person may not browse
        and `grant` is not a valid grant for this case.
        """
        if not (
            visit.may(DeskRight.BROWSE) or self.desk.is_granted(visit, episode_id, grant or "")
        ):
            self.desk.audit(visit, "view", "refused", episode_id=episode_id[:256])
            raise RefusedError(403, tr("Search for the number first: a case is opened by it."))
        try:
            return self.desk.store.case(episode_id)
        except UsageError as error:
            raise RefusedError(404, str(error)) from None

    def again(self, visit: Visit, flash: Flash, status: int = 200) -> Response:
        """Show the page from which a form was sent again, with a message about the form."""
        return self._again(visit, self._subject(visit), flash, status)

    def _subject(self, visit: Visit) -> Subject:
        """Return the number that a form is about: the number of its case, or a searched number.

        Raise RefusedError without a valid grant. Otherwise a handwritten form could read any
        number, without the rate limit of searches and without a search in the audit log.
        """
        if episode_id := visit.read_field("episode"):
            line = self.open_case(visit, episode_id, visit.read_field("k")).line
            return Subject(line.recipient, episode_id)
        recipient = self.desk.settings.intake().numbers.canonical(visit.read_field("recipient", 80))
        if recipient is None:
            raise RefusedError(400, tr("The form names no number."))
        if not self.desk.is_granted(visit, recipient, visit.read_field("k")):
            self.desk.audit(visit, "view", "refused", subject=recipient)
            raise RefusedError(403, tr("Search for the number first: a case is opened by it."))
        return Subject(recipient)

    def _appeal(self, subject: Subject, number: str) -> int:
        """Return the id of an appeal. Raise UsageError if it is not about this number or case."""
        about = self.desk.store.papers.about(subject.recipient, subject.episode_id)
        found = next((each for each in about.appeals if str(each.appeal_id) == number), None)
        if found is None:
            raise UsageError(tr("That appeal is not about this number."))
        return found.appeal_id

    def _again(self, visit: Visit, subject: Subject, flash: Flash, status: int = 200) -> Response:
        store = self.desk.store
        if subject.episode_id:
            return self._case(visit, store.case(subject.episode_id), [flash], status)
        return self._nothing(visit, store.find(subject.recipient), [flash], status)

    def _grant(self, visit: Visit, episode_id: str) -> str:
        return "" if visit.may(DeskRight.BROWSE) else self.desk.grant(visit, episode_id)

    def path(self, visit: Visit, episode_id: str) -> str:
        """Return the URL of a case, with a grant if the person needs one."""
        grant = self._grant(visit, episode_id)
        return f"/case/{quote(episode_id, safe='')}" + (f"?k={grant}" if grant else "")

    def _describe_answers(self, word_id: str) -> Flash:
        """Return a message about the gateways' acknowledgements of an override.

        The source is this process's own reader. If it has received none, for example because
        another process published the override, the acknowledgements in the index are used.
        """
        said = self.desk.voice.collect_answers(word_id)
        if not said.obeyed and not said.failed:
            line = self.desk.store.word(word_id)
            if line is not None and line.acks:
                return Flash(describe_confirmed(line, self.desk.voice.at_work()))
        return _flash(said)

    def _choices(self, visit: Visit, calls: Sequence[Row[Any]]) -> dict[str, Any]:
        """Return the choices of the forms.

        If this agent identified a caller of the number within `CALL_MS`, the same way of
        identification is preselected.
        """
        most_s = self._exempt_max_s(visit)
        since_ms, name = self.desk.now_ms() - CALL_MS, visit.person.account.name
        mine = (each for each in calls if each.agent == name and each.at_ms > since_ms)
        lately = next((each.identified_by for each in mine if each.outcome in ACTS), NOBODY)
        return {
            "ways": IDENTIFIED,
            "identified": [
                (way, tr(says), way == lately != NOBODY) for way, says in IDENTIFIED.items()
            ],
            "exempts": [(name, spell(s * 1000)) for name, s in EXEMPTS_S.items() if s <= most_s],
        }

    def _words(self, lines: Sequence[Any]) -> list[dict[str, Any]]:
        gateways = self.desk.voice.at_work() if lines else ()
        return [
            {
                "id": each.word_id,
                "at_ms": each.word.issued_at_ms,
                "what": word_sentence(each.word),
                "by": each.word.actor,
                "until_ms": each.word.expires_at_ms,
                "reason": _IDENTIFIED_BY.sub("", each.word.reason),
                "identified": _parse_identified(each.word.reason),
                "ticket": each.word.ticket,
                "holds": each.holds,
                "obeyed": describe_confirmed(each, gateways),
            }
            for each in reversed(lines)
        ]

    def _gateways(self, file: CaseFile) -> list[dict[str, Any]]:
        """Return the acknowledgements of the newest lease, by gateway."""
        newest = max(file.case.actions, key=lambda each: each.issued_at_ms, default=None)
        if newest is None:
            return []
        acks = file.case.acks.get(newest.action_id, ())
        return [
            {
                "gateway": ack.gateway_id,
                "state": tr(ack.state),
                "why": trc("why", ack.why),
                "at_ms": ack.at_ms,
                "after_s": max(0, ack.at_ms - newest.issued_at_ms) / 1000,
            }
            for ack in sorted(acks, key=lambda each: each.gateway_id)
        ]


def named_platform(desk: Desk, written: str) -> str:
    """Return a platform's key from the name that a person gives. Raise UsageError otherwise."""
    from streams.cases.network_views import platform_key  # noqa: PLC0415 - start-up time

    if not written:
        raise UsageError(tr("Choose a platform, or write its name."))
    return platform_key(desk.settings.registry()[0], written)


def _read_field(visit: Visit, subject: Subject, field: str, most: int = REASON_MAX) -> str:
    """Return a field of the form, with the number masked if somebody typed it.

    Colleagues who may see only masked numbers read these texts. The texts are also published to the
    audit topic, from which nothing can be erased.
    """
    return mask_mentions(visit.read_field(field, most), subject.recipient)


def _outcome(visit: Visit) -> Any:
    """Return the outcome of an appeal from the form. Raise UsageError if it is invalid."""
    state = visit.read_field("outcome", 16)
    if state not in DECIDED:
        raise UsageError(tr("Choose an outcome."))
    return state


_IDENTIFIED_BY: Final = re.compile(r" \[([a-z_]+)\]$")


def _parse_identified(reason: str) -> str:
    """Return how a caller was identified: the reason of an override ends with it in brackets."""
    found = _IDENTIFIED_BY.search(reason)
    return tr(IDENTIFIED[found[1]]) if found and found[1] in IDENTIFIED else ""


def _flash(said: Said) -> Flash:
    """Return a message: how many gateways confirmed an override, and after how many seconds."""
    if said.failed:
        told = join_list(
            [f"{name} ({trc('why', why)})" for name, why in sorted(said.failed.items())]
        )
        text = tr("Sent, but not obeyed by {told}. Call the NOC.").format(told=told)
    elif not said.obeyed:
        text = tr("Sent. No gateway has confirmed it yet; it takes effect as soon as one does.")
    else:
        text = tr("Done: {n} of {of} gateways have applied it, after {s} s.").format(
            n=len(said.obeyed), of=said.gateways, s=f"{max(said.obeyed.values()):.1f}"
        )
    good = said.obeyed and not (said.failed or said.missing)
    return Flash(f"{text} {name_unanswered(said)}".rstrip(), "good" if good else "bad")
