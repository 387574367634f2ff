"""Which gateways are at work, by their signs of life."""

from __future__ import annotations

import pytest

from streams.cluster.at_work import SILENT_MS, Sign, sort_gateways
from streams.cluster.prompt import LATELY_MS

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("sign", "found"),
    [
        (Sign(NOW_MS, ended=False), "at work"),
        (Sign(NOW_MS - SILENT_MS, ended=False), "at work"),
        (Sign(NOW_MS - SILENT_MS - 1, ended=False), "stopped"),  # it hangs or was killed
        (Sign(NOW_MS - 1, ended=True), "stopped"),
        (Sign(NOW_MS - LATELY_MS, ended=True), "stopped"),
        (Sign(NOW_MS - LATELY_MS - 1, ended=True), ""),
    ],
)
def test_a_gateway_is_at_work_stopped_or_forgotten(sign: Sign, found: str) -> None:
    gateways = sort_gateways({"smsc-1": sign}, NOW_MS)
    assert set(gateways.at_work) == ({"smsc-1"} if found == "at work" else set())
    assert set(gateways.stopped) == ({"smsc-1"} if found == "stopped" else set())
