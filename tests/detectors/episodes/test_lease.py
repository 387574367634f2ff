"""Leases as long as the flood's pace asks for, and what must not make one long."""

from __future__ import annotations

import pytest

from detectors.chain import Params, Partition
from detectors.episodes.lease import EpisodeParams, lasts_ms, quiet_s
from detectors.model.event import platform_id
from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.suspect import Episode, Suspect, see
from detectors.thresholds import LEASE_MAX_MS
from tests.builders.detectors.chain import ENFORCE, VICTIM, flood, history
from tests.detectors.stand_in import HOUR_MS, MINUTE_MS, START_MS, Event, run

START_S = 50 * DAY_S
MINUTES = 60_000


def length(times_s: list[int], since_s: int = START_S) -> float:
    """Minutes of a lease after novel sightings at these times of an episode since then."""
    suspect = Suspect(1, "1", 0, [], Memory(1))
    for n, at_s in enumerate(times_s):
        see(suspect, 100 + n, at_s)
    episode = Episode("1", since_s, since_s)
    return lasts_ms(suspect, episode, 10 * MINUTES, 60 * MINUTES) / MINUTES


def at_gap(count: int, gap_s: int) -> list[int]:
    return [START_S + n * gap_s for n in range(count)]


@pytest.mark.parametrize(
    ("gap_s", "minutes"),
    [(1, 10), (30, 10), (171, 10), (174, 10.15), (360, 21), (900, 52.5), (1200, 60), (7200, 60)],
)
def test_a_lease_lasts_some_gaps_from_ten_minutes_to_an_hour(gap_s: int, minutes: float) -> None:
    assert length(at_gap(8, gap_s)) == pytest.approx(minutes)
    assert length(at_gap(40, gap_s)) == pytest.approx(minutes)


def test_the_newest_eight_decide_and_of_them_the_median() -> None:
    slow_then_fast = [*at_gap(10, 900), *(START_S + 8100 + n for n in range(1, 9))]
    assert length(slow_then_fast) == 10
    assert length([START_S, START_S + 1, START_S + 901, START_S + 902, START_S + 1802]) == (
        pytest.approx(3.5 * 450.5 / 60)
    )


def test_one_platform_has_no_pace() -> None:
    assert length([START_S]) == 10
    assert length([]) == 10


def test_what_came_days_before_does_not_make_a_fast_flood_slow() -> None:
    before = [START_S - day * DAY_S for day in (6, 5, 4, 3)]
    assert length(before + at_gap(4, 2)) == 10, "of the episode's own sightings alone"
    assert length(before + at_gap(4, 2), since_s=START_S - 7 * DAY_S) == 60, "else an hour"


def test_quiet_follows_the_lease() -> None:
    episode = Episode("1", START_S, START_S)
    assert quiet_s(episode, 1800) == 1800
    episode.issued_ms, episode.expires_ms = 1, 1 + 10 * MINUTES
    assert quiet_s(episode, 1800) == 1800
    episode.expires_ms = 1 + 40 * MINUTES
    assert quiet_s(episode, 1800) == 3600


def slow_flood(partition: Partition, params: Params, hours: int) -> list[Event]:
    """Platforms that are hot, four an hour."""
    events = flood(4 * hours, 15 * MINUTE_MS, START_MS)
    partition.book.hot.platforms = frozenset(platform_id(e.platform) for e in events)
    return events


@pytest.mark.parametrize(("most_ms", "refused_most"), [(LEASE_MAX_MS, 40), (600_000, 0)])
def test_four_codes_an_hour_stay_under_a_lease_that_each_of_them_renews(
    most_ms: int, refused_most: int
) -> None:
    params = Params(episode=EpisodeParams(mode="enforce", lease_most_ms=most_ms))
    partition = Partition(params)
    run(params, history(), partition)
    events = slow_flood(partition, params, 12)
    decisions = run(params, events, partition)
    under = sum(
        any(a.issued_at_ms < e.at_ms < a.expires_at_ms for a in decisions.actions) for e in events
    )
    assert under == refused_most
    if refused_most:
        last = decisions.actions[-1]
        assert last.expires_at_ms - last.issued_at_ms == 52.5 * MINUTES
        ends = [e for e in decisions.episodes if e.change == "ended"]
        assert ends == [], "it does not end between two codes"


def test_a_long_lease_ends_by_itself_within_an_hour() -> None:
    partition = Partition(ENFORCE)
    run(ENFORCE, history(), partition)
    decisions = run(ENFORCE, slow_flood(partition, ENFORCE, 6), partition)
    last = decisions.actions[-1]
    assert last.expires_at_ms <= START_MS + 6 * HOUR_MS + HOUR_MS
    after = [Event(last.expires_at_ms + 1, VICTIM, "known 1")]
    assert run(ENFORCE, after, partition).actions == []


@pytest.mark.parametrize("most_ms", [599_999, LEASE_MAX_MS + 1])
def test_a_longest_lease_that_gateways_refuse_cannot_be_set(most_ms: int) -> None:
    with pytest.raises(ValueError, match="lease_most_ms must be lease_ms to 3600000"):
        EpisodeParams(lease_most_ms=most_ms)


@pytest.mark.parametrize(
    "wrong",
    [{"epoch": -1}, {"lease_ms": 0}, {"episode_most_s": 60}, {"episode_most_s": 86_401}],
)
def test_leases_that_cannot_be_meant_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"lease|epoch|chronic"):
        EpisodeParams(**wrong)  # type: ignore[arg-type]
