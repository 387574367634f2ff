"""The counts of one large flood are the same on every surface: commands, desk, store, evidence.

`make integration` runs this: worker, adapter, desk and a score of commands are most of a minute of
CPU, and the flood has to end. `test_story.py` has the same programs in `make test`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from detectors.suspects.suspect import SIGHTINGS_MAX
from streams.cases.store.answers import CaseFile
from streams.cases.store.opening import open_store
from streams.cluster.admin import client_arguments
from streams.cluster.read import readable, records
from streams.people.desk.call_view import view
from streams.tools.scenarios import Role, generate
from streams.wire import decode_episode
from tests.enforce.loop import now_ms, remember
from tests.nodes import Broker
from tests.streams.cli.called import called
from tests.streams.people.desk.phone_world import PhoneWorld
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.integration]

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def world(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhoneWorld]:
    folder = tmp_path_factory.mktemp("counts")
    with PhoneWorld(broker, folder, f"counts-{folder.name}") as running:
        yield running


def flood() -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    """A number, its history, and two hundred codes within 20 minutes, retries and resends too."""
    events = list(generate("A2", 3, recipient=7_003, start_ms=now_ms(), memory=8))
    history = [each.value for each in events if each.truth.scenario == "history"]
    attack = [each.value for each in events if each.truth.role is Role.ATTACK]
    begun, sent = now_ms() - 2 * HOUR_MS, []
    for nth, value in enumerate(attack):
        at_ms = begun + 6_000 * nth
        message = {**value, "event_time_ms": at_ms, "ingest_time_ms": at_ms}
        sent.append(message)
        if nth % 3 == 0:  # the network tries again to deliver the same message
            sent.append({**message, "attempt": 2})
        if nth % 5 == 0:  # the platform sends another message
            again = {"message_id": f"{value['message_id']}-again", "event_time_ms": at_ms + 100}
            sent.append({**message, **again})
    return attack[0]["recipient"].lstrip("+"), history, sent


def test_a_large_flood_is_counted_alike_everywhere(world: PhoneWorld, tmp_path: Path) -> None:
    recipient, history, sent = flood()
    clients, topic = client_arguments(world.settings.kafka), world.settings.topics.episode

    def told() -> list[Any]:
        found = readable(records(clients, topic), decode_episode)
        return [each for each in found if each.recipient == recipient]

    remember(world.settings, history)
    remember(world.settings, sent)
    wait_until(lambda: len(told()) >= 5, "the flood goes on, and its lease is renewed")
    same_everywhere(world, recipient, told(), tmp_path / "live")
    code = {**sent[0], "event_time_ms": now_ms(), "ingest_time_ms": now_ms(), "message_id": "late"}
    remember(world.settings, [code])
    wait_until(lambda: told()[-1].change == "ended", "the flood is over")
    last = same_everywhere(world, recipient, told(), tmp_path / "over")
    assert last.messages > 128
    assert len({each.platform_id for each in world_file(world, recipient).events}) > 100


def world_file(world: PhoneWorld, recipient: str) -> CaseFile:
    """The case as the desk's store has it."""
    with closing(open_store(world.settings)) as store:
        wait_until(lambda: store.find(recipient).newest is not None, "the store has the case")
        file = store.find(recipient).newest
    assert file is not None
    return file


def same_everywhere(world: PhoneWorld, recipient: str, told: list[Any], folder: Path) -> Any:
    """Compare the surfaces with the newest record, and return what that counted."""
    newest, last = told[-1], told[-1].evidence
    first_ms = told[0].evidence.first_ms
    if newest.change == "ended":
        assert first_ms < last.first_ms, "the flood has dropped its oldest sightings"
    counts = (last.messages, last.platforms, last.novel)
    assert min(counts[1:]) >= SIGHTINGS_MAX
    of = f"of {last.platforms} or more platforms"
    said = f"from {last.platforms} or more platforms, {SIGHTINGS_MAX} or more of them new to this"
    wait_until(
        lambda: world_file(world, recipient).case.last.revision == newest.revision,
        "the desk's store has the newest record",
    )
    file = world_file(world, recipient)
    line = file.line
    assert (line.messages, line.platforms, line.novel) == counts
    assert (line.first_ms, line.last_ms) == (first_ms, last.last_ms)
    page = view(file, now_ms())
    assert page["happens"].startswith(f"{last.messages} messages {said} number.")
    assert page["counted"] == f"{last.platforms} or more"
    assert page["platforms_count"] >= last.platforms

    for words in (("cases", "show", recipient), ("explain", recipient)):
        found = json.loads(world.run(*words, "--json"))["episode"]["evidence"]
        assert (found["messages"], found["platforms"], found["novel"]) == counts
        assert (found["first_ms"], found["last_ms"]) == (first_ms, last.last_ms)
        text = world.run(*words)
        assert f"{last.messages} messages from" in text
        assert f"{of}, {SIGHTINGS_MAX} or more of them new to this recipient" in text
    (case,) = json.loads(world.run("cases", "ls", "--all", "--json"))
    assert (case["messages"], case["platforms"]) == counts[:2]
    happening = json.loads(world.run("phone", recipient, "--json"))["happening"]
    assert f"{last.messages} messages {said} number" in happening

    folder.mkdir()
    key = str(folder / "pack.pem")
    called("evidence", "key", "new", "-o", key)
    store = ["--store"] if newest.change == "ended" else []
    making = ["-o", str(folder / "pack"), "--key", key, "--config", str(world.config), *store]
    called("evidence", "make", recipient, *making)
    report = (folder / "pack" / "report.en.html").read_text()
    report = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", report)))
    assert f"was sent {last.messages} messages that look like verification codes, {of}; " in report
    first = datetime.fromtimestamp(first_ms / 1000, UTC).isoformat(timespec="milliseconds")
    assert f"({first.removesuffix('+00:00')}Z)" in report, "the first message"
    return last
