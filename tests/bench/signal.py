"""Measures the bank signal on one core: duration and CPU of an answer at a given rate.

`python -m tests.bench.signal --rate 500 --seconds 20`: a real broker for the audit, a store of
SQLite with cases, tokens of one client, an open loop of questions over kept connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import psutil

from streams.cases.store.index_writer import PlaceRead, Writer
from streams.cluster.admin import Cluster
from streams.config import Kafka
from streams.people.signal.api import PATH
from tests.clusters import broker
from tests.enforce.services import Server
from tests.ports import free_port
from tests.streams.cases.store.filled import FilledStore, flood, logged, opened
from tests.streams.people.signal.parts import AUDIENCE, ISSUER, jwks, token

CASES: Final = 20_000
CONNECTIONS: Final = 32
BATCH: Final = 1_000


def filled(folder: Path) -> FilledStore:
    """A store with so many floods, its index as new as it can be."""
    store = opened(folder)
    for first in range(0, CASES, BATCH):
        records = [r for n in range(first, first + BATCH) for r in flood(n, recipient=number(n))]
        before = dict(store.offsets)
        batch = logged(store, records, store.at_ms)
        places = [
            PlaceRead(topic, 0, before.get(topic), end, end, store.at_ms, store.at_ms)
            for topic, end in store.offsets.items()
        ]
        Writer(store.index).take(batch, places)
    return store


def number(n: int) -> str:
    return f"86139{n:08d}"


async def ask(port: int, rate: float, seconds: float) -> list[float]:
    """Seconds from when a question was due to its answer; of an open loop."""
    header = f"Host: a\r\nAuthorization: Bearer {token()}\r\nContent-Type: application/json\r\n"
    ready: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        ready.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    took: list[float] = []

    async def one(n: int, due: float) -> None:
        reader, writer = await ready.get()
        body = json.dumps({"phoneNumber": f"+{number(n * 7919 % (2 * CASES))}"}).encode()
        head = f"POST {PATH}/check HTTP/1.1\r\n{header}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        told = await reader.readuntil(b"\r\n\r\n")
        assert told.startswith(b"HTTP/1.1 200"), told
        length = int(told.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        took.append(time.perf_counter() - due)
        ready.put_nowait((reader, writer))

    began = time.perf_counter()
    tasks = []
    for n in range(int(rate * seconds)):
        due = began + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(n, due)))
    await asyncio.gather(*tasks)
    return took


def fresh(store: FilledStore) -> None:
    """Say that the index is new, as an indexer would each second."""
    from sqlalchemy import text

    with store.index.begin() as connection:
        connection.execute(text("UPDATE places SET read_ms = :at"), {"at": 4_000_000_000_000})
        connection.execute(text("INSERT OR REPLACE INTO meta VALUES ('events_behind', '0')"))


def main() -> int:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    words = parser.parse_args()
    with ExitStack() as stack:
        scratch = tempfile.TemporaryDirectory(prefix="otpguard-signal-")
        folder = Path(stack.enter_context(scratch))
        server = stack.enter_context(broker())
        with Cluster(Kafka(bootstrap=server.bootstrap)) as cluster:
            cluster.create("audit", 1, 1, {})
        store = stack.enter_context(closing(filled(folder)))
        fresh(store)
        (folder / "jwks.json").write_bytes(jwks())
        (folder / "clients.toml").write_text(
            "[bank-1]\nper_minute = 10000000\nnumber_per_hour = 1000000\n"
        )
        port = free_port()
        (folder / "otpguard.toml").write_text(
            f'kafka.bootstrap = "{server.bootstrap}"\ntopics.audit = "audit"\n'
            f'desk.store = "sqlite:///{folder}/desk.db"\nhttp.port = 0\n[signal]\nport = {port}\n'
            f'clients_file = "{folder}/clients.toml"\njwks_file = "{folder}/jwks.json"\n'
            f'issuer = "{ISSUER}"\naudience = "{AUDIENCE}"\n'
        )
        command = [sys.executable, "-m", "streams", "signal", "serve", "-c",
                   str(folder / "otpguard.toml")]  # fmt: skip
        root = str(Path(__file__).parents[2])
        process = Server("signal", command, folder / "run", port, {"PYTHONPATH": root})
        stack.callback(process.stop)
        process.start()
        assert process.process is not None
        own = psutil.Process(process.process.pid)
        own.cpu_affinity([0])
        if (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)))
        asyncio.run(ask(port, words.rate, 2))
        before, began = sum(own.cpu_times()[:2]), time.perf_counter()
        took = sorted(asyncio.run(ask(port, words.rate, words.seconds)))
        spent, lasted = sum(own.cpu_times()[:2]) - before, time.perf_counter() - began
        told = {
            "answers": len(took),
            "per_s": round(len(took) / lasted, 1),
            "p50_ms": round(took[len(took) // 2] * 1000, 2),
            "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 2),
            "max_ms": round(took[-1] * 1000, 2),
            "cpu_ms_an_answer": round(spent / len(took) * 1000, 3),
            "load_average": os.getloadavg()[0],
        }
    print(json.dumps(told, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
