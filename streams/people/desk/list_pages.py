"""Pages with lists: live floods, campaigns, and the platforms that attackers abuse."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from detectors.model.event import Trust
from detectors.model.times import DAY_MS
from streams.cases.explanation import platform_name
from streams.cases.network_views import percent
from streams.cases.store.answers import CaseLine
from streams.common.language import tr, trn
from streams.people.desk.call_view import STATES, TONES, spell
from streams.people.desk.desk_context import Desk
from streams.people.desk.masks import mask_recipient
from streams.people.desk.rights import DeskRight
from streams.people.desk.visit import Visit

LIVE_MAX: Final = 50
"""Maximum number of rows in the live list. A campaign has more floods, but has its own page."""

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
        """Show the floods that go on now. The page updates itself unless it is paused."""
        lines = self.desk.store.live(LIVE_MAX)
        browse = visit.may(DeskRight.BROWSE)
        return self.desk.pages.page(
            visit, "live", rows=live_rows(lines, self.desk.now_ms(), browse=browse),
            summary=live_summary(lines, self.desk.store.live_count()), browse=browse,
            paused=visit.request.query_params.get("pause") == "1",
        )  # fmt: skip

    def campaigns(self, visit: Visit) -> Response:
        """Show campaigns (floods against many numbers), as published by the campaign agent."""
        days = _days(visit)
        found, told_ms = self.desk.store.campaigns(since_ms=self.desk.now_ms() - days * DAY_MS)
        return self.desk.pages.page(
            visit, "campaigns", campaigns=found[:100],
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
            visit, "platforms", rows=rows[:100], days=days, spans=DAYS, wanted=wanted,
            told_ms=told_ms, percent=percent,
        )  # fmt: skip


def few(n: int) -> str:
    """Format a count of victims. A small count is not shown exactly.

    >>> few(0), few(3), few(1200)
    ('0', '<5', '1,200')
    """
    return f"<{FEW}" if 0 < n < FEW else f"{n:,}"


def _days(visit: Visit) -> int:
    asked = visit.read_field("days", 4) or visit.request.query_params.get("days", "")
    return int(asked) if asked.isdecimal() and int(asked) in DAYS else DAYS[1]
