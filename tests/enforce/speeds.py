"""Measures adapter, feed and report, each beside a program that only moves the same bytes."""

from __future__ import annotations

import io
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

import fastavro
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

from detectors.leases.gateway_rule import Lease
from detectors.model.records import Action
from detectors.recognise.platform.registry import Registry
from streams.cluster.admin import Cluster
from streams.cluster.librdkafka import arguments
from streams.config import Kafka
from streams.gateways.enforce.gateway import Order
from streams.gateways.enforce.redis import RedisGateway, lease_value
from streams.wire import decode_ack, encode_action
from tests.bench.harness import Cost, cpu_s, run, scraped
from tests.enforce.kannel_world import OTHER, VICTIM, kannel_world, order
from tests.enforce.loop import now_ms, ready
from tests.enforce.records import action
from tests.enforce.services import (
    Server,
    inside,
    redis_client,
    redis_server,
)
from tests.enforce.sip_ends import TEXT as PLAIN, sip_world
from tests.nodes import Broker
from tests.ports import free_port
from tests.waiting import END_S, wait_until

PARTITIONS: Final = 4
BATCH: Final = 1_000
LEASE_MS: Final = 600_000


def topics(broker: Broker, *names: str) -> dict[str, str]:
    """New topics with names of their own, by the roles that settings give them."""
    mark = uuid.uuid4().hex[:8]
    made = {name: f"speed-{mark}.{name}" for name in names}
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        for name in made.values():
            cluster.create(name, PARTITIONS, 1, {})
    return made


def settings_file(folder: Path, broker: Broker, roles: Mapping[str, str], *lines: str) -> Path:
    """Settings that name these topics."""
    file = folder / "otpguard.toml"
    named = [f'topics.{role} = "{topic}"' for role, topic in roles.items()]
    said = [f'app_id = "speed-{uuid.uuid4().hex[:8]}"', *named, *lines]
    file.write_text("\n".join([f'kafka.bootstrap = "{broker.bootstrap}"', *said]) + "\n")
    return file


def fill(broker: Broker, topic: str, records: Iterator[tuple[bytes | None, bytes]]) -> None:
    """Write them as fast as librdkafka does."""
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "acks": "all",
            "linger.ms": 20,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for key, value in records:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(120) == 0


def adapter(broker: Broker, folder: Path, number: int) -> dict[str, Any]:
    """Actions in the topic, orders to Redis, acknowledgements: from the first to the last.

    The peer sets the same values with the same ends, in pipelines of the same size.
    """
    roles = topics(broker, "throttle", "acks", "override", "everyone", "undeliverable")
    with redis_server(folder / "redis") as server:
        port = free_port()
        config = settings_file(
            folder,
            broker,
            roles,
            f'redis.url = "redis://127.0.0.1:{server.port}/0"',
            f"enforce.new_leases_per_minute = {2 * number}",
            f"enforce.recipients_max = {2 * number}",
            f"http.port = {port}",
        )
        words = ["enforce", "redis", "--gateway-id", "redis-1", "--config", str(config)]
        program = Server("adapter", [sys.executable, "-m", "streams", *words], folder, port)
        program.environment = {"PYTHONPATH": str(Path.cwd())}
        with program, closing(redis_client(server)) as keys:
            wait_until(lambda: ready(port), "the adapter is ready")
            issued_ms = now_ms()
            actions = [
                action(f"86139{n:08}", n, at_ms=issued_ms, lease_ms=LEASE_MS) for n in range(number)
            ]
            values = [(each.recipient.encode(), encode_action(each)) for each in actions]
            assert program.process is not None
            watched = psutil.Process(program.process.pid)
            acks = _Acks(broker, roles["acks"], number)
            cpu, began = cpu_s(watched), time.monotonic()
            fill(broker, roles["throttle"], iter(values))
            filled = time.monotonic() - began
            acks.wait()
            wall, cpu = time.monotonic() - began, cpu_s(watched) - cpu
            held = sum(1 for _ in keys.scan_iter("otpguard:throttle:*", count=10_000))
            keys.flushall()
            orders = [
                (f"otpguard:throttle:{each.recipient}", Lease(each.action_id, each.expires_at_ms,
                                                              each.scope))
                for each in actions
            ]  # fmt: skip
            encoded = [(key, lease_value(lease), lease.expires_at_ms) for key, lease in orders]
            raw_wall, raw_cpu = _raw(keys, encoded)
    return {
        "actions": number,
        "applied": acks.states.get("applied", 0),
        "keys_held": held,
        "actions_per_s": round(number / wall),
        "us_cpu_per_action": round(cpu / number * 1e6, 1),
        "filled_after_s": round(filled, 2),
        "acknowledged_after_s": round(wall, 2),
        "raw_sets_per_s": round(number / raw_wall),
        "raw_us_cpu_per_set": round(raw_cpu / number * 1e6, 1),
        "ratio_to_raw": round(raw_wall / wall, 3),
    }


