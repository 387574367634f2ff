"""Builders that test_repeat.py shares with other tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.cases.log_replay import replay
from streams.config import Settings
from streams.people.evidence.pack_files import RECORDS, SETTINGS
from streams.people.evidence.pack_records import parts, place_record
from streams.people.evidence.repeat import settings_text
from tests.streams.cli.called import called


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    """A folder with decisions about an attack as a pack has them, and the events."""
    folder = tmp_path_factory.mktemp("repeat")
    events = called("scenario", "A1", "--seed", "3")
    lines = events.encode().splitlines()
    (step,) = replay(Settings(), [lines])
    made = step.decisions
    assert made.incidents
    said: list[tuple[str, Any]] = [("episode", each) for each in made.episodes]
    said += [("lease", each) for each in made.actions]
    said += [("incident", each) for each in made.incidents]
    packed = [part for kind, each in said for part in parts(place_record(kind, {}, each))]
    assert {part.kind for part in packed} == {"episode", "lease", "incident", "message", "earlier"}
    records = [
        json.dumps({"n": n, "kind": part.kind, "record": dict(part.document)})
        for n, part in enumerate(packed)
    ]
    records.append(json.dumps({"n": len(records), "kind": "ack", "record": {}}))
    (folder / RECORDS).write_text("\n".join(records) + "\n", "utf-8")
    (folder / SETTINGS).write_text(settings_text(Settings()), "utf-8")
    return folder, events.encode().splitlines(keepends=True)
