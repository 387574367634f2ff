"""`otpguard memory`: what is learned from history is what a worker has that saw it."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from detectors import chain
from detectors.chain import snapshot
from detectors.memory_records import list_memories
from streams import wire
from streams.cli.memory import app
from streams.common.errors import ConfigError, UsageError
from streams.config import Settings
from streams.engine.state.checkpoint import ChangelogReader, CheckpointWriter, PutRecord, rebuilt
from streams.tools.operate import memory_file
from tests.builders.streams.tools.operate.memory_file import INTAKE
from tests.detectors.stand_in import DAY_MS, START_MS

TOKEN = "hk1:" + "0123456789abcdef" * 4


def history(days: int = 60, people: int = 40) -> list[dict[str, Any]]:
    """Two months of codes; one of the people is flooded for an hour."""
    rng = random.Random(1)
    events: list[tuple[int, str, str]] = []
    for person in range(people):
        recipient = TOKEN if person == 3 else str(8613900000000 + person)
        own = [f"p{i}" for i in rng.sample(range(200), rng.choice([3, 12, 30]))]
        events += [
            (START_MS + rng.randrange(days * DAY_MS), recipient, rng.choice(own))
            for _ in range(rng.choice([5, 40, 120]))
        ]
    flood_ms = START_MS + (days - 1) * DAY_MS
    events += [(flood_ms + i * 20_000, "8613900000000", f"flood{i}") for i in range(180)]
    return [
        {
            "schema_version": 1, "recipient": recipient, "sender": "10690000",
            "event_time_ms": at_ms, "message_id": f"m{i}", "category": "otp",
            "platform_id": platform,
        }
        for i, (at_ms, recipient, platform) in enumerate(sorted(events))
    ]  # fmt: skip


def memory_of_a_worker(settings: Settings, events: list[dict[str, Any]]) -> list[Any]:
    """What the checkpoint of a worker knows that read these events from Kafka, in small polls."""
    state, recogniser = chain.Partition(settings.params()), settings.recogniser()
    for at in range(0, len(events), 77):
        some = [msgspec.json.encode(each) for each in events[at : at + 77]]
        offsets = np.arange(at, at + len(some))
        stamps = [each["event_time_ms"] for each in events[at : at + 77]]
        keys = [each["recipient"].encode() for each in events[at : at + 77]]
        batch = wire.decode(
            settings.intake(), "in", 0, some, keys, offsets, stamps, at + len(some)
        ).batch
        chain.process(settings.params(), state, batch, recogniser.columns(batch))
    reader = ChangelogReader()
    for step in CheckpointWriter(0, "w", 0).checkpoint(snapshot(state), state.next_offset, 0):
        if isinstance(step, PutRecord):
            reader.put(step.key, step.value)
    restored = reader.restore(0, 0)
    assert restored is not None
    return list(list_memories(rebuilt(settings.params(), 0, restored)))


def learned(arguments: list[str], out: Path) -> list[Any]:
    done = CliRunner().invoke(app, ["learn", *arguments, "--out", str(out), "--quiet"])
    assert done.exit_code == 0, done.output
    memory_file.check(out, INTAKE)
    return [json.loads(line) for line in gzip.decompress(out.read_bytes()).splitlines()[1:-1]]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OTPGUARD_INPUT_COUNTRY", "CN")
    return Settings(input={"country": "CN"})


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "csv", "parquet"])
def test_what_is_learned_is_what_a_worker_has_that_saw_the_history(
    settings: Settings, tmp_path: Path, form: str
) -> None:
    events = history()
    path = tmp_path / f"history.{form}"
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in events)
    match form:
        case "csv":
            with path.open("w", encoding="utf-8-sig", newline="") as out:
                rows = csv.DictWriter(out, [*events[0]])
                rows.writeheader()
                rows.writerows(events)
        case "parquet":  # in several row groups, with numbers as numbers
            table = pyarrow.Table.from_pylist(events)
            pyarrow.parquet.write_table(table, path, row_group_size=100)
        case _:
            path.write_bytes(gzip.compress(lines) if form.endswith("gz") else lines)
    more = ["--time", "ms", "--encoding", "UTF_8_sig"] if form in ("csv", "parquet") else []
    found = {each[0]: each[2:] for each in learned([str(path), *more], tmp_path / "m.gz")}
    wanted = {
        TOKEN if recipient >> 63 else str(recipient):
        [told.as_of_ms, told.born_day, [[*each] for each in told.platforms]]
        for recipient, told in memory_of_a_worker(settings, events)
    }  # fmt: skip
    assert found == wanted
    assert len(found) == 40
    assert max(len(each[2]) for each in found.values()) > 14


@pytest.mark.usefixtures("settings")
def test_a_history_that_is_too_short_is_said_to_be(tmp_path: Path) -> None:
    path, out = tmp_path / "h.jsonl", str(tmp_path / "m.gz")
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in history()[:2]))
    done = CliRunner().invoke(app, ["learn", str(path), "--out", out, "--quiet"])
    assert "days are too short to know people's platforms" in done.stderr


@pytest.mark.usefixtures("settings")
def test_a_mixture_of_forms_is_refused(tmp_path: Path) -> None:
    out = str(tmp_path / "m.gz")
    for names in (["a.csv", "b.jsonl"], ["a.parquet", "b.csv"], ["a.jsonl", "b.parquet"]):
        done = CliRunner().invoke(app, ["learn", *names, "--out", out])
        assert isinstance(done.exception, UsageError)
        assert "Parquet" in str(done.exception)
    assert not Path(out).exists()


@pytest.mark.usefixtures("settings")
def test_a_file_that_is_no_table_of_events_is_refused(tmp_path: Path) -> None:
    out, path = str(tmp_path / "m.gz"), tmp_path / "h.parquet"
    path.write_bytes(b"no parquet at all")
    done = CliRunner().invoke(app, ["learn", str(path), "--out", out, "--quiet"])
    assert isinstance(done.exception, UsageError)
    assert "h.parquet: " in str(done.exception)
    pyarrow.parquet.write_table(pyarrow.table({"recipient": [["8613900000000"]]}), path)
    done = CliRunner().invoke(app, ["learn", str(path), "--out", out, "--quiet"])
    assert isinstance(done.exception, UsageError)
    native(history(people=1), "ms UTC", path)
    path.write_bytes(path.read_bytes().replace(b"sender", b"\xff" * 6))  # not UTF-8
    done = CliRunner().invoke(app, ["learn", str(path), "--out", out, "--quiet"])
    assert isinstance(done.exception, UsageError)
    assert "h.parquet: " in str(done.exception)
    path.unlink()
    done = CliRunner().invoke(app, ["learn", str(path), "--out", out, "--quiet"])
    assert isinstance(done.exception, UsageError)
    assert not Path(out).exists()


@pytest.mark.usefixtures("settings")
def test_an_import_needs_the_key(tmp_path: Path) -> None:
    path = tmp_path / "m.gz"
    memory_file.write(path, 1, [], memory_file.reduced_name, lambda _: None)
    done = CliRunner().invoke(app, ["import", str(path)])
    assert isinstance(done.exception, ConfigError)
    assert "detect.memory_key_file" in str(done.exception)


def native(events: list[dict[str, Any]], kind: str, path: Path) -> list[str]:
    """Write a Parquet file whose times have a type of Parquet; return the options that it needs."""
    unit, _, zone = kind.partition(" ")
    times = pyarrow.array([each["event_time_ms"] for each in events], pyarrow.int64())
    times = times.cast(pyarrow.timestamp("ms"))
    if zone == "local":  # of Shanghai, without saying so
        shift_ms = pyarrow.array([8 * 3_600_000] * len(events), pyarrow.duration("ms"))
        times = pyarrow.compute.add(times, shift_ms)
    is_int96 = unit == "int96"
    type_ = pyarrow.timestamp("ns" if is_int96 else unit, None if zone in ("", "local") else zone)
    table = pyarrow.Table.from_pylist(events).drop_columns(["event_time_ms"])
    table = table.append_column("when", times.cast(type_))
    pyarrow.parquet.write_table(table, path, use_deprecated_int96_timestamps=is_int96)
    return ["--map", "event_time_ms=when"]


@pytest.mark.parametrize(
    "kind", ["ms UTC", "us UTC", "ns Asia/Shanghai", "ms local", "ns local", "int96"]
)
def test_times_of_parquet_are_event_times(settings: Settings, tmp_path: Path, kind: str) -> None:
    events, path = history(people=5), tmp_path / "history.parquet"
    options = native(events, kind, path)
    found = {each[0]: each[2:] for each in learned([str(path), *options], tmp_path / "m.gz")}
    assert found == {
        TOKEN if recipient >> 63 else str(recipient):
        [told.as_of_ms, told.born_day, [[*each] for each in told.platforms]]
        for recipient, told in memory_of_a_worker(settings, events)
    }  # fmt: skip


@pytest.mark.usefixtures("settings")
def test_files_with_and_without_times_of_parquet_do_not_go_together(tmp_path: Path) -> None:
    events = history(people=2)
    options = native(events, "ms UTC", tmp_path / "a.parquet")
    table = pyarrow.Table.from_pylist(events).rename_columns({"event_time_ms": "when"})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    names = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    done = CliRunner().invoke(app, ["learn", *names, *options, "--out", str(tmp_path / "m.gz")])
    assert isinstance(done.exception, UsageError)
    assert "b.parquet" in str(done.exception)


def spoilt_history(path: Path, bad: int, good: int = 60) -> str:
    """Write events of which some have no valid recipient, and one line is no JSON."""
    events = history(people=3)[:good]
    rows = [dict(each, recipient="abc") for each in events[: bad - 1]] + events
    if path.suffix == ".csv":
        with path.open("w", newline="") as out:
            writer = csv.DictWriter(out, [*events[0]])
            writer.writeheader()
            writer.writerows([*rows, {**events[0], "event_time_ms": "soon"}])
    else:
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in rows) + b"{")
    return str(path)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("form", "reasons"),
    [("jsonl", "bad_recipient 3, invalid_json 1"),
     ("csv", "recipient is neither a number nor a token 3, event_time_ms")],
)  # fmt: skip
def test_what_is_refused_is_counted_by_reason(tmp_path: Path, form: str, reasons: str) -> None:
    path, out = spoilt_history(tmp_path / f"h.{form}", 4), tmp_path / "m.gz"
    done = CliRunner().invoke(app, ["learn", path, "--out", str(out), "--quiet"])
    assert done.exit_code == 0
    assert f"refused 4 of 64 rows: {reasons}" in done.stderr
    assert memory_file.check(out, INTAKE).end.recipients


@pytest.mark.usefixtures("settings")
def test_a_memory_file_is_kept_where_nothing_can_be_learned(tmp_path: Path) -> None:
    path, out = tmp_path / "h.jsonl", tmp_path / "m.gz"
    out.write_bytes(b"of yesterday")

    def refused(*words: str) -> str:
        done = CliRunner().invoke(app, ["learn", str(path), "--out", str(out), *words])
        assert isinstance(done.exception, UsageError)
        assert done.exception.exit_code == 2
        assert out.read_bytes() == b"of yesterday"
        assert {each.name for each in tmp_path.iterdir()} == {"h.jsonl", "m.gz"}
        return str(done.exception)

    spoilt_history(path, 61)
    assert "refused 61 of 121 rows: bad_recipient 60, invalid_json 1" in refused()
    assert "input.refused_share_max" in refused()
    path.write_bytes(b"")
    assert "the file is empty" in refused()
    others = [dict(each, event_type="receipt") for each in history(people=3)]
    path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in others))
    assert "no recipient" in refused()
