"""Many messages of few platforms: what is a flood, what a nuisance, and what is neither."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from detectors import judge_pass
from detectors.chain import Params, Partition
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import TICK_OFFSETS, Trust, platform_id
from detectors.model.records import Action, Level, refuses, seconds, utc_ms
from detectors.model.times import DAY_S
from detectors.recipients.row import Memory, word
from detectors.suspects.judge import Finding
from detectors.suspects.suspect import Suspect
from detectors.suspects.volume import close_messages, first_sighting_s, has_heard, hear, mass
from detectors.thresholds import MASS_HELD
from tests.builders.detectors.chain import VICTIM, history, idle, refused
from tests.detectors.stand_in import HOUR_MS, MINUTE_MS, START_MS, Event, run

ENFORCE = Params(episode=EpisodeParams(mode="enforce"))
START_S = seconds(START_MS)


def primed(platforms: int, gap_s: float, repeats: int, pace_s: float = 1) -> list[Event]:
    """So many platforms at this gap, then as many more codes of each, in turn."""
    first = [Event(START_MS + int(i * gap_s * 1000), VICTIM, f"p{i}") for i in range(platforms)]
    start_ms = first[-1].at_ms
    again = [
        Event(start_ms + int((n + 1) * pace_s * 1000), VICTIM, f"p{n % platforms}")
        for n in range(platforms * repeats)
    ]
    return first + again


def levels(events: list[Event]) -> list[tuple[int, Level, str]]:
    """Codes of the flood up to each rise, the level, the rule."""
    before = history()
    decisions = run(ENFORCE, before + events)
    return [
        (record.revision - len(before) + 1, record.level, record.reason.rule)
        for record in decisions.episodes
        if record.kind == "flood" and record.change in ("opened", "raised")
    ]


@pytest.mark.parametrize(
    ("platforms", "gap_s", "repeats", "most"),
    [(12, 41, 15, 49), (36, 41, 10, 64), (53, 60, 10, 75), (5, 41, 40, 50), (8, 3600, 10, 53)],
)
def test_priming_platforms_does_not_buy_a_blast_of_their_codes(
    platforms: int, gap_s: float, repeats: int, most: int
) -> None:
    found = levels(primed(platforms, gap_s, repeats))
    assert found[-1][1] is Level.THROTTLE
    assert found[-1][0] <= most


def test_a_blast_platform_by_platform_is_found_too() -> None:
    events = primed(12, 41, 0)
    at_ms = events[-1].at_ms
    blast = [Event(at_ms + n * 1000, VICTIM, f"p{n // 15}") for n in range(1, 180)]
    found = levels(events + blast)
    assert found[-1][1] is Level.THROTTLE
    assert found[-1][0] <= 12 + 75


def test_a_platform_was_heard_for_a_day_after_its_message_also_when_the_flood_ended() -> None:
    sightings = [word(START_S - 60 - n, 1, n) for n in range(5, 0, -1)]
    suspect = Suspect(VICTIM, "", 0, sightings, Memory(0))
    at_ms = utc_ms(START_S)
    hear(suspect, 1, at_ms, at_ms, refused=False, loud=False)
    hear(suspect, 2, at_ms, at_ms, refused=True, loud=False)
    for _ in range(2):
        assert not has_heard(suspect, 1, at_ms), "the message itself"
        assert has_heard(suspect, 1, at_ms + 1)
        assert has_heard(suspect, 1, at_ms + DAY_S * 1000 - 1)
        assert not has_heard(suspect, 1, at_ms + DAY_S * 1000)
        assert not has_heard(suspect, 2, at_ms + 1), "a refused code"
        close_messages(suspect)


def test_evidence_does_not_begin_with_a_sighting_of_an_earlier_day() -> None:
    """A page's number that came days ago is known, so its old code is no part of the flood."""
    sightings = [word(START_S - DAY_S - 60, 1, 7), word(START_S - DAY_S + 60, 1, 8)]
    suspect = Suspect(VICTIM, "", 0, sightings, Memory(0))
    for platform in (7, 8):
        hear(suspect, platform, utc_ms(START_S), utc_ms(START_S), refused=False, loud=True)
    assert first_sighting_s(suspect, suspect.heard) == START_S - DAY_S + 60
    assert first_sighting_s(suspect, suspect.heard[:1]) == START_S


