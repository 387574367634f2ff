"""`otpguard explain --html`: the page of a case, who may read it, and whole numbers in it."""

from __future__ import annotations

import time

import pytest

from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.common.errors import ConfigError, UsageError
from streams.wire import decode_audit, encode_action, encode_episode
from tests.builders.streams.cli.cases import Desk, desk
from tests.enforce.records import RECIPIENT
from tests.streams.cases.store.filled import flood

__all__ = ["desk"]


@pytest.mark.broker
def test_a_case_is_a_page_of_its_own_that_only_its_owner_reads(desk: Desk) -> None:
    now_ms = time.time_ns() // 1_000_000
    record, lease = flood(at_ms=now_ms - 60_000)
    desk.put("episode", encode_episode(record))
    desk.put("throttle", encode_action(lease))
    page = desk.folder / "case.html"
    page.write_text("older")
    page.chmod(0o644)
    words = ("explain", f"+{RECIPIENT}", "--html", str(page))
    assert desk.ask(*words) == f"wrote {page}\n"
    assert page.stat().st_mode & 0o777 == 0o600
    told = page.read_text("utf-8")
    assert "+86 139 •••• 0001" in told
    assert RECIPIENT[2:] not in told.replace(" ", "")
    # Without the topic of incidents each platform is shown once.
    assert told.count('<tr><th scope="row">') == len({s.at_ms for s in record.sightings})
    clients = client_arguments(desk.kafka)
    looks = [decode_audit(each.value) for each in records(clients, desk.topics["audit"])]
    assert [(each.verb, each.subject) for each in looks] == [("search", RECIPIENT)]

    desk.ask(*words, "--numbers")
    assert "+86 139 0000 0001" in page.read_text("utf-8")
    with pytest.raises(UsageError, match="Is a directory"):
        desk.ask(*words[:3], str(desk.folder))


@pytest.mark.broker
def test_whole_numbers_are_for_who_may_write_the_audit(desk: Desk) -> None:
    settings = desk.folder / "otpguard.toml"
    settings.write_text(settings.read_text().replace(desk.topics["audit"], "nowhere"))
    page = str(desk.folder / "case.html")
    with pytest.raises(ConfigError, match="numbers are shown to who may write nowhere"):
        desk.ask("explain", RECIPIENT, "--html", page, "--numbers")
