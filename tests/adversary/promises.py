"""The promises that must hold for every plan of an attacker, as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.adversary.arena import Played

UNSEEN_MAX: Final = 54
"""Codes of new platforms in an hour with no open episode: the WATCH bar of `raw_24h`, which no pace
gets past. Most are seen sooner: one code a minute at 42, by the bar of those 50 s apart."""

REACHED_MAX: Final = 60
"""Codes of new platforms that reach a victim within ten minutes. The bar of the mass is 45 with at
most nine of a platform; what a platform sends beyond nine comes on top."""

DAYS_TO_TEACH: Final = 2
"""Days on which a platform has to come until it is known as long as it is used, with room for 64.
Also where each of these days brings an episode that nothing confirms."""

LEARNT_MAX: Final = 26
"""Platforms that pass though they came on fewer days, if more than eight come in two days. Known
are the eight newest sightings of a row, and its 14 prints as far as they are free: who uses 14
platforms and more leaves none. Of platforms that are not known four more pass: fewer than five
throttle nobody."""

LEARNT_AT_LEISURE: Final = 71
"""Platforms that are known by one code each if no more than eight come in two days, at a person
who uses 14. It takes 18 days and 71 codes. They fill what the person's own platforms leave free of
85 places: eight sightings, 14 prints, and 63 in an extent. (22 were known in two days when extents
had no room for platforms that came once.)"""

TAIL_MS: Final = 2 * 60 * 60_000
"""A lease of an hour that the last evidence renewed when it was half over, and the same again for a
flood that trickles out."""


UNKNOWN_HOUR_MAX: Final = 120
UNKNOWN_DAY_MAX: Final = 350
"""Codes of platforms that the victim does not use and that reach it: in the worst plan that a
search of 2,000 plans finds, in the worst plans of searches with earlier rules, and by 48 platforms
that an attacker taught on two days."""

OWN_DAY_MAX: Final = 0
"""Own codes of used platforms that are refused in the worst day: the plans abuse none of these."""


def broken(played: Played) -> list[str]:
    """Each promise that did not hold, in words."""
    wrong = []
    if played.unseen_most > UNSEEN_MAX:
        wrong.append(f"{played.unseen_most} codes within an hour and no episode")
    if played.reached_most > REACHED_MAX:
        wrong.append(f"{played.reached_most} codes reached the victim within ten minutes")
    if played.learnt > LEARNT_MAX:
        wrong.append(f"{played.learnt} platforms were taught")
    if played.tail_ms > TAIL_MS:
        wrong.append(f"a lease lasts {played.tail_ms // 60_000} min after the last evidence")
    if played.own_refused:
        wrong.append(f"own codes refused: {', '.join(played.own_refused)}")
    if played.trusted:
        wrong.append(f"{played.trusted} codes of the attacker came as trusted")
    if played.rails:
        wrong.append(f"{played.rails} leases refused by a rail")
    return wrong
