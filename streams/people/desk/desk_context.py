"""The parts that all pages of the console share: store, clock, audit log, rate limits, banners."""

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import HTMLResponse

from streams.cases.standing import banner, switch
from streams.cases.store.store import CaseStore
from streams.common import UnavailableError, current_language, moment, tr, trn
from streams.common.rate_limits import RateLimit
from streams.config import Settings
from streams.people.desk.call_view import fresh_sentence
from streams.people.desk.desk_audit import DeskLedger
from streams.people.desk.guard import Site
from streams.people.desk.override_publisher import Speaker
from streams.people.desk.render import CSRF_FIELD, OTHERS, PAGES, Banner, Flash, render
from streams.people.desk.rights import ROLE_NAMES, DeskRight, home_of, may
from streams.people.desk.visit import RefusedError, Visit
from streams.telemetry.metrics import DESK_OUTCOMES, Metrics
from streams.wire import Override

log = logging.getLogger(__name__)

TEAM: Final = "role "
"""Prefix of a handover's receiver if the receiver is a role and not one person. An account's name
has no space, so nobody can take a name that stands for a team."""

BANNERS_MS: Final = 1_000
"""Time (ms) for which banners and the age of the index are cached for all pages."""


def limits_of(settings: Settings) -> dict[str, RateLimit]:
    """Return the rate limits of the console. Without another key they count per person."""
    console = settings.console
    return {
        "searches": RateLimit(console.searches_per_min, 60 / console.searches_per_min),
        "unmasks": RateLimit(console.unmasks_per_h, 3600 / console.unmasks_per_h),
        # Overrides: release, allow, exempt, end.
        "acts": RateLimit(console.acts_per_h, 3600 / console.acts_per_h),
        # Attempts, by log-in method and network. A burst of 20 is needed when a shift begins behind
        # one proxy. The limit keeps strangers from filling the audit log or occupying all threads.
        "logins": RateLimit(20, 6.0),
        # Wrong passwords, by account name and network: 480 a day. The limit is per network, so an
        # attacker does not shut out the owner. Only 20 wrong passwords in a row (`FAILED_MAX`) lock
        # the account for all networks.
        "guesses": RateLimit(5, 180.0),
        # Notes, appeals, proposals, changes of accounts.
        "forms": RateLimit(30, 10),
    }