class _Acks:
    """Counts acknowledgements by their state while they come."""

    def __init__(self, broker: Broker, topic: str, enough: int) -> None:
        self.states: dict[str, int] = {}
        self._enough = enough
        self._consumer = Consumer(
            {
                "bootstrap.servers": broker.bootstrap,
                "group.id": f"acks-{uuid.uuid4().hex}",
                "auto.offset.reset": "earliest",
            }
        )
        self._consumer.subscribe([topic])
        while not self._consumer.assignment():
            self._count(0.1)

    def wait(self, timeout_s: float = 300.0) -> None:
        """Return when all are there."""
        end = time.monotonic() + timeout_s
        while sum(self.states.values()) < self._enough:
            assert time.monotonic() < end, f"only {self.states} acknowledged"
            self._count(0.05)
        self._consumer.close()

    def _count(self, timeout_s: float) -> None:
        for record in self._consumer.consume(10_000, timeout_s):
            if record.error() is None:
                state = decode_ack(record.value()).state
                self.states[state] = self.states.get(state, 0) + 1


def _raw(keys: Any, encoded: Sequence[tuple[str, bytes, int]]) -> tuple[float, float]:
    """Wall and CPU seconds of SET PXAT alone."""
    cpu, began = time.process_time(), time.monotonic()
    for start in range(0, len(encoded), BATCH):
        with keys.pipeline(transaction=False) as pipe:
            for key, value, ends_ms in encoded[start : start + BATCH]:
                pipe.set(key, value, pxat=ends_ms)
            pipe.execute()
    return time.monotonic() - began, time.process_time() - cpu


TEXT: Final = "【淘宝】验证码123456，5分钟内有效，请勿泄露给他人，如非本人操作请忽略本短信。" * 2
SCHEMA: Final = {
    "type": "record",
    "name": "Cdr",
    "fields": [
        {"name": "dst", "type": "string"},
        {"name": "src", "type": "string"},
        {"name": "ts", "type": "long"},
        {"name": "id", "type": "string"},
        {"name": "body", "type": ["null", "string"]},
        {"name": "account", "type": ["null", "string"]},
    ],
}
WORDS: Final = (
    ("release", "13900000001"), ("exempt", "13900000002"), ("allow", "13900000003", "招商银行"),
    ("mode", "off"), ("mode", "enforce"),
)  # fmt: skip


