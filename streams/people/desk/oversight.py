"""Pages for supervision: the audit log, proposals and their approval, accounts, help."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.responses import Response

from detectors.model.times import DAY_MS
from streams.cases.store.answers import AuditPlace
from streams.cases.store.roles import DeskRole
from streams.common import OtpguardError, UnavailableError, UsageError, join_list, moment, tr
from streams.people.desk.call_pages import DECIDED, REASON_MAX, named_platform
from streams.people.desk.call_view import name_unanswered, spell, word_sentence
from streams.people.desk.desk_context import Desk
from streams.people.desk.masks import mask_mentions, mask_recipient
from streams.people.desk.render import Flash
from streams.people.desk.rights import ROLE_NAMES, DeskRight, may
from streams.people.desk.visit import Visit
from streams.wire import EVERYONE, Override, decode_override, encode_override

VERBS: Final = (
    "login", "logout", "password", "search", "view", "unmask", "release", "allow", "exempt", "mode",
    "act", "call", "note", "appeal", "propose", "approve", "reject", "export", "notice", "limit",
    "account", "erase", "hold", "lift", "backup", "restore",
)  # fmt: skip
"""Verbs that the filter of the audit log offers. The log may have other verbs too."""

STATES: Final[Mapping[str, str]] = {
    "open": "waits for a second person",
    "approved": "approved",
    "rejected": "rejected",
    "expired": "nobody decided in time",
    "used": "approved and done",
}
OUTCOMES: Final[Mapping[str, str]] = {"refused": "not permitted"}
"""Texts for states of proposals and outcomes in the audit log. On other pages the same key has
another text."""

PAGE: Final = 100  # Lines of the audit log on one page.

LINES_MAX: Final = 400
"""Maximum number of lines in a search by phone number. They are all on one page, because the URL of
a second page would contain the number."""
GIVEN_MS: Final = DAY_MS
"""After another person set an account's password or roles, the account cannot approve proposals for
this long (ms). Otherwise that other person could log in with it and approve her own proposal. One
day is enough for the owner to notice that her password no longer works."""

SPANS_S: Final[Mapping[str, int]] = {
    "1h": 3_600,
    "4h": 14_400,
    "1d": 86_400,
    "7d": 604_800,
    "30d": 2_592_000,
    "180d": 15_552_000,
}
"""Choices for how long a proposed override lasts, in seconds."""

DIGEST: Final = 16  # Length of a proposal's digest in hex digits.


@dataclass(slots=True)
class OversightPages:
    """Pages of the audit log, proposals, accounts and help."""

    desk: Desk

    # --- audit log ---------------------------------------------------------------------------

    def audit(self, visit: Visit) -> Response:
        """Show lines of the audit log, newest first.

        A search by phone number uses POST, so that the number is in no URL.
        """
        asked = visit.request.query_params
        subject = ""
        flashes = []
        if number := visit.read_field("number", 80):
            subject = self.desk.settings.intake().numbers.canonical(number) or ""
            if not subject:
                flashes.append(Flash(tr("That is neither a number nor a token."), "bad"))
        actor, verb = asked.get("actor", "").strip()[:64], asked.get("verb", "")[:32]
        limit = LINES_MAX if subject else PAGE
        self.desk.audit(
            visit, "view", "done", subject=subject, detail=f"audit {actor} {verb}".strip()
        )
        found = self.desk.store.audit(
            actor=actor, verb=verb, subject=subject, limit=limit + 1,
            behind=AuditPlace.read(asked.get("behind", "")),
        )  # fmt: skip
        if subject and len(found) > limit:
            told = tr("There are more: these are the newest {n}. Ask for a person or an act.")
            flashes.append(Flash(told.format(n=limit), "bad"))
        return self.desk.page(
            visit, "audit", flashes=flashes, lines=[_line(each) for each in found[:limit]],
            actor=actor, verb=verb, verbs=VERBS, by_number=bool(subject),
            older=AuditPlace.of(found[limit - 1]) if len(found) > limit and not subject else None,
        )  # fmt: skip

    # --- proposals ---------------------------------------------------------------------------

    def proposals(self, visit: Visit, flash: Flash | None = None, status: int = 200) -> Response:
        return self.desk.page(
            visit,
            "proposals",
            status=status,
            flashes=[flash] if flash else [],
            proposals=self.desk.store.papers.proposals()[:50],
            states=STATES,
            digest=_digest,
            own=visit.person.account.name,
            wide=self.desk.settings.console.wide,
            spans=[(name, spell(s * 1000)) for name, s in SPANS_S.items()],
        )

    def propose(self, visit: Visit) -> Response:
        """Store a proposal for an override that needs a second person."""
        self.desk.take("forms", visit)
        word = self._wide_word(visit)
        who = tr("for everybody") if word.recipient == EVERYONE else mask_recipient(word.recipient)
        assert word.expires_at_ms is not None
        says = tr("{what} {who}, for {span}").format(
            what=word_sentence(word), who=who, span=spell(word.expires_at_ms - word.issued_at_ms)
        )
        self.desk.audit(
            visit, "propose", "asked", subject=word.recipient, reason=word.reason,
            ticket=word.ticket, until_ms=word.expires_at_ms, detail=word.verb,
        )  # fmt: skip
        made = self.desk.store.papers.propose(
            visit.person.account.name, word.verb, encode_override(word), says, word.reason,
            word.ticket,
        )  # fmt: skip
        told = tr("Proposed, number {n}: a second person has 15 minutes to approve it.")
        return self.proposals(visit, Flash(told.format(n=made.proposal_id)))

    def _wide_word(self, visit: Visit) -> Override:
        """Build the override of a proposal from the form. Raise UsageError if it is invalid."""
        what, reason = visit.read_field("what", 16), visit.read_field("reason", REASON_MAX)
        ticket = visit.read_field("ticket", 64)
        span_s = SPANS_S.get(visit.read_field("span", 8))
        if not reason or span_s is None:
            raise UsageError(tr("A reason and a time are needed."))
        now_ms = self.desk.now_ms()
        more: dict[str, Any] = {}
        recipient = EVERYONE
        if what in ("off", "shadow", "enforce"):
            verb: Any = "mode"
            more["mode"] = what
        elif what == "allow":
            verb = "allow"
            more["platform"] = named_platform(self.desk, visit.read_field("platform", 200))
        elif what == "exempt":
            verb = "exempt"
            recipient = (
                self.desk.settings.intake().numbers.canonical(visit.read_field("number", 80)) or ""
            )
            if not recipient:
                raise UsageError(tr("That is neither a number nor a token."))
            reason, ticket = mask_mentions(reason, recipient), mask_mentions(ticket, recipient)
        else:
            raise UsageError(tr("Choose what is to be done."))
        if recipient == EVERYONE and not self.desk.settings.console.wide:
            raise UsageError(tr("Overrides for everybody are switched off here: set console.wide."))
        return Override(
            recipient=recipient, verb=verb, actor=visit.person.account.name,
            reason=reason,
            issued_at_ms=now_ms, expires_at_ms=now_ms + span_s * 1000, via="desk",
            ticket=ticket, **more,
        )  # fmt: skip

    def decide(self, visit: Visit) -> Response:
        """Approve or reject a proposal. An approved override is published as it was proposed.

        The form has a digest of the proposal, so that a person approves only what she has read. The
        published override differs from the proposed bytes only in `approved_by`.
        """
        number, why = visit.read_field("proposal", 12), visit.read_field("why", REASON_MAX)
        name = visit.person.account.name
        approved = visit.read_field("decision", 8) == "approve"
        if not number.isdecimal():
            raise UsageError(tr("there is no proposal {id}").format(id=number))
        proposal = self.desk.store.papers.proposal(int(number))
        word = decode_override(proposal.value)
        about: dict[str, Any] = {
            "subject": word.recipient, "detail": f"{word.verb} {number}", "reason": why,
            "ticket": proposal.ticket,
        }  # fmt: skip
        if not hmac.compare_digest(_digest(proposal.value), visit.read_field("digest", 64)):
            raise UsageError(tr("That is not the proposal that you have read."))
        if approved and proposal.proposer == name:
            self.desk.audit(visit, "approve", "refused", **about)
            raise UsageError(tr("Nobody approves what they proposed."))
        author = {each.name: each for each in self.desk.store.accounts.all()}.get(proposal.proposer)
        proposes = author and not author.disabled and may(author.roles, DeskRight.PROPOSE)
        if approved and not proposes:
            self.desk.audit(visit, "approve", "refused", **about)
            raise UsageError(tr("The author of this proposal has lost the right to propose."))
        given_ms = visit.person.account.given_ms
        if approved and given_ms is not None and self.desk.now_ms() < given_ms + GIVEN_MS:
            self.desk.audit(visit, "approve", "refused", **about)
            raise UsageError(
                tr("Somebody gave you a password or rights: you approve nothing until {time}.")
                .format(time=moment(given_ms + GIVEN_MS))
            )  # fmt: skip
        self.desk.audit(visit, "approve" if approved else "reject", "asked", **about)
        self.desk.store.papers.decide_proposal(
            int(number), name, "approved" if approved else "rejected", why
        )
        if not approved:
            return self.proposals(visit, Flash(tr("Rejected.")))
        return self._use(visit, int(number), name, about)

    def _use(self, visit: Visit, number: int, name: str, about: dict[str, Any]) -> Response:
        try:
            value = self.desk.store.papers.use_proposal(number)
            word = msgspec.structs.replace(decode_override(value), approved_by=name)
            said = self.desk.voice.say(word, self.desk.settings.console.wait_s)
        except OtpguardError as error:
            self.desk.audit(visit, "approve", error.outcome, **about)
            status = 503 if isinstance(error, UnavailableError) else 400
            return self.proposals(visit, Flash(str(error), "bad"), status)
        self.desk.audit(visit, word.verb, "done", **about)
        told = tr("Approved and sent: {n} of {of} gateways have applied it.")
        flash = f"{told.format(n=len(said.obeyed), of=said.gateways)} {name_unanswered(said)}"
        return self.proposals(visit, Flash(flash.rstrip(), "bad" if said.missing else "good"))

    # --- health ------------------------------------------------------------------------------

    def health(self, visit: Visit) -> Response:
        """Show what runs and what is wrong.

        POST checks brokers and topics too, which takes some seconds. The page of a GET sends it.
        """
        store, whole = self.desk.store, visit.request.scope["method"] == "POST"
        return self.desk.page(
            visit, "health", age=store.freshness(), rails=store.rail_refusals(),
            modes=[each.word for each in store.words_now() if each.word.verb == "mode"],
            mode=self.desk.settings.mode, gateways=self.desk.voice.at_work(), whole=whole,
            checks=list(self.desk.examine(whole)), runbooks=self.desk.settings.console.runbooks,
        )  # fmt: skip

    # --- accounts ----------------------------------------------------------------------------

    def users(self, visit: Visit, flash: Flash | None = None, status: int = 200) -> Response:
        return self.desk.page(
            visit,
            "users",
            status=status,
            flashes=[flash] if flash else [],
            accounts=self.desk.store.accounts.all(),
            roles=[(role.value, tr(says)) for role, says in ROLE_NAMES.items()],
            local="password" in self.desk.settings.console.enter,
        )

    def change_user(self, visit: Visit) -> Response:
        """Create or change an account. Nobody may change her own account here."""
        self.desk.take("forms", visit)
        name, act = visit.read_field("name", 64).lower(), visit.read_field("act", 16)
        roles = [role for role in DeskRole if visit.form.get(f"role-{role.value}")]
        if name == visit.person.account.name:
            self.desk.audit(visit, "account", "refused", subject=name, detail=act)
            raise UsageError(tr("Nobody changes their own account."))
        self.desk.audit(
            visit, "account", "asked", subject=name, detail=f"{act} {' '.join(roles)}".strip()[:256]
        )
        told = self._change_account(act, name, roles, visit.read_field("shown_name", 64))
        return self.users(visit, Flash(told or tr("Done.")))

    def _change_account(self, act: str, name: str, roles: list[DeskRole], shown_name: str) -> str:
        """Create or change an account. Return a message, or an empty text for the default message.

        `act` is the requested change. A new password is random and shown once in the message.
        """
        accounts = self.desk.store.accounts
        password = secrets.token_urlsafe(12)
        told = ""
        if act == "add":
            accounts.add(name, roles, password=password, shown_name=shown_name, given=True)
            told = tr("First password of {name}, shown this once: {password}")
        elif act == "reset":
            accounts.change(name, password=password, given=True)
            told = tr("New password of {name}, shown this once: {password}")
        elif act == "roles":
            accounts.change(name, roles=roles, given=True)
        elif act in ("disable", "enable"):
            accounts.change(name, disabled=act == "disable", given=act == "enable")
        elif act == "unlock":
            accounts.change(name, unlock=True)
        elif act == "end":
            accounts.end_all(name)
        else:
            raise UsageError(tr("Choose what is to be done."))
        return told.format(name=name, password=password)


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()[:DIGEST]


def _line(each: Any) -> dict[str, Any]:
    subject = each.subject
    words = DECIDED if each.verb == "appeal" else OUTCOMES
    numeric = subject[:1].isdigit() or ":" in subject
    return {
        "at_ms": each.at_ms,
        "actor": each.actor,
        "role": join_list([tr(ROLE_NAMES.get(role, role)) for role in each.role.split()]),
        "verb": each.verb,
        "outcome": tr(words.get(each.outcome, each.outcome)),
        "subject": mask_recipient(subject) if numeric else subject,
        "reason": each.reason,
        "ticket": each.ticket,
        "channel": each.channel,
        "address": each.address,
        "place": f"{each.chain} {each.seq}",
    }
