"""The report of a run: some sentences for a terminal, and one self-contained page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.leases.gate import Ruling
from detectors.model.event import platform_print
from streams.demo.clock import clock
from streams.demo.picture import pictures
from streams.demo.story import Claim, OfferedMessage, Story, claims
from streams.operate.explain import platform_name
from streams.page import environment
from streams.scenarios.events import Role

SIGHTINGS_MAX = 12
"""Rows of the explanation's table: the ones up to the throttle, and a few."""

TONES = {
    Role.ATTACK: "flood",
    Role.BANK: "bank",
    Role.KNOWN: "known",
    Role.NEW: "new",
    Role.OTHER: "other",
}

LOOK_ALIKES = {
    "B1": "a new phone (10 to 30 log-ins)",
    "B2": "a power user's set-up (30 to 60 log-ins)",
    "B4": "a bank's failing page (4 to 10 codes of one bank)",
}


def write_page(story: Story, path: Path, command: str) -> None:
    """Write the page. `command` is the command line that repeats the run."""
    rows = list(map(partial(_row, story), story.messages))
    page = (
        environment()
        .get_template("demo/report.html.j2")
        .render(
            headline=headline(story),
            lead=lead(story),
            tiles=list(_tiles(story)),
            pictures=pictures(story),
            timeline=[
                {"time": clock(story.utc_offset_min, at), "text": text}
                for at, text in sorted(_timeline(story))
            ],
            claims=list(claims(story)),
            explanation=_explanation(story),
            rows=[cells for _, cells in rows],
            tones=[tone for tone, _ in rows],
            story=story,
            look_alikes=[
                f"{count(n, 'subscriber')} with {LOOK_ALIKES[name]}"
                for name, n in story.background.look_alikes.items()
            ],
            episode=json.dumps(story.episode, ensure_ascii=False, indent=2)
            if story.episode
            else "",
            command=command,
            version=story.machinery.version,
        )
    )
    path.write_text(page, encoding="utf-8")


def print_report(story: Story, page: Path, console: Console) -> None:
    """The run in a screenful that anybody can read."""
    console.print()
    console.print(Text(headline(story), style="bold"))
    console.print(lead(story), style="dim")
    lines = Table.grid(padding=(0, 2))
    for at, text in sorted(_timeline(story)):
        lines.add_row(Text(clock(story.utc_offset_min, at), style="cyan"), text)
    console.print(Padding(lines, (1, 0, 1, 2)))
    for claim in claims(story):
        console.print(_verdict(claim))
    console.print(f"\nWith a picture: {page.resolve()}", soft_wrap=True)


def _verdict(claim: Claim) -> Text:
    if claim.true:
        return Text.assemble(("  ✓ ", "bold green"), claim.text)
    return Text.assemble(("  ✗ ", "bold red"), (f"{claim.text}: not so in this run", "red"))


def count(n: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "message"), count(20_000, "message")
    ('1 message', '20,000 messages')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def headline(story: Story) -> str:
    """The run in one line."""
    codes, watch, throttle = len(story.of(Role.ATTACK)), story.change("WATCH"), _throttle(story)
    if throttle is None:
        return f"A flood of {codes} verification codes that was not throttled in this run"
    noticed = story.flood_until(watch.event_time_ms) if watch else throttle
    return (
        f"A flood of {codes} verification codes, "
        f"noticed after {noticed} and throttled after {throttle}"
    )


def _throttle(story: Story) -> int | None:
    """Messages of the flood up to the one that brought the throttle."""
    change = story.change("THROTTLE")
    return story.flood_until(change.event_time_ms) if change else None


def lead(story: Story) -> str:
    """The run in a few lines."""
    flood, bank, known = story.of(Role.ATTACK), story.of(Role.BANK), story.of(Role.KNOWN)
    platforms = len({message.platform for message in flood})
    first, last = (clock(story.utc_offset_min, flood[at].event_time_ms) for at in (0, -1))
    return (
        f"From {first[:5]} to {last[:5]} one subscriber was sent {len(flood)} codes that nobody "
        f"had asked for, by {platforms} platforms, with {len(bank)} codes of its own bank among "
        f"them. "
        f"The gateway refused {len(story.refused(Role.ATTACK))} of the flood. "
        f"{_share(bank).capitalize()} of the bank's codes arrived, and {_share(known)} from "
        "platforms that it used before."
    )


def _share(messages: list[OfferedMessage]) -> str:
    """The delivered share of these messages, in words."""
    arrived = sum(not message.refused for message in messages)
    if arrived == len(messages):
        return "both" if arrived == 2 else f"all {arrived}"
    return f"{arrived} of {len(messages)}"


