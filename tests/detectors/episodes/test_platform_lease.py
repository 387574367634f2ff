"""What a platform lease says: its platforms, mode, times and retry windows."""

from __future__ import annotations

from detectors.episodes.episode import end_limit
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.episodes.platform_lease import renew_platforms
from detectors.episodes.platform_names import Name
from detectors.model.event import Trust
from detectors.model.records import Action, Cause, Level, Reason, seconds
from detectors.recipients.row import Memory, word
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


def renewed(
    params: EpisodeParams, book: EpisodeLog, suspect: Suspect, cause: Cause, reason: Reason
) -> Action:
    assert suspect.platforms is not None
    return renew_platforms(params, book, suspect, suspect.platforms, cause, reason)


def test_a_lease_refuses_what_is_not_over_up_to_the_latest_end() -> None:
    ends_ms = {5: START_MS + 10, 7: START_MS + HOUR_MS, 6: START_MS}
    action = renewed(PARAMS, EpisodeLog(), suspect_with(ends_ms, {}), CAUSE, REASON)
    assert (action.verb, action.mode, action.refused_ids) == (
        "throttle_platforms", "enforce", (5, 7),
    )  # fmt: skip
    assert (action.issued_at_ms, action.expires_at_ms) == (START_MS, START_MS + HOUR_MS)
    assert (action.action_id, action.revision) == ("1:t:3:17/platforms", 17)
    assert (action.level, action.reason) == (Level.WATCH, REASON)
    assert not action.update


def test_platforms_in_shadow_are_refused_by_no_enforced_lease() -> None:
    one = {5: START_MS + 10}
    both = renewed(PARAMS, EpisodeLog(), suspect_with(one, {7: START_MS + 99}), CAUSE, REASON)
    assert (both.mode, both.refused_ids, both.expires_at_ms) == ("enforce", (5,), START_MS + 10)
    alone = renewed(PARAMS, EpisodeLog(), suspect_with({}, one), CAUSE, REASON)
    assert (alone.mode, alone.refused_ids) == ("shadow", (5,))


def test_a_lease_names_so_many_platforms_those_that_end_last() -> None:
    many = {n: START_MS + n for n in range(1, PLATFORMS_MAX + 3)}
    action = renewed(PARAMS, EpisodeLog(), suspect_with(many, {}), CAUSE, REASON)
    assert action.refused_ids == tuple(range(3, PLATFORMS_MAX + 3))


def test_a_lease_carries_the_retry_windows_that_are_open() -> None:
    suspect = suspect_with({5: START_MS + HOUR_MS}, {})
    take_request(suspect.requests, 5, START_MS - 1000, hot=False)
    action = renewed(PARAMS, EpisodeLog(), suspect, CAUSE, REASON)
    assert [window.platform_id for window in action.again] == [5]


def test_a_lease_without_a_flood_has_an_episode_from_its_first_action_to_its_end() -> None:
    book, suspect = EpisodeLog(), suspect_with({5: START_MS + HOUR_MS}, {})
    suspect.seen[5] = word(seconds(START_MS) - 60, 1, 5)
    book.names[5] = Name("sig:five", Trust.NONE, 0)
    action = renewed(PARAMS, book, suspect, CAUSE, REASON)
    again = renewed(PARAMS, book, suspect, Cause("t", 3, 19, START_MS + 9), REASON)
    assert action.episode_id == again.episode_id == "1:t:3:17:limit"
    end_limit(PARAMS, book, suspect, Cause("t", 3, 40, START_MS + HOUR_MS))
    end_limit(PARAMS, book, suspect, Cause("t", 3, 41, START_MS + HOUR_MS))
    assert [(r.kind, r.change, r.level, r.episode_id) for r in book.records] == [
        ("limit", "opened", Level.WATCH, action.episode_id),
        ("limit", "renewed", Level.WATCH, action.episode_id),
        ("limit", "ended", Level.CLEAR, action.episode_id),
    ]
    first, _, last = book.records
    assert (first.mode, first.reason, first.at_ms) == ("enforce", REASON, START_MS)
    assert [(s.platform, s.novel) for s in first.sightings] == [("sig:five", True)]
    assert [step.rule for step in last.path] == ["limit_24h", "quiet"]
    assert last.at_ms == START_MS + HOUR_MS
    suspect.platforms.put(5, START_MS + 3 * HOUR_MS, "enforce")  # type: ignore[union-attr]
    new = renewed(PARAMS, book, suspect, Cause("t", 3, 50, START_MS + 2 * HOUR_MS), REASON)
    assert new.episode_id == "1:t:3:50:limit"
    assert book.records[-1].change == "opened"
