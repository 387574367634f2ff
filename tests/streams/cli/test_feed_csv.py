"""Files that `feed csv` looks at: what the options make of them, and what it says of each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from streams.cli.feed_csv import look, preset_named, row_rules, zone_of
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import records
from streams.common.errors import UnavailableError, UsageError
from streams.config import Kafka, Settings
from streams.gateways.feeds.csv import RowRules
from streams.gateways.feeds.guess_options import FeedOptions
from tests.nodes import Broker
from tests.streams.cli.called import called, refused, settings_file

SETTINGS = Settings()
ROWS = "called,calling,event_time_ms,text\n8613900000001,1069,1772422380000,验证码482913\n"
MAPS = ("recipient=called", "sender=calling")


def given(*, maps: tuple[str, ...] = MAPS, preset: str | None = None, **more: Any) -> RowRules:
    return row_rules(SETTINGS, FeedOptions(maps, **more), preset_named(preset), ())


def test_the_zone_of_local_times_is_said_where_the_country_tells_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert [zone_of(SETTINGS, form, None) for form in (None, "s", "ms")] == [None] * 3
    assert zone_of(SETTINGS, "iso", "UTC") == "UTC"
    assert capsys.readouterr().err == ""
    assert zone_of(SETTINGS, "iso", None) == "Asia/Shanghai"
    assert "read as Asia/Shanghai (input.country CN)" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["UTF_8_sig", "utf-16"])
def test_a_mark_in_front_is_passed_over(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv"
    path.write_bytes(ROWS.encode(encoding))
    words = [word for each in MAPS for word in ("--map", each)]
    for more in ((), ("--encoding", encoding)):
        config = settings_file(tmp_path)
        said = called("feed", "csv", str(path), *words, *more, "--sample", "1", "-c", config)
        assert json.loads(said)["text"] == "验证码482913"


def test_a_sample_is_json_and_all_else_is_said_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(ROWS, encoding="utf-8")
    look(SETTINGS, [str(path)], given(), 5, finished=True)
    told = capsys.readouterr()
    assert json.loads(told.out)["recipient"] == "8613900000001"
    assert "1 event in 1 row, 1 of them codes" in told.err


def test_rows_that_are_no_events_are_an_error_and_nothing_is_published(tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(ROWS + "x\n", encoding="utf-8")
    with pytest.raises(UsageError, match="1 row is no event; nothing was published"):
        look(SETTINGS, [str(path)], given(), 0, finished=True)


def test_a_packed_file_that_is_cut_short_is_no_whole_one(tmp_path: Path) -> None:
    rows = [ROWS.splitlines()[1].replace("482913", str(n)) for n in range(100_000, 103_000)]
    packed = gzip.compress("\n".join([*ROWS.splitlines()[:1], *rows, ""]).encode())
    path = tmp_path / "cdr.csv.gz"
    for share in (0, 1, 20, len(packed) // 2, len(packed) - 8, len(packed) - 1):
        path.write_bytes(packed[:share])
        with pytest.raises(UsageError, match="no whole gzip file"):
            look(SETTINGS, [str(path)], given(), 0, finished=True)
    path.write_bytes(packed)
    look(SETTINGS, [str(path)], given(), 0, finished=True)


@pytest.fixture
def target(tmp_path: Path, broker: Broker, unique: str) -> Path:
    """Settings that name an empty input topic."""
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(unique, 1, 1, {})
    path = tmp_path / "otpguard.toml"
    names = {"kafka.bootstrap": broker.bootstrap, "topics.input": unique}
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in names.items()))
    return path


def test_a_look_at_a_packed_file_without_an_end_does_not_advise_to_take_it_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ROWS + "".join(f"86139{n:08},1069,1772422380000,码{n}\n" for n in range(3000))
    path = tmp_path / "cdr.csv.gz"
    path.write_bytes(gzip.compress(rows.encode(), mtime=0)[:-2000])
    look(SETTINGS, [str(path)], given(), 0, finished=False)
    said = capsys.readouterr().err
    assert "the file has no end yet" in said
    assert "--whole" not in said


@pytest.mark.broker
def test_a_packed_file_that_is_cut_short_waits_or_is_an_error_with_whole(
    tmp_path: Path, broker: Broker, unique: str, target: Path
) -> None:
    config = str(target)
    rows = ROWS + "".join(f"86139{n:08},1069,1772422380000,码{n}\n" for n in range(3000))
    path = tmp_path / "cdr.csv.gz"
    path.write_bytes(gzip.compress(rows.encode(), mtime=0)[:-2000])
    words = [word for each in MAPS for word in ("--map", each)]
    refused(UnavailableError, "waits", "feed", "csv", str(path), *words, "-c", config)
    whole = ("feed", "csv", str(path), *words, "--whole", "-c", config)
    refused(UsageError, "no whole gzip file", *whole)
    path.write_bytes(gzip.compress(rows.encode(), mtime=0))
    called(*whole)
    clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
    assert len(list(records(clients, unique))) == 3001


@pytest.mark.broker
def test_json_lines_have_no_byte_order_mark_and_a_packed_file_of_them_has_an_end(
    tmp_path: Path, broker: Broker, unique: str, target: Path
) -> None:
    config = str(target)
    event = {"recipient": "8613900000001", "sender": "1069", "event_time_ms": 1_772_422_380_000}
    lines = b"".join(
        json.dumps({"schema_version": 1, "message_id": str(n), **event}).encode() + b"\n"
        for n in range(3000)
    )
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + lines)
    called("feed", "jsonl", str(path), "-c", config)
    clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
    assert len(list(records(clients, unique))) == 3000
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(lines)[:-2000])
    refused(UsageError, "no whole gzip file", "feed", "jsonl", str(packed), "-c", config)


def test_standard_input_is_looked_at_as_a_file_is(tmp_path: Path) -> None:
    words = [word for each in MAPS for word in ("--map", each)]
    config = settings_file(tmp_path)
    said = called("feed", "csv", "-", *words, "--sample", "1", "-c", config, given=ROWS)
    assert json.loads(said)["sender"] == "1069"