def word(broker: Broker, folder: Path, number: int) -> dict[str, Any]:
    """Seconds from an operator's word on its topic until the last of two adapters obeys it."""
    roles = topics(broker, "throttle", "acks", "override", "everyone", "undeliverable")
    took: dict[str, list[float]] = {}
    with ExitStack() as stack:
        for name in ("redis-1", "redis-2"):
            (home := folder / name).mkdir()
            server = stack.enter_context(redis_server(home / "redis"))
            port = free_port()
            urls = f'redis.url = "redis://127.0.0.1:{server.port}/0"', f"http.port = {port}"
            config = settings_file(home, broker, roles, *urls)
            words = ["enforce", "redis", "--gateway-id", name, "--config", str(config)]
            program = Server(name, [sys.executable, "-m", "streams", *words], home, port)
            program.environment = {"PYTHONPATH": str(Path.cwd())}
            stack.enter_context(program)
            wait_until(lambda: ready(port), f"{name} is ready")  # noqa: B023
        leases = [action(f"861390000{n:04}", n, at_ms=now_ms()) for n in range(1, 100)]
        values = ((each.recipient.encode(), encode_action(each)) for each in leases)
        fill(broker, roles["throttle"], values)
        for _ in range(number):
            for verb, *more in WORDS:
                said = subprocess.run(
                    [sys.executable, "-m", "streams", verb, *more, "--reason", "a measure",
                     "--json", "--wait", "60", "--config", str(config)],
                    check=True, capture_output=True, timeout=END_S,
                )  # fmt: skip
                obeyed = json.loads(said.stdout)["in_effect"]
                assert len(obeyed) == 2, obeyed
                took.setdefault(verb, []).append(max(obeyed.values()))
    return {
        "words": number * len(WORDS),
        **{f"{verb}_median_s": round(statistics.median(each), 3) for verb, each in took.items()},
        "max_s": round(max(map(max, took.values())), 3),
    }


FORMS: Final = ("+86139{:08}", "86139{:08}", "139{:08}")
MAPS: Final = ("recipient=dst", "sender=src", "event_time_ms=ts", "message_id=id", "text=body")
FEED_KINDS: Final = ("ceiling", "kept", "mapped", "avro")


def feed(broker: Broker, folder: Path, kind: str, number: int) -> Cost:
    """One kind of source through `feed kafka`, or through librdkafka alone; after a quarter."""
    roles = topics(broker, "source", "input")
    fill(broker, roles["source"], ((None, value) for value in _source(kind, number)))
    warm, log = number // 4, folder / f"feed-{kind}.log"
    if kind == "ceiling":
        relay = [sys.executable, "-m", "tests.enforce.relay", broker.bootstrap]
        relay += [roles["source"], roles["input"], uuid.uuid4().hex, str(number)]
        return run(relay, broker, warm=warm, log=log).cost
    port = free_port()
    config = settings_file(folder, broker, {"input": roles["input"]}, f"http.port = {port}")
    words = ["feed", "kafka", roles["source"], "--config", str(config)]
    if kind != "kept":
        words += [word for each in MAPS for word in ("--map", each)]
        words += ["--set", "gateway_id=smsc-1"]
    if kind == "avro":
        (folder / "cdr.avsc").write_text(json.dumps(SCHEMA))
        words += ["--avro-schema", str(folder / "cdr.avsc")]
    published = 'otpguard_feed_events_total{outcome="published"}'

    def progress() -> int:
        return int(scraped(f"http://127.0.0.1:{port}/metrics").get(published, 0))

    command = [sys.executable, "-m", "streams", *words]
    cost = run(command, broker, warm=warm, log=log, progress=progress, total=number).cost
    with closing(Consumer({**arguments(Kafka(bootstrap=broker.bootstrap)), "group.id": "x"})) as it:
        assert _records(it, roles["input"]) >= number
    return cost


def _records(consumer: Consumer, topic: str) -> int:

    marks = (
        consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=END_S)
        for number in range(PARTITIONS)
    )
    return sum(high - low for low, high in marks)


def _source(kind: str, number: int) -> Iterator[bytes]:
    """Values of a carrier's own topic."""
    schema = fastavro.parse_schema(SCHEMA)
    for n in range(number):
        recipient = FORMS[n % 3].format(n % 1_000_000)
        row = {"dst": recipient, "src": "10690000123", "ts": 1_772_422_380_000 + n}
        row |= {"id": str(n), "body": TEXT, "account": "a1"}
        if kind == "avro":
            out = io.BytesIO()
            fastavro.schemaless_writer(out, schema, row)
            yield out.getvalue()
        elif kind == "mapped":
            yield json.dumps(row, ensure_ascii=False).encode()
        else:
            kept = {"schema_version": 1, "recipient": recipient, "sender": row["src"]}
            kept |= {"event_time_ms": row["ts"], "message_id": row["id"], "text": TEXT}
            yield json.dumps({**kept, "account_id": "a1"}, ensure_ascii=False).encode()


