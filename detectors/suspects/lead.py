"""The lead of hot platforms: those that other floods abuse, against all others that are novel.

Over the novel sightings of a day, oldest first, a hot platform adds one and any other takes one
away, or half a one (`JudgeParams.cold_half`), never below nought. Pace plays no part in it: a
person's new platforms are mostly others, however fast they come, and a flood's are mostly hot,
however slowly. What was hot when a code came does not matter, only what is now: codes that came
before the list was there count at the next one.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from detectors.bars import HOT_BURST, HOT_LEAD
from detectors.model.times import DAY_S
from detectors.recipients.row import word
from detectors.suspects.judge import CALM, Band, Finding, JudgeParams
from detectors.suspects.suspect import Suspect


class Lead(NamedTuple):
    """The most that hot platforms were ahead, and since when."""

    score: float
    since_s: int


def lead(suspect: Suspect, hot: frozenset[int], from_s: int, *, cold_half: bool = False) -> Lead:
    """The highest lead right after any sighting from `from_s` on, of the day before the newest."""
    unit = 2 if cold_half else 1  # points are counted in halves there
    sightings = suspect.sightings
    day_ago_s = (sightings[-1] >> 33) - DAY_S if sightings else 0
    best = Lead(0, from_s)
    score = since_s = 0
    for sighting in sightings[bisect_left(sightings, word(day_ago_s + 1, 0, 0)) :]:
        if not sighting >> 32 & 1:
            continue
        if sighting & 0xFFFF_FFFF in hot:
            if not score:
                since_s = sighting >> 33
            score += unit
        elif score:
            score -= 1
        if score > best.score and sighting >> 33 >= from_s:
            best = Lead(score, since_s)
    return Lead(best.score / 2, best.since_s) if cold_half else best


def led(
    rules: JudgeParams, suspect: Suspect, hot: frozenset[int], at_s: int, finding: Finding
) -> Finding:
    """The finding after a sighting at `at_s`, by the lead where that says more than the others."""
    alone = finding if finding.band > Band.HOLD else CALM  # a rush of two is nothing by itself
    if not hot or suspect.novels < HOT_LEAD.watch or finding.band is Band.THROTTLE:
        return alone
    if len(hot.intersection(suspect.seen)) < HOT_LEAD.watch:  # the lead is no more than these
        return alone
    found = lead(suspect, hot, at_s, cold_half=rules.cold_half)
    if found.score >= rules.hot_lead:
        return Finding(Band.THROTTLE, "hot", found.score, rules.hot_lead, found.since_s)
    if found.score >= HOT_BURST and finding.rule == "burst":
        since_s = min(found.since_s, finding.since_s)
        return Finding(Band.THROTTLE, "hot_burst", found.score, HOT_BURST, since_s)
    if found.score >= HOT_LEAD.watch and finding.band < Band.WATCH:
        return Finding(Band.WATCH, "hot", found.score, HOT_LEAD.watch, found.since_s)
    return alone
