"""Continues the incident in real time after the demo, for a person at the abuse desk.

The victim wants to join a platform that the flood abuses too. The code of this platform is refused,
and the victim calls. After the person at the desk has allowed the platform or released the victim,
the victim requests the code again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from detectors.leases.gate import Ruling
from streams.demo.clock import EventClock
from streams.demo.script import END_MS, KNOWN, VICTIM
from streams.language import tr
from streams.operate.explain import platform_name
from streams.scenarios.events import Labelled, Role
from streams.scenarios.platforms import PLATFORMS, PlatformProfile
from streams.scenarios.writer import MessageWriter

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

    from streams.demo.desk import DeskProcess
    from streams.demo.play import Player
    from streams.demo.script import Timetable

GAP_MS: Final = 30_000
"""Milliseconds between two codes of the flood, as in the incident."""

FLOOD: Final = 40
"""Number of further codes of the flood, each from another platform. They last twenty minutes; then
the demo ends by itself."""

LOOK_S: Final = 0.2


async def encore(
    player: Player, producer: AIOKafkaProducer, play: Timetable, seed: int, desk: DeskProcess
) -> None:
    """Continue until Enter is pressed or the flood is over; `seed` is that of the run."""
    clock, audience = EventClock(END_MS, 1.0), player.audience
    desk.follow(clock)
    writer = MessageWriter("demo-desk", seed, VICTIM, KNOWN)
    seen = {event.truth.platform for event in play.live if event.value["recipient"] == play.victim}
    flood = [each for each in writer.strangers(FLOOD + len(seen)) if each.name not in seen][:FLOOD]
    wanted = _wanted(player, play)
    audience.progress.stop()
    audience.line("")
    first: Labelled | None = None
    if wanted is not None:
        first = writer.own(END_MS, wanted)
        await _offer(player, producer, first)
        name = platform_name(player.gateway.recognise(first.value).platform)
        audience.line(
            tr(
                "The incident goes on. She wants to join {platform}, which the flood abuses too: "
                "its code is refused. At the desk, open Live floods, click her number, and let "
                "{platform} pass."
            ).format(platform=name)
        )
    audience.line(tr("Press Enter to end."))
    said_at = time.monotonic()
    with _enter() as pressed:
        for n, platform in enumerate(flood, 1):
            while clock.now_ms() < END_MS + n * GAP_MS and not pressed.is_set():
                now_ms = int(clock.now_ms())
                if wanted and first and not _held_back(player, first, now_ms):
                    first = None
                    await _offer(player, producer, writer.own(now_ms, wanted))
                    audience.moment(
                        now_ms,
                        tr("she asks again, and the code of {platform} arrives").format(
                            platform=name
                        ),
                        "green",
                    )
                await player.tell(producer, now_ms)
                desk.check()
                player.worker.check()
                await asyncio.sleep(LOOK_S)
            if pressed.is_set():
                return
            await _offer(player, producer, writer.code(int(clock.now_ms()), platform))
    audience.line(
        tr("{n} min are over; the desk closes.").format(n=round((time.monotonic() - said_at) / 60))
    )


def _wanted(player: Player, play: Timetable) -> PlatformProfile | None:
    """Return the platform of the newest refused code whose name the desk shows, or None."""
    named = {each["platform"] for record in player.record.episodes for each in record["sightings"]}
    hers = [event for event in play.live if event.value["recipient"] == play.victim]
    profiles = {each.name: each for each in PLATFORMS}
    for event, ruling in reversed(list(zip(hers, player.record.answers, strict=True))):
        refused = ruling is Ruling.REFUSE and event.truth.role is Role.ATTACK
        known = player.gateway.recognise(event.value).platform in named
        if refused and known and _held_back(player, event, END_MS):
            return profiles[event.truth.platform]
    return None


def _held_back(player: Player, event: Labelled, now_ms: int) -> bool:
    """Return true if a message like this would be refused, or pass only as a retry."""
    return player.gateway.would(event.value, now_ms) in (Ruling.REFUSE, Ruling.AGAIN)


async def _offer(player: Player, producer: AIOKafkaProducer, event: Labelled) -> Ruling:
    """Send one message to the topic, and return the gateway's ruling."""
    offer = player.pack(event.value)
    ruling = player.gateway.ask(offer.recipient, offer.value)
    await producer.send_and_wait(
        player.wires.delivery,
        key=offer.recipient.encode(),
        value=offer.body,
        partition=offer.partition,
    )
    return ruling


@contextmanager
def _enter() -> Iterator[asyncio.Event]:
    """Yield an event that is set when Enter is pressed or the terminal closes."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        sys.stdin.readline()
        pressed.set()
        loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, read)
    try:
        yield pressed
    finally:
        loop.remove_reader(sys.stdin)