@dataclass(slots=True)
class Desk:
    """The shared parts of the console. Threads may share it."""

    settings: Settings
    place: Site
    store: CaseStore
    voice: Speaker
    auditor: DeskLedger
    metrics: Metrics
    now_ms: Callable[[], int]
    now_s: Callable[[], float]  # a monotonic clock, for rate limits
    limits: dict[str, RateLimit]
    # Returns checks of the installation (`otpguard doctor`); true: also of brokers and topics.
    examine: Callable[[bool], Iterable[Any]] = lambda _: ()
    _banners: dict[str, tuple[int, Sequence[Banner], str]] = field(default_factory=dict)
    """Per language: when they were read (ms), the banners, and the age of the index."""

    @property
    def stale_ms(self) -> float:
        """If the index is older than this (ms), every page shows a banner."""
        return self.settings.desk.stale_s * 1000

    # --- audit log and rate limits -----------------------------------------------------------

    def audit(self, visit: Visit, verb: str, outcome: str, **more: Any) -> None:
        """Write to the audit log who did what.

        Raise UnavailableError if the record cannot be written. Then the action must not be done.
        """
        session = visit.session
        counted = outcome if outcome in DESK_OUTCOMES else "done"
        self.metrics.add("desk_actions_total", 1, verb=verb, outcome=counted)
        self.auditor.write(
            actor=session.account.name if session else "",
            role=" ".join(sorted(session.roles)) if session else "",
            auth=session.auth if session else "",
            channel="desk",
            address=visit.address,
            verb=verb,
            outcome=outcome,
            **more,
        )

    def take(self, kind: str, visit: Visit) -> None:
        """Count one action of a person against a rate limit. `kind` is a key of `limits`.

        Raise RefusedError if the limit is exceeded, after a record in the audit log.
        """
        name = visit.person.account.name
        wait_s = self.limits[kind].take(name, self.now_s())
        if wait_s:
            self.metrics.add("desk_limited_total", 1, kind=kind)
            log.warning("%s of one person are over the bound: %s", kind, name)
            self.audit(visit, "limit", "refused", detail=kind)
            raise RefusedError(
                429,
                tr("Too many in a short time. Go on in {n} s, and expect to be asked why.").format(
                    n=round(wait_s) or 1
                ),
                wait_s=wait_s,
            )

    # --- pages -------------------------------------------------------------------------------

    def page(
        self,
        visit: Visit,
        template: str,
        *,
        status: int = 200,
        flashes: Sequence[Flash] = (),
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Render a template as a page, in the language and with the rights of the visitor."""
        session = visit.session
        pages = {each.path: each for each in PAGES if visit.may(each.right)}
        banners, fresh = self.shown_on_all() if session else ((), None)
        body = render(
            template,
            self.now_ms(),
            other=OTHERS[current_language()],
            person=session.account if session else None,
            can=visit.may,
            Right=DeskRight,
            pages=list(pages.values()),
            home=home_of(session.roles) if session else "/login",
            here=visit.request.url.path,
            token=CSRF_FIELD.format(visit.csrf),
            banners=banners,
            fresh=fresh,
            flashes=flashes,
            unread=self.unread(visit),
            **values,
        )
        return HTMLResponse(body, status, dict(headers or {}))

    def shown_on_all(self) -> tuple[Sequence[Banner], str]:
        """Return banners for what is true now, and the age of the index as a sentence.

        Banners tell of shadow mode, the kill switch, rails (limits on leases), and an old index.
        """
        now_ms, tag = self.now_ms(), current_language()
        read_ms, banners, sentence = self._banners.get(tag, (-BANNERS_MS, (), ""))
        if now_ms - read_ms < BANNERS_MS:
            return banners, sentence
        try:
            age = self.store.freshness()
            banners = tuple(self._find_shared(now_ms, age))
            sentence = fresh_sentence(age, self.stale_ms)
        except UnavailableError as error:  # the error page shows banners too
            head = tr("The case store is unreachable: no page can show what happens. Call the NOC.")
            banners, sentence = (Banner(head, str(error), "alarm"),), ""
        self._banners[tag] = now_ms, banners, sentence
        return banners, sentence

    def _find_shared(self, now_ms: int, fresh: Any) -> Any:
        words = [each.word for each in self.store.words_now()]
        off = switch(words, now_ms)
        if off is not None:
            yield Banner("", banner(off), "alarm")
        elif self.settings.mode == "shadow":
            yield Banner(
                tr("Only observing."),
                tr("Floods are noticed, and nothing is refused."),
            )
        yield from _rails(words, self.store.rail_refusals())
        if not fresh.read_ms or fresh.lag_ms > self.stale_ms:
            yield Banner(
                tr("These pages are old."),
                tr("{how} What happened since is not on any page: “nothing found” means nothing.")
                .format(how=fresh_sentence(fresh, self.stale_ms)),
                "alarm",
            )  # fmt: skip
        if fresh.events_behind:
            yield Banner(
                tr("The detector is behind."),
                tr("What came in the last minutes is not judged yet. Call the NOC."),
            )

    # --- handovers ---------------------------------------------------------------------------

    def unread(self, visit: Visit) -> int:
        """Return how many cases others handed to this person or her teams and nobody opened."""
        if visit.may(DeskRight.SEARCH):
            with suppress(UnavailableError):  # the error page has a navigation bar too
                return self.store.papers.count_unread(
                    visit.person.account.name, receivers_of(visit)
                )
        return 0

    def receivers(self, visit: Visit) -> dict[str, str]:
        """Return the teams and colleagues who may take a case over, by key, with their names."""
        teams = {
            f"{TEAM}{role}": tr("everybody: {role}").format(role=tr(name))
            for role, name in ROLE_NAMES.items()
            if may([role], DeskRight.SEARCH)
        }
        return teams | {
            each.name: each.shown_name
            if each.shown_name == each.name
            else f"{each.shown_name} ({each.name})"
            for each in self.store.accounts.all()
            if may(each.roles, DeskRight.SEARCH) and not each.disabled
            and each.name != visit.person.account.name
        }  # fmt: skip

    # --- grants: a person may open the cases that she searched for ---------------------------

    def grant(self, visit: Visit, about: str) -> str:
        """Return a token that lets this session open one case or one number.

        The token is an HMAC with the session's secret, so it does not work in another session.
        `about` is an episode id or a number. A token for a number never opens a case, because an
        episode id has at least three colons and a number has fewer.
        """
        return hmac.new(visit.secret.encode(), about.encode(), hashlib.sha256).hexdigest()[:32]

    def is_granted(self, visit: Visit, about: str, word: str) -> bool:
        """Return true if the token `word` lets this session open the case or number `about`."""
        return hmac.compare_digest(self.grant(visit, about).encode(), word.encode())


def receivers_of(visit: Visit) -> list[str]:
    """Return the receivers that stand for a person: her name and her teams."""
    return [visit.person.account.name, *(f"{TEAM}{role}" for role in visit.person.roles)]


def _rails(words: Sequence[Override], refused: int) -> Iterator[Banner]:
    """Yield banners about rails: leases refused lately, and an override that raises the rails."""
    if refused:
        yield Banner(
            tr("The rails of a gateway are reached."),
            trn(
                "In the last ten minutes they blocked {n} lease: nothing of that number is "
                "refused at that gateway, whatever its case says. Call the NOC.",
                "In the last ten minutes they blocked {n} leases: nothing of these numbers "
                "is refused at that gateway, whatever their cases say. Call the NOC.",
                refused,
            ),
            "alarm",
        )
    raised = next((each for each in words if each.verb == "rails" and each.times > 1), None)
    if raised is not None and raised.expires_at_ms is not None:
        yield Banner(
            tr("The rails are raised."),
            tr(
                "Gateways accept {times} times as many leases, until {at}; ordered by {actor}."
            ).format(times=raised.times, at=moment(raised.expires_at_ms), actor=raised.actor),
        )
