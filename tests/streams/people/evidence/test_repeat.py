"""Decisions repeated from the log: all come out the same, and a changed one does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.common.errors import UsageError
from streams.config import Settings
from streams.people.evidence.pack_files import RECORDS, REGISTRY, SETTINGS
from streams.people.evidence.repeat import repeat, settings_of, settings_text
from tests.builders.streams.people.evidence.repeat import log

__all__ = ["log"]


def test_every_decision_comes_out_the_same(log: tuple[Path, list[bytes]]) -> None:
    folder, events = log
    found = repeat(folder, events)
    decided = len((folder / RECORDS).read_bytes().splitlines()) - 1
    assert (found.same, found.other, found.events) == (decided, (), len(events))
    assert decided > 60


def test_events_with_their_places_are_those_of_a_partition(
    log: tuple[Path, list[bytes]], tmp_path: Path
) -> None:
    """Elsewhere in the log the same events have other ids: no decision is the same."""
    folder, events = log
    form = '{{"topic":"sms.delivery.v1","partition":{},"offset":{},"value":{}}}\n'
    here = [form.format(0, n, line.decode().strip()).encode() for n, line in enumerate(events)]
    assert repeat(folder, here).other == ()
    there = [form.format(3, n, line.decode().strip()).encode() for n, line in enumerate(events)]
    assert repeat(folder, there).same == 0
    with pytest.raises(UsageError, match="one partition"):
        repeat(folder, [*here, there[0]])
    with pytest.raises(UsageError, match="offsets"):
        repeat(folder, here[::-1])
    with pytest.raises(UsageError, match="no JSON"):
        repeat(folder, [b'{"offset": 1}'])
    with pytest.raises(UsageError, match="no JSON"):
        repeat(folder, [b'{"offset": ' + b"[" * 100_000])


def test_a_decision_that_was_changed_or_events_that_are_others_are_found(
    log: tuple[Path, list[bytes]], tmp_path: Path
) -> None:
    folder, events = log
    lines = (folder / RECORDS).read_text("utf-8").splitlines()
    (tmp_path / SETTINGS).write_bytes((folder / SETTINGS).read_bytes())
    changed = lines[1].replace('"messages": ', '"messages": 1')
    assert changed != lines[1]
    (tmp_path / RECORDS).write_text("\n".join([lines[0], changed, *lines[2:]]), "utf-8")
    assert repeat(tmp_path, events).other == (1,)
    assert repeat(folder, events[:-40]).other


def test_settings_in_a_pack_are_those_that_decided(tmp_path: Path) -> None:
    registry = tmp_path / REGISTRY
    registry.write_text("", "utf-8")
    settings = Settings(
        mode="enforce",
        epoch=4,
        detect={"stamps": {"gw-1": "minute"}, "hot": "off"},
        input={"country": "DE"},
        recognise={"registry_file": registry},
    )
    (tmp_path / SETTINGS).write_text(settings_text(settings), "utf-8")
    assert settings_of(tmp_path).fingerprint() == settings.fingerprint()
    registry.write_text("\n", "utf-8")
    assert settings_of(tmp_path).fingerprint() == settings.fingerprint()  # it is the same file
    text = settings_text(settings).replace("epoch = 4", "epoch = 5")
    (tmp_path / SETTINGS).write_text(text, "utf-8")
    assert settings_of(tmp_path).fingerprint() != settings.fingerprint()
    (tmp_path / SETTINGS).write_text("mode = 1", "utf-8")
    with pytest.raises(UsageError, match="no settings"):
        settings_of(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        settings_of(tmp_path / "nowhere")
