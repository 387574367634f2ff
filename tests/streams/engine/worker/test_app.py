"""The worker as a process on a real broker: how it starts, what it refuses, what it survives.

Where it is killed and counts everything again, a test is part of `make integration`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams import __version__
from streams.cluster import topics
from streams.cluster.admin import Cluster
from streams.common.errors import Exit
from streams.tools.scenarios import generate, merge_streams
from tests.builders.streams.engine.worker.app import (
    HOUR_MS,
    await_exit,
    difference,
    is_rebuilt,
    produce,
    running_worker,
    start_worker,
    traffic_values,
    wait_until_read,
)
from tests.faults.driver import Fault, Plan, Run
from tests.faults.oracle import Outcome, compute_outcome, read_outcome, records
from tests.faults.traffic import POISON
from tests.nodes import Broker
from tests.ports import free_port
from tests.streams.engine.worker.scraped import scraped
from tests.waiting import END_S, wait_until

NOBODY = "127.0.0.1:9"  # the discard port: nobody listens

pytestmark = pytest.mark.kafka


@pytest.fixture
def run(kafka: Broker, unique: str, tmp_path: Path) -> Run:
    """Settings and names on the shared broker; its topics are made by the test."""
    return Run(Plan(1, script=(), stall_s=END_S), kafka, unique, tmp_path)


# -- how it starts --------------------------------------------------------------------------------


def test_without_a_broker_it_says_so_in_one_line_and_exits_75(run: Run) -> None:
    code, said = await_exit(start_worker(run, OTPGUARD_KAFKA_BOOTSTRAP=NOBODY))
    assert code == Exit.TRY_AGAIN
    assert len(said) == 1
    assert NOBODY in said[0]


def test_a_folder_that_cannot_be_made_is_a_matter_of_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = await_exit(
        start_worker(run, OTPGUARD_WORKER_DATA_DIR=str(tmp_path / "file" / "data"))
    )
    assert code == Exit.CONFIG
    assert len(said) == 1
    assert "worker.data_dir" in said[0]
    assert "Not a directory" in said[0]


def test_without_its_topics_it_names_them_and_exits_78(run: Run) -> None:
    code, said = await_exit(start_worker(run))
    assert code == Exit.CONFIG
    assert len(said) == 1
    assert f"topics {run.settings.topics.input}, " in said[0]
    assert "are missing; `otpguard topics create` makes them" in said[0]


def test_unequal_partition_counts_are_refused(run: Run) -> None:
    with Cluster(run.settings.kafka) as cluster:
        for topic in topics.topics(run.settings):
            partitions = 2 if topic.role == "changelog" else topic.partitions
            cluster.create(topic.name, partitions, 1, topic.configs)
    code, said = await_exit(start_worker(run))
    assert code == Exit.CONFIG
    assert "must be equal" in said[0]


def test_with_wait_it_starts_when_the_topics_are_there_and_stops_when_told(run: Run) -> None:
    port = free_port()
    process = start_worker(run, "--wait", OTPGUARD_HTTP_PORT=str(port))
    time.sleep(4)
    assert process.poll() is None
    run.create_topics()
    wait_until(lambda: _answer(port, "/health/ready") == 200, "it is ready", pause_s=0.2)
    assert _answer(port, "/health/live") == 200
    assert _answer(port, "/metrics") == 200
    process.send_signal(signal.SIGTERM)
    code, _ = await_exit(process)
    assert code == Exit.DONE


def _answer(port: int, path: str) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=END_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


# -- what it does with bad input ------------------------------------------------------------------


def test_a_feed_may_be_compressed_by_any_codec(run: Run) -> None:
    run.create_topics()
    values = traffic_values(4_000)
    for number, codec in enumerate(("gzip", "snappy", "lz4", "zstd")):
        asyncio.run(produce(run, values[number::4], codec=codec))
    with running_worker(run) as process:
        assert not _arenas(process.pid), "threads that unpack records share one place of memory"
    assert difference(run) == []


def _arenas(pid: int) -> list[str]:
    """Addresses of what glibc keeps for single threads: 64 MiB each, most of it only reserved."""
    maps = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    found = []
    for (place, rights, *_), (following, rights_there, *_) in itertools.pairwise(maps):
        start, end = place.split("-")
        reserved = following.startswith(f"{end}-") and rights_there == "---p"
        if int(start, 16) % (64 << 20) == 0 and rights == "rw-p" and reserved:
            found.append(start)
    return found


def test_poison_in_the_middle_is_dead_lettered_and_its_neighbours_are_counted(run: Run) -> None:
    run.create_topics()
    good = traffic_values(2_000)
    ahead = (good[0] or b"").replace(b'"event_time_ms": ', b'"event_time_ms": 9')
    poison: list[bytes | None] = [*POISON, None, b"x" * 900_000, ahead]
    asyncio.run(produce(run, [*good[:1000], *poison, *good[1000:]]))
    with running_worker(run):
        pass
    ours = asyncio.run(read_outcome(run.settings))
    assert sum("dead letter" in identity for identity in ours.published) == len(poison)
    assert difference(run) == []


def test_a_rush_of_rubbish_neither_stops_the_worker_nor_is_written_once_more(run: Run) -> None:
    run.create_topics()
    good = traffic_values(3_000)
    asyncio.run(produce(run, [*good[:1500], *([b"{}"] * RUBBISH), *good[1500:]]))
    process = start_worker(run, OTPGUARD_INPUT_DEAD_LETTERS_PER_S="20")
    try:
        wait_until_read(run)
    finally:
        process.send_signal(signal.SIGTERM)
        code, said = await_exit(process)
    assert code == Exit.DONE
    ours, oracle = (
        asyncio.run(read_outcome(run.settings)),
        asyncio.run(compute_outcome(run.settings)),
    )
    letters = _without_letters(ours)
    assert len(_without_letters(oracle)) == RUBBISH
    assert ours.differences(oracle) == []
    ranges = [match for line in said if (match := WITHHELD.search(line))]
    assert len(letters) + sum(int(match["records"]) for match in ranges) == RUBBISH
    assert 200 <= len(letters) < RUBBISH / 4  # ten seconds' worth, and what a minute adds
    assert {match["reason"] for match in ranges} == {"missing_field"}
    assert all(1500 < int(m["first"]) <= int(m["last"]) < 1500 + RUBBISH for m in ranges)


RUBBISH = 11_000
WITHHELD = re.compile(
    r"(?P<records>\d+) records refused as (?P<reason>\w+) without a dead letter, "
    r"at offsets (?P<first>\d+) to (?P<last>\d+)"
)


def _without_letters(outcome: Outcome) -> list[str]:
    """Take the dead letters out of what was published, and return their identities."""
    letters = [identity for identity in outcome.published if identity.startswith("dead letter")]
    for identity in letters:
        del outcome.published[identity]
    return letters


def test_batches_that_hold_a_thousand_times_their_size_are_passed_over(run: Run) -> None:
    run.create_topics()
    port = free_port()
    good = traffic_values(2_000)
    asyncio.run(produce(run, good[:1000]))
    asyncio.run(_bombs(run, 6))
    asyncio.run(produce(run, good[1000:]))
    process = start_worker(run, OTPGUARD_HTTP_PORT=str(port))
    try:
        wait_until(lambda: scraped(port, "events_total", outcome="counted") == len(good))
        assert scraped(port, "dead_letters_total", reason="batch_unreadable") == 6
        status = Path(f"/proc/{process.pid}/status").read_text()
        most_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    finally:
        process.send_signal(signal.SIGTERM)
        code, _ = await_exit(process)
    assert code == Exit.DONE
    assert most_mb < 300  # a worker at rest has 140; each of them would make 400 of it
    letters = asyncio.run(_letters(run))
    assert [(each["offset"], each["last_offset"], each["size"]) for each in letters] == [
        (b"%d" % offset, b"%d" % offset, b"0") for offset in range(1000, 1006)
    ]


async def _bombs(run: Run, number: int) -> None:
    """Send records of 200 MB of zeros, which are 6 kB on their way and on the log."""
    producer = AIOKafkaProducer(
        bootstrap_servers=run.broker.bootstrap, compression_type="zstd",
        max_batch_size=1 << 28, max_request_size=1 << 29,
    )  # fmt: skip
    await producer.start()
    try:
        for _ in range(number):
            await producer.send_and_wait(
                run.settings.topics.input, bytes(200_000_000), b"key", partition=0
            )
    finally:
        await producer.stop()


async def _letters(run: Run) -> list[dict[str, bytes]]:
    """The headers of the dead letters, in the order of the refused records."""
    letters = [dict(r.headers) async for r in records(run.settings, _dlq(run))]
    return sorted(letters, key=lambda headers: int(headers["offset"]))


def _dlq(run: Run) -> str:
    return run.settings.topics.dead_letters


# -- what a replay of its log says ----------------------------------------------------------------


def test_replay_of_days_says_the_same_byte_for_byte(run: Run, tmp_path: Path) -> None:
    run.create_topics()
    start_ms = int(time.time() * 1000) - 9 * 24 * HOUR_MS
    sides = [generate(name, 4, recipient=i, start_ms=start_ms) for i, name in enumerate(SIDES)]
    values = [json.dumps(event.value).encode() for event in merge_streams(*sides)]
    asyncio.run(produce(run, [*values]))
    with running_worker(run):
        pass
    ours = asyncio.run(read_outcome(run.settings))
    file = tmp_path / "days.jsonl"
    file.write_bytes(b"\n".join(values))
    replayed = subprocess.run(
        [sys.executable, "-m", "streams", "replay", str(file), "--episodes", "--quiet"],
        env=run.slots[0].environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    mark = b'{"topic":"' + run.settings.topics.episode.encode() + b'",'
    lines = [
        b"{" + line.removeprefix(mark) if line.startswith(mark) else line
        for line in replayed.stdout.splitlines()
    ]
    assert len(lines) > 100
    assert sum(b'"verb":"throttle"' in line for line in lines) > 50
    said = [v for k, v in ours.published.items() if not k.startswith("incident ")]
    assert sorted(lines) == sorted(said)


SIDES = ("A1", "A5", "B1", "B3", "A7")


# -- what it survives -----------------------------------------------------------------------------


def test_a_clean_restart_goes_on_where_it_stopped(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run.create_topics()
    asyncio.run(produce(run, traffic_values(3_000)))
    with running_worker(run):
        pass
    first, *_ = capsys.readouterr().out.splitlines()
    mode, hashed = run.settings.mode, run.settings.fingerprint()
    assert first.endswith(f"otpguard {__version__}, mode {mode}, settings {hashed}")
    asyncio.run(produce(run, traffic_values(3_000)))
    with running_worker(run):
        pass
    assert difference(run) == []


@pytest.mark.integration
@pytest.mark.faults
def test_kill_9_in_the_middle_changes_nothing(kafka: Broker, unique: str, tmp_path: Path) -> None:
    events = int(os.environ.get("OTPGUARD_KILL_EVENTS", "100000"))
    plan = Plan(
        3,
        events=events,
        per_s=events // 6,
        cycle_s=1.0,
        script=(Fault(4.0, "kill", 0, 0), Fault(7.0, "kill", 0, 0)),
    )
    run = Run(plan, kafka, unique, tmp_path)
    assert run.execute() == []
    assert run.slots[0].exits.count(-signal.SIGKILL) == 2


def test_a_damaged_changelog_is_refused_by_key_and_a_rebuild_makes_it_anew(run: Run) -> None:
    run.create_topics()
    asyncio.run(produce(run, traffic_values(3_000)))
    with running_worker(run):
        pass
    key = b"0|damaged|manifest|0"

    async def damage() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=run.broker.bootstrap)
        await producer.start()
        await producer.send_and_wait(run.settings.changelog, b"rubbish", key, 0)
        await producer.stop()

    asyncio.run(damage())
    code, said = await_exit(start_worker(run))
    assert code == Exit.CONFIG
    assert key.decode() in said[-1]
    assert "--rebuild" in said[-1]
    process = start_worker(run, "--rebuild")
    wait_until(lambda: is_rebuilt(run), "it is rebuilt", pause_s=0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=END_S)
    assert difference(run) == []


def test_a_changelog_that_takes_no_chunks_is_said_to_be_so(run: Run) -> None:
    with Cluster(run.settings.kafka) as cluster:
        for topic in topics.topics(run.settings):
            tiny = {"max.message.bytes": "500"} if topic.role == "changelog" else {}
            cluster.create(topic.name, topic.partitions, 1, topic.configs | tiny)
    asyncio.run(produce(run, traffic_values(3_000)))
    code, said = await_exit(start_worker(run))
    assert code == Exit.CONFIG
    assert "max.message.bytes" in said[-1]
