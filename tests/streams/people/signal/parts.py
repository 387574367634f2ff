"""A signal over a filled store, with an authorisation server's key and an audit in memory."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy.pool import QueuePool

from streams.cases.store.answers import Freshness
from streams.config import Settings
from streams.people.signal.access_tokens import AccessTokens
from streams.people.signal.api import Signal, SignalParts
from streams.people.signal.clients import CHECK, DATE, OWN, SignalClient
from streams.people.signal.lookup import Lookup
from streams.people.signal.signal_audit import SignalLedger
from streams.people.signal.signal_server import run
from streams.telemetry.metrics import Metrics
from streams.wire import AuditRecord, decode_audit
from tests.streams.cases.store.filled import FilledStore
from tests.waiting import wait_until

ISSUER = "https://login.example"
AUDIENCE = "verification-flood-signal"
SCOPES = f"{CHECK} {DATE} {OWN}"


@cache
def signer(name: str = "k1") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name, "use": "sig", "alg": "ES256"})


def jwks(*names: str) -> bytes:
    keys = KeySet([signer(name) for name in names or ("k1",)])
    return json.dumps(keys.as_dict(private=False)).encode()


def token(key: str = "k1", **claims: Any) -> str:
    given = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "client_id": "bank-1",
             "scope": SCOPES, **claims}  # fmt: skip
    return jwt.encode({"alg": "ES256", "kid": key}, given, signer(key))


class FreshLookup(Lookup):
    """A lookup whose index is as old as a test says."""

    aged = Freshness(0, 0, 0)

    def age(self) -> Freshness:
        return self.aged


class Memory:
    """Audit records as they were published; `broken` fails them."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.broken = False

    def publish(self, records: list[tuple[bytes, bytes]]) -> None:
        if self.broken:
            raise OSError
        self.values += [value for _, value in records]

    @property
    def records(self) -> list[AuditRecord]:
        return [decode_audit(value) for value in self.values]


def signal(store: FilledStore, memory: Memory, **client: Any) -> Signal:
    given: dict[str, Any] = {"scopes": frozenset({CHECK, DATE, OWN}), **client}
    return Signal(
        SignalParts(
            lookup=FreshLookup(store),
            clients={"bank-1": SignalClient("bank-1", **given)},
            tokens=AccessTokens(jwks, ISSUER, AUDIENCE),
            ledger=SignalLedger(memory.publish, "signal/test", lambda: store.at_ms),
            numbers=Settings().intake().numbers,
            metrics=Metrics("signal"),
            stale_ms=60_000,
            kept_days=180,
            now_ms=lambda: store.at_ms,
        )
    )


@contextmanager
def exhausted(store: FilledStore) -> Iterator[None]:
    """Hold every connection to the index; whoever asks for one is told so at once."""
    pool = store.index.pool
    assert isinstance(pool, QueuePool)
    waited_s, pool._timeout = pool._timeout, 0
    held = [store.index.connect() for _ in range(pool.size() + pool._max_overflow)]
    try:
        yield
    finally:
        pool._timeout = waited_s
        for each in held:
            each.close()


@contextmanager
def served(made: Signal, **more: Any) -> Iterator[int]:
    """Serve on a free port, which is given."""
    config = uvicorn.Config(made.app(), port=0, lifespan="off", log_config=None, ws="none", **more)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(run(made, server)))
    thread.start()
    try:
        wait_until(lambda: server.started, "the signal serves")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def clients_file(folder: Path, *lines: str) -> Path:
    path = folder / "clients.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path