def report(broker: Broker, folder: Path, number: int, leases: int) -> dict[str, Any]:
    """`shadow-report` over so many messages, one of 20 to a recipient under lease.

    The peer reads the same topic with librdkafka and looks at nothing.
    """
    roles = topics(broker, "input", "throttle")
    began_ms = now_ms() - 3_600_000

    def messages() -> Iterator[tuple[bytes, bytes]]:
        for n in range(number):
            recipient = f"86139{n // 20 % leases if n % 20 == 0 else leases + n:08}"
            value = {"schema_version": 1, "recipient": recipient, "sender": "10690000123",
                     "event_time_ms": began_ms + n * 1_000_000 // number, "message_id": str(n),
                     "text": f"【平台{n % 997}】验证码583921，5分钟内有效"}  # fmt: skip
            yield recipient.encode(), json.dumps(value, ensure_ascii=False).encode()

    fill(broker, roles["input"], messages())
    fill(
        broker,
        roles["throttle"],
        (
            (each.recipient.encode(), encode_action(_at(each, n % PARTITIONS)))
            for n, each in enumerate(
                action(f"86139{n:08}", n, at_ms=began_ms, mode="shadow", lease_ms=LEASE_MS)
                for n in range(leases)
            )
        ),
    )
    config = settings_file(folder, broker, roles)
    command = [sys.executable, "-m", "streams", "shadow-report", "--json", "--since", "2h"]
    before = time.monotonic()
    process = psutil.Popen([*command, "--config", str(config)], stdout=subprocess.PIPE)
    most, cpu = _watch(process)
    wall = time.monotonic() - before
    assert process.returncode == 0
    said = json.loads(process.stdout.read())
    ceiling = _read_all(broker, roles["input"], number)
    return {
        "messages": number,
        "leases": said["leases"],
        "messages_refused": said["messages_refused"],
        "recipients_refused": said["recipients_refused"],
        "wall_s": round(wall, 1),
        "messages_per_s": round(number / wall),
        "us_cpu_per_message": round(cpu / number * 1e6, 1),
        "memory_peak_mb": round(most / 1e6),
        "librdkafka_messages_per_s": round(number / ceiling),
        "ratio_to_librdkafka": round(ceiling / wall, 3),
    }


def _at(issued: Action, partition: int) -> Action:
    """The same, caused by the first record of a partition, so that the report reads it whole."""
    return replace(issued, cause=issued.cause._replace(partition=partition, offset=0))


def _watch(process: psutil.Popen) -> tuple[int, float]:
    """Peak resident bytes and CPU seconds of a process, at its end."""
    most, cpu = 0, 0.0
    while process.poll() is None:
        try:
            most = max(most, process.memory_info().rss)
            cpu = cpu_s(process)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.1)
    process.wait()
    return most, cpu


