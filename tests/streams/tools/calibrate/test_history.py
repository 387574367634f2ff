"""Where history comes from: lines, call records, a topic's range; read once more each time."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from streams.cli.shared import open_lines
from streams.cluster.read import reading
from streams.common.errors import UnavailableError, UsageError
from streams.gateways.feeds.csv import RowRules
from streams.gateways.feeds.file_records import FileLayout
from streams.gateways.feeds.mapping import FieldMap
from streams.tools.calibrate.history import (
    ROWS,
    from_csv,
    from_lines,
    from_topic,
)
from streams.tools.scenarios import DEFAULT_START_MS
from streams.wire import Numbers, Records
from tests.nodes import Broker


@pytest.mark.kafka
def test_a_range_of_a_topic_is_read_twice_and_nothing_is_committed(
    kafka: Broker, unique: str
) -> None:
    clients = {"bootstrap_servers": kafka.bootstrap}
    admin = KafkaAdminClient(**clients)
    admin.create_topics(
        {unique: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True
    )
    producer = KafkaProducer(**clients)
    start_ms = DEFAULT_START_MS
    for i in range(1000):
        producer.send(unique, b"%d" % i, partition=i % 2, timestamp_ms=start_ms + i * 1000)
    producer.flush()
    producer.close()
    with reading(clients, unique) as reader:
        spans = reader.spans(start_ms + 200_000)
    for _ in range(2):
        told: list[int] = []
        slices = list(from_topic(clients, unique, spans, told.append))
        assert sorted(int(v or b"") for each in slices for v in each.values) == [*range(200, 1000)]
        assert sum(told) == 800
        for each in slices:
            assert each.timestamps_ms is not None
            assert (each.timestamps_ms - start_ms == 1000 * np.array(each.values).astype(int)).all()
    assert not [group for group in admin.list_groups() if unique in str(group)]
    admin.close()


def opened(name: str) -> IO[bytes]:
    return Path(name).open("rb")


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    names = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    Path(names[0]).write_bytes(b"1\n22\n\n")
    Path(names[1]).write_bytes(b"333")
    return names


def joined(slices: Iterator[Records]) -> tuple[list[bytes | None], list[int]]:
    found = list(slices)
    for each in found:
        assert len(each.values) == len(each.keys) == len(each.offsets)
        assert each.next_offset == each.offsets[-1] + 1
        assert each.timestamps_ms is None
    return [v for each in found for v in each.values], [
        int(o) for each in found for o in each.offsets
    ]


def test_files_of_lines_are_one_log_in_the_order_given(two: list[str]) -> None:
    told: list[int] = []
    slices = from_lines(two, 1000, opened, told.append)
    values, offsets = joined(slices)
    assert [value for value in values if value] == [b"1", b"22", b"333"]
    assert offsets == list(range(len(values)))
    assert sum(told) >= 6


RULES = RowRules(
    FieldMap.parse(["recipient=called"], [], "ms", "UTC"), FileLayout(), Numbers("CN"), 60_000
)
HEAD = "called,sender,event_time_ms"
ONE, OTHER = f"13900000001,1069,{DEFAULT_START_MS}", f"13700000002,1069,{DEFAULT_START_MS + 1}"


def rows(tmp_path: Path, content: str, rules: RowRules = RULES) -> Iterator[Records]:
    path = tmp_path / "cdr.csv"
    path.write_text(content, encoding="utf-8")
    return from_csv([str(path)], rules, opened, lambda _: None)


@pytest.mark.parametrize("bad", ["bad", "x" * 200_000 + ",1069,6", "139,1069,6"])
def test_a_row_that_is_no_event_becomes_an_empty_value_and_costs_no_neighbour(
    tmp_path: Path, bad: str
) -> None:
    values, offsets = joined(rows(tmp_path, f"{HEAD}\n{ONE}\n{bad}\n{OTHER}\n"))
    first, second, refused = values
    assert b"13900000001" in (first or b"")
    assert b"13700000002" in (second or b"")
    assert refused == b""
    assert offsets == [0, 1, 2]


def test_rows_that_are_no_events_alone_become_empty_values(tmp_path: Path) -> None:
    assert joined(rows(tmp_path, f"{HEAD}\nbad\nworse\n")) == ([b"", b""], [0, 1])


def test_a_head_line_that_is_too_long_is_said_with_the_file_s_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cdr\.csv: no head line \(the line is longer"):
        list(rows(tmp_path, "x" * 200_000 + "\n139\n"))


def test_a_mark_in_front_of_the_head_line_is_no_part_of_a_name(tmp_path: Path) -> None:
    values, _ = joined(rows(tmp_path, f"\ufeff{HEAD}\n{ONE}\n"))
    assert b"139" in (values[0] or b"")


def test_columns_that_are_named_leave_no_head_line(tmp_path: Path) -> None:
    rules = replace(RULES, layout=FileLayout(("called", "sender", "event_time_ms"), ";"))
    values, _ = joined(rows(tmp_path, ONE.replace(",", ";"), rules))
    assert len(values) == 1
    assert b"139" in (values[0] or b"")


def test_columns_whose_names_differ_by_a_blank_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cdr\.csv: the head line names 'called' twice"):
        list(rows(tmp_path, f"{HEAD},called \n{ONE},138\n"))


def test_an_empty_file_has_no_events(tmp_path: Path) -> None:
    assert list(rows(tmp_path, "")) == []


def test_a_packed_file_that_was_cut_off_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([HEAD, *[ONE] * 1000]).encode())
    path = tmp_path / "cdr.csv.gz"
    path.write_bytes(whole[:-20])
    with pytest.raises(UsageError, match="no whole gzip file"):
        list(from_csv([str(path)], RULES, open_lines, lambda _: None))


def test_long_files_come_in_pieces(tmp_path: Path) -> None:
    content = f"{HEAD}\n" + f"{ONE}\n" * (ROWS + 1)
    assert [len(each.values) for each in rows(tmp_path, content)] == [ROWS, 1]


def test_a_broker_that_is_not_there_is_one_error() -> None:
    clients = {"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 100}
    with pytest.raises(UnavailableError, match="cannot read t"):
        list(from_topic(clients, "t", {0: (0, 1)}, lambda _: None))
