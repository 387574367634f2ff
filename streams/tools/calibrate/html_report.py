"""Writes the result of a calibration as one self-contained HTML page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import BURST
from detectors.thresholds import BURST_NOVEL, LEAK_MILLI_S
from streams import __version__
from streams.cases.explanation import platform_name
from streams.common import CHINESE, UsageError, current_language, tr, trn, unwritten
from streams.common.page import environment
from streams.tools.calibrate import plots
from streams.tools.calibrate.alarm_rates import THROTTLE_TARGET, Rate
from streams.tools.calibrate.result import LEAK_GAP_S, Result, outside


def write_page(result: Result, found: dict[str, Any], path: Path, command: str) -> None:
    """Write the page. `command` is the command line that repeats the run.

    Raise UsageError if the history has no events. Raise UsageError or UnavailableError if the file
    cannot be written.
    """
    if not result.days:
        raise UsageError(tr("no report of a history without any event that counts"))
    page = (
        environment()
        .get_template("tools/calibrate/report.html.j2")
        .render(
            headline=headline(found),
            lead=lead(found),
            tiles=list(_tiles(found)),
            pictures=plots.pictures(result),
            words=words(),
            outside=outside(found["history"]),
            verdicts=VERDICTS,
            platform_name=platform_name,
            changes=[
                {
                    **change,
                    "was": _format_value(change["was"]),
                    "value": _format_value(change["value"]),
                }
                for change in found["changes"]
            ],
            found={**found, "mode": result.settings.mode},
            json=json.dumps(found, ensure_ascii=False, indent=1),
            command=command,
            version=__version__,
            masked=not result.show_recipients,
        )
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise unwritten(path, error) from None


def headline(found: dict[str, Any]) -> str:
    """Return one line that says what the history shows about false throttles.

    If the history is so short that even zero throttles could not show the target rate, the line
    says so first.
    """
    throttle = found["rates"]["current"]["throttle"]
    subscriber_days, n = found["history"]["subscriber_days"], throttle["episodes"]
    throttles = trn("{n} throttle", "{n} throttles", n) if n else tr("No throttle")
    if subscriber_days < Rate(0, 1).days_needed(THROTTLE_TARGET):
        form = tr(
            "Too little history: {days} subscriber-days; a rate of one in a million needs about "
            "three million. {throttles}"
        )
    elif throttle["standing"] == "shown":
        form = tr("At most one false throttle in a million subscriber-days: shown by {days}")
    elif throttle["standing"] == "exceeded":
        form = tr("{throttles} in {days} subscriber-days: more than a calm network should have")
        attacks = found["looks_like_attack"]
        if attacks and attacks == found["throttled_recipients"] - found["set_aside"]:
            form = tr("{throttles} in {days} subscriber-days: all look like attacks")
    else:
        form = tr("{throttles} in {days} subscriber-days: too few to claim one in a million")
    return form.format(days=f"{subscriber_days:,}", throttles=throttles)


def lead(found: dict[str, Any]) -> str:
    """Return a few sentences that explain the headline."""
    said = found["rates"]["current"]["throttle"]["sentence"]
    what = tr("Nothing measured here speaks for other settings.")
    if found["changes"]:
        what = trn(
            "{n} setting should be another, see below.",
            "{n} settings should be others, see below.",
            len(found["changes"]),
        )
    sentences = [tr("{sentence}.").format(sentence=f"{said[0].upper()}{said[1:]}"), what]
    if found["unreached"]:
        sentences.append(tr("No setting brings the target, see below."))
    if found["looks_like_attack"]:
        form = tr(
            "Of {n} throttled recipients {attacks} look like attacks; each counts as a false "
            "alarm until --judged names it."
        )
        n, attacks = found["throttled_recipients"], found["looks_like_attack"]
        sentences.append(form.format(n=f"{n:,}", attacks=f"{attacks:,}"))
    return ("" if current_language() == CHINESE else " ").join(sentences)


VERDICTS = {
    "judged": "attack or test number, as judged",
    "chronic": "chronic, set aside",
    "looks_like_attack": "looks like an attack",
    "unclear": "unclear: look",
}
"""The verdicts of `streams.tools.calibrate.result.verdict` in words."""


def words() -> list[tuple[str, str]]:
    """Return the terms of the page, each with an explanation and the thresholds in force."""
    bars, novel = BURST[ClockClass.EXACT], BURST_NOVEL
    return [
        (
            tr("Score"),
            tr(
                "How fast codes of further platforms come. A platform's first code in a day adds "
                "1, and each minute subtracts {leak}: only many platforms in a few minutes raise "
                "the score."
            ).format(leak=f"{60 * LEAK_MILLI_S / 1000:g}"),
        ),
        (
            tr("Bar"),
            tr(
                "The score at which something happens. From {watch} on, with {watch_new} new "
                "platforms, a "
                "subscriber is watched (WATCH). From {throttle} on, with {throttle_new}, codes of "
                "platforms new to it are refused for ten minutes (THROTTLE). detect.burst_margin "
                "raises "
                "both."
            ).format(
                watch=f"{bars.watch:g}",
                watch_new=f"{novel.watch:g}",
                throttle=f"{bars.throttle:g}",
                throttle_new=f"{novel.throttle:g}",
            ),
        ),
        (
            tr("Counts"),
            tr(
                "For floods that are too slow for the score: how many new platforms came in "
                "minutes or hours. These counts have their own thresholds."
            ),
        ),
        (
            tr("New, known"),
            tr("Whether this subscriber had codes of that platform on a day before."),
        ),
        (
            tr("Episode"),
            tr("One stretch of alarm about one subscriber, from WATCH until it is calm again."),
        ),
        (
            tr("Subscriber-day"),
            tr(
                "One subscriber for one day: 1,000 subscribers in a week are 7,000. Rates are "
                "given in a "
                "million of them."
            ),
        ),
    ]


def _tiles(found: dict[str, Any]) -> Iterator[dict[str, str]]:
    history, pace = found["history"], found["pace"]
    watch, throttle = (found["rates"]["current"][level] for level in ("watch", "throttle"))
    tone = {"shown": "good", "exceeded": "throttle", "open": "watch"}
    yield _tile("known", _short(history["subscriber_days"]), tr("subscriber-days of history"))
    for name, rate in (("THROTTLE", throttle), ("WATCH", watch)):
        high = rate["per_million_95"][1]
        yield _tile(
            tone[rate["standing"]],
            "?" if rate["per_million"] is None else _plain(rate["per_million"]),
            tr("{level} per million subscriber-days").format(level=name)
            if high is None
            else tr("{level} per million subscriber-days, at most {high}").format(
                level=name, high=_plain(high)
            ),
        )
    yield _tile(
        "known", f"{history['codes_per_subscriber_day']:.3g}", tr("codes per subscriber-day")
    )
    under = pace["under_leak"]
    yield _tile(
        "known",
        "?" if under is None else f"{100 * under:.1f} %",
        tr("too few log-ins to tell how fast they follow one another")
        if under is None
        else tr("of a person's log-ins follow within {n} s, as a flood's do").format(n=LEAK_GAP_S),
    )


def _tile(tone: str, figure: str, text: str) -> dict[str, str]:
    return {"tone": tone, "figure": figure, "text": text}


def _short(number: int) -> str:
    """Return a count in short form for a tile.

    >>> _short(306_250), _short(12_400_000), _short(950)
    ('306 k', '12.4 M', '950')
    """
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1000:.0f} k" if number >= 10_000 else f"{number:,}"


def _plain(value: float) -> str:
    """Return a rate without powers of ten.

    >>> _plain(1618.2), _plain(0.5312)
    ('1,618', '0.531')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _format_value(value: Any) -> str:
    if value is None or value == {}:
        return tr("not set")
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)
