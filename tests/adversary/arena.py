"""Plays an attacker's plan through the real path of an event.

JSON, decoder, recogniser and chain as in the worker; leases reach a gateway half a second after
they were made, past its rails. Offsets run with time, so that ticks come as they do in a quiet
partition, and a metronome of ordinary messages moves the watermark.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

import msgspec
import numpy as np

from detectors.chain import Params, Partition, process
from detectors.episodes.lease import EpisodeParams
from detectors.leases.gateway_rule import Ruling
from detectors.leases.rails import RailParams, Rails, admit
from detectors.model.event import Trust
from detectors.model.records import Action, EpisodeRecord, Level
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import RecogniseParams, Recogniser
from streams.wire.events import Intake, decode
from streams.wire.recipients import Numbers
from tests.adversary.moves import DAY_MS, HOUR_MS, MINUTE_MS, Kind, Move, Shot
from tests.adversary.promises import DAYS_TO_TEACH
from tests.scenarios.play import Gateway

INTAKE: Final = Intake(Numbers("CN"))
REGISTRY: Final = Registry.load_shipped()
PARAMS: Final = Params(episode=EpisodeParams(mode="enforce"))
OFFSETS_PER_S: Final = 16
BATCH: Final = 2048
LEARNT_CODES: Final = 5
"""More codes of a platform than can come before a throttle, at two seconds each."""


@dataclass(slots=True)
class Played:
    """What became of a plan."""

    unseen_most: int = 0  # codes new to the victim within an hour, no episode open
    reached_most: int = 0  # codes of the attacker that reached the victim within ten minutes
    tail_ms: int = 0  # from the last evidence of a flood to the end of the last lease
    own_refused: list[str] = field(default_factory=list)
    trusted: int = 0  # codes of the attacker that came as trusted
    rails: int = 0  # leases that a rail refused
    throttled: int = 0
    watched: int = 0
    codes: int = 0  # of the attacker
    reached: int = 0  # of those, codes that were not refused
    learnt: int = 0  # platforms taught on too few days of which five codes and more passed
    dead_letters: int = 0


def play(moves: Sequence[Move], params: Params = PARAMS, batch: int = BATCH) -> Played:
    """Play the shots of all moves in the order of their arrival."""
    shots = sorted((shot for move in moves for shot in move.shots), key=lambda s: s.arrives_ms)
    partition = Partition(params)
    recogniser = Recogniser(REGISTRY, RecogniseParams())
    played = Played()
    judged: list[tuple[Shot, bool, int, Trust]] = []
    actions: list[Action] = []
    records: list[EpisodeRecord] = []
    first = shots[0].arrives_ms
    offset = 0
    for start in range(0, len(shots), batch):
        part = shots[start : start + batch]
        offsets = []
        for shot in part:
            wanted = (shot.arrives_ms - first) * OFFSETS_PER_S // 1000
            if shot.kind is Kind.METRONOME:  # every 16th offset is sampled for clocks and watermark
                wanted = -(-max(wanted, offset) // 16) * 16
            offset = max(wanted, offset)
            offsets.append(offset)
            offset += 1
        decoded = decode(
            INTAKE, "adversary", 0,
            [msgspec.json.encode(shot.value) for shot in part],
            [str(shot.value["recipient"]).encode() for shot in part],
            np.array(offsets), np.array([shot.recorded_ms for shot in part]), offset,
        )  # fmt: skip
        played.dead_letters += len(decoded.rejects)
        codes = recogniser.columns(decoded.batch)
        decisions = process(params, partition, decoded.batch, codes)
        actions += decisions.actions
        records += decisions.episodes
        at = {o: i for i, o in enumerate(decoded.batch.offset.tolist())}
        for shot, o in zip(part, offsets, strict=True):
            i = at.get(o)
            otp = i is not None and bool(codes.otp[i])
            trust = Trust(int(codes.trust[i])) if otp and i is not None else Trust.NONE
            judged.append((shot, otp, int(codes.platform[i]) if i is not None else 0, trust))
    _settle(played, judged, actions, records)
    return played


def _settle(
    played: Played,
    judged: Sequence[tuple[Shot, bool, int, Trust]],
    actions: Sequence[Action],
    records: Sequence[EpisodeRecord],
) -> None:
    by_recipient: dict[str, list[Action]] = {}
    rails, params = Rails(), RailParams()
    for action in actions:
        if action.verb == "throttle":
            played.rails += _railed(rails, params, action)
        by_recipient.setdefault(action.recipient, []).append(action)
    played.throttled = sum(
        r.level is Level.THROTTLE and r.change in ("opened", "raised") for r in records
    )
    played.watched = sum(r.change == "opened" and r.kind == "flood" for r in records)
    codes = _Codes(played, by_recipient, _open_spans(records))
    for shot, otp, platform, trust in judged:
        if shot.kind in (Kind.ATTACK, Kind.OWN) and otp:
            codes.take(shot, platform, trust)
    codes.close()


@dataclass(slots=True)
class _Codes:
    """The codes that came to victims, and what became of them."""

    played: Played
    leases: dict[str, list[Action]]
    opened: dict[str, list[tuple[int, int]]]
    gateway: Gateway = field(default_factory=Gateway)
    unseen: dict[str, list[int]] = field(default_factory=dict)
    reached: dict[str, list[int]] = field(default_factory=dict)
    evident: dict[str, int] = field(default_factory=dict)
    # of each platform at each victim the days on which it came, and when the last of them began
    days: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    taught: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, shot: Shot, platform: int, trust: Trust) -> None:
        """Count one code."""
        recipient, at_ms, played = shot.value["recipient"], shot.arrives_ms, self.played
        ruling = self.gateway.ask(self.leases.get(recipient, ()), at_ms, platform, trust)
        refused = ruling is Ruling.REFUSE
        if shot.kind is Kind.OWN:
            if refused:
                played.own_refused.append(shot.platform)
            return
        played.codes += 1
        played.reached += not refused
        played.trusted += trust is not Trust.NONE
        if shot.evidence:
            self.evident[recipient] = at_ms
        who = recipient, shot.platform
        number, since_ms = self.days.get(who, (0, at_ms - DAY_MS - 1))
        if at_ms - since_ms > DAY_MS:
            number += 1
            self.days[who] = number, at_ms
        if number > 1:
            self.taught[who] += not refused and number <= DAYS_TO_TEACH
        elif not refused:
            self.reached.setdefault(recipient, []).append(at_ms)
            if not any(a <= at_ms <= b for a, b in self.opened.get(recipient, ())):
                self.unseen.setdefault(recipient, []).append(at_ms)

    def close(self) -> None:
        """Sum up."""
        played = self.played
        played.learnt = sum(count >= LEARNT_CODES for count in self.taught.values())
        unseen, reached = self.unseen.values(), self.reached.values()
        played.unseen_most = max((_densest(times, HOUR_MS) for times in unseen), default=0)
        played.reached_most = max((_densest(t, 10 * MINUTE_MS) for t in reached), default=0)
        for recipient, leases in self.leases.items():
            if recipient in self.evident:
                ends = max(_ends(leases), default=0)
                played.tail_ms = max(played.tail_ms, ends - self.evident[recipient])


def _densest(times_ms: Sequence[int], span_ms: int) -> int:
    """The most of these ascending times within a span."""
    return max(i + 1 - bisect_right(times_ms, at - span_ms) for i, at in enumerate(times_ms))


def _ends(leases: Sequence[Action]) -> Iterator[int]:
    """When each lease is over: at its end, or where the next action takes its place."""
    for lease, after in zip_longest(leases, leases[1:]):
        if lease.verb == "throttle":
            ends = lease.expires_at_ms
            yield ends if after is None else min(ends, after.issued_at_ms)


def _railed(rails: Rails, params: RailParams, action: Action) -> bool:
    """Whether a gateway's rail refuses this lease."""
    refusal = admit(
        params, rails, action.recipient,
        issued_at_ms=action.issued_at_ms, expires_at_ms=action.expires_at_ms,
        opened_ms=action.opened_ms, now_ms=action.issued_at_ms,
    )  # fmt: skip
    return refusal is not None


def _open_spans(records: Iterable[EpisodeRecord]) -> dict[str, list[tuple[int, int]]]:
    """Recipient -> from when to when an episode of it was open."""
    spans: dict[str, list[tuple[int, int]]] = {}
    begun: dict[str, tuple[str, int]] = {}
    for record in records:
        if record.change == "opened":
            begun[record.episode_id] = record.recipient, record.at_ms
        elif record.change in ("ended", "recycled") and record.episode_id in begun:
            recipient, from_ms = begun.pop(record.episode_id)
            spans.setdefault(recipient, []).append((from_ms, record.at_ms))
    for recipient, from_ms in begun.values():
        spans.setdefault(recipient, []).append((from_ms, 1 << 62))
    return spans
