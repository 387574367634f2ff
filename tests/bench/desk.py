"""Measures the case store: records per second of the indexer, and the duration of a search."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec
from kafka import KafkaProducer
from sqlalchemy import Engine, Table

from detectors.model.event import Trust, platform_id
from detectors.model.records import Level, Scope, Sighting
from detectors.model.times import DAY_MS, HOUR_MS, MINUTE_MS
from streams.cases.standing import Doing
from streams.cases.store.index_tables import (
    TAIL,
    acks,
    cases,
    changes,
    counts,
    incidents,
    leases,
    links,
    places,
    platform_days,
)
from streams.cases.store.index_writer import SOURCES, LogRecord, PlaceRead, Writer
from streams.cases.store.indexer import Indexer
from streams.cases.store.packing import id_bytes, pack
from streams.cases.store.store import CaseStore
from streams.cluster.topics import create
from streams.common.clock import now_ms
from streams.config import Settings
from streams.wire import (
    Ack,
    Counts,
    Notice,
    encode_ack,
    encode_action,
    encode_counts,
    encode_episode,
    encode_incident,
    encode_notice,
)
from tests.builders.streams.cases.standing import OPENED
from tests.enforce.records import action
from tests.nodes import Broker
from tests.streams.cases.store.filled import incident

NAMES: Final = tuple(f"sig:平台名{n:04}" for n in range(2_000))
IDS: Final = {name: platform_id(name) for name in NAMES}
LISTS: Final = [
    (id_bytes(IDS[name] for name in names), msgspec.json.encode({IDS[n]: 1 for n in names[:9]}))
    for names in (random.Random(n).sample(NAMES, 40) for n in range(500))
]
GATEWAYS: Final = ("smsc-1", "smsc-2", "smsc-3")
RENEWALS: Final = 3
START_MS: Final = 1_790_000_000_000


def flood(n: int, draw: random.Random) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield what one flood leaves on the topics: role of the topic, key, value.

    Forty platforms in forty minutes: 6 episode records, 5 actions, 30 acknowledgements and 24
    counts of three gateways, 3 incident records of 64 messages, 2 states of a notice.
    """
    recipient = f"86139{n:08d}"
    key = recipient.encode()
    at_ms = START_MS + n * 1_000
    base = n * 10_000
    seen = [
        Sighting(name, IDS[name], at_ms + 60_000 * k, novel=True, trust=Trust.NONE)
        for k, name in enumerate(draw.sample(NAMES, 40))
    ]
    record = replace(OPENED, episode_id=f"1:sms.delivery.v1:0:{base}", recipient=recipient)
    opened = replace(
        record, revision=base + 1, level=Level.WATCH, sightings=tuple(seen[:5]), at_ms=at_ms,
        cause=record.cause._replace(offset=base + 1),
    )  # fmt: skip
    yield "episode", key, encode_episode(opened)
    for k in range(RENEWALS + 1):
        revision = base + 10 * (k + 1)
        now_ms = at_ms + k * 10 * MINUTE_MS
        lease = replace(action(recipient, revision, at_ms=now_ms), episode_id=record.episode_id)
        lease = replace(lease, scope=Scope("otp", lease.scope.trust, tuple(range(14)), ()))
        one = replace(
            opened, change="renewed" if k else "raised", level=Level.THROTTLE, revision=revision,
            at_ms=now_ms, since_ms=now_ms - 600_000 if k else None, cause=lease.cause,
            sightings=tuple(seen[10 * k : 10 * k + 10] if k else seen[:8]),
        )  # fmt: skip
        yield "episode", key, encode_episode(one)
        yield "throttle", key, encode_action(lease)
        yield from _gateways(lease.action_id, record.episode_id, now_ms, draw)
    for k in range(3):
        some = incident(record, 64, 64 * k)
        yield "incident", key, encode_incident(some)
    for state in ("sending", "sent"):
        told = Notice(
            notice_id=f"{record.episode_id}:victim_start", episode_id=record.episode_id,
            kind="victim_start", to=recipient, channel="smpp", template="victim_start/zh",
            state=state, why="", at_ms=at_ms,
        )  # fmt: skip
        yield "notice", told.notice_id.encode(), encode_notice(told)
    ended = replace(
        opened, change="ended", level=Level.CLEAR, revision=base + 4_096, at_ms=at_ms + HOUR_MS,
        sightings=tuple(seen),
    )  # fmt: skip
    yield "episode", key, encode_episode(ended)


