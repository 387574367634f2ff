"""Which gateways are at work, by their signs of life and their newest acknowledgements."""

from __future__ import annotations

import pytest

from streams.cluster.at_work import NEWER_MS, SILENT_MS, Sign, sort_gateways
from streams.cluster.prompt import LATELY_MS

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("answered_ms", "sign", "found"),
    [
        (None, Sign(NOW_MS, ended=False), "at work"),
        (None, Sign(NOW_MS - SILENT_MS, ended=False), "at work"),
        (None, Sign(NOW_MS - SILENT_MS - 1, ended=False), "stopped"),  # it hangs or was killed
        (None, Sign(NOW_MS - 1, ended=True), "stopped"),
        (NOW_MS - 1, Sign(NOW_MS - 1, ended=True), "stopped"),  # its last acknowledgement
        (NOW_MS, Sign(NOW_MS - NEWER_MS - 1, ended=True), "at work"),  # it was started again
        (NOW_MS - LATELY_MS, None, "at work"),
        (NOW_MS - LATELY_MS - 1, None, ""),
        (None, Sign(NOW_MS - LATELY_MS - 1, ended=True), ""),
    ],
)
def test_a_gateway_is_at_work_stopped_or_forgotten(
    answered_ms: int | None, sign: Sign | None, found: str
) -> None:
    answered = {} if answered_ms is None else {"smsc-1": answered_ms}
    signs = {} if sign is None else {"smsc-1": sign}
    gateways = sort_gateways(answered, signs, NOW_MS)
    assert set(gateways.at_work) == ({"smsc-1"} if found == "at work" else set())
    assert set(gateways.stopped) == ({"smsc-1"} if found == "stopped" else set())
