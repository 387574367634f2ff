"""Where history comes from: lines, call records, a topic's range; read once more each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from kafka import KafkaAdminClient, KafkaProducer

from streams.common.errors import ConfigError, UnavailableError, UsageError
from streams.gateways.feeds.file_records import FileLayout
from streams.gateways.feeds.mapping import FieldMap
from streams.tools.calibrate.history import (
    ROWS,
    ColumnTable,
    Slice,
    TopicHistory,
    from_csv,
    from_lines,
)
from streams.tools.scenarios import DEFAULT_START_MS
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
    topic = TopicHistory(clients, unique, start_ms + 200_000, start_ms + 700_000)
    for _ in range(2):
        told: list[int] = []
        slices = list(topic.slices(told.append))
        assert sorted(int(v or b"") for each in slices for v in each.values) == [*range(200, 700)]
        assert sum(told) == topic.records == 500
        for each in slices:
            assert each.timestamps_ms is not None
            assert (each.timestamps_ms - start_ms == 1000 * np.array(each.values).astype(int)).all()
    assert not [group for group in admin.list_groups() if unique in str(group)]
    admin.close()
    with pytest.raises(ConfigError, match="no topic"):
        TopicHistory(clients, f"{unique}-absent", None, None)


def opened(name: str) -> IO[bytes]:
    return Path(name).open("rb")


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    names = [str(tmp_path / name) for name in ("a.jsonl", "b.jsonl")]
    Path(names[0]).write_bytes(b"1\n22\n\n")
    Path(names[1]).write_bytes(b"333")
    return names


def joined(slices: Iterator[Slice]) -> tuple[list[bytes | None], list[int]]:
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
    slices = from_lines(two, "t", 1000, opened, told.append)
    values, offsets = joined(slices)
    assert [value for value in values if value] == [b"1", b"22", b"333"]
    assert offsets == list(range(len(values)))
    assert sum(told) >= 6


TABLE = ColumnTable(FieldMap.parse(["recipient=called"], [], "ms", "UTC"))


def rows(tmp_path: Path, content: str, table: ColumnTable = TABLE) -> Iterator[Slice]:
    path = tmp_path / "cdr.csv"
    path.write_text(content, encoding="utf-8")
    return from_csv([str(path)], table, "t", opened, lambda _: None)


def test_a_row_that_cannot_be_mapped_becomes_a_value_that_is_refused(tmp_path: Path) -> None:
    content = "called,sender,event_time_ms\n139,1069,5\nbad\n137,1069,7\n"
    values, offsets = joined(rows(tmp_path, content))
    assert values[1] == b""
    assert b"139" in (values[0] or b"")
    assert b"row-2" in (values[2] or b""), "its id is its place"
    assert offsets == [0, 1, 2]


@pytest.mark.parametrize("long", ["x" * 200_000, '"' + "x" * 200_000 + '"'])
def test_a_field_that_is_too_long_costs_its_row_and_none_of_its_neighbours(
    tmp_path: Path, long: str
) -> None:
    content = f"called,sender,event_time_ms\n139,1069,5\n{long},1069,6\n137,1069,7\n"
    values, offsets = joined(rows(tmp_path, content))
    assert offsets == [0, 1, 2]
    assert values[1] == b""
    assert b"row-2" in (values[2] or b"")


def test_a_head_line_that_is_too_long_is_said_with_the_file_s_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cdr\.csv: field larger than field limit"):
        list(rows(tmp_path, "x" * 200_000 + "\n139\n"))


def test_a_mark_in_front_of_the_head_line_is_no_part_of_a_name(tmp_path: Path) -> None:
    values, _ = joined(rows(tmp_path, "\ufeffcalled,sender,event_time_ms\n139,1069,5\n"))
    assert b"139" in (values[0] or b"")


def test_columns_that_are_named_leave_no_head_line(tmp_path: Path) -> None:
    layout = FileLayout(("called", "sender", "event_time_ms"), ";")
    table = ColumnTable(TABLE.rules, layout)
    values, _ = joined(rows(tmp_path, "139;1069;5\n", table))
    assert len(values) == 1
    assert b"139" in (values[0] or b"")


def test_columns_whose_names_differ_by_a_blank_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cdr\.csv: the head line names 'called' twice"):
        list(rows(tmp_path, "called,sender,event_time_ms,called \n139,1069,5,138\n"))


def test_a_file_without_a_head_line_is_said_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cdr\.csv: no head line"):
        list(rows(tmp_path, ""))


def test_long_files_come_in_slices(tmp_path: Path) -> None:
    content = "called,sender,event_time_ms\n" + "139,1069,5\n" * (ROWS + 1)
    assert [len(each.values) for each in rows(tmp_path, content)] == [ROWS, 1]


def test_a_broker_that_is_not_there_is_one_error() -> None:
    clients = {"bootstrap_servers": "127.0.0.1:1", "bootstrap_timeout_ms": 100}
    with pytest.raises(UnavailableError, match="cannot read t"):
        TopicHistory(clients, "t", None, None)