def _gateways(
    action_id: str, episode_id: str, at_ms: int, draw: random.Random
) -> Iterator[tuple[str, bytes, bytes]]:
    key = action_id.encode()
    for gateway in GATEWAYS:
        yield (
            "acks",
            key,
            encode_ack(
                Ack(action_id=action_id, gateway_id=gateway, state="applied", why="", at_ms=at_ms)
            ),
        )
        told: dict[int, int] = {}
        for minute in (1, 2):
            for name in draw.sample(NAMES, 10):
                told[IDS[name]] = told.get(IDS[name], 0) + 1
            yield "counts", key, encode_counts(
                Counts(
                    action_id=action_id, episode_id=episode_id, gateway_id=gateway,
                    at_ms=at_ms + minute * MINUTE_MS, refused=sum(told.values()), by_platform=told,
                )
            )  # fmt: skip
        yield "acks", key, encode_ack(
            Ack(action_id=action_id, gateway_id=gateway, state="expired", why="over",
                at_ms=at_ms + 600_000, refused_count=sum(told.values()))
        )  # fmt: skip


def records(floods: int) -> list[LogRecord]:
    """The records of so many floods, each topic in its order."""
    draw = random.Random(1)
    made: list[LogRecord] = []
    offsets: dict[str, int] = {}
    for n in range(floods):
        for role, key, value in flood(n, draw):
            at = offsets[role] = offsets.get(role, -1) + 1
            made.append(LogRecord(SOURCES[role], role, 0, at, START_MS, key, value))
    return made


def writes(store: CaseStore, made: list[LogRecord], batch: int = 2_000) -> dict[str, Any]:
    """Records a second of the writer alone, without Kafka."""
    writer = Writer(store.index)
    before: dict[str, int | None] = {}
    started, cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(made), batch):
        some = made[first : first + batch]
        ends = {each.topic: each.offset + 1 for each in some}
        writer.take(
            some,
            [PlaceRead(topic, 0, before.get(topic), end, end, 0, 0) for topic, end in ends.items()],
        )
        before |= ends
    return _rate(len(made), started, cpu)


def follows(broker: Broker, store: CaseStore, made: list[LogRecord]) -> dict[str, Any]:
    """Records a second of the whole indexer: from a broker's topics into the store."""
    name = f"desk-bench-{time.time_ns():x}"
    topics = {each: f"{name}.{each}" for each in (*SOURCES, "input", "undeliverable",
              "dead_letters")}  # fmt: skip
    settings = Settings(
        app_id=name,
        kafka={"bootstrap": broker.bootstrap},
        topics={**topics, "partitions": 8, "replication": 1},
    )
    create(settings)
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap, linger_ms=50)) as producer:
        for each in made:
            producer.send(topics[each.topic], each.value, key=each.key)
        producer.flush()
    indexer = Indexer(
        store,
        settings.kafka,
        settings.topics,
        batch_records_max=settings.desk.batch_records_max,
        clock=lambda: time.time_ns() // 1_000_000,
    )
    started, cpu = time.perf_counter(), time.process_time()
    indexer.catch_up()
    return _rate(len(made), started, cpu)


def _rate(count: int, started: float, cpu: float) -> dict[str, Any]:
    wall = time.perf_counter() - started
    return {
        "records": count,
        "records_per_s": round(count / wall),
        "cpu_us_per_record": round((time.process_time() - cpu) / count * 1e6, 1),
    }


# --- a full store --------------------------------------------------------------------------------

OPEN: Final = 2_000
PLATFORM_DAYS: Final = 180
FILL_STEP: Final = 10_000


@contextmanager
def opened(url: str) -> Iterator[CaseStore]:
    """A store whose clock stands still, so that a fill and the questions after it agree."""
    at_ms = now_ms()
    with closing(CaseStore(url, clock=lambda: at_ms)) as store:
        yield store


