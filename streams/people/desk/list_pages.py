"""Pages with lists: live floods, campaigns, and the platforms that attackers abuse."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from detectors.model.event import Trust, platform_id
from detectors.model.times import DAY_MS
from streams.cases.explanation import platform_name
from streams.cases.network_views import percent
from streams.cases.store.answers import CaseLine
from streams.cases.store.store import LINES_MAX
from streams.common import moment, tr, trn
from streams.people.desk.call_pages import named_platform
from streams.people.desk.call_view import STATES, TONES, spell
from streams.people.desk.desk_context import Desk
from streams.people.desk.masks import mask_recipient
from streams.people.desk.rights import DeskRight
from streams.people.desk.visit import Visit

LIVE_MAX: Final = 25
"""Maximum number of rows on a page of the live list: few enough for a phone. A campaign has more
floods, but has its own page."""

PAGE: Final = 50
"""Maximum number of campaigns or platforms on a page."""

LIVE_ORDERS: Final = MappingProxyType(
    {
        "newest": "newest message first",
        "longest": "longest first",
        "messages": "most messages first",
        "platforms": "most platforms first",
    }
)
"""Orders of the live list, by the keys of the store. The texts are translated."""

CSV_COLUMNS: Final = (
    "number", "standing", "since", "last message", "messages", "platforms", "refused", "case",
)  # fmt: skip
"""Columns of the list as a file. The texts are translated."""

DAYS: Final = (1, 7, 30)
"""Choices for the time span of a list, in days."""

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


def live_summary(lines: Sequence[CaseLine], count: int) -> str:
    """Return a summary of the live list in one sentence.

    `count` is the number of all floods, which may be more than the list shows.
    """
    told = tr("{floods} now, {messages} refused in them.")
    if count > len(lines):
        told = tr("{floods} now, {n} shown; {messages} refused in those shown.")
    return told.format(
        floods=trn("{n} flood", "{n} floods", max(count, len(lines))),
        messages=trn("{n} message", "{n} messages", sum(each.refused for each in lines)),
        n=len(lines),
    )


@dataclass(slots=True)
class ListPages:
    """Pages with lists of floods, campaigns and platforms."""

    desk: Desk

    def live(self, visit: Visit) -> Response:
        """Show the floods that go on now. The page updates itself unless it is paused.

        A form changes the order, the page or the platform; such a list does not update itself. It
        uses POST, so that a phone number typed by mistake is in no URL.
        """
        page, chosen = _positive(visit, "page", 1), self._choose(visit)
        lines, count = self.desk.store.live(LIVE_MAX, skip=(page - 1) * LIVE_MAX, **chosen)
        browse, asked = visit.may(DeskRight.BROWSE), visit.request.query_params
        return self.desk.pages.page(
            visit, "live", rows=live_rows(lines, self.desk.now_ms(), browse=browse),
            summary=live_summary(lines, count), browse=browse, orders=LIVE_ORDERS,
            order=chosen["order"], platform=visit.read_field("platform", 64), page=page,
            last_page=-(-count // LIVE_MAX),
            paused=asked.get("pause") == "1" or visit.request.scope["method"] == "POST",
        )  # fmt: skip

    def _choose(self, visit: Visit) -> dict[str, Any]:
        """Return the order of the live list and its platform, as the form asks.

        Only a person who may open cases can choose a platform. Otherwise the form would count its
        victims, however few they are.
        """
        order, written = visit.read_field("order", 16), visit.read_field("platform", 64)
        key = named_platform(self.desk, written) if written else ""
        return {
            "order": order if order in LIVE_ORDERS else next(iter(LIVE_ORDERS)),
            "platform_id": platform_id(key) if key and visit.may(DeskRight.BROWSE) else None,
        }

    def export(self, visit: Visit) -> Response:
        """Answer with the list of live floods as a CSV file, with masked numbers.

        The download is recorded in the audit log. A byte order mark makes Excel read UTF-8.
        """
        self.desk.take("forms", visit)
        lines, _ = self.desk.store.live(LINES_MAX, **self._choose(visit))
        self.desk.audit(visit, "export", "done", detail=f"live floods, {len(lines)} lines")
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
        return self.desk.pages.page(
            visit, "campaigns", **_paged(visit, "campaigns", found),
            days=days, spans=DAYS, told_ms=told_ms,
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
        return self.desk.pages.page(
            visit, "platforms", **_paged(visit, "rows", rows), days=days, spans=DAYS, wanted=wanted,
            told_ms=told_ms, percent=percent,
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
    asked = visit.read_field(name, 4) or visit.request.query_params.get(name, "")[:4]
    return int(asked) if asked.isdecimal() and int(asked) else default
