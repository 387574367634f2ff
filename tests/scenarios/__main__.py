"""`make evaluate`: measures the quality of detection, and prints tables.

You may interrupt it, or limit it with --seconds; started again, it continues. It exits with 75
while parts are left, with 1 if a target was missed, else with 0.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from streams.tools.scenarios import Role
from tests.scenarios.evaluate import (
    CLASS_ROWS,
    LOOK_ALIKES,
    ORDINARY,
    PEOPLE,
    PEOPLE_LABELS,
    ROWS,
    WHAT_IF,
    Part,
    Row,
    parts_of,
    per_million,
)
from tests.scenarios.figures import Figures, Interval, quantile, wilson
from tests.scenarios.parts import Kept, play_parts
from tests.scenarios.targets import compared, worst_day


def main() -> None:
    """Evaluates what is asked for and prints it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.scenarios",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = list(dict.fromkeys(row.name for row in ROWS))
    parser.add_argument("--scale", type=float, default=1.0, help="times the runs (1: 6,000 of A1)")
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=names, help=", ".join(names))
    parser.add_argument(
        "--people", action="store_true", help="own codes by class of people, and nothing else"
    )
    parser.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="begin no part after so long"
    )
    parser.add_argument(
        "--parts", type=Path, default=Path(".cache/evaluate"), help="where figures are kept"
    )
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.only or row.name in options.only]
    if options.people:
        rows = [row for row in rows if row in PEOPLE]
    parts = {row.label: parts_of(row, options.scale) for row in rows}
    kept = Kept(options.parts)
    left = _play([part for each in parts.values() for part in each], kept, options)
    if left:
        print(f"{left} parts are left: the same command goes on with them", file=sys.stderr)
        sys.exit(75)
    figures = {name: total(map(kept.read, each)) for name, each in parts.items()}
    tables = tables_of(rows, figures)
    if options.json:
        print(json.dumps(tables, indent=2))
    else:
        for lines in filter(None, tables.values()):
            print(markdown(lines), end="\n\n")
    sys.exit(any(line["reached"] == "NO" for line in tables["targets"]))