def fill(store: CaseStore, number: int) -> float:
    """Fill a store with so many cases of half a year, past the writer; return the seconds.

    Every value can be read: it is a record's own bytes, with the case's names in it. Each has a
    lease, the words and counts of three gateways; each tenth its incident; one number in ten had
    three floods. The newest 2,000 go on.
    """
    templates = _templates()
    draw = random.Random(2)
    at_ms = store.freshness().at_ms
    started = time.perf_counter()
    for first in range(0, number, FILL_STEP):
        rows: dict[Table, list[dict[str, Any]]] = {}
        for n in range(first, min(number, first + FILL_STEP)):
            _case(rows, n, number, at_ms, templates, draw)
        for table, some in rows.items():
            _copy(store.index, table, some)
    days = [
        {"day": at_ms // DAY_MS - day, "platform_id": IDS[name], "platform": name, "trust": 0,
         "floods": draw.randint(1, 200), "novel": 1, "refused": 5, "last_ms": at_ms}
        for day in range(PLATFORM_DAYS)
        for name in NAMES
    ]  # fmt: skip
    _copy(store.index, platform_days, days)
    _copy(store.index, places, [
        {"topic": "otpguard.episode.v1", "partition": 0, "next_offset": 1, "end_offset": 1,
         "record_ms": at_ms, "read_ms": at_ms}])  # fmt: skip
    with store.index.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    return time.perf_counter() - started


def number_of(n: int) -> str:
    """The recipient of case number `n`: of ten numbers one has had three."""
    return f"86139{n - n % 30 if n % 30 in (10, 20) else n:08d}"


def _templates() -> dict[str, bytes]:
    """Records with marks in the place of a case's own names."""
    draw = random.Random(3)
    found = {}
    for role, _, value in flood(7, draw):
        change = msgspec.json.decode(value)
        if role == "throttle" or (role == "episode" and change.get("change") == "ended"):
            found[role] = value
        if role == "incident" and change["first"] == 0:
            found[role] = value
    marks = {b"8613900000007": b"@NUMBER@", b":70000": b":@BASE@", b":700": b":@BASE@"}
    for old, new in marks.items():
        found = {role: value.replace(old, new) for role, value in found.items()}
    return found


