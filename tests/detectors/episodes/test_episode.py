"""Episodes: levels, leases and their renewal, what an action and a record say."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

import pytest

from detectors.chain import Params, Partition
from detectors.episodes import episode
from detectors.episodes.episode import NEXT, advance, ahead_of, end, ends_s, over, recycle
from detectors.episodes.episode_log import EpisodeLog
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import EventKind
from detectors.model.records import (
    ALWAYS_PASS,
    Action,
    Cause,
    EpisodeRecord,
    Level,
    merge_renewal,
    seconds,
)
from detectors.model.times import DAY_S
from detectors.recipients.row import Memory
from detectors.suspects.judge import CALM, Band, Finding, JudgeParams
from detectors.suspects.suspect import Episode, Suspect, see
from streams import wire
from tests.builders.detectors.chain import ENFORCE, VICTIM, changes, flood, history, throttles
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run

SIGNED = EpisodeParams(mode="enforce", enforce_cold=True, epoch=2, version="1.0", config="cafe")
RULES = JudgeParams()
START_S = seconds(START_MS)


def test_a_recipient_that_knows_little_is_throttled_in_shadow() -> None:
    fresh = replace(ENFORCE, episode=replace(ENFORCE.episode, cold_days=365))
    assert {a.mode for a in run(fresh, history(5) + flood(30)).actions} == {"shadow"}
    assert {a.mode for a in run(fresh, history(6) + flood(30)).actions} == {"enforce"}
    assert {a.mode for a in run(ENFORCE, history(5) + flood(30)).actions} == {"enforce"}
    accepted = Params(episode=EpisodeParams(mode="enforce", enforce_cold=True))
    assert {a.mode for a in run(accepted, history(0) + flood(30)).actions} == {"enforce"}
    assert {a.mode for a in run(Params(), history() + flood(30)).actions} == {"shadow"}


def test_a_number_throttled_on_seven_of_fourteen_days_is_chronic() -> None:
    events = history()
    for day in range(0, 14, 2):
        events += flood(8, start_ms=START_MS + day * DAY_MS, name=f"day {day}")
    decisions = run(ENFORCE, events)
    raised = [e.chronic for e in decisions.episodes if e.change == "raised"]
    assert raised == [False] * 6 + [True]
    assert len(throttles(decisions)) == 7, "reported, never exempted"


def test_a_recycled_number_is_released_and_forgotten() -> None:
    gone = Event(START_MS + 3 * MINUTE_MS, VICTIM, "", 0, EventKind.RECYCLED)
    after = [Event(START_MS + 4 * MINUTE_MS, VICTIM, "known 0")]
    partition = Partition(ENFORCE)
    decisions = run(ENFORCE, history() + flood(6) + [gone] + after, partition)
    release = decisions.actions[-1]
    assert (release.verb, release.expires_at_ms) == ("release", gone.at_ms)
    assert release.revision > decisions.actions[-2].revision
    assert changes(decisions)[-1] == ("recycled", Level.CLEAR)
    assert partition.suspects == {}
    assert int(partition.table.words[0, 9]) >> 32 & 1, "novel to the number's new owner"
    assert run(ENFORCE, [gone], Partition(ENFORCE)).recycled == 0


def test_the_level_table_is_total_and_only_quiet_takes_a_level_down() -> None:
    assert set(NEXT) == {(level, band) for level in Level for band in Band}
    for (level, band), target in NEXT.items():
        assert target >= level or band is Band.QUIET
        assert band is not Band.QUIET or target is Level.CLEAR


def suspect_of(platforms: int, gap_s: int = 20) -> Suspect:
    """A suspect with a sighting of so many novel platforms, numbered from 1."""
    suspect = Suspect(VICTIM, str(VICTIM), 0, [], Memory(START_S // DAY_S - 30))
    for i in range(platforms):
        see(suspect, i + 1, START_S + i * gap_s)
    return suspect


def cause(after_s: int, offset: int = 100) -> Cause:
    return Cause("sms.delivery.v1", 3, offset, START_MS + after_s * 1000)


def finding(band: Band, rule: str = "burst") -> Finding:
    return Finding(band, rule, 3.0, 2.6, START_S)


def test_a_finding_opens_raises_and_leases_once() -> None:
    suspect, book = suspect_of(5), EpisodeLog()
    advance(SIGNED, RULES, book, suspect, cause(40, 7), finding=finding(Band.WATCH), flood=3)
    assert [(r.change, r.level) for r in book.records] == [("opened", Level.WATCH)]
    assert book.actions == []
    advance(SIGNED, RULES, book, suspect, cause(80, 9), finding=finding(Band.THROTTLE), flood=5)
    advance(SIGNED, RULES, book, suspect, cause(90, 10), finding=finding(Band.THROTTLE), flood=5)
    assert [(r.change, r.level) for r in book.records[1:]] == [("raised", Level.THROTTLE)]
    (action,) = book.actions
    assert (action.action_id, action.episode_id, action.revision) == (
        "2:sms.delivery.v1:3:9",
        "2:sms.delivery.v1:3:7",
        9,
    )
    assert (action.verb, action.mode, action.level) == ("throttle", "enforce", Level.THROTTLE)
    assert action.expires_at_ms == action.issued_at_ms + SIGNED.lease_ms
    assert (action.version, action.config) == ("1.0", "cafe")
    assert action.scope.trust == ALWAYS_PASS
    assert action.opened_ms == cause(40).at_ms


def test_calm_opens_nothing() -> None:
    suspect, book = suspect_of(5), EpisodeLog()
    advance(SIGNED, RULES, book, suspect, cause(90), finding=CALM, flood=5)
    assert suspect.episode is None
    assert book.records == []


def throttled() -> tuple[Suspect, EpisodeLog]:
    suspect, book = suspect_of(5), EpisodeLog()
    advance(SIGNED, RULES, book, suspect, cause(80), finding=finding(Band.THROTTLE), flood=5)
    return suspect, book


@pytest.mark.parametrize(
    ("flood", "after_s", "renewed"),
    [
        ([11, 12, 13], 299, False),  # not half over
        ([11, 12, 13], 300, True),
        ([11, 12, 12], 300, False),  # two platforms
        ([11, 12, None], 300, False),  # what would pass is no evidence
    ],
)
def test_a_lease_is_renewed_by_three_platforms_past_its_half(
    flood: list[int | None], after_s: int, renewed: bool
) -> None:
    suspect, book = throttled()
    for i, platform in enumerate(flood):
        at_s = 80 + after_s - len(flood) + 1 + i
        advance(SIGNED, RULES, book, suspect, cause(at_s, 200 + i), finding=CALM, flood=platform)
    assert [r.change for r in book.records[1:]] == ["renewed"] * renewed
    assert len(book.actions) == 1 + renewed


def test_a_renewal_says_what_changed_and_is_whole_with_the_record_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same flood, with renewals that say everything: what their readers put together."""
    events = history() + flood(90, gap_ms=50_000)
    told = run(ENFORCE, events)

    def whole(
        book: EpisodeLog, suspect: Suspect, of: Episode, action: Action, _since_ms: int
    ) -> EpisodeRecord:
        params, rules = ENFORCE.episode, ENFORCE.judge
        return episode._record(params, rules, book, suspect, of, action.cause, change="renewed")

    monkeypatch.setattr(episode, "_renewal", whole)
    expected = run(ENFORCE, events)
    assert told.actions == expected.actions
    before, renewals = told.episodes[0], 0
    for record, full in zip(told.episodes, expected.episodes, strict=True):
        assert (record.since_ms is not None) == (record.change == "renewed")
        if record.since_ms is None:
            assert record == full
            before = merge_renewal(record, before)
            continue
        renewals += 1
        assert record.since_ms == before.at_ms
        assert len(wire.encode_episode(record)) < len(wire.encode_episode(full)) / 2
        before = merge_renewal(record, before)
        same = replace(
            full, rungs=before.rungs, scope=before.scope, known=before.known,
            memory_days=before.memory_days, sightings=before.sightings,
            evidence=replace(full.evidence, first_ms=told.episodes[0].evidence.first_ms),
        )  # fmt: skip
        assert before == same
        assert set(full.sightings) <= set(before.sightings)
        assert list(before.sightings) == sorted(before.sightings, key=attrgetter("at_ms"))
    assert renewals > 5
    assert merge_renewal(told.episodes[0], before) == told.episodes[0]
    first_ms = before.evidence.first_ms  # a large flood's later records know later sightings alone
    for each in (told.episodes[0], told.episodes[-1]):
        late = replace(each, evidence=replace(each.evidence, first_ms=first_ms + 60_000))
        assert merge_renewal(late, before).evidence.first_ms == first_ms


