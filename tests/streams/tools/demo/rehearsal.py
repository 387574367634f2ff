"""The demo's script played without a broker: one partition, one message after the other."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detectors.chain import Partition, process
from detectors.leases.gateway_rule import Ruling
from detectors.recognise.platform.registry import Registry
from detectors.recognise.recogniser import Recogniser
from streams.config import Settings
from streams.tools.demo.demo_gateway import StandInGateway
from streams.tools.demo.play import Record
from streams.tools.demo.run import compose
from streams.tools.demo.script import Timetable, script
from streams.tools.demo.story import Machinery, Story
from streams.tools.scenarios.labelled_events import Labelled
from streams.wire import decode, encode_episode

HISTORY_BATCH = 20_000


class Rehearsal:
    """A gateway and a detector in one process; what the detector decides is known at once."""

    def __init__(self, play: Timetable) -> None:
        settings = Settings(mode="enforce")
        self.play = play
        self.registry = Registry.load_shipped()
        self.recogniser = Recogniser(self.registry)
        self.intake, self.params = settings.intake(), settings.params()
        self.partition = Partition(self.params)
        self.gateway = StandInGateway(self.registry, play.subscribers)
        self.record = Record()

    def feed(self, events: list[Labelled]) -> None:
        first = self.record.offered
        self.record.offered += len(events)
        decoded = decode(
            self.intake,
            "sms.delivery.v1",
            0,
            [msgspec.json.encode(event.value) for event in events],
            [event.value["recipient"].encode() for event in events],
            range(first, self.record.offered),
            None,
            self.record.offered,
        )
        assert not decoded.rejects
        decided = process(
            self.params, self.partition, decoded.batch, self.recogniser.columns(decoded.batch)
        )
        for action in decided.actions:
            self.gateway.learn(action)
            if action.recipient == self.play.victim:
                self.record.actions.append(action)
            else:
                self.record.strangers += 1
        self.record.episodes += [
            msgspec.json.decode(encode_episode(episode))
            for episode in decided.episodes
            if episode.recipient == self.play.victim
        ]

    def history(self, events: Iterable[Labelled]) -> None:
        """Feed it in batches."""
        events = list(events)
        for i in range(0, len(events), HISTORY_BATCH):
            self.feed(events[i : i + HISTORY_BATCH])

    def live(self, events: Iterable[Labelled]) -> None:
        """The gateway answers, then the detector hears of it: of the others' in batches."""
        waiting: list[Labelled] = []
        for event in events:
            recipient = event.value["recipient"]
            waiting.append(event)
            if recipient != self.play.victim:
                self.record.refused += self.gateway.ask(recipient, event.value) is Ruling.REFUSE
                continue
            self.feed(waiting[:-1])
            self.record.answers.append(self.gateway.ask(recipient, event.value))
            self.feed([event])
            waiting.clear()
        self.feed(waiting)


def rehearse(seed: int, subscribers: int) -> Story:
    """The story of one run, as `otpguard demo` would tell it with no time lost on the way."""
    play = script(seed, subscribers)
    rehearsal = Rehearsal(play)
    rehearsal.history(play.history)
    history = rehearsal.record.offered
    rehearsal.live(play.live)
    offered = rehearsal.record.offered
    machinery = Machinery("test", "none", 1, seed, 60, history, offered, offered, 0, 1.0)
    return compose(play, rehearsal.gateway, rehearsal.record, machinery)
