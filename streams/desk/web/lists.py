"""Floods as they happen, campaigns, and the platforms that are abused for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import Response

from detectors.campaigns.campaign import Campaign
from detectors.model.event import Trust
from detectors.model.times import DAY_MS
from detectors.platforms.days import PlatformFigures
from streams.desk.store import CaseLine
from streams.desk.web.masks import masked
from streams.desk.web.rights import DeskRight
from streams.desk.web.telling import TONES, spell, state_word
from streams.desk.web.visit import visit_of
from streams.language import tr, trn
from streams.operate.explain import platform_name
from streams.operate.platforms import percent

if TYPE_CHECKING:
    from starlette.requests import Request

    from streams.desk.web.desk import Desk

LIVE_MAX: Final = 50
"""Rows of the live list: a campaign has more, and is on a page of its own."""

DAYS: Final = (1, 7, 30)
CAMPAIGN_PLATFORMS: Final = 8
FEW: Final = 5
"""Victims under which a platform's figures are not told: a small group can be guessed."""


@dataclass(frozen=True, slots=True)
class LiveRow:
    """One flood of the list."""

    path: str  # empty for whoever may not go from a list into a case
    number: str  # masked, or a running number
    state: str
    tone: str
    first_ms: int
    span: str
    messages: int
    platforms: int
    refused: int
    last_ms: int


def live_rows(lines: Sequence[CaseLine], now_ms: int, *, browse: bool) -> list[LiveRow]:
    """Rows for people who may go into a case (`browse`), or who see no number at all."""
    return [
        LiveRow(
            path=f"/case/{quote(each.episode_id, safe='')}" if browse else "",
            number=masked(each.recipient) if browse else tr("flood {n}").format(n=at + 1),
            state=state_word(each.state),
            tone=TONES[each.state],
            first_ms=each.first_ms,
            span=spell(each.lasts_ms(now_ms)),
            messages=each.messages,
            platforms=each.platforms,
            refused=each.refused,
            last_ms=each.last_ms,
        )
        for at, each in enumerate(lines[:LIVE_MAX])
    ]


def live_summary(lines: Sequence[CaseLine], count: int) -> str:
    """Return the list in one sentence; `count` is the number of floods, which may be more."""
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
    """The pages of lists."""

    desk: Desk

    def live(self, request: Request) -> Response:
        """Floods that go on, with a stream of what changes unless it is paused."""
        desk, visit = self.desk, visit_of(request)
        lines = desk.store.live(LIVE_MAX)
        browse = visit.may(DeskRight.BROWSE)
        desk.audit(visit, "view", "done", detail="live")
        return desk.pages.page(
            request, "live", rows=live_rows(lines, desk.now_ms(), browse=browse),
            summary=live_summary(lines, desk.store.live_count()), browse=browse,
            paused=request.query_params.get("pause") == "1",
        )  # fmt: skip

    def campaigns(self, request: Request) -> Response:
        """Floods at many numbers at once, each campaign as its agent tells it."""
        desk, visit = self.desk, visit_of(request)
        days = _days(request)
        desk.audit(visit, "view", "done", detail="campaigns")
        found = desk.store.campaigns(since_ms=desk.now_ms() - days * DAY_MS)
        return desk.pages.page(
            request, "campaigns", campaigns=[_campaign(each) for each in found.campaigns[:100]],
            days=days, spans=DAYS, told_ms=found.told_ms,
        )  # fmt: skip

    def platforms(self, request: Request) -> Response:
        """Platforms by the floods in which they were seen, with a name to look for.

        The name comes in a form's body: whoever types a number there has it in no address.
        """
        desk, visit = self.desk, visit_of(request)
        days = _days(request)
        wanted = visit.given("name", 64)
        desk.audit(visit, "view", "done", detail="platforms")
        found = desk.store.platforms(days=days, limit=500)
        rows = [
            {
                "name": platform_name(each.platform),
                "trust": "" if each.trust is Trust.NONE else tr(each.trust.name.lower()),
                "floods": few(each.floods),
                "novel": few(each.novel),
                "refused": each.refused,
                "last_ms": each.last_ms,
                **_week(each.week),
            }
            for each in found.platforms
            if wanted.casefold() in platform_name(each.platform).casefold()
        ]
        return desk.pages.page(
            request, "platforms", rows=rows[:100], days=days, spans=DAYS, wanted=wanted,
            told_ms=found.told_ms,
        )  # fmt: skip


def _campaign(each: Campaign) -> dict[str, Any]:
    shown = each.platforms[:CAMPAIGN_PLATFORMS]
    return {
        "first_ms": each.start_ms,
        "last_ms": each.end_ms,
        "victims": each.victims,
        "open": each.victims_open if each.open else 0,
        "throttled": each.victims_throttled,
        "messages": each.messages,
        "growth": f"{each.growth_per_minute:g}" if each.open else "",
        "platforms": [platform_name(one.platform) for one in shown],
        "further": max(0, each.platforms_total - len(shown)),
    }


def _week(told: PlatformFigures | None) -> dict[str, str]:
    """Return the agent's figures of a platform as words; nothing where it told nothing."""
    if told is None:
        return dict.fromkeys(("codes", "share", "strangers", "trend"), "")
    return {
        "codes": f"{told.codes:,}",
        "share": percent(told.flood_share),
        "strangers": percent(told.strangers_share),
        "trend": "" if told.trend is None else f"× {told.trend:g}",
    }


def few(n: int) -> str:
    """A number of victims; a small one is not told.

    >>> few(0), few(3), few(1200)
    ('0', '<5', '1,200')
    """
    return f"<{FEW}" if 0 < n < FEW else f"{n:,}"


def _days(request: Request) -> int:
    asked = visit_of(request).given("days", 4) or request.query_params.get("days", "")
    return int(asked) if asked.isdecimal() and int(asked) in DAYS else DAYS[1]