def _read_all(broker: Broker, topic: str, number: int) -> float:
    """Seconds that librdkafka takes to read so many records."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": uuid.uuid4().hex,
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
        }
    )
    with closing(consumer):
        consumer.subscribe([topic])
        read = len(consumer.consume(1, 30.0))
        began = time.monotonic()
        while read < number:
            read += len(consumer.consume(20_000, 0.2))
        return time.monotonic() - began


class Knocking:
    """Asks again and again, from so many threads, whether a message passes; notes each answer."""

    def __init__(self, passes: Callable[[str], bool], recipient: str, threads: int = 2) -> None:
        self.answers: list[tuple[float, bool]] = []
        self._passes, self._recipient = passes, recipient
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._knock) for _ in range(threads)]

    def _knock(self) -> None:
        while not self._done.is_set():
            asked = time.monotonic()
            self.answers.append((asked, self._passes(self._recipient)))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()


def reload(folder: Path, numbers: int, times: int) -> dict[str, Any]:
    """Kannel's list reloads with so many numbers, again and again, while messages come in."""
    crowd = [order(f"86138{number:08}") for number in range(numbers)]
    took = []
    with kannel_world(folder) as world, closing(world.gateway()) as gateway:
        gateway.apply([order(VICTIM)])
        with Knocking(world.passes, VICTIM) as held, Knocking(world.passes, OTHER) as free:
            for _ in range(times):
                began = time.monotonic()
                gateway.apply(crowd)
                took.append(time.monotonic() - began)
                time.sleep(0.5)
    waits = [
        later[0] - each[0] for each, later in zip(held.answers, held.answers[1:], strict=False)
    ]
    return {
        "numbers": numbers,
        "reloads": times,
        "reload_median_s": round(statistics.median(took), 3),
        "reload_worst_s": round(max(took), 3),
        "asked_for_the_victim": len(held.answers),
        "let_through": sum(passed for _, passed in held.answers),
        "asked_for_another": len(free.answers),
        "another_refused": sum(not passed for _, passed in free.answers),
        "longest_between_answers_s": round(max(waits), 3),
    }


def interceptor(folder: Path, calls: int, fuzz: int) -> dict[str, Any]:
    """Milliseconds that a submission waits for the interceptor, and what hostile ones raise."""
    with redis_server(folder / "redis") as server:
        up = inside(server, "time", calls, 0, environment={})
        with closing(redis_client(server)) as keys:
            gateway = RedisGateway(keys, Registry())
            lease = Lease("a", now_ms() + LEASE_MS, action().scope)
            gateway.apply([Order("8613900000001", lease), Order("*", lease)])
        fuzzed = inside(server, "fuzz", fuzz, 7)
        server.freeze()
        frozen = inside(server, "time", 2_000, 5, environment={})
        server.thaw()
        server.kill()
        dead = inside(server, "time", 2_000, 5, environment={})
        without = inside(server, "fuzz", fuzz, 8, environment={})
    return {
        "up": up,
        "p99_ratio_to_bare_get": round(up["interceptor"]["p99_ms"] / up["bare_get"]["p99_ms"], 2),
        "frozen": frozen,
        "dead": dead,
        "fuzzed": 2 * fuzz,
        "refused": fuzzed["refused"],
        "raised": fuzzed["raised"] + without["raised"],
    }


def sip(
    folder: Path, gate_port: int, asked: Callable[[], int], number: int, rate: int
) -> dict[str, Any]:
    """Milliseconds from a MESSAGE to its answer: a gate that answers, one that is away, one that
    takes connections and never answers; with the shipped time-out."""
    figures: dict[str, Any] = {}
    with socket.socket() as away, socket.socket() as silent:
        for each in (away, silent):
            each.bind(("127.0.0.1", 0))
        silent.listen(64)
        ports = {"answers": gate_port, "away": away.getsockname()[1],
                 "hangs": silent.getsockname()[1]}  # fmt: skip
        for name, port in ports.items():
            place = folder / f"sip-{name}"
            place.mkdir()
            with sip_world(place, port, 0.02) as world:
                client = world.client()
                client.send("8613800000001", "1069", b"hello", PLAIN, count=number, rate=rate)
            times = sorted(client.delays_ms)
            figures[name] = {
                "messages": len(times),
                "asked": asked() if name == "answers" else 0,
                "passed": client.statuses.count(200),
                "p50_ms": round(times[len(times) // 2], 2),
                "p95_ms": round(times[len(times) * 95 // 100], 2),
                "p99_ms": round(times[len(times) * 99 // 100], 2),
                "max_ms": round(times[-1], 2),
            }
    return figures
