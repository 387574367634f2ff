"""The audit of people's words: written before they are said, chained, kept until Kafka has it.

A chain has one writer, one login on one machine, and one audit, that of one installation. Its place
(the next number, the hash of the record before, and what Kafka has not taken yet) is in a file, so
that a word that is said while the audit cannot be written is not lost to it. Who acts need not be
able to read the audit.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from streams.errors import UnavailableError
from streams.files import replace_file
from streams.language import tr
from streams.wire import (
    AuditRecord,
    UnreadableError,
    chain_start,
    chained,
    decode_audit,
    encode_audit,
)
from streams.wire.version import UNDECODABLE

WAIT_S: Final = 5.0
"""A word that is in effect waits no longer for its audit; the next one brings it along."""

LOCK_S: Final = 1.0
"""Nor for another command of the same login: then it begins a chain of its own."""

PENDING_MAX: Final = 10_000
"""Records that wait in a file; further ones are not kept, and a gap shows where they were."""


class _Place(msgspec.Struct):
    """A chain's file."""

    chain: str
    seq: int
    prev: str
    pending: list[str]  # values of records, the oldest first


_place: Final = msgspec.json.Decoder(_Place).decode


def folder_of(environment: Mapping[str, str], brokers: str, app_id: str) -> Path:
    """Return where a login's chain for an audit is kept: `XDG_STATE_HOME`, else as the XDG says.

    Each installation has a folder of its own: what one cluster did not take is nothing to another.
    A topic whose name is mended gets what waited for it.

    >>> str(folder_of({"XDG_STATE_HOME": "/var/lib/x"}, "b:9092,a:9092", "otpguard"))
    '/var/lib/x/otpguard/audit-74e5d3219993'
    """
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/"), ".local/state")
    audit = f"{app_id} {sorted(brokers.replace(' ', '').split(','))}"
    return Path(home, "otpguard", f"audit-{hashlib.sha256(audit.encode()).hexdigest()[:12]}")


class AuditChain:
    """One writer's chain. Nothing here raises because of a disk: what cannot be kept is in memory.

    Use it in a `with` block; another process of the same login begins its own chain meanwhile.
    """

    def __init__(self, folder: Path, login: str) -> None:
        """`login` is the system's name of whoever writes, whatever it says of itself."""
        self._path = folder / "audit.json"
        self._name = f"cli/{socket.gethostname()}/{login}"[:100]
        self._lock: int | None = None
        self._held = self._fresh()

    def __enter__(self) -> Self:
        with suppress(OSError, *UNDECODABLE):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
            if not _locked(lock):
                os.close(lock)
                return self
            self._lock = lock
            if self._path.exists():
                self._held = _place(self._path.read_bytes())
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def kept(self) -> bool:
        """True if what is pending outlives this process."""
        return self._lock is not None

    @property
    def path(self) -> Path:
        """The file that it is kept in."""
        return self._path

    @property
    def pending(self) -> tuple[bytes, ...]:
        """Values that Kafka has not taken yet, the oldest first."""
        return tuple(value.encode() for value in self._held.pending)

    def append(self, **fields: Any) -> None:
        """Add a record; the fields are those of an `AuditRecord` but chain, seq and prev."""
        held = self._held
        record = AuditRecord(chain=held.chain, seq=held.seq, prev=held.prev, **fields)
        value = encode_audit(record)
        held.seq += 1
        held.prev = chained(value)
        if len(held.pending) < PENDING_MAX:
            held.pending.append(value.decode())
        self._keep()

    def taken(self, number: int) -> None:
        """Forget the oldest records that are pending: Kafka has them."""
        del self._held.pending[:number]
        self._keep()

    def key(self) -> bytes:
        """The key of its records."""
        return self._held.chain.encode()

    def _fresh(self) -> _Place:
        # A name of its own: a file that was lost must not make two records of one number.
        name = f"{self._name}/{secrets.token_hex(4)}"
        return _Place(name, 0, chain_start(name), [])

    def _keep(self) -> None:
        if self._lock is None:
            return
        try:
            replace_file(self._path, msgspec.json.encode(self._held), mode=0o600)
        except OSError:
            os.close(self._lock)
            self._lock = None


