"""Returns: platforms that a recipient does not know, each sent again some time after its last code.

Flooding tools ask a list of platforms round and round. At one code a minute no other rule finds
them, because each platform counts once a day. People also ask a platform again, but within a few
minutes, and seldom thirteen new platforms in one afternoon.
"""

from detectors.model.records import utc_ms
from detectors.suspects.judge import Band, Finding
from detectors.suspects.suspect import Suspect
from detectors.suspects.volume import counted_messages, earliest_s
from detectors.thresholds import RETURN_GAP_MS, RETURN_WINDOW_MS, RETURNS

RULE = "returns"


def returned_platforms(suspect: Suspect, at_ms: int) -> dict[int, int]:
    """Return each platform with a return in the last three hours, and the time of the newest one.

    A return is a counted message (`volume.hear`) of a platform that came before. The platform's
    last counted message, or its sighting, lies between ten minutes and three hours before it.
    Times are in milliseconds. The three hours end at `at_ms`, or with the newest counted message
    if that is later.
    """
    messages = counted_messages(suspect)
    if not messages:
        return {}
    seen, last_ms, found = suspect.seen, dict[int, int](), dict[int, int]()
    limit_ms = max(at_ms, messages[-1][0]) - RETURN_WINDOW_MS
    for now_ms, platform in messages:
        before_ms = last_ms.get(platform)
        if before_ms is None and platform in seen:
            before_ms = utc_ms(seen[platform] >> 33)
        last_ms[platform] = now_ms
        if before_ms is None or now_ms <= limit_ms:
            continue
        if RETURN_GAP_MS <= now_ms - before_ms < RETURN_WINDOW_MS:
            found[platform] = now_ms
    return found


def judge_returns(suspect: Suspect, at_ms: int, other: Finding, divisor: int) -> Finding:
    """Return the finding after a message at `at_ms` if it is stronger than `other`, else `other`.

    The threshold is divided by `divisor`. With 0 the rule is not applied.
    """
    if not divisor or other.band is Band.THROTTLE:
        return other
    threshold = RETURNS.throttle / divisor
    found = returned_platforms(suspect, at_ms)
    if len(found) < threshold:
        return other
    since_s = earliest_s(suspect, found, default=suspect.sightings[-1] >> 33)
    return Finding(Band.THROTTLE, RULE, len(found), threshold, since_s)