def test_a_lease_that_a_wrong_clock_gave_is_given_anew_with_the_whole_record() -> None:
    suspect, book = throttled()
    assert suspect.episode is not None
    suspect.episode.issued_ms = suspect.episode.expires_ms = 0  # as the chain puts it right
    advance(SIGNED, RULES, book, suspect, cause(90, 200), finding=CALM, flood=3)
    assert [(r.change, r.since_ms) for r in book.records[1:]] == [("renewed", None)]
    assert book.records[-1].path == book.records[0].path != ()


def test_the_mass_of_messages_renews_a_lease_by_itself() -> None:
    for rule, renewed in (("mass_10min", 1), ("burst", 0)):
        suspect, book = throttled()
        mass = finding(Band.THROTTLE, rule)
        advance(SIGNED, RULES, book, suspect, cause(400, 200), finding=mass, flood=3)
        assert len(book.actions) == 1 + renewed


@pytest.mark.parametrize(
    ("known", "days", "mode"),
    [(5, 29, "shadow"), (6, 0, "enforce"), (0, 30, "enforce"), (0, 29, "shadow")],
)
def test_who_knows_few_platforms_is_throttled_in_shadow_for_a_month(
    known: int, days: int, mode: str
) -> None:
    params = EpisodeParams(mode="enforce")
    suspect, book = suspect_of(5), EpisodeLog()
    suspect.memory = Memory(START_S // DAY_S - days, range(50, 50 + known))
    advance(params, RULES, book, suspect, cause(90), finding=finding(Band.THROTTLE), flood=5)
    assert {action.mode for action in book.actions} == {mode}


def test_an_episode_ends_when_quiet_or_when_it_has_lasted_its_longest() -> None:
    episode = Episode("e", START_S, START_S)
    assert ends_s(SIGNED, episode) == START_S + SIGNED.quiet_s
    episode.last_flood_s = START_S + SIGNED.episode_most_s - 1
    assert ends_s(SIGNED, episode) == START_S + SIGNED.episode_most_s
    assert not over(SIGNED, episode, START_S + SIGNED.episode_most_s - 1)
    assert over(SIGNED, episode, START_S + SIGNED.episode_most_s)
    assert ahead_of(episode, episode.last_flood_s - 1)
    assert not ahead_of(episode, episode.last_flood_s)


def test_what_was_seen_in_an_episode_that_ended_is_tainted_unless_it_was_confirmed() -> None:
    suspect, book = throttled()
    end(SIGNED, RULES, book, suspect, cause(4000, 900))
    assert suspect.episode is None
    assert (book.records[-1].change, book.records[-1].path[-1].rule) == ("ended", "quiet")
    assert set(suspect.tainted) == {1, 2, 3, 4, 5}, "five platforms in 80 s may be chance"
    confirmed = suspect_of(60, gap_s=2)
    advance(SIGNED, RULES, book, confirmed, cause(130), finding=finding(Band.THROTTLE), flood=5)
    end(SIGNED, RULES, book, confirmed, cause(4000, 901))
    assert confirmed.sightings == [], "sixty in two minutes are none: all counts afresh"


def test_only_an_open_episode_ends() -> None:
    with pytest.raises(AssertionError, match="open episode"):
        end(SIGNED, RULES, EpisodeLog(), suspect_of(3), cause(0))


def test_a_new_owner_gets_a_lease_released_only_while_it_runs() -> None:
    for after_s, verbs in ((100, ["throttle", "release"]), (5000, ["throttle"])):
        suspect, book = throttled()
        recycle(SIGNED, RULES, book, suspect, cause(after_s, 300))
        assert [action.verb for action in book.actions] == verbs
        assert (book.records[-1].change, suspect.episode) == ("recycled", None)
    book = EpisodeLog()
    recycle(SIGNED, RULES, book, suspect_of(3), cause(0))
    assert (book.actions, book.records) == ([], [])


def test_days_of_throttles_are_remembered_for_so_many_recipients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("detectors.episodes.episode.CHRONIC_MAX", 3)
    params = EpisodeParams()
    book = EpisodeLog()
    for recipient in range(5):
        suspect = suspect_of(5)
        suspect.recipient = recipient
        advance(params, RULES, book, suspect, cause(90), finding=finding(Band.THROTTLE), flood=5)
    assert list(book.chronic) == [2, 3, 4]