@pytest.mark.parametrize("gap_ms", [2_000, 10_000, 31_000], ids=["30/min", "6/min", "2/min"])
def test_one_sender_that_floods_is_watched_and_never_throttled(gap_ms: int) -> None:
    events = [Event(START_MS + n * gap_ms, VICTIM, "from:") for n in range(300)]
    found = levels(events)
    assert [level for _, level, _ in found] == [Level.WATCH]
    assert found[0][0] <= 63
    assert found[0][2].startswith("mass_")


def test_one_page_asked_again_and_again_beside_four_log_ins_holds_nobody() -> None:
    logins = primed(5, 60, 0)
    page = [Event(logins[-1].at_ms + n * 4_000, VICTIM, "p2") for n in range(1, 300)]
    assert Level.THROTTLE not in [level for _, level, _ in levels(logins + page)]


@pytest.mark.parametrize("pause_s", [10, 20, 45])
def test_six_retries_of_each_of_five_log_ins_are_no_flood(pause_s: int) -> None:
    events, at_ms = [], START_MS
    for platform in range(5):
        for _ in range(7):
            events.append(Event(at_ms, VICTIM, f"p{platform}"))
            at_ms += pause_s * 1000
        at_ms += 50_000
    assert levels(events) == []


def test_a_watched_blast_of_one_platform_is_not_counted_at_each_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three windows were counted anew each time, which could change nothing: 180 us an event."""
    counted: list[int] = []

    def counting(suspect: Suspect, at_ms: int, other: Finding, divisor: int) -> Finding:
        counted.append(at_ms)
        return mass(suspect, at_ms, other, divisor)

    monkeypatch.setattr(judge_pass, "mass", counting)
    primed_ = primed(6, 3600, 0)
    blast = [Event(primed_[-1].at_ms + n * 30, VICTIM, "p2") for n in range(1, 3_000)]
    assert levels(primed_ + blast)[-1][1] is Level.WATCH
    assert len(counted) < 2 * MASS_HELD


def test_known_platforms_have_no_mass() -> None:
    events = [Event(START_MS + n * 2_000, VICTIM, f"known {n % 14}") for n in range(600)]
    assert levels(events) == []


def doubled(events: list[Event], how: str) -> list[Event]:
    """Every event twice: at once, a hundred later, or all again at the end of the stream.

    Others' messages go on meanwhile: what comes late is late by the log's own time.
    """
    if how == "at-once":
        return [event for event in events for _ in range(2)]
    newest = events[-1]
    others = (newest._replace(recipient=8613700000000 + i) for i in range(4 * len(events)))
    behind = 100 if how == "later" else len(events)
    stream = []
    for i in range(len(events) + behind):
        stream += events[i : i + 1]
        if i >= behind:
            now_ms = max(event.at_ms for event in events[: i + 1])
            stream += [next(others)._replace(at_ms=now_ms), next(others)._replace(at_ms=now_ms)]
            stream.append(events[i - behind])
    return stream


def flood_of(seed: int) -> list[Event]:
    rng = random.Random(seed)
    events = primed(rng.choice([4, 8, 12, 36]), rng.choice([20, 41, 60, 600]), rng.randint(1, 12))
    return sorted(e._replace(at_ms=e.at_ms + rng.randrange(500)) for e in events)


def told(actions: list[Action]) -> list[tuple[object, ...]]:
    """What gateways do, without positions in the log."""
    return [
        (a.recipient, a.verb, a.mode, a.level, a.issued_at_ms, a.expires_at_ms, a.opened_ms,
         a.reason, a.evidence, a.scope)
        for a in actions
        if not a.update
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["at-once", "later", "again"])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_delivered_twice_counts_once(how: str, seed: int) -> None:
    events = flood_of(seed)
    once = run(ENFORCE, history() + events)
    twice = run(ENFORCE, history() + doubled(events, how))
    assert told(twice.actions) == told(once.actions)


def retried(events: list[Event], seed: int) -> Iterator[Event]:
    """As a sender has it that tries again, 30 to 60 s later, up to five times, what is refused."""
    rng = random.Random(seed)
    partition = Partition(ENFORCE)
    run(ENFORCE, history(), partition)
    leases: list[Action] = []
    waiting = [(e, 0) for e in events]
    while waiting:
        waiting.sort()
        event, tries = waiting.pop(0)
        yield event
        live = [a for a in leases if a.issued_at_ms < event.at_ms < a.expires_at_ms]
        held = live and refuses(live[-1].scope, platform_id(event.platform), Trust(event.trust))
        if held and tries < 5:
            later_ms = event.at_ms + rng.randrange(30_000, 60_001)
            waiting.append((event._replace(at_ms=later_ms), tries + 1))
        leases += run(ENFORCE, [event], partition).actions


@pytest.mark.parametrize("seed", range(12))
def test_a_senders_retries_of_what_is_refused_change_nothing(seed: int) -> None:
    events = flood_of(seed)
    plain = run(ENFORCE, history() + events)
    again = list(retried(events, seed))
    assert told(run(ENFORCE, history() + again).actions) == told(plain.actions)
    if plain.actions:
        assert len(again) > len(events)


@pytest.mark.parametrize(
    ("platforms", "period_s"),
    [
        (10, 30),
        (60, 60),
        (60, 85),
        (60, 45),
        pytest.param(200, 85, marks=pytest.mark.slow),
        pytest.param(250, 88, marks=pytest.mark.slow),
    ],
)
def test_codes_that_come_again_before_a_minute_and_a_half_is_over_are_no_retries_for_ever(
    platforms: int, period_s: int
) -> None:
    """They renewed no lease, and what came within 90 s of its end was evidence of nothing."""
    step_ms = period_s * 1000 / platforms
    events = [
        Event(START_MS + int(n * step_ms), VICTIM, f"p{n % platforms}")
        for n in range(int(HOUR_MS / step_ms))
    ]
    assert reached(events) <= 5 + 4 * 5, "and four after each lease"


def test_codes_timed_to_the_end_of_a_lease_are_no_retries() -> None:
    """The row of each platform begins just before the lease could be renewed, and outlives it."""
    ends = [*range(0, 290, 95), *range(295, 660, 60)]
    events = sorted(
        Event(START_MS + (round_s + at_s) * 1000 + n * 40, VICTIM, f"p{n}")
        for round_s in range(0, 3_600, 661)
        for at_s in ends
        for n in range(60)
    )
    assert reached(events) <= 30


def reached(events: list[Event]) -> int:
    """Codes that reach the victim in an hour, where gateways obey at once; but second requests."""
    decisions = run(ENFORCE, history() + events)
    return len(events) - len(refused(events, decisions.actions))


def test_a_throttled_persons_own_retries_do_not_prolong_it() -> None:
    """Two more platforms by turns, a code a minute: no evidence that the flood goes on."""
    flood = [Event(START_MS + i * 20_000, VICTIM, f"p{i}") for i in range(5)]
    own = [Event(START_MS + n * MINUTE_MS, VICTIM, f"mine {n % 2}") for n in range(3, 400)]
    decisions = run(ENFORCE, history() + sorted(flood + own))
    full = [a for a in decisions.actions if a.verb == "throttle" and not a.update]
    assert len(full) == 1


def test_what_primed_a_blast_is_not_known_on_the_next_day() -> None:
    """Twelve platforms an hour apart and then their mass: the next day finds them novel again."""
    events = primed(12, 3600, 10)
    day_ms = events[-1].at_ms + 25 * HOUR_MS - START_MS
    next_day = [e._replace(at_ms=e.at_ms + day_ms) for e in primed(12, 20, 0)]
    quiet = idle(3 * TICK_OFFSETS, events[-1].at_ms + HOUR_MS, 1000)
    records = run(ENFORCE, history() + events + quiet + next_day).episodes
    rises = [r.reason.rule for r in records if r.change in ("opened", "raised")]
    assert rises[-1] == "relapse"
    assert all(s.novel for s in records[-1].sightings)
