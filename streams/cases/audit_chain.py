"""The audit log of people's commands: records are chained, and stored until Kafka has them.

A record is written before its command is published. A chain has one writer: one login on one
machine, for the audit log of one installation. A file stores its state: the next number, the hash
of the previous record, and the records that Kafka has not accepted yet. A command that is given
while the audit topic cannot be written is therefore not lost to the audit log. A person who gives
commands needs no right to read the audit log.
"""

import fcntl
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from streams.common import UnavailableError, replace_file, tr
from streams.wire import (
    AuditRecord,
    UnreadableError,
    chain_start,
    decode_audit,
    encode_audit,
    hash_record,
)
from streams.wire.version import UNDECODABLE

WAIT_S: Final = 5.0
"""Seconds. A command in effect waits no longer for its audit record; the next command delivers the
record."""

LOCK_S: Final = 1.0
"""Seconds to wait for another command of the same login. After that, this command starts a chain of
its own."""

PENDING_MAX: Final = 10_000
"""Maximum number of records waiting in the file. Further records are dropped, and a gap in the
numbers shows where they were."""


class _Place(msgspec.Struct):
    """The stored state of a chain."""

    chain: str
    seq: int
    prev: str
    pending: list[str]  # Encoded records, oldest first.


_place: Final = msgspec.json.Decoder(_Place).decode


def folder_of(environment: Mapping[str, str], brokers: str, app_id: str) -> Path:
    """Return the folder for a login's chain, under `XDG_STATE_HOME` or the XDG default.

    Each installation has its own folder, because records for one cluster do not belong on another.
    The name of the audit topic is not part of the folder's name. After a wrong topic name is
    corrected, the waiting records are delivered to the new name.

    >>> str(folder_of({"XDG_STATE_HOME": "/var/lib/x"}, "b:9092,a:9092", "otpguard"))
    '/var/lib/x/otpguard/audit-74e5d3219993'
    """
    home = environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/"), ".local/state")
    audit = f"{app_id} {sorted(brokers.replace(' ', '').split(','))}"
    return Path(home, "otpguard", f"audit-{hashlib.sha256(audit.encode()).hexdigest()[:12]}")


class AuditChain:
    """The chain of one writer; use it in a `with` block.

    Disk errors never raise here: what cannot be stored stays in memory. Another process of the same
    login that runs at the same time starts its own chain.
    """

    def __init__(self, folder: Path, login: str) -> None:
        """`login` is the system's name of the user, whatever name the user claims."""
        self.path = folder / "audit.json"
        self._name = f"cli/{socket.gethostname()}/{login}"[:100]
        self._lock: int | None = None
        self._held = self._fresh()

    def __enter__(self) -> Self:
        with suppress(OSError, *UNDECODABLE):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
            if not _try_lock(lock):
                os.close(lock)
                return self
            self._lock = lock
            if self.path.exists():
                self._held = _place(self.path.read_bytes())
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_durable(self) -> bool:
        """True if the pending records survive the end of this process."""
        return self._lock is not None

    @property
    def pending(self) -> tuple[bytes, ...]:
        """Encoded records that Kafka has not accepted yet, oldest first."""
        return tuple(value.encode() for value in self._held.pending)

    def append(self, **fields: Any) -> None:
        """Append a record; `fields` are those of `AuditRecord` except chain, seq and prev."""
        held = self._held
        value = encode_audit(AuditRecord(chain=held.chain, seq=held.seq, prev=held.prev, **fields))
        held.seq += 1
        held.prev = hash_record(value)
        if len(held.pending) < PENDING_MAX:
            held.pending.append(value.decode())
        self._keep()

    def remove_oldest(self, number: int) -> None:
        """Remove the oldest pending records, because Kafka has them."""
        del self._held.pending[:number]
        self._keep()

    def key(self) -> bytes:
        return self._held.chain.encode()

    def _fresh(self) -> _Place:
        # Each new chain has its own random name: after the loss of a file, no two records may have
        # the same number.
        name = f"{self._name}/{secrets.token_hex(4)}"
        return _Place(name, 0, chain_start(name), [])

    def _keep(self) -> None:
        if self._lock is None:
            return
        try:
            replace_file(self.path, msgspec.json.encode(self._held), mode=0o600)
        except OSError:
            os.close(self._lock)
            self._lock = None


def _try_lock(lock: int) -> bool:
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
    """Publish the pending records. Raise UnavailableError if Kafka does not accept them now."""
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
                    chain.remove_oldest(number)
                    raise
    except KafkaError as error:
        raise UnavailableError(type(error).__name__) from None
    chain.remove_oldest(len(pending))


@dataclass(frozen=True, slots=True)
class Fault:
    """One defect of an audit log."""

    offset: int
    chain: str
    says: str


@dataclass(slots=True)
class Verified:
    """The findings for a whole audit log; `heads`: newest number and hash of each chain."""

    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)


def verify(
    found: Iterable[tuple[int, bytes]], first: int, anchors: Mapping[str, tuple[int, str]]
) -> Verified:
    """Check the chains of an audit log, given offsets and values in topic order.

    `first` is the first offset of the topic. If it is not 0, retention may have deleted the
    beginnings of chains. `anchors` are heads from an earlier check: these records must still exist.
    """
    done = Verified()
    sought = {(chain, seq): digest for chain, (seq, digest) in anchors.items()}
    expected = first
    for offset, value in found:
        if offset != expected:
            said = tr("records {first} to {last} are missing").format(
                first=expected, last=offset - 1
            )
            done.faults.append(Fault(offset, "", said))
        expected = offset + 1
        done.records += 1
        try:
            record = decode_audit(value)
        except UnreadableError:
            done.faults.append(Fault(offset, "", tr("it is no record of an audit")))
            continue
        digest = hash_record(value)
        held = done.heads.get(record.chain)
        wrong = _find_break(held, record, digest, cut=first > 0)
        if wrong is not None:
            done.faults.append(Fault(offset, record.chain, wrong))
        if held is None or record.seq >= held[0]:
            done.heads[record.chain] = record.seq, digest
        if sought.get((record.chain, record.seq)) == digest:
            del sought[record.chain, record.seq]
    for chain, seq in sorted(sought):
        if first == 0 or (chain in done.heads and done.heads[chain][0] <= seq):
            said = tr("record {seq} was changed or removed").format(seq=seq)
            done.faults.append(Fault(-1, chain, said))
    return done


def _find_break(
    head: tuple[int, str] | None, record: AuditRecord, digest: str, *, cut: bool
) -> str | None:
    """Return the defect between a record and the previous one in its chain, or None.

    `head`: number and hash of the previous record, or None if the topic has no earlier record of
    this chain. `cut`: retention has deleted the beginning of the topic, so the beginning of a chain
    may be missing.
    """
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
    if digest == before:  # A retry may write a record twice.
        return None
    return tr("another record {seq} of the chain was there before").format(seq=record.seq)
