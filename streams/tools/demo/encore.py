"""Continues the incident in real time after the demo, for a person at the abuse desk.

The victim wants to join a platform that the flood abuses too. The code of this platform is refused,
and the victim calls. After the person at the desk has allowed the platform or released the victim,
the victim requests the code again.
"""

import asyncio
import sys
from typing import Final

from detectors.leases.gateway_rule import Ruling
from streams.cases.explanation import platform_name
from streams.common import tr
from streams.tools.demo.event_clock import EventClock
from streams.tools.demo.play import Player
from streams.tools.demo.script import END_MS, KNOWN, VICTIM, Timetable
from streams.tools.scenarios.labelled_events import Labelled, Role
from streams.tools.scenarios.message_writer import MessageWriter
from streams.tools.scenarios.platform_profiles import PLATFORMS, PlatformProfile

GAP_MS: Final = 30_000  # Milliseconds between two codes of the flood, as in the incident.

FLOOD: Final = 40
"""Number of further codes of the flood, each from another platform. They last twenty minutes; then
the demo ends by itself."""

LOOK_S: Final = 0.2


async def encore(player: Player, play: Timetable, seed: int) -> None:
    """Continue until Enter is pressed or the flood is over; `seed` is that of the run."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, pressed.set)
    try:
        await _continue(player, play, seed, pressed)
    finally:
        loop.remove_reader(sys.stdin)
    if pressed.is_set():
        sys.stdin.readline()
    else:
        minutes = FLOOD * GAP_MS // 60_000
        player.audience.line(tr("{n} min are over; the desk closes.").format(n=minutes))


async def _continue(player: Player, play: Timetable, seed: int, pressed: asyncio.Event) -> None:
    clock, audience = EventClock(END_MS, 1.0), player.audience
    player.follow(clock)
    writer = MessageWriter("demo-desk", seed, VICTIM, KNOWN)
    seen = {event.truth.platform for event in play.live if event.value["recipient"] == play.victim}
    flood = [each for each in writer.strangers(FLOOD + len(seen)) if each.name not in seen][:FLOOD]
    wanted = _find_wanted(player, play)
    audience.stop()
    audience.line("")
    refused: Labelled | None = None  # The code that the victim waits for.
    name = ""
    if wanted is not None:
        refused = writer.own(END_MS, wanted)
        await player.offer(player.pack(refused.value))
        name = platform_name(player.gateway.recognise(refused.value).platform)
        audience.line(
            tr(
                "The incident goes on. She wants to join {platform}, which the flood abuses too: "
                "its code is refused. At the desk, open Live floods, click her number, and let "
                "{platform} pass."
            ).format(platform=name)
        )
    audience.line(tr("Press Enter to end."))
    for n, platform in enumerate(flood, 1):
        while clock.now_ms() < END_MS + n * GAP_MS:
            now_ms = int(clock.now_ms())
            if wanted and refused and not _held_back(player, refused, now_ms):
                refused = None
                await player.offer(player.pack(writer.own(now_ms, wanted).value))
                arrived = tr("she asks again, and the code of {platform} arrives")
                audience.moment(now_ms, arrived.format(platform=name), "green")
            await player.tell(now_ms)
            player.check()
            await asyncio.sleep(LOOK_S)
            if pressed.is_set():
                return
        await player.offer(player.pack(writer.code(int(clock.now_ms()), platform).value))


def _find_wanted(player: Player, play: Timetable) -> PlatformProfile | None:
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
