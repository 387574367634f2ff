"""The throttle as a weapon: whatever is sent at a victim, what it lives on is never refused."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from hypothesis import example, given, settings, strategies as st

from detectors.chain import Params, Partition
from detectors.episodes.lease import EpisodeParams
from detectors.leases.gateway_rule import Lease, Ruling, rule
from detectors.leases.rails import RailParams
from detectors.model.event import Trust
from detectors.model.records import ALWAYS_PASS
from streams.wire.desired_state import DesiredState, desired_lease, take_action, take_override
from tests.detectors.stand_in import DAY_MS, MINUTE_MS, START_MS, Event, run
from tests.enforce.records import override

VICTIM = 8613800000001
ENFORCE = Params(episode=EpisodeParams(mode="enforce", enforce_cold=True))
ALLOWED = "sig:allowed"
REMEMBERED = 14

Sent = list[tuple[int, int, int]]
"""Milliseconds since the message before, platform, class of trust."""

FLOOD: Sent = [(2_000, number, 0) for number in range(40)]

# Platforms from 0 are the attacker's own, those below are ones that the victim knows.
sent = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from([0, 1_000, 15_000, MINUTE_MS, 5 * MINUTE_MS, 11 * MINUTE_MS]),
            st.integers(0, 20 * MINUTE_MS),
        ),
        st.integers(-20, 120),
        st.sampled_from([0, 0, 0, 0, *map(int, Trust)]),
    ),
    max_size=60,
)  # at most 20 hours together
use = st.lists(st.tuples(st.integers(0, 19), st.integers(2, 30)), min_size=1, max_size=60)


def name(number: int) -> str:
    return f"sig:new {number}" if number >= 0 else f"sig:known {-number - 1}"


def history(uses: list[tuple[int, int]]) -> list[Event]:
    """Ordinary use: a platform so many days before the start, at a minute of its own."""
    return sorted(
        Event(START_MS - days * DAY_MS + at * 7 * MINUTE_MS, VICTIM, f"sig:known {platform}")
        for at, (platform, days) in enumerate(uses)
    )


def leases(uses: list[tuple[int, int]], attack: Sent) -> Iterator[tuple[Lease, int]]:
    """What a gateway holds, with a time at which it does, after each action of the detector."""
    times = accumulate((step_ms for step_ms, _, _ in attack), initial=START_MS)
    events = [
        Event(at_ms, VICTIM, name(number), trust)
        for at_ms, (_, number, trust) in zip(times, attack, strict=False)
    ]
    partition = Partition(ENFORCE)
    book = DesiredState(RailParams())
    take_override(
        book, override("allow", str(VICTIM), platform=ALLOWED, issued_at_ms=0, expires_at_ms=None)
    )
    for action in run(ENFORCE, history(uses) + events, partition).actions:
        take_action(book, action, action.issued_at_ms)
        lease = desired_lease(book, action.recipient, action.issued_at_ms)
        if isinstance(lease, Lease):
            yield lease, action.issued_at_ms


def ruling(lease: Lease, at_ms: int, platform: str, trust: Trust = Trust.NONE) -> Ruling:
    return rule(lease, otp=True, platform=platform, trust=trust, now_ms=at_ms)


@given(uses=use, attack=sent)
@example(uses=[(platform, 7) for platform in range(20)], attack=FLOOD)
@example(uses=[(0, 30)], attack=[(1_000, 0, 0)] * 10 + FLOOD)
@settings(max_examples=60)
def test_trusted_allowed_and_the_fourteen_known_platforms_used_last_always_pass(
    uses: list[tuple[int, int]], attack: Sent
) -> None:
    newest_first = dict.fromkeys(event.platform for event in reversed(history(uses)))
    known = list(newest_first)[:REMEMBERED]
    for lease, at_ms in leases(uses, attack):
        for platform in (*known, ALLOWED):
            assert ruling(lease, at_ms, platform) in (Ruling.KNOWN, Ruling.OTHER)
        for trust in ALWAYS_PASS:
            assert ruling(lease, at_ms, "sig:never seen", trust) is Ruling.TRUSTED


def test_what_the_property_looks_at_are_leases_that_refuse() -> None:
    held = list(leases([(platform, 7) for platform in range(20)], FLOOD))
    assert held
    for lease, at_ms in held:
        assert ruling(lease, at_ms, name(39)) is Ruling.REFUSE
        assert ruling(lease, at_ms, "sig:never seen") is Ruling.REFUSE
