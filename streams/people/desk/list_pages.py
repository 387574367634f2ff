"""Pages with lists: live floods, campaigns, and the platforms that attackers abuse."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response

from detectors.model.event import Trust, platform_id
from detectors.model.times import DAY_MS
from streams.cases.explanation import platform_name
from streams.cases.network_views import count_observed, is_young, percent, strangers
from streams.cases.outcome import FloodOutcome
from streams.cases.standing import Doing
from streams.cases.store.answers import CaseLine
from streams.cases.store.store import LINES_MAX
from streams.common import UsageError, moment, tr, trn
from streams.people.desk.call_pages import named_platform
from streams.people.desk.call_view import STATES, TONES, spell
from streams.people.desk.desk_context import Desk
from streams.people.desk.masks import mask_recipient
from streams.people.desk.render import Flash
from streams.people.desk.rights import DeskRight
from streams.people.desk.visit import Visit

LIVE_MAX: Final = 25
"""Maximum number of rows on a page of the live list: few enough for a phone. A campaign has more
floods, but has its own page."""

PAGE: Final = 50  # Maximum number of campaigns or platforms on a page.

LIVE_ORDERS: Final = {
    "newest": "newest message first",
    "longest": "longest first",
    "messages": "most messages first",
    "platforms": "most platforms first",
}
"""Orders of the live list, by the keys of the store. The texts are translated."""

PLAIN: Final = {"order": "newest", "platform_id": None, "state": None}
"""Choices of the live list that updates itself."""

CSV_COLUMNS: Final = (
    "number", "standing", "since", "last message", "messages", "platforms", "refused", "case",
)  # fmt: skip
"""Columns of the list as a file. The texts are translated."""

DAYS: Final = (1, 7, 30)  # Choices for the time span of a list, in days.

FEW: Final = 5
"""Smaller counts of victims are shown as "<5", because the people in a small group can be guessed.
"""


def live_rows(lines: Sequence[CaseLine], now_ms: int, *, browse: bool) -> list[dict[str, Any]]:
    """Return the rows of the live list.

    With `browse`, a row has a masked number and a link to its case; without, it has neither.
    """
    return [
        {
            "path": f"/case/{quote(each.episode_id, safe='')}" if browse else "",
            "number": mask_recipient(each.recipient)
            if browse
            else tr("flood {n}").format(n=at + 1),
            "state": tr(STATES[each.state]),
            "tone": TONES[each.state],
            "span": spell(each.lasts_ms(now_ms)),
            "line": each,
        }
        for at, each in enumerate(lines[:LIVE_MAX])
    ]


def live_summary(
    lines: Sequence[CaseLine],
    count: int,
    by: Mapping[FloodOutcome, int],
    state: Doing | None = None,
) -> str:
    """Return a summary of the live list in one sentence.

    `count` is the number of all floods, which may be more than the list shows. `by` counts them by
    what is done about them. `state` is the only state that is listed, or None.
    """
    whole = tr("{floods} now: {refused} refused, {observed} observed; {messages} refused in them.")
    part = tr(
        "{floods} now: {refused} refused, {observed} observed; {n} shown, {messages} refused in "
        "those shown."
    )
    if state is not None:
        part = whole = tr("{floods} in this state, {n} shown; {messages} refused in those shown.")
    return (part if count > len(lines) else whole).format(
        floods=trn("{n} flood", "{n} floods", max(count, len(lines))),
        messages=trn("{n} message", "{n} messages", sum(each.refused for each in lines)),
        n=len(lines),
        refused=by.get(FloodOutcome.REFUSED, 0),
        observed=by.get(FloodOutcome.OBSERVED, 0),
    )


@dataclass(slots=True)
class ListPages:
    """Pages with lists of floods, campaigns and platforms."""

    desk: Desk

    def live(self, visit: Visit, flash: Flash | None = None, status: int = 200) -> Response:
        """Show the floods that go on now. The page updates itself unless it is paused.

        The URL has the order, the state, the platform's id and the page number. A list that is
        sorted, filtered or on a later page does not update itself, so that no row moves while a
        person reads or clicks.
        """
        page, chosen = _positive(visit, "page", 1), self._choose(visit)
        lines, count = self.desk.store.live(LIVE_MAX, skip=(page - 1) * LIVE_MAX, **chosen)
        by: Mapping[FloodOutcome, int] = Counter(each.outcome for each in lines)
        if chosen["state"] is None and not chosen["platform_id"]:
            by = self.desk.store.count_floods()
        browse, named = visit.may(DeskRight.BROWSE), chosen["platform_id"]
        pause = visit.request.query_params.get("pause") == "1"
        return self.desk.page(
            visit, "live", status=status, flashes=[flash] if flash else [],
            rows=live_rows(lines, self.desk.now_ms(), browse=browse), browse=browse,
            summary=live_summary(lines, count, by, chosen["state"]),
            orders=[(name, tr(text)) for name, text in LIVE_ORDERS.items()],
            states=[("", tr("all that go on")), *((each, tr(STATES[each])) for each in Doing)],
            platform=self.desk.store.platform_name(named) if named else "", **chosen,
            page=page, last_page=-(-count // LIVE_MAX),
            paused=pause or page > 1 or chosen != PLAIN,
        )  # fmt: skip

    def _choose(self, visit: Visit) -> dict[str, Any]:
        """Return the order of the live list, its state and its platform, as the URL asks.

        Only a person who may open cases can choose a platform. Otherwise the list would count
        the platform's victims, however few they are.
        """
        asked = visit.request.query_params
        order, state = asked.get("order", ""), asked.get("state", "")
        named = _positive(visit, "platform", 0) if visit.may(DeskRight.BROWSE) else 0
        return {
            "order": order if order in LIVE_ORDERS else PLAIN["order"],
            "platform_id": named or None,
            "state": Doing(state) if state in STATES else None,
        }

    def choose_platform(self, visit: Visit) -> Response:
        """Redirect to the live floods of a platform.

        The URL has the platform's id and never its name, because somebody may type a phone number
        by mistake. For the same reason, a platform without floods is refused.
        """
        named = platform_id(named_platform(self.desk, visit.read_field("platform", 64)))
        if not self.desk.store.platform_name(named):
            raise UsageError(tr("No flood had this platform."))
        chosen = self._choose(visit)
        asked = {"order": chosen["order"], "state": chosen["state"] or "", "platform": named}
        return RedirectResponse(f"/live?{urlencode(asked)}", 303)

    def export(self, visit: Visit) -> Response:
        """Answer with the list of live floods as a CSV file, with masked numbers.

        The download is recorded in the audit log. A byte order mark makes Excel read UTF-8.
        """
        self.desk.take("forms", visit)
        chosen = self._choose(visit)
        lines, _ = self.desk.store.live(LINES_MAX, **chosen)
        told = f"live floods {chosen['state'] or ''}, {len(lines)} lines".replace(" ,", ",")
        self.desk.audit(visit, "export", "done", detail=told)
        sink = io.StringIO("\ufeff")
        sink.seek(0, io.SEEK_END)
        rows = csv.writer(sink)
        rows.writerow(map(tr, CSV_COLUMNS))
        for each in lines:
            # A spreadsheet would read a cell that begins with "+" as a formula.
            rows.writerow([mask_recipient(each.recipient).lstrip("+"), tr(STATES[each.state]),
                           moment(each.first_ms), moment(each.last_ms), each.messages,
                           each.platforms, each.refused, each.episode_id])  # fmt: skip
        headers = {"content-disposition": 'attachment; filename="floods.csv"'}
        return Response(sink.getvalue(), 200, headers, "text/csv")

    def campaigns(self, visit: Visit) -> Response:
        """Show campaigns (floods against many numbers), as published by the campaign agent."""
        days = _days(visit)
        found, told_ms = self.desk.store.campaigns(since_ms=self.desk.now_ms() - days * DAY_MS)
        return self.desk.page(
            visit, "campaigns", **_paged(visit, "campaigns", found),
            days=days, spans=DAYS, told_ms=told_ms, observed=count_observed,
        )  # fmt: skip

    def platforms(self, visit: Visit) -> Response:
        """Show platforms by the number of floods in which they were seen. Names can be searched.

        The search uses POST, so that a phone number typed by mistake is in no URL.
        """
        days = _days(visit)
        wanted = visit.read_field("name", 64)
        found, told_ms = self.desk.store.platforms(days=days, limit=500)
        rows = [
            {
                "name": platform_name(each.platform),
                "trust": "" if each.trust is Trust.NONE else tr(each.trust.name.lower()),
                "floods": few(each.floods),
                "novel": few(each.novel),
                "refused": each.refused,
                "last_ms": each.last_ms,
                "week": each.week,
            }
            for each in found
            if wanted.casefold() in platform_name(each.platform).casefold()
        ]
        young = is_young(each.week for each in found if each.week)
        return self.desk.page(
            visit, "platforms", **_paged(visit, "rows", rows), days=days, spans=DAYS, wanted=wanted,
            told_ms=told_ms, percent=percent, strangers=partial(strangers, young=young),
        )  # fmt: skip


def few(n: int) -> str:
    """Format a count of victims. A small count is not shown exactly.

    >>> few(0), few(3), few(1200)
    ('0', '<5', '1,200')
    """
    return f"<{FEW}" if 0 < n < FEW else f"{n:,}"


def _days(visit: Visit) -> int:
    asked = _positive(visit, "days", DAYS[1])
    return asked if asked in DAYS else DAYS[1]


def _paged(visit: Visit, name: str, found: Sequence[Any]) -> dict[str, Any]:
    """Return the part of a list that is on the page asked for, and the number of pages."""
    page = _positive(visit, "page", 1)
    shown = found[(page - 1) * PAGE : page * PAGE]
    return {name: shown, "page": page, "last_page": -(-len(found) // PAGE)}


def _positive(visit: Visit, name: str, default: int) -> int:
    """Return a positive number from the form or the URL."""
    asked = visit.read_field(name, 10) or visit.request.query_params.get(name, "")[:10]
    return int(asked) if asked.isdecimal() and int(asked) else default
