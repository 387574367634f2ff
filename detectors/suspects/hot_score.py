"""The score of hot (abused) platforms ("lead"): hot novel platforms minus all other novel ones.

A platform is hot if floods against other recipients abuse it. The score runs over the novel
sightings of a day, oldest first. A hot platform adds one point. Any other platform takes away one
point, or half a point with `JudgeParams.cold_half`. The score never falls below zero.

The score does not depend on how fast the codes come. A person's new platforms are mostly not hot,
even if they come fast. A flood's platforms are mostly hot, even if they come slowly. The score uses
the list of hot platforms as it is now, not as it was when a code came. So a code that came before
there was a list counts when the next code is judged.
"""

from bisect import bisect_left
from typing import NamedTuple

from detectors.model.times import DAY_S
from detectors.recipients.row import word
from detectors.suspects.judge import CALM, Band, Finding, JudgeParams
from detectors.suspects.suspect import Suspect
from detectors.thresholds import HOT_BURST, HOT_LEAD


class Lead(NamedTuple):
    """The highest score of hot platforms, and the time (seconds) at which its run began."""

    score: float
    since_s: int


def lead(suspect: Suspect, hot: frozenset[int], from_s: int, *, cold_half: bool = False) -> Lead:
    """Return the highest score right after any sighting from `from_s` on.

    Only sightings of the day that ends with the newest sighting take part.
    """
    unit = 2 if cold_half else 1  # with `cold_half`, points are counted in halves
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


def add_hot_score(
    rules: JudgeParams, suspect: Suspect, hot: frozenset[int], at_s: int, finding: Finding
) -> Finding:
    """Return the stronger of `finding` (the result of `judge`) and the finding of the hot score.

    `at_s` is the time of the sighting that is judged.
    """
    # A burst of two novel platforms (HOLD) is evidence only together with the hot score.
    alone = finding if finding.band > Band.HOLD else CALM
    if not hot or suspect.novels < HOT_LEAD.watch or finding.band is Band.THROTTLE:
        return alone
    if len(hot.intersection(suspect.seen)) < HOT_LEAD.watch:  # upper bound of the score
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
