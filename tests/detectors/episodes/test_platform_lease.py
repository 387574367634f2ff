"""What a platform lease says: its platforms, mode, times and retry windows."""

from __future__ import annotations

from detectors.episodes.episode import EpisodeLog, EpisodeParams
from detectors.episodes.platform_lease import renew_platforms
from detectors.model.records import Cause, Level, Reason
from detectors.recipients.row import Memory
from detectors.suspects.limit import PLATFORMS_MAX, PlatformLease
from detectors.suspects.retry_windows import take_request
from detectors.suspects.suspect import Suspect
from tests.detectors.stand_in import HOUR_MS, START_MS

PARAMS = EpisodeParams(mode="enforce", epoch=1)
CAUSE = Cause("t", 3, 17, START_MS)
REASON = Reason("limit_24h", 20, 20, "so")


def suspect_with(enforced: dict[int, int], shadowed: dict[int, int]) -> Suspect:
    suspect = Suspect(8613800000001, "8613800000001", 0, [], Memory())
    lease = suspect.platforms = PlatformLease("1:t:3:9:limit")
    lease.ends_ms = {"enforce": dict(enforced), "shadow": dict(shadowed)}
    return suspect


def test_a_lease_refuses_what_is_not_over_up_to_the_latest_end() -> None:
    ends_ms = {5: START_MS + 10, 7: START_MS + HOUR_MS, 6: START_MS}
    action = renew_platforms(PARAMS, EpisodeLog(), suspect_with(ends_ms, {}), CAUSE, REASON)
    assert (action.verb, action.mode, action.refused_ids) == (
        "throttle_platforms", "enforce", (5, 7),
    )  # fmt: skip
    assert (action.issued_at_ms, action.expires_at_ms) == (START_MS, START_MS + HOUR_MS)
    assert (action.action_id, action.revision) == ("1:t:3:17/platforms", 17)
    assert (action.level, action.reason) == (Level.WATCH, REASON)
    assert not action.update


def test_platforms_in_shadow_are_refused_by_no_enforced_lease() -> None:
    one = {5: START_MS + 10}
    both = renew_platforms(
        PARAMS, EpisodeLog(), suspect_with(one, {7: START_MS + 99}), CAUSE, REASON
    )
    assert (both.mode, both.refused_ids, both.expires_at_ms) == ("enforce", (5,), START_MS + 10)
    alone = renew_platforms(PARAMS, EpisodeLog(), suspect_with({}, one), CAUSE, REASON)
    assert (alone.mode, alone.refused_ids) == ("shadow", (5,))


def test_a_lease_names_so_many_platforms_those_that_end_last() -> None:
    many = {n: START_MS + n for n in range(1, PLATFORMS_MAX + 3)}
    action = renew_platforms(PARAMS, EpisodeLog(), suspect_with(many, {}), CAUSE, REASON)
    assert action.refused_ids == tuple(range(3, PLATFORMS_MAX + 3))


def test_a_lease_carries_the_retry_windows_that_are_open() -> None:
    suspect = suspect_with({5: START_MS + HOUR_MS}, {})
    take_request(suspect.requests, 5, START_MS - 1000, first=True, hot=False)
    action = renew_platforms(PARAMS, EpisodeLog(), suspect, CAUSE, REASON)
    assert [window.platform_id for window in action.again] == [5]
