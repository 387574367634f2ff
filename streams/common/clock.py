"""The clock of this machine in milliseconds, and timestamps in ISO 8601 for programs."""

import time
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


def now_ms() -> int:
    """Return the current time in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def zone_named(name: str) -> ZoneInfo | None:
    """Return the time zone with this name; None if there is none.

    `ZoneInfo` raises OSError for a folder of zones and for an invalid file name.

    >>> zone_named("Asia/Shanghai"), zone_named("Asia"), zone_named("Beijing")
    (zoneinfo.ZoneInfo(key='Asia/Shanghai'), None, None)
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def utc(at_ms: float) -> str:
    """Format a time as ISO 8601, to the second.

    `streams.common.language.moment` formats times for people.

    >>> utc(1_772_422_380_999)
    '2026-03-02T03:33:00Z'
    """
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def utc_exact(at_ms: int) -> str:
    """Format a time as ISO 8601, to the millisecond.

    >>> utc_exact(1_772_422_380_099)
    '2026-03-02T03:33:00.099Z'
    """
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(1 << 12)  # about an hour of seconds: republished leases repeat the time of the first
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None).isoformat()
