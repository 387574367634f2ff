"""What the live screen reads: records as they come, and explanations with or without numbers."""

from __future__ import annotations

import pytest

from streams import config
from streams.cli.shared import ago_ms
from streams.cli.top_feed import TopFeed
from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.wire import decode_audit
from tests.builders.streams.cli.cases import Desk, desk
from tests.builders.streams.cli.top import put_flood
from tests.waiting import wait_until

__all__ = ["desk"]

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("numbers", [False, True])
def test_a_flood_that_begins_is_seen_and_explained(desk: Desk, numbers: bool) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    with TopFeed(settings, ago_ms("1h"), numbers=numbers) as feed:
        assert feed.frame().floods == 0
        put_flood(desk, 5, 8)

        def seen() -> bool:
            feed.step()
            return [row.case.state for row in feed.frame().rows] == ["throttled"]

        wait_until(seen)
        (row,) = feed.frame().rows
        told = "\n".join(feed.explain(row.case.episode_id))
        assert "THROTTLE (enforce)" in told
        assert ("8613900000005" in told) is numbers
        assert feed.explain("1:sms.delivery.v1:9:9") == ["this flood is over"]
    clients = client_arguments(settings.kafka)
    looks = [decode_audit(each.value) for each in records(clients, desk.topics["audit"])]
    assert [(each.verb, each.detail) for each in looks] == (
        [("search", row.case.episode_id)] if numbers else []
    )


def test_what_brokers_do_not_tell_is_not_known(desk: Desk) -> None:
    settings = config.load(desk.folder / "otpguard.toml")
    topics = settings.topics.model_copy(update={"dead_letters": "nowhere"})
    nowhere = settings.model_copy(update={"topics": topics})
    with TopFeed(nowhere, ago_ms("1h"), numbers=False) as feed:
        facts = feed.frame().facts
    assert (facts.lag, facts.dead_letters) == ({}, None)  # no worker yet, and no such topic
