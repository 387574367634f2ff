"""One run of the demo, from starting the broker to the finished story."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer

from detectors.bars import BURST_NOVEL, LEAK_MILLI_S
from detectors.model.event import platform_id
from detectors.model.records import EpisodeRecord, completed
from detectors.model.times import MINUTE_MS
from detectors.recognise.registry import Registry
from detectors.suspects.clocks import ClockClass
from detectors.suspects.judge import BURST
from streams import __version__
from streams.cluster import topics
from streams.config import Http, load
from streams.demo import stage
from streams.demo.audience import Audience
from streams.demo.brokers import Broker, BrokerError, tansu
from streams.demo.clock import EventClock
from streams.demo.desk import DeskProcess
from streams.demo.encore import encore
from streams.demo.gateway import StandInGateway
from streams.demo.play import Player, Record, Wires
from streams.demo.score import follow
from streams.demo.script import END_MS, LIVE_MS, UTC_OFFSET_MIN, Timetable, script
from streams.demo.story import (
    Background,
    BucketBars,
    LevelChange,
    Machinery,
    Minute,
    OfferedMessage,
    Story,
)
from streams.errors import UnavailableError
from streams.language import tr
from streams.scenarios.events import Labelled, Role
from streams.wire import decode_episode, encode_episode

PARTITIONS: Final = 8
"""Number of partitions, enough to share out work; a carrier's topic has 32."""

SETTINGS: Final = """\
# The settings of the demo's worker; the others have their defaults.
app_id = "otpguard-demo"
mode = "enforce"

[input]
country = "CN"

[kafka]
bootstrap = "{bootstrap}"

[topics]
partitions = {partitions}
replication = 1

[http]
port = {port}

[worker]
data_dir = "{folder}"
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The options that a user chooses."""

    seed: int
    subscribers: int
    speed: float  # Seconds of the event clock per real second.
    metrics_port: int | None  # None: the usual port, or any free one if it is in use.
    keep: bool
    desk: bool = False  # Open the abuse desk during the incident.
    stay: bool = False  # A person is present: keep the desk open until this person presses Enter.
    browse: Callable[[str], None] = lambda _: None  # Opens an address in a browser.


Told = Callable[[Story], None]


def run(options: Options, audience: Audience, told: Told = lambda _: None) -> Story:
    """Play the incident, and return the story. Raise OtpguardError if it cannot be played.

    `told` is called with the story when the incident is over. With `stay`, the desk then remains
    open for some time.
    """
    stage.check_memory()
    port = (
        stage.usual_port(Http().port_of("worker"))
        if options.metrics_port is None
        else stage.free_port(options.metrics_port, "--metrics-port")
    )
    with stage.interruptible(), stage.folder(keep=options.keep) as folder:
        if options.keep:
            audience.line(tr("Logs and settings stay in {folder}").format(folder=folder))
        audience.step(tr("Starting the broker"))
        try:
            with tansu() as kafka:
                return _on(kafka, folder, port, options, audience, told)
        except BrokerError as error:
            raise UnavailableError(str(error)) from error


def _on(
    kafka: Broker, folder: Path, port: int, options: Options, audience: Audience, told: Told
) -> Story:
    """Play the incident on a running broker."""
    began = time.monotonic()
    config = folder / "otpguard.toml"
    config.write_text(
        SETTINGS.format(bootstrap=kafka.bootstrap, partitions=PARTITIONS, port=port, folder=folder),
        encoding="utf-8",
    )
    with stage.own_settings():
        settings = load(config)
    topics.create(settings)
    wires = Wires.of(kafka.bootstrap, settings.topics)
    gateway = StandInGateway(Registry.shipped(), options.subscribers)
    play = script(options.seed, options.subscribers)
    with ExitStack() as stack:
        worker = stack.enter_context(stage.worker(config, folder / "worker.log", port))
        desk = (
            stack.enter_context(DeskProcess(config, folder / "desk.log")) if options.desk else None
        )
        audience.line(
            tr("{broker}; worker with process id {pid}").format(
                broker=kafka, pid=worker.process.pid
            )
        )
        player = Player(wires, worker, gateway, play.victim, audience)
        past = Past(play.history, play.victim)
        stories: list[Story] = []

        def begun() -> None:
            if desk is not None:
                desk.show(audience)
                options.browse(desk.link)

        def follow(clock: EventClock) -> None:
            if desk is not None:
                desk.follow(clock)

        async def after(producer: AIOKafkaProducer) -> None:
            machinery = Machinery(
                version=__version__,
                broker=kafka.version,
                partitions=PARTITIONS,
                seed=options.seed,
                speed=options.speed,
                history=player.history,
                offered=player.record.offered,
                counted=int(worker.metric("otpguard_events_total", outcome="counted")),
                dead_letters=int(worker.metric("otpguard_dead_letters_total")),
                took_s=time.monotonic() - began,
            )
            stories.append(compose(play, past.victims, gateway, player.record, machinery))
            if desk is not None and options.stay:
                told(stories[0])
                await encore(player, producer, play, options.seed, desk)

        values = (event.value for event in play.live)
        asyncio.run(
            player.perform(
                past, values, options.speed, second_requests=play.second_requests(),
                begun=begun, follow=follow, after=after,
            )
        )  # fmt: skip
        audience.step(tr("Stopping the worker"))
    if not options.stay or desk is None:
        told(stories[0])
    return stories[0]


