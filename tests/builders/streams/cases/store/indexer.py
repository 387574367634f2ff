"""Builders that test_indexer.py shares with other tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from sqlalchemy import select

from detectors.model.event import platform_id
from streams.cases.store.index_tables import INDEX
from streams.cases.store.index_writer import SOURCES
from streams.cases.store.indexer import Indexer
from streams.cases.store.store import CaseStore
from streams.cluster.topics import create
from streams.common.clock import now_ms
from streams.config import Settings
from tests.nodes import Broker
from tests.streams.cases.store.filled import (
    FilledStore,
    acked,
    counted,
    flood,
    incident,
    logged,
)


class Site:
    """Topics of one's own on the shared broker, a producer for them, and a store."""

    def __init__(self, broker: Broker, name: str, folder: Path) -> None:
        self.names = {setting: f"{name}.{setting}" for setting in (*SOURCES, "input",
                      "undeliverable", "dead_letters")}  # fmt: skip
        self.url = f"sqlite:///{folder / 'desk.db'}"
        self.config = folder / "otpguard.toml"
        self.config.write_text(
            f'app_id = "{name}"\nkafka = {{bootstrap = "{broker.bootstrap}"}}\n'
            "[topics]\npartitions = 2\nreplication = 1\n"
            + "".join(f'{each} = "{topic}"\n' for each, topic in self.names.items())
            + f'[desk]\nstore = "{self.url}"\nbatch_records_max = 7\ncases_days = 3650\n'
            "[http]\nport = 0\n"
        )
        self.settings = Settings(
            app_id=name,
            kafka={"bootstrap": broker.bootstrap},
            topics={**self.names, "partitions": 2, "replication": 1},
            desk={"store": self.url, "batch_records_max": 7},
        )
        create(self.settings)
        self.producer = KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=5)

    def write(self, *records: Any) -> None:
        """Write records to their topics."""
        maker = FilledStore.__new__(FilledStore)
        maker.offsets = {}
        for each in logged(maker, records, 0):
            setting = next(s for s, source in SOURCES.items() if source == each.source)
            self.producer.send(self.names[setting], each.value, key=each.key)
        self.producer.flush()

    def indexer(self, store: CaseStore, **more: Any) -> Indexer:
        return Indexer(
            store,
            self.settings.kafka,
            self.settings.topics,
            batch_records_max=7,
            clock=now_ms,
            **more,
        )


def rows(store: CaseStore, *but: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows that are made of records; times of writing and reading are the run's own."""
    with store.index.connect() as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(
                    select(*(c for c in table.c if c.name not in ("written_ms", "offset"))))),
                key=repr,
            )
            for table in INDEX.sorted_tables
            if table.name not in ("places", "meta", *but)
        }  # fmt: skip


def story(first: int, floods: int) -> list[Any]:
    """Records of so many floods."""
    made: list[Any] = []
    for n in range(first, first + floods):
        record, lease = flood(n, recipient=f"86139{n:08d}")
        made += [record, lease, acked(lease), incident(record),
                 counted(lease, {platform_id("sig:甲平台"): 1 + n})]  # fmt: skip
    return made
