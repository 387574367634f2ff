"""`make evaluate`: how well the detector does, as tables."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from streams.scenarios import Role
from tests.scenarios.evaluate import (
    ATTACKS,
    LOOK_ALIKES,
    ORDINARY_DAYS,
    OTHERS,
    WHAT_IF,
    Row,
    evaluate,
    evaluate_ordinary,
    ordinary_per_million,
    per_million,
)
from tests.scenarios.figures import Figures, Interval


def main() -> None:
    """Evaluates what is asked for and prints it."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="times the runs (1: 6,000 of A1)")
    parser.add_argument("--only", nargs="*", help="names of scenarios, as A1 B2 ordinary")
    parser.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    wanted = set(options.only or ())
    tables: dict[str, list[dict[str, Any]]] = {"detection": [], "false_alarms": [], "what_if": []}
    with ProcessPoolExecutor(options.jobs) as executor:
        for row in (*ATTACKS, *LOOK_ALIKES, *OTHERS, *WHAT_IF):
            if wanted and row.name not in wanted:
                continue
            print(row.label, file=sys.stderr)
            figures = evaluate(executor, row, options.scale)
            if row not in WHAT_IF:
                tables["detection"].append(detection(row, figures))
            if row in (*LOOK_ALIKES, *WHAT_IF):
                rates = [
                    per_million(row, figures, len(f)) for f in (figures.watch, figures.throttle)
                ]
                table = tables["what_if" if row in WHAT_IF else "false_alarms"]
                table.append(false_alarms(row.label, figures, *rates))
        if not wanted or "ordinary" in wanted:
            print("ordinary traffic", file=sys.stderr)
            figures = evaluate_ordinary(executor, options.scale)
            rates = [
                ordinary_per_million(figures, len(f), options.scale)
                for f in (figures.watch, figures.throttle)
            ]
            label = f"ordinary codes, {ORDINARY_DAYS} days"
            tables["false_alarms"].append(false_alarms(label, figures, *rates))
        if not wanted:
            tables["false_alarms"].append(all_classes(tables["false_alarms"]))
    if options.json:
        print(json.dumps(tables, indent=2))
    else:
        for rows in filter(None, tables.values()):
            print(markdown(rows), end="\n\n")


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
        "THROTTLE p95": number(figures.minutes(throttle, 0.95)),
        "THROTTLE msgs": number(figures.messages(throttle, 0.5)),
        "THROTTLE msgs p95": number(figures.messages(throttle, 0.95)),
        "no WATCH %": percent(1 - len(watch) / figures.recipients),
        "missed %": percent(figures.missed),
        "after THROTTLE %": percent(figures.after / figures.flood if figures.flood else math.nan),
        "refused of attack %": percent(figures.share_refused(Role.ATTACK)),
        "novel refused on the worst day %": percent(worst_day(figures))
        if Role.ATTACK in figures.sent
        else None,
        "refused trusted": refused(figures, Role.BANK),
        "refused known": refused(figures, Role.KNOWN),
        "refused new": refused(figures, Role.NEW),
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
        "WATCH 95 %": f"{watch.low:.2f}-{watch.high:.2f}",
        "THROTTLE": number(throttle.estimate),
        "THROTTLE 95 %": f"{throttle.low:.2f}-{throttle.high:.2f}",
    }


def all_classes(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The sum; its interval is the sum of the bounds, so wider than 95 %."""
    line: dict[str, Any] = {"class": "all", "runs": sum(row["runs"] for row in rows)}
    for level in ("WATCH", "THROTTLE"):
        bounds = [map(float, row[f"{level} 95 %"].split("-")) for row in rows]
        low, high = map(sum, zip(*bounds, strict=True))
        line[level] = round(sum(row[level] for row in rows), 2)
        line[f"{level} 95 %"] = f"{low:.2f}-{high:.2f}"
    return line


def worst_day(figures: Figures) -> float:
    """The smallest share of a day's flood, but for known platforms, that was refused."""
    days = figures.flood_by_day
    return min(figures.refused_by_day[day] / count for day, count in days.items())


def share(figures: Figures, roles: Iterable[Role]) -> float:
    """Share of the messages of these roles that were taken for codes."""
    roles = list(roles)
    sent = sum(figures.sent[role] for role in roles)
    return sum(figures.recognised[role] for role in roles) / sent if sent else math.nan


def refused(figures: Figures, role: Role) -> str:
    """How many of how many."""
    return f"{figures.refused[role]}/{figures.sent[role]}" if figures.sent[role] else ""


def number(value: float) -> float | None:
    """Two places; None where it never came."""
    return None if math.isinf(value) or math.isnan(value) else round(value, 2)


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
