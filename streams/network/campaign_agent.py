"""The campaign agent: reads the episode topic and maintains the topic of campaigns.

Campaigns depend only on the floods of the last few days (see `detectors.campaigns`). So there is no
state to save: a new owner reads these days again.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from detectors.campaigns.campaign import Campaign, campaigns, final_ms
from detectors.campaigns.floods import KEPT_DAYS, Floods
from detectors.model.times import DAY_MS
from streams.config import Topics
from streams.network.compacted_topic import KeptTopic, Records
from streams.network.topic_agent import Agent
from streams.telemetry.metrics import Metrics
from streams.wire import (
    UnreadableError,
    VersionError,
    campaign_headers,
    decode_campaign,
    decode_episode,
    encode_campaign,
)

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
"""Minimum time between two searches for campaigns.

The time is also at least five times the duration of the last search. A search takes 1.2 s for the
largest expected campaign (5,000 victims).
"""


class CampaignAgent(Agent):
    """Finds campaigns among the floods of the last few days, and maintains a record of each."""

    def __init__(
        self,
        clients: Mapping[str, Any],
        topics: Topics,
        group: str,
        metrics: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        """`clients`: connection arguments for the Kafka clients (servers, security)."""
        kept = KeptTopic(clients, topics.campaign, group)
        super().__init__(clients, topics.episode, kept, metrics, clock_ms)
        self._floods = Floods()
        self._changed = False
        self._look_at = 0.0  # monotonic

    def _begin(self) -> int:
        today = self._clock_ms() // DAY_MS
        self._floods, self._changed = Floods(), True
        # Start one day earlier, because the newest record may be from yesterday.
        self._floods.horizon_ms = (today - KEPT_DAYS - 1) * DAY_MS
        return self._floods.horizon_ms

    def _let_go(self) -> None:
        self._floods = Floods()
        self._show([])

    def _take(self, record: Any) -> None:
        self._changed |= self._floods.take(decode_episode(record.value), record.timestamp)

    def _tell(self) -> None:
        began = time.monotonic()
        if not self._changed or began < self._look_at:
            return
        self._changed = False
        self._floods.forget()
        found = campaigns(self._floods, final_ms(self._floods))
        # If the episode topic was created again and has no flood yet, older campaigns are unknown.
        seen = self._floods.newest_ms > 0
        since_ms = final_ms(self._floods)
        told = self._ledger.keep(choose_records(found, self._ledger.held, since_ms, seen=seen))
        self._show([each for each in found if each.open])
        self._look_at = began + max(LOOK_S, 5 * (time.monotonic() - began))
        if told:
            log.info("%d campaigns changed, %d are open", told, sum(each.open for each in found))

    def _show(self, open_: list[Campaign]) -> None:
        put = self._metrics.put
        put("campaigns_open", len(open_))
        put("campaign_victims", max((each.victims_open for each in open_), default=0))
        put("campaign_growth_per_minute", max((c.growth_per_minute for c in open_), default=0))


def choose_records(
    found: list[Campaign], held: Mapping[bytes, bytes], since_ms: int, *, seen: bool = True
) -> Records:
    """Return the records that the topic should contain, from `found` and from its content `held`.

    The value None deletes a record: a campaign that merged with an older one, or a value that is
    not a campaign. A campaign that ended before `since_ms` stays, but is marked as over. If no
    flood was `seen`, all other campaigns stay unchanged.
    """
    told: dict[bytes, tuple[bytes | None, Any]] = {
        each.campaign_id.encode(): (encode_campaign(each), campaign_headers(each)) for each in found
    }
    for key in held.keys() - told.keys():
        try:
            before = decode_campaign(held[key])
        except VersionError:  # written by a newer program, so it is left alone
            continue
        except UnreadableError:
            told[key] = (None, ())
            continue
        if before.newest_ms >= since_ms:
            if seen and before.kind != "surge":  # the platform agent writes the surges
                told[key] = (None, ())
        elif before.open:
            over = replace(before, open=False, victims_open=0)
            told[key] = (encode_campaign(over), campaign_headers(over))
    return told