def _locked(lock: int) -> bool:
    until = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        else:
            return True


def deliver(chain: AuditChain, clients: Mapping[str, Any], topic: str) -> None:
    """Give Kafka what is pending. Raise UnavailableError if it does not take it now."""
    from kafka import KafkaConsumer, KafkaProducer  # noqa: PLC0415 - start-up time
    from kafka.errors import KafkaError  # noqa: PLC0415

    pending = chain.pending
    try:
        with closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as looker:
            if not looker.partitions_for_topic(topic):
                raise UnavailableError(
                    tr("no topic {name}, or no right to see it").format(name=topic)
                )
        with closing(
            KafkaProducer(**clients, acks="all", max_block_ms=round(WAIT_S * 1000))
        ) as producer:
            sent = [producer.send(topic, value, chain.key(), partition=0) for value in pending]
            for number, future in enumerate(sent):
                try:
                    future.get(timeout=WAIT_S)
                except KafkaError:
                    chain.taken(number)
                    raise
    except KafkaError as error:
        raise UnavailableError(type(error).__name__) from None
    chain.taken(len(pending))


@contextmanager
def reported(
    login: str, environment: Mapping[str, str], brokers: str, app_id: str
) -> Iterator[AuditChain]:
    """Yield the chain of this login on this machine for the audit of an installation."""
    with AuditChain(folder_of(environment, brokers, app_id), login) as chain:
        yield chain


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an audit."""

    offset: int
    chain: str
    says: str


@dataclass(slots=True)
class Verified:
    """The findings about a whole audit. `heads` are the newest number and hash of each chain."""

    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)


def verify(
    found: Iterable[tuple[int, bytes]], first: int, anchors: Mapping[str, tuple[int, str]]
) -> Verified:
    """Check the chains of an audit, of offsets and values in the order of the topic.

    `first` is the first offset that the topic has: past 0 retention may have taken the beginnings
    of chains. `anchors` are heads of an earlier look: what was there then must be there still.
    """
    done = Verified()
    sought = {(chain, seq): digest for chain, (seq, digest) in anchors.items()}
    expected = first
    for offset, value in found:
        if offset != expected:
            said = tr("records {first} to {last} are gone").format(first=expected, last=offset - 1)
            done.faults.append(Fault(offset, "", said))
        expected = offset + 1
        done.records += 1
        try:
            record = decode_audit(value)
        except UnreadableError:
            done.faults.append(Fault(offset, "", tr("it is no record of an audit")))
            continue
        digest = chained(value)
        held = done.heads.get(record.chain)
        wrong = _linked(held, record, digest, cut=first > 0)
        if wrong is not None:
            done.faults.append(Fault(offset, record.chain, wrong))
        if held is None or record.seq >= held[0]:
            done.heads[record.chain] = record.seq, digest
        if sought.get((record.chain, record.seq)) == digest:
            del sought[record.chain, record.seq]
    for chain, seq in sorted(sought):
        if first == 0 or (chain in done.heads and done.heads[chain][0] <= seq):
            said = tr("record {seq} is not what it was, or gone").format(seq=seq)
            done.faults.append(Fault(-1, chain, said))
    return done


def _linked(
    head: tuple[int, str] | None, record: AuditRecord, digest: str, *, cut: bool
) -> str | None:
    """Say what is wrong between a record and the one before it in its chain."""
    if head is None:
        begins = record.seq == 0 and record.prev == chain_start(record.chain)
        if begins or (cut and record.seq > 0):
            return None
        return tr("the chain does not begin here, and nothing is before it")
    seq, before = head
    if record.seq == seq + 1:
        if record.prev == before:
            return None
        return tr("record {seq}, before it, is not the one that was written").format(seq=seq)
    if record.seq > seq:
        return tr("records {first} to {last} of the chain are missing").format(
            first=seq + 1, last=record.seq - 1
        )
    if digest == before:  # a retry may write one twice
        return None
    return tr("another record {seq} of the chain was there before").format(seq=record.seq)
