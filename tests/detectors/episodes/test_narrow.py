"""A slow flood's lease refuses the flood and nothing else. Rules are off, in shadow, or enforce."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.chain import Params, Partition, restore, snapshot
from detectors.episodes.lease import EpisodeParams
from detectors.model.event import EventKind, platform_id
from detectors.suspects.judge import JudgeParams
from tests.builders.detectors.chain import VICTIM, flood, history
from tests.builders.detectors.episodes.limit import alone, arrivals, delivered
from tests.detectors.stand_in import HOUR_MS, MINUTE_MS, START_MS, Event, run

ENFORCE = Params(episode=EpisodeParams(mode="enforce"))


def kept_alive(hours: int = 48) -> list[Event]:
    """A flood of one code in six minutes, and then in 20 minutes, of the same 26 platforms."""
    fast = [Event(START_MS + n * 6 * MINUTE_MS, VICTIM, f"p{n}") for n in range(26)]
    rest = range(26 * 6 * MINUTE_MS, hours * HOUR_MS, 20 * MINUTE_MS)
    return fast + [Event(START_MS + at, VICTIM, f"p{n % 26}") for n, at in enumerate(rest)]


def own(hours: int = 48) -> list[Event]:
    return [Event(START_MS + h * HOUR_MS + 9000, VICTIM, f"mine {h}") for h in range(5, hours, 3)]


def with_rules(**modes: str) -> Params:
    return replace(ENFORCE, judge=JudgeParams(rules=modes))  # type: ignore[arg-type]


def test_new_platforms_of_the_victim_arrive_while_a_slow_flood_keeps_its_lease_alive() -> None:
    events = sorted(history() + kept_alive() + own())
    came = delivered(run(ENFORCE, events), events)
    lost = [e.platform for e in own() if not came[e.platform]]
    assert len(lost) <= 1
    assert sum(came[f"p{n}"] for n in range(26)) <= 26 + 26 + 9
    full = delivered(run(with_rules(narrow="off"), events), events)
    assert sum(not full[e.platform] for e in own()) >= 5, "else the test proves nothing"


@pytest.mark.parametrize("lead_s", [5, 60, 300])
def test_a_platform_that_a_slow_flood_asks_for_arrives_by_pressing_again(lead_s: int) -> None:
    """The attacker asks for it before each of 22 requests. The victim presses three times."""
    asked = [START_MS + (5 + 2 * n) * HOUR_MS + n * 131_000 for n in range(22)]
    attack = [Event(at_ms - lead_s * 1000, VICTIM, "x") for at_ms in asked]
    presses = [Event(at_ms + n * 75_000, VICTIM, "x") for at_ms in asked for n in range(3)]
    events = sorted(history() + kept_alive() + attack + presses)
    arrived = arrivals(run(ENFORCE, events), events)
    came_ms = [e.at_ms for e in arrived if e.platform == "x"]
    assert all(any(0 <= ms - at_ms <= 150_000 for ms in came_ms) for at_ms in asked)


def test_a_lease_is_narrow_and_full_by_turns_and_names_each_further_platform() -> None:
    alive = kept_alive()
    further = [Event(e.at_ms + 7000, VICTIM, f"more {n}") for n, e in enumerate(alive[60::12])]
    decisions = run(ENFORCE, history() + sorted(alive + further))
    leases = [a for a in decisions.actions if not a.update]
    assert {a.verb for a in leases} == {"throttle", "throttle_platforms"}
    narrow = [a for a in leases if a.verb == "throttle_platforms"]
    named = set(narrow[-1].refused_ids)
    assert {platform_id(f"p{n}") for n in range(26)} <= named
    assert platform_id(further[0].platform) in named


def test_a_fast_flood_has_a_full_lease_at_once() -> None:
    decisions = run(ENFORCE, history() + flood(40))
    assert {a.verb for a in decisions.actions} == {"throttle"}


def test_a_fast_flood_through_a_gateway_whose_clock_is_behind_makes_a_narrow_lease_full() -> None:
    """Otherwise a code in 5 s arrives until its times have reached the narrow lease's begin."""
    slow = history() + kept_alive(6)
    fast = flood(30, 5_000, slow[-1].at_ms - 45 * MINUTE_MS, "fast")
    assert run(ENFORCE, slow).actions[-1].verb == "throttle_platforms"
    throttles = [a for a in run(ENFORCE, slow + fast).actions if a.verb == "throttle"]
    assert len(slow) <= throttles[-1].revision <= len(slow) + 5


def test_a_narrow_lease_outlives_a_restart() -> None:
    events = history() + sorted(kept_alive(8) + own(8))
    whole = run(ENFORCE, events)
    assert alone(whole)
    for cut in range(len(history()) + 13, len(events), 3):
        partition = Partition(ENFORCE)
        first = run(ENFORCE, events[:cut], partition)
        again = run(ENFORCE, events[cut:], restore(ENFORCE, snapshot(partition)))
        assert first.actions + again.actions == whole.actions


def test_a_new_owner_of_the_number_has_no_narrow_lease() -> None:
    events = history() + kept_alive(4)
    recycled = Event(events[-1].at_ms + 1, VICTIM, "", 0, EventKind.RECYCLED)
    before, last = run(ENFORCE, [*events, recycled]).actions[-2:]
    assert (before.verb, last.verb) == ("throttle_platforms", "throttle_platforms")
    assert (last.refused_ids, last.mode) == ((), "enforce")


def test_windows_are_records_of_their_own_if_every_gateway_reads_them() -> None:
    params = replace(ENFORCE, episode=EpisodeParams(mode="enforce", window_records=True))
    events = history() + flood(40)
    told, plain = (run(each, events).actions for each in (params, ENFORCE))
    assert [replace(a, verb="throttle") for a in told] == plain
    assert [a.verb for a in told if a.update] == ["retry_windows"] * sum(a.update for a in plain)
    assert any(a.update for a in plain)


@pytest.mark.parametrize(("mode", "modes"), [("off", set()), ("shadow", {"shadow"})])
def test_a_rule_is_off_or_in_shadow(mode: str, modes: set[str]) -> None:
    """One code a minute round 40 platforms: only the rule about returns finds it."""
    slow = [Event(START_MS + n * MINUTE_MS, VICTIM, f"p{n % 40}") for n in range(100)]
    actions = run(with_rules(returns=mode, volume="off"), history() + slow).actions
    assert {a.mode for a in actions if a.verb == "throttle"} == modes
    rush = [Event(slow[-1].at_ms + n * 3000, VICTIM, f"rush {n}") for n in range(1, 12)]
    actions = run(with_rules(returns=mode, volume="off"), history() + slow + rush).actions
    assert actions[-1].mode == "enforce", "a rule in shadow does not weaken the others"


def test_rules_and_modes_have_names() -> None:
    for modes in ({"burst": "off"}, {"limit": "on"}):
        with pytest.raises(ValueError, match="rules must map"):
            with_rules(**modes)
