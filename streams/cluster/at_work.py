"""Finds the gateways that are active: those from which a person may expect an answer.

An adapter stores a sign of life with the offsets that it commits, every few seconds. It tells that
a gateway runs that acknowledges nothing. An acknowledgement is no sign of life: a damaged one can
name a gateway that does not exist, and every override would then wait for its answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.cluster.admin import Cluster
from streams.cluster.prompt import LATELY_MS
from streams.common import OtpguardError
from streams.common.limits import GATEWAY_ID

if TYPE_CHECKING:
    from streams.config import Settings

ALIVE, ENDED = "alive", "ended"
SILENT_MS: Final = 300_000
"""A gateway whose sign of life is older counts as stopped (milliseconds). Chosen: five minutes are
60 signs. A gateway that hangs or was killed is missed for so long; one that ended in order is
known at once."""


class Sign(NamedTuple):
    """The newest sign of life of a gateway's adapter."""

    at_ms: int  # UTC, by the adapter's clock.
    ended: bool  # It has ended in order.


class Gateways(NamedTuple):
    """Gateways by name, each with the time at which it was last heard of (UTC, ms)."""

    at_work: dict[str, int]
    stopped: dict[str, int]


def write_sign(state: str, now_ms: int) -> str:
    """Return a sign of life as it is stored with committed offsets."""
    return f"{state} {now_ms}"


def gateway_signs(settings: Settings) -> dict[str, Sign]:
    """Return the newest sign of life of each gateway's adapter.

    The result is empty if the user has no right to see the groups, or if no broker answers.
    """
    try:
        with Cluster(settings.kafka) as cluster:
            return read_signs(cluster, settings.app_id)
    except OtpguardError:
        return {}


def read_signs(cluster: Cluster, app_id: str) -> dict[str, Sign]:
    """Return what `gateway_signs` does, and raise the cluster's errors."""
    prefix = f"{app_id}-enforce-"
    signs: dict[str, Sign] = {}
    for group, told in cluster.commit_metadata(prefix).items():
        for state, _, at in (each.partition(" ") for each in told):
            if state in (ALIVE, ENDED) and at.isascii() and at.isdecimal():
                name, sign = group.removeprefix(prefix), Sign(int(at), state == ENDED)
                if re.fullmatch(GATEWAY_ID, name):  # Others are no adapters of ours.
                    signs[name] = max(sign, signs.get(name, sign))
    return signs


def sort_gateways(signs: Mapping[str, Sign], now_ms: int) -> Gateways:
    """Return which gateways are at work and which are stopped, of those heard of within a day.

    `signs` has the newest sign of life of each gateway.

    >>> sort_gateways({"a": Sign(9, ended=True), "b": Sign(8, ended=False)}, 10)
    Gateways(at_work={'b': 8}, stopped={'a': 9})
    """
    found = Gateways({}, {})
    for name, sign in signs.items():
        if sign.at_ms >= now_ms - LATELY_MS:
            found[sign.ended or sign.at_ms < now_ms - SILENT_MS][name] = sign.at_ms
    return found