class Past:
    """The values of the history, which can be iterated once; stores those of the victim."""

    def __init__(self, events: Iterator[Labelled], victim: str) -> None:
        self.events, self.victim = events, victim
        self.victims: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for event in self.events:
            if event.value["recipient"] == self.victim:
                self.victims.append(event.value)
            yield event.value


def compose(
    play: Timetable,
    past: list[dict[str, Any]],
    gateway: StandInGateway,
    record: Record,
    machinery: Machinery,
) -> Story:
    """Combine what was sent, the gateway's rulings and the worker's output into a story."""
    newest = _newest(record.episodes)
    last = max(record.actions, key=lambda action: action.expires_at_ms, default=None)
    return Story(
        victim=masked_number(play.victim),
        utc_offset_min=UTC_OFFSET_MIN,
        known_platforms=play.known_platforms,
        bars=bars(),
        messages=list(_messages(play, past, gateway, record)),
        changes=list(_changes(record)),
        lease_end_ms=last.expires_at_ms if last else None,
        leases=sum(not action.update for action in record.actions),
        episode=newest and {**newest, "recipient": masked_number(play.victim)},
        background=Background(
            subscribers=play.subscribers,
            look_alikes=play.look_alikes,
            minutes=_minutes(play),
            actions=record.strangers,
            refused=record.refused,
        ),
        machinery=machinery,
    )


def _newest(episodes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the victim's newest episode record, completed from the records before it."""
    whole: EpisodeRecord | None = None
    for episode in sorted(episodes, key=lambda episode: int(episode["revision"])):
        record = decode_episode(msgspec.json.encode(episode))
        whole = completed(record, record if whole is None else whole)
    if whole is None:
        return {}
    told: dict[str, Any] = msgspec.json.decode(encode_episode(whole))
    return told


def bars() -> BucketBars:
    """Return the burst thresholds for gateways with exact time stamps, as in every worker."""
    level = BURST[ClockClass.EXACT]
    return BucketBars(
        leak_per_min=LEAK_MILLI_S * 60 / 1000,
        watch_level=level.watch,
        watch_novel=int(BURST_NOVEL.watch),
        throttle_level=level.throttle,
        throttle_novel=int(BURST_NOVEL.throttle),
    )


def _messages(
    play: Timetable, past: list[dict[str, Any]], gateway: StandInGateway, record: Record
) -> Iterator[OfferedMessage]:
    """Yield the victim's messages with their rulings, and the score after each."""
    live = [event for event in play.live if event.value["recipient"] == play.victim]
    values = past + [event.value for event in live]
    verdicts = [gateway.recognise(value) for value in values]
    score = follow(
        (value["event_time_ms"], platform_id(verdict.platform))
        for value, verdict in zip(values, verdicts, strict=True)
        if verdict.otp
    )
    scores = [next(score) if verdict.otp else 0.0 for verdict in verdicts]
    for event, answer, verdict, level in zip(
        live, record.answers, verdicts[len(past) :], scores[len(past) :], strict=True
    ):
        yield OfferedMessage(
            event_time_ms=event.value["event_time_ms"],
            platform=verdict.platform,
            role=event.truth.role,
            code=verdict.otp,
            text=masked_digits(event.value.get("text", "")),
            ruling=answer,
            level=level,
        )


def _changes(record: Record) -> Iterator[LevelChange]:
    """Yield the levels of the victim's episode, from the records that published them."""
    for episode in sorted(record.episodes, key=lambda episode: int(episode["revision"])):
        if episode["change"] == "renewed":
            continue
        cause, reason = episode["cause"], episode["reason"]
        yield LevelChange(
            level=episode["level"].upper(),
            event_time_ms=episode["at_ms"],
            rule=reason["rule"],
            score=reason["score"],
            threshold=reason["threshold"],
            text=reason["text"],
            reaction_ms=record.reaction_ms(cause["partition"], cause["offset"]),
        )


def _minutes(play: Timetable) -> list[Minute]:
    """Return the other subscribers' traffic per minute of the live part."""
    messages, codes = Counter[int](), Counter[int]()
    for event in play.live:
        if event.value["recipient"] != play.victim:
            minute = event.value["event_time_ms"] // MINUTE_MS
            messages[minute] += 1
            codes[minute] += event.truth.role is not Role.OTHER
    return [
        Minute(minute * MINUTE_MS, messages[minute], codes[minute])
        for minute in range(LIVE_MS // MINUTE_MS, -(-END_MS // MINUTE_MS))
    ]


def masked_digits(text: str) -> str:
    """Return a text with all digits replaced, so that it shows no code.

    >>> masked_digits("验证码 482913")
    '验证码 ••••••'
    """
    return re.sub(r"\d", "•", text)


def masked_number(recipient: str) -> str:
    """Return a number in E.164 form with its middle digits hidden.

    >>> masked_number("8617009999999")
    '+86 170 •••• 9999'
    """
    return f"+{recipient[:2]} {recipient[2:5]} •••• {recipient[-4:]}"