def _tiles(story: Story) -> Iterator[dict[str, str]]:
    flood, bank = story.of(Role.ATTACK), story.of(Role.BANK)
    refused, throttle = story.refused(Role.ATTACK), story.change("THROTTLE")
    if throttle:
        minutes = (throttle.event_time_ms - story.started_ms) / 60_000
        yield {
            "tone": "throttle",
            "figure": f"{minutes:.1f} min",
            "text": f"from the first code to the throttle, "
            f"after {count(story.flood_until(throttle.event_time_ms), 'message')}",
        }
    yield {
        "tone": "throttle",
        "figure": f"{len(refused)} of {len(flood)}",
        "text": "codes of the flood never reached the phone",
    }
    yield {
        "tone": "good",
        "figure": f"{len(bank) - len(story.refused(Role.BANK))} of {len(bank)}",
        "text": "codes of the bank arrived meanwhile",
    }
    touched = story.background.actions
    yield {
        "tone": "known",
        "figure": f"{touched} of {story.background.subscribers:,}",
        "text": f"others touched, at {story.background.per_minute:,.0f} messages a minute",
    }


def _timeline(story: Story) -> Iterator[tuple[int, str]]:
    """The run's few moments that matter, in no order."""
    flood = story.of(Role.ATTACK)
    yield flood[0].event_time_ms, f"the first code: {platform_name(flood[0].platform)}"
    for name, text in (("WATCH", "noticed"), ("THROTTLE", "throttled")):
        if change := story.change(name):
            seen = count(story.flood_until(change.event_time_ms), "message")
            minutes = (change.event_time_ms - story.started_ms) / 60_000
            yield change.event_time_ms, f"{text} after {seen}, {minutes:.1f} minutes in"
    refused = story.refused(Role.ATTACK)
    if refused:
        yield refused[0].event_time_ms, "the first code refused"
    for i, message in enumerate(story.of(Role.BANK)):
        fate = "was refused" if message.refused else "arrived"
        what = "the bank's code" if i == 0 else "the bank's code, sent again,"
        yield message.event_time_ms, f"{what} {fate}"
    for message in story.refused(Role.NEW):
        name = platform_name(message.platform)
        yield message.event_time_ms, f"its own code of {name}, new to it, was refused: the price"
    if used := [message for message in flood if message.ruling is Ruling.KNOWN]:
        yield used[0].event_time_ms, "one of the flood passes: its platform is in use here"
    yield flood[-1].event_time_ms, f"the last of {len(flood)} codes; {len(refused)} were refused"
    if story.lease_end_ms:
        yield story.lease_end_ms, "the last lease ends by itself: everything passes again"


def _explanation(story: Story) -> dict[str, Any] | None:
    """Tell the throttle by its episode record: its sightings up to then, and the scope."""
    record, throttle = story.episode, story.change("THROTTLE")
    if not record or throttle is None:
        return None
    before = [s for s in record["sightings"] if s["at_ms"] <= throttle.event_time_ms]
    scope = record["scope"]
    return {
        "throttle": throttle,
        "sightings": [
            (
                clock(story.utc_offset_min, sighting["at_ms"]),
                platform_name(sighting["platform"]),
                "new" if sighting["novel"] else "known",
            )
            for sighting in before[-SIGHTINGS_MAX:]
        ],
        "more": len(record["sightings"]) - len(before),
        "evidence": record["evidence"],
        "trusted": ", ".join(scope["trust"]),
        "passing": len({*scope["pass_prints"], *map(platform_print, scope["pass_ids"])}),
        "episode_id": record["episode_id"],
        "cause": record["cause"],
    }


def _row(story: Story, message: OfferedMessage) -> tuple[str, tuple[str, ...]]:
    """The tone and the cells of a message."""
    fate = "refused" if message.refused else "delivered"
    label = {
        Role.ATTACK: "passed, platform in use" if message.ruling is Ruling.KNOWN else fate,
        Role.BANK: f"bank, {fate}",
        Role.KNOWN: f"known, {fate}",
        Role.NEW: f"own, new platform, {fate}",
        Role.OTHER: f"not a code, {fate}",
    }[message.role]
    return "refused" if message.refused else TONES[message.role], (
        clock(story.utc_offset_min, message.event_time_ms),
        platform_name(message.platform),
        message.text,
        f"{message.level:.1f}" if message.code else "",
        label,
    )
