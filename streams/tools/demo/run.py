"""One run of the demo, from starting the broker to the finished story."""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from detectors.model.times import MINUTE_MS
from detectors.recognise.platform.registry import Registry
from streams import __version__
from streams.cluster import topics
from streams.common import read_toml, tr
from streams.config import Http, Settings
from streams.tools.demo import stage
from streams.tools.demo.audience import Audience
from streams.tools.demo.demo_gateway import StandInGateway
from streams.tools.demo.desk_process import DeskProcess
from streams.tools.demo.event_clock import EventClock
from streams.tools.demo.play import Player, Record
from streams.tools.demo.script import END_MS, LIVE_MS, UTC_OFFSET_MIN, Timetable, script
from streams.tools.demo.story import (
    Background,
    LevelChange,
    Machinery,
    OfferedMessage,
    Story,
)
from streams.tools.scenarios.labelled_events import Role

PARTITIONS: Final = 8  # Partitions of the input topic. A carrier's topic has 32.

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
    desk: bool = False  # Open the abuse desk during the incident.
    stay: bool = False  # A person is present: keep the desk open until this person presses Enter.
    browse: Callable[[str], None] = lambda _: None  # Opens an address in a browser.


def run(options: Options, audience: Audience, tell: Callable[[Story], bool]) -> bool:
    """Play the incident, and return the result of `tell`, which is called with its story.

    Raise OtpguardError if the incident cannot be played.
    """
    stage.check_memory()
    port = (
        stage.usual_port(Http().port_of("worker"))
        if options.metrics_port is None
        else stage.free_port(options.metrics_port, "--metrics-port")
    )
    with ExitStack() as stack:
        stack.enter_context(stage.interruptible())
        temporary = TemporaryDirectory(prefix="otpguard-demo-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(temporary))
        audience.step(tr("Starting the broker"))
        began = time.monotonic()
        broker = stack.enter_context(stage.BrokerProcess(folder / "broker.log"))
        config = folder / "otpguard.toml"
        config.write_text(
            SETTINGS.format(
                bootstrap=broker.bootstrap, partitions=PARTITIONS, port=port, folder=folder
            ),
            encoding="utf-8",
        )
        settings = Settings(**read_toml(config))  # Not those in the environment, of a real worker.
        topics.create(settings)
        worker = stack.enter_context(stage.WorkerProcess(config, folder / "worker.log", port))
        desk = (
            stack.enter_context(DeskProcess(config, folder / "desk.log", options.browse))
            if options.desk
            else None
        )
        audience.line(
            tr("{broker}; worker with process id {pid}").format(
                broker=f"{broker.version} at {broker.bootstrap}", pid=worker.process.pid
            )
        )
        gateway = StandInGateway(Registry.load_shipped(), options.subscribers)
        play = script(options.seed, options.subscribers)
        player = Player(
            broker.bootstrap, settings.topics, worker, gateway, play.victim, audience, desk
        )
        return asyncio.run(_play(player, play, options, broker.version, began, tell))


async def _play(
    player: Player,
    play: Timetable,
    options: Options,
    broker: str,
    began: float,
    tell: Callable[[Story], bool],
) -> bool:
    history = (event.value for event in play.history)
    live = (event.value for event in play.live)
    async with player.perform(history, live, options.speed, play.second_requests()):
        machinery = Machinery(
            version=__version__,
            broker=broker,
            partitions=PARTITIONS,
            seed=options.seed,
            speed=options.speed,
            history=player.history,
            offered=player.record.offered,
            counted=int(player.worker.metric("otpguard_events_total", outcome="counted")),
            dead_letters=int(player.worker.metric("otpguard_dead_letters_total")),
            took_s=time.monotonic() - began,
        )
        player.audience.stop()
        held = tell(compose(play, player.gateway, player.record, machinery))
        if options.stay:
            await _stay_open(player)
    return held


async def _stay_open(player: Player) -> None:
    """Return when Enter is pressed. The desk and the gateway work on, and time passes as usual."""
    player.follow(EventClock(END_MS, 1.0))
    player.audience.line(tr("The desk stays open. Press Enter to end."))
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    sys.stdin.readline()


def compose(
    play: Timetable,
    gateway: StandInGateway,
    record: Record,
    machinery: Machinery,
) -> Story:
    """Combine what was sent, the gateway's rulings and the worker's output into a story."""
    others = [event for event in play.live if event.value["recipient"] != play.victim]
    last = max(record.actions, key=lambda action: action.expires_at_ms, default=None)
    return Story(
        victim=masked_number(play.victim),
        utc_offset_min=UTC_OFFSET_MIN,
        known_platforms=play.known_platforms,
        messages=list(_messages(play, gateway, record)),
        changes=list(_changes(record)),
        lease_end_ms=last.expires_at_ms if last else None,
        background=Background(
            subscribers=play.subscribers,
            look_alikes=play.look_alikes,
            minutes=(END_MS - LIVE_MS) // MINUTE_MS,
            messages=len(others),
            codes=sum(event.truth.role is not Role.OTHER for event in others),
            actions=record.strangers,
            refused=record.refused,
        ),
        machinery=machinery,
    )


def _messages(play: Timetable, gateway: StandInGateway, record: Record) -> Iterator[OfferedMessage]:
    live = [event for event in play.live if event.value["recipient"] == play.victim]
    for event, answer in zip(live, record.answers, strict=True):
        verdict = gateway.recognise(event.value)
        yield OfferedMessage(
            event_time_ms=event.value["event_time_ms"],
            platform=verdict.platform,
            role=event.truth.role,
            code=verdict.otp,
            text=masked_digits(event.value.get("text", "")),
            ruling=answer,
        )


def _changes(record: Record) -> Iterator[LevelChange]:
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