def _play(parts: list[Part], kept: Kept, options: argparse.Namespace) -> int:
    """Plays with a bar on standard error; how many parts are left."""
    columns = (
        TextColumn("{task.description:40}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(parts))

        def done(part: Part) -> None:
            bar.update(task, advance=1, description=part.row.label)

        left = play_parts(parts, kept, jobs=options.jobs, seconds=options.seconds, done=done)
    return len(left)


def total(parts: Iterable[Figures | None]) -> Figures:
    """The sum."""
    figures = Figures()
    for part in parts:
        assert part is not None, "a part that was played is gone"
        figures.add(part)
    return figures


def tables_of(rows: Iterable[Row], figures: dict[str, Figures]) -> dict[str, list[dict[str, Any]]]:
    """All that is to be shown, as lines of tables."""
    tables: dict[str, list[dict[str, Any]]] = {
        "detection": [], "people": list(own_codes(figures)), "false_alarms": [], "what_if": [],
    }  # fmt: skip
    summed: list[tuple[Interval, Interval]] = []
    for row in rows:
        found = figures[row.label]
        counted, supposed = row in (*LOOK_ALIKES, ORDINARY), row in (*WHAT_IF, *CLASS_ROWS)
        if row != ORDINARY and not supposed and row not in PEOPLE:
            tables["detection"].append(detection(row, found))
        if counted or supposed:
            watch, throttle = (
                per_million(row, found, len(hits)) for hits in (found.watch, found.throttle)
            )
            line = false_alarms(row.label, found, watch, throttle)
            if row.throttles:
                line |= {"WATCH": None, "WATCH 95 %": ""}
            tables["what_if" if supposed else "false_alarms"].append(line)
            if counted:
                summed.append((watch, throttle))
    if len(summed) == len(LOOK_ALIKES) + 1:
        tables["false_alarms"].append(all_classes(summed))
    tables["targets"] = compared(figures)
    return tables


def own_codes(figures: dict[str, Figures]) -> Iterator[dict[str, Any]]:
    """Make one line for each class of people: its own codes that were refused in all floods."""
    for people, labels in PEOPLE_LABELS.items():
        if all(label in figures for label in labels):
            found = total(figures[label] for label in labels)
            yield {
                "people": people,
                "floods": found.recipients,
                "own codes refused": refused(found, Role.KNOWN),
                "codes of a bank that no registry lists": refused(found, Role.BANK),
                "refused of attack %": percent(found.share_refused(Role.ATTACK)),
                "missed %": percent(found.missed),
            }


def detection(row: Row, figures: Figures) -> dict[str, Any]:
    """One line of the table of detection. Delays are over all recipients, the missed ones too."""
    watch, throttle = figures.watch, figures.throttle
    codes = [role for role in Role if role is not Role.OTHER]
    return {
        "scenario": row.label,
        "recipients": figures.recipients,
        "WATCH min": number(figures.minutes(watch, 0.5)),
        "WATCH p95": number(figures.minutes(watch, 0.95)),
        "WATCH msgs": number(figures.messages(watch, 0.5)),
        "THROTTLE min": number(figures.minutes(throttle, 0.5)),
        "THROTTLE min 95 %": between(figures.minutes_interval(throttle, 0.5)),
        "THROTTLE p95": number(figures.minutes(throttle, 0.95)),
        "THROTTLE msgs": number(figures.messages(throttle, 0.5)),
        "THROTTLE msgs 95 %": between(figures.messages_interval(throttle, 0.5)),
        "THROTTLE msgs p95": number(figures.messages(throttle, 0.95)),
        "no WATCH %": percent(1 - len(watch) / figures.recipients),
        "missed %": percent(figures.missed),
        "missed % 95 %": between(
            wilson(figures.recipients - len(throttle), figures.recipients).scaled(100)
        ),
        "after THROTTLE %": percent(figures.after / figures.flood if figures.flood else math.nan),
        "refused of attack %": percent(figures.share_refused(Role.ATTACK)),
        "novel refused on the worst day %": percent(worst_day(figures))
        if Role.ATTACK in figures.sent
        else None,
        "refused trusted": refused(figures, Role.BANK),
        "refused known": refused(figures, Role.KNOWN),
        "refused new": refused(figures, Role.NEW),
        "own new that came after all %": percent(figures.share_came),
        "own new that came 95 %": between(wilson(figures.came_new, figures.held_new).scaled(100))
        if figures.came_new
        else "",
        "flood's passed again, mean; p95": extra(figures),
        "codes recognised %": percent(share(figures, codes)),
        "others taken for codes %": percent(share(figures, [Role.OTHER])),
        "throttled by day": dict(sorted(figures.throttled_by_day.items())),
    }


def false_alarms(
    label: str, figures: Figures, watch: Interval, throttle: Interval
) -> dict[str, Any]:
    """One line of the table of false alarms, per million subscriber-days."""
    return {
        "class": label,
        "runs": figures.recipients,
        "WATCH": number(watch.estimate),
        "WATCH 95 %": between(watch),
        "throttled": len(figures.throttle),
        "THROTTLE": number(throttle.estimate),
        "THROTTLE 95 %": between(throttle),
    }


def all_classes(rates: list[tuple[Interval, Interval]]) -> dict[str, Any]:
    """The sum; its interval is the sum of the bounds, so wider than 95 %."""
    watch, throttle = (
        Interval(*(sum(bounds) for bounds in zip(*each, strict=True)))
        for each in zip(*rates, strict=True)
    )
    return {
        "class": "all",
        "runs": None,
        "WATCH": number(watch.estimate),
        "WATCH 95 %": between(watch),
        "throttled": None,
        "THROTTLE": number(throttle.estimate),
        "THROTTLE 95 %": between(throttle),
    }


def share(figures: Figures, roles: Iterable[Role]) -> float:
    """Share of the messages of these roles that were taken for codes."""
    roles = list(roles)
    sent = sum(figures.sent[role] for role in roles)
    return sum(figures.recognised[role] for role in roles) / sent if sent else math.nan


def refused(figures: Figures, role: Role) -> str:
    """How many of how many."""
    return f"{figures.refused[role]}/{figures.sent[role]}" if figures.sent[role] else ""


def extra(figures: Figures) -> str:
    """Messages of the flood that passed as second requests, for each recipient; 0 is not shown."""
    if not any(figures.extra):
        return ""
    mean = sum(figures.extra) / len(figures.extra)
    p95 = quantile([float(n) for n in figures.extra], len(figures.extra), 0.95)
    return f"{mean:.2f}; {p95:g}; most {max(figures.extra)}"


def number(value: float) -> float | None:
    """Two places; None where it never came."""
    return None if math.isinf(value) or math.isnan(value) else round(value, 2)


def between(interval: Interval) -> str:
    """Both ends of an interval; empty where they never came."""
    if math.isinf(interval.low):
        return ""
    return f"{interval.low:.2f}-{interval.high:.2f}"


def percent(value: float) -> float | None:
    """A share in percent."""
    return number(100 * value)


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table; a column that is empty for every row is left out."""
    names = [name for name in rows[0] if any(row[name] not in (None, "", {}) for row in rows)]
    lines = [names, ["---"] * len(names)]
    lines += [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
