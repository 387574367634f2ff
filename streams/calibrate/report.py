"""The calibration as one self-contained page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from streams.calibrate import plots
from streams.calibrate.peaks import COUNTS
from streams.calibrate.result import Result
from streams.errors import UsageError
from streams.language import CHINESE, html, spoken, tr, trn
from streams.shown import in_page


def write_page(result: Result, found: dict[str, Any], path: Path, command: str) -> None:
    """Write the page. `command` is the command line that repeats the run."""
    if not result.days:
        raise UsageError("no report of a history without any event that counts")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("streams", "."),
        autoescape=True,
        finalize=in_page,
        undefined=jinja2.StrictUndefined,
    )
    pictures = {
        "what_if": plots.drawn(plots.what_if, result, height=4.2, columns=2),
        "peaks": plots.drawn(plots.peaks, result, height=3.9),
        "grid": plots.drawn(plots.grid, result, height=3.6),
        "counts": plots.drawn(plots.counts, result, height=3.1, columns=len(COUNTS)),
        "pace": plots.drawn(plots.pace, result, height=3.6, width=5.6),
        "known": plots.drawn(plots.known, result, height=3.6, width=5.6),
        "novelty": plots.drawn(plots.novelty, result, height=3.2),
    }
    environment.globals.update(tr=tr, trn=trn, html=html)
    page = environment.get_template("calibrate/report.html.j2").render(
        headline=headline(found),
        lead=lead(found),
        tiles=list(_tiles(found)),
        pictures={name: Markup(svg) for name, svg in pictures.items()},  # noqa: S704 - our outlines
        changes=[
            {**change, "was": _shown(change["was"]), "value": _shown(change["value"])}
            for change in found["changes"]
        ],
        found={**found, "mode": result.settings.mode},
        json=json.dumps(found, ensure_ascii=False, indent=1),
        command=command,
        version=version("otpguard"),
        masked=not result.show_recipients,
        lang=spoken(),
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


def headline(found: dict[str, Any]) -> str:
    """Say in one line what the history shows of false throttles."""
    throttle = found["rates"]["current"]["throttle"]
    days, n = f"{found['history']['subscriber_days']:,}", f"{throttle['episodes']:,}"
    if throttle["standing"] == "shown":
        form = tr("At most one false throttle in a million subscriber-days: shown by {days}")
    elif throttle["standing"] == "exceeded":
        form = tr("{n} throttles in {days} subscriber-days: more than a calm network should have")
    elif throttle["episodes"]:
        form = tr("{n} throttles in {days} subscriber-days: too few to claim one in a million")
    else:
        form = tr("No throttle in {days} subscriber-days: too few to claim one in a million")
    return form.format(n=n, days=days)


def lead(found: dict[str, Any]) -> str:
    """Explain the headline in two sentences."""
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
    return ("" if spoken() == CHINESE else " ").join(sentences)


def _tiles(found: dict[str, Any]) -> Iterator[dict[str, str]]:
    history, pace = found["history"], found["pace"]
    watch, throttle = (found["rates"]["current"][level] for level in ("watch", "throttle"))
    tone = {"shown": "bank", "exceeded": "refused", "open": "flood"}
    yield _tile("known", _short(history["subscriber_days"]), tr("subscriber-days of history"))
    for name, rate in (("THROTTLE", throttle), ("WATCH", watch)):
        high = rate["per_million_95"][1]
        yield _tile(
            tone[rate["standing"]],
            "?" if rate["per_million"] is None else f"{rate['per_million']:,.3g}",
            tr("{level} per million subscriber-days").format(level=name)
            if high is None
            else tr("{level} per million subscriber-days, at most {high}").format(
                level=name, high=f"{high:,.3g}"
            ),
        )
    yield _tile(
        "known", f"{history['codes_per_subscriber_day']:.3g}", tr("codes per subscriber-day")
    )
    under = pace["under_leak"]
    yield _tile(
        "known",
        "?" if under is None else f"{100 * under:.1f} %",
        tr("of a person's log-ins follow within 40 s, as a flood's do"),
    )


def _tile(tone: str, figure: str, text: str) -> dict[str, str]:
    return {"tone": tone, "figure": figure, "text": text}


def _short(number: int) -> str:
    """A count for a headline.

    >>> _short(306_250), _short(12_400_000), _short(950)
    ('306 k', '12.4 M', '950')
    """
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1000:.0f} k" if number >= 10_000 else f"{number:,}"


def _shown(value: Any) -> str:
    """A setting's value for a table's cell."""
    if value is None or value == {}:
        return tr("not set")
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)