def _case(
    rows: dict[Table, list[dict[str, Any]]], n: int, number: int, now_ms: int,
    templates: dict[str, bytes], draw: random.Random,
) -> None:  # fmt: skip
    recipient, base = number_of(n), n + 1_000_000
    at_ms = now_ms - (number - n) * (PLATFORM_DAYS * DAY_MS // number)
    going = n >= number - OPEN
    episode_id, action_id = f"1:sms.delivery.v1:0:{base}", f"1:sms.delivery.v1:0:{base}40"

    def value(role: str) -> bytes:
        own = templates[role].replace(b"@NUMBER@", recipient.encode())
        return pack(own.replace(b"@BASE@", b"%d" % base))

    ids, told = LISTS[draw.randrange(len(LISTS))]
    put = rows.setdefault
    put(cases, []).append(
        {"episode_id": episode_id, "recipient": recipient, "kind": "flood",
         "level": "throttle" if going else "clear", "mode": "enforce", "change": "ended",
         "epoch": 1, "revision": base, "at_ms": at_ms, "first_ms": at_ms - HOUR_MS,
         "last_ms": now_ms if going else at_ms, "ended_ms": None if going else at_ms,
         "messages": 60, "platforms": 40, "novel": 40, "rule": "burst", "known": 8,
         "chronic": False, "throttled": True,
         "platform_ids": ids, "written_ms": at_ms}
    )  # fmt: skip
    put(changes, []).append(
        {"episode_id": episode_id, "revision": base, "written_ms": at_ms, "value": value("episode")}
    )
    put(links, []).append({"action_id": action_id, "episode_id": episode_id})
    put(leases, []).append(
        {"action_id": action_id, "episode_id": episode_id, "recipient": recipient, "epoch": 1,
         "revision": base, "verb": "throttle",
         "expires_at_ms": now_ms + 10 * MINUTE_MS if going else at_ms, "written_ms": at_ms,
         "value": value("throttle")}
    )  # fmt: skip
    if n % 10 == 0:
        put(incidents, []).append(
            {"episode_id": episode_id, "revision": base, "first": 0, "recipient": recipient,
             "written_ms": at_ms, "value": value("incident")}
        )  # fmt: skip
    for gateway in GATEWAYS:
        put(acks, []).append(
            {"action_id": action_id, "gateway_id": gateway, "state": "expired", "why": "",
             "at_ms": at_ms, "refused_count": 9, "written_ms": at_ms}
        )  # fmt: skip
        put(counts, []).append(
            {"action_id": action_id, "gateway_id": gateway, "at_ms": at_ms, "refused": 9,
             "by_platform": told, "written_ms": at_ms}
        )  # fmt: skip


def _copy(engine: Engine, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write rows by the quickest way that each database has."""
    names = [column.name for column in table.c]
    if engine.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        with engine.begin() as connection:
            raw: Any = connection.connection.driver_connection
            raw.executemany(
                f'INSERT INTO "{table.name}" VALUES ({marks})',
                [[row[name] for name in names] for row in rows],
            )
        return
    columns = ", ".join(f'"{name}"' for name in names)
    with engine.begin() as connection:
        raw = connection.connection.driver_connection
        with raw.cursor().copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])


def searches(store: CaseStore, number: int, asked: int = 2_000) -> dict[str, Any]:
    """Milliseconds from a number to its answer, and for the lists, on a full store."""
    draw = random.Random(4)
    with_case = [number_of(draw.randrange(number)) for _ in range(asked)]
    without = [f"86137{draw.randrange(10**8):08d}" for _ in range(asked // 4)]
    found: dict[str, Any] = {
        "find, with a case": _times(store.find, with_case, lambda a: a.newest is not None),
        "find, without": _times(store.find, without, lambda a: a.newest is None),
    }
    store.case(store.find(with_case[0]).cases[0].episode_id)
    for name, ask, least in (
        ("live, 100", lambda _: store.live(100)[0], 100),
        ("live, in one state", lambda _: store.live(25, state=Doing.LAPSED)[0], 25),
        ("last digits", lambda _: store.find_tail(draw.choice(with_case)[-TAIL:], 0, 100), 1),
        ("platforms of a week", lambda _: store.platforms()[0], 100),
        ("campaigns of a day", lambda _: store.campaigns()[0], 0),
    ):
        found[name] = _times(ask, ["x"] * 20, partial(_at_least, least))
    return found


def _at_least(least: int, answer: Any) -> bool:
    return len(answer) >= least


def _times(
    ask: Callable[[str], Any], asked: list[str], right: Callable[[Any], bool]
) -> dict[str, float]:
    took = []
    for each in asked:
        started = time.perf_counter()
        answer = ask(each)
        took.append((time.perf_counter() - started) * 1_000)
        assert right(answer), "the answer is wrong: its time says nothing"
    took.sort()
    return {
        f"p{share}_ms": round(took[min(len(took) - 1, len(took) * share // 100)], 2)
        for share in (50, 95, 99)
    } | {"max_ms": round(took[-1], 2)}


def table(figures: dict[str, Any]) -> str:
    """The figures as a table in Markdown."""
    lines = ["| | records/s | CPU us/record |", "|---|---|---|"]
    lines += [
        f"| {name} | {figures[name]['records_per_s']:,} | {figures[name]['cpu_us_per_record']} |"
        for name in ("indexer", "writer")
    ]
    lines += ["", f"| of {figures['cases']:,} cases | p50 ms | p95 | p99 |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {took['p50_ms']} | {took['p95_ms']} | {took['p99_ms']} |"
        for name, took in figures["searches"].items()
    ]
    shown = figures["lists"]
    lines += [
        "",
        "| live lists | rows | p50 s | p99 | max | % of a core, idle | a flood each 2 s | MB |",
        "|---|---|---|---|---|---|---|---|",
        (
            f"| {shown['lists']} | {shown['rows']:,} | {shown['p50_s']} | {shown['p99_s']} "
            f"| {shown['max_s']} | {shown['core_percent_idle']} "
            f"| {shown['core_percent_a_flood_each_2_s']} | {shown['memory_mb']} |"
        ),
    ]
    return "\n".join(lines) + "\n"
