"""Writes the report of a run: some sentences for a terminal, and one self-contained page."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from detectors.leases.gateway_rule import Ruling
from streams.cases.explanation import platform_name, retold
from streams.common import tr, trn, unwritten
from streams.common.page import environment
from streams.tools.demo.event_clock import clock
from streams.tools.demo.report_pictures import draw_lanes
from streams.tools.demo.story import Claim, OfferedMessage, Story, claims
from streams.tools.scenarios.labelled_events import Role

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
    """Write the page. `command` is the command line that repeats the run.

    Raise UsageError or UnavailableError if the file cannot be written.
    """
    rows = list(map(partial(_row, story), story.messages))
    throttle = story.change("THROTTLE")
    page = (
        environment()
        .get_template("tools/demo/report.html.j2")
        .render(
            headline=headline(story),
            lead=lead(story),
            tiles=list(_tiles(story)),
            lanes=draw_lanes(story),
            timeline=[
                {"time": clock(story.utc_offset_min, at), "text": text}
                for at, text in sorted(_timeline(story))
            ],
            claims=list(claims(story)),
            reason=throttle and retold(throttle.rule, throttle.text),
            rows=[cells for _, cells in rows],
            tones=[tone for tone, _ in rows],
            story=story,
            look_alikes=[
                tr("{subscribers} with {what}").format(
                    subscribers=trn("{n} subscriber", "{n} subscribers", n),
                    what=tr(LOOK_ALIKES[name]),
                )
                for name, n in story.background.look_alikes.items()
            ],
            command=command,
            version=story.machinery.version,
        )
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise unwritten(path, error) from None


def print_report(story: Story, page: Path, console: Console) -> None:
    """Print a summary of the run that fits on one screen."""
    console.print()
    console.print(Text(headline(story), style="bold"))
    console.print(lead(story), style="dim")
    lines = Table.grid(padding=(0, 2))
    for at, text in sorted(_timeline(story)):
        lines.add_row(Text(clock(story.utc_offset_min, at), style="cyan"), text)
    console.print(Padding(lines, (1, 0, 1, 2)))
    for claim in claims(story):
        console.print(_verdict(claim))
    console.print()
    console.print(tr("With a picture: {path}").format(path=page.resolve()), soft_wrap=True)


def _verdict(claim: Claim) -> Text:
    if claim.true:
        return Text.assemble(("  ✓ ", "bold green"), claim.text)
    return Text.assemble(
        ("  ✗ ", "bold red"), (tr("{claim}: not so in this run").format(claim=claim.text), "red")
    )


def _messages(n: int) -> str:
    return trn("{n} message", "{n} messages", n)


def headline(story: Story) -> str:
    """Return the run in one line."""
    codes, watch, throttle = len(story.of(Role.ATTACK)), story.change("WATCH"), _throttle(story)
    if throttle is None:
        return tr("A flood of {n} verification codes that was not throttled in this run").format(
            n=codes
        )
    noticed = story.flood_until(watch.event_time_ms) if watch else throttle
    return tr(
        "A flood of {n} verification codes, noticed after {noticed} and throttled after {throttled}"
    ).format(n=codes, noticed=noticed, throttled=throttle)


def _throttle(story: Story) -> int | None:
    """Return the number of flood messages up to the one that caused the throttle, or None."""
    change = story.change("THROTTLE")
    return story.flood_until(change.event_time_ms) if change else None


def lead(story: Story) -> str:
    """Return the introduction of the report: the incident and its outcome in a few sentences."""
    flood, bank, known = story.of(Role.ATTACK), story.of(Role.BANK), story.of(Role.KNOWN)
    platforms = len({message.platform for message in flood})
    first, last = (clock(story.utc_offset_min, flood[at].event_time_ms) for at in (0, -1))
    bank_share = _share(bank)
    return tr(
        "From {first} to {last} one subscriber was sent {n} codes that nobody had asked for, by "
        "{platforms} platforms, with {bank} codes of its own bank among them. The gateway refused "
        "{refused} of the flood. {bank_share} of the bank's codes arrived, and {known_share} from "
        "platforms that it used before."
    ).format(
        first=first[:5],
        last=last[:5],
        n=len(flood),
        platforms=platforms,
        bank=len(bank),
        refused=len(story.list_refused(Role.ATTACK)),
        bank_share=bank_share[:1].upper() + bank_share[1:],
        known_share=_share(known),
    )


def _share(messages: list[OfferedMessage]) -> str:
    """Return how many of these messages were delivered, in words."""
    arrived = sum(not message.is_refused for message in messages)
    if arrived == len(messages):
        return tr("both") if arrived == 2 else tr("all {n}").format(n=arrived)
    return _of(arrived, len(messages))


def _of(part: int, whole: int) -> str:
    return tr("{part} of {whole}").format(part=f"{part:,}", whole=f"{whole:,}")


def _tiles(story: Story) -> Iterator[dict[str, str]]:
    flood, bank = story.of(Role.ATTACK), story.of(Role.BANK)
    refused, throttle = story.list_refused(Role.ATTACK), story.change("THROTTLE")
    if throttle:
        minutes = (throttle.event_time_ms - story.started_ms) / 60_000
        yield {
            "tone": "throttle",
            "figure": tr("{minutes} min").format(minutes=f"{minutes:.1f}"),
            "text": tr("from the first code to the throttle, after {messages}").format(
                messages=_messages(story.flood_until(throttle.event_time_ms))
            ),
        }
    yield {
        "tone": "throttle",
        "figure": _of(len(refused), len(flood)),
        "text": tr("codes of the flood never reached the phone"),
    }
    yield {
        "tone": "good",
        "figure": _of(len(bank) - len(story.list_refused(Role.BANK)), len(bank)),
        "text": tr("codes of the bank arrived meanwhile"),
    }
    yield {
        "tone": "known",
        "figure": _of(story.background.actions, story.background.subscribers),
        "text": tr("others touched, at {rate} messages a minute").format(
            rate=f"{story.background.per_minute:,.0f}"
        ),
    }


def _timeline(story: Story) -> Iterator[tuple[int, str]]:
    """Yield the important moments of the run (ms UTC and text), unordered."""
    flood = story.of(Role.ATTACK)
    name = platform_name(flood[0].platform)
    yield flood[0].event_time_ms, tr("the first code: {platform}").format(platform=name)
    for level, form in (
        ("WATCH", tr("noticed after {messages}, {minutes} minutes in")),
        ("THROTTLE", tr("throttled after {messages}, {minutes} minutes in")),
    ):
        if change := story.change(level):
            seen = _messages(story.flood_until(change.event_time_ms))
            minutes = (change.event_time_ms - story.started_ms) / 60_000
            yield change.event_time_ms, form.format(messages=seen, minutes=f"{minutes:.1f}")
    refused = story.list_refused(Role.ATTACK)
    if refused:
        yield refused[0].event_time_ms, tr("the first code refused")
    for i, message in enumerate(story.of(Role.BANK)):
        arrived, lost = tr("the bank's code arrived"), tr("the bank's code was refused")
        if i:
            arrived = tr("the bank's code, sent again, arrived")
            lost = tr("the bank's code, sent again, was refused")
        yield message.event_time_ms, lost if message.is_refused else arrived
    for message in [first for first in story.of(Role.NEW)[:1] if first.is_refused]:
        name = platform_name(message.platform)
        form = tr("its own code of {platform}, new to it, was refused")
        yield message.event_time_ms, form.format(platform=name)
    for message in story.of(Role.NEW):
        if message.ruling is Ruling.AGAIN:
            form = tr("its own code of {platform}, asked for again, arrived")
            name = platform_name(message.platform)
            yield message.event_time_ms, form.format(platform=name)
    if used := [message for message in flood if message.ruling is Ruling.KNOWN]:
        yield used[0].event_time_ms, tr("one of the flood passes: its platform is in use here")
    last = tr("the last of {n} codes; {refused} were refused")
    yield flood[-1].event_time_ms, last.format(n=len(flood), refused=len(refused))
    if story.lease_end_ms:
        yield story.lease_end_ms, tr("the last lease ends by itself: everything passes again")


def _row(story: Story, message: OfferedMessage) -> tuple[str, tuple[str, ...]]:
    fate = tr("refused") if message.is_refused else tr("delivered")
    used = message.ruling is Ruling.KNOWN
    if message.ruling is Ruling.AGAIN:
        fate = tr("passed as asked for again")
    label = {
        Role.ATTACK: tr("passed, platform in use") if used else fate,
        Role.BANK: tr("bank, {fate}").format(fate=fate),
        Role.KNOWN: tr("known, {fate}").format(fate=fate),
        Role.NEW: tr("own, new platform, {fate}").format(fate=fate),
        Role.OTHER: tr("not a code, {fate}").format(fate=fate),
    }[message.role]
    return "refused" if message.is_refused else TONES[message.role], (
        clock(story.utc_offset_min, message.event_time_ms),
        platform_name(message.platform),
        message.text,
        label,
    )
