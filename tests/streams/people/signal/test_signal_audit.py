"""Audit of the signal: one chain, no answer without its record, and no fork after a failure."""

from __future__ import annotations

import asyncio

import pytest

from streams.common.errors import UnavailableError
from streams.people.signal import signal_audit as ledger
from streams.people.signal.signal_audit import SignalLedger
from streams.wire import chain_start, hash_record
from tests.streams.people.signal.parts import Memory
from tests.waiting import END_S

LINE = {"actor": "bank-1", "channel": "api", "verb": "check", "outcome": "done"}


def test_records_are_chained_however_many_come_at_once() -> None:
    memory = Memory()

    async def play() -> None:
        own = SignalLedger(memory.publish, "signal/a", lambda: 7)
        await asyncio.gather(*(own.write(**LINE, subject=str(n)) for n in range(200)))
        await own.close()

    asyncio.run(play())
    prev = chain_start("signal/a/1")
    for n, (value, record) in enumerate(zip(memory.values, memory.records, strict=True)):
        assert (record.chain, record.seq, record.prev) == ("signal/a/1", n, prev)
        prev = hash_record(value)
    assert {record.subject for record in memory.records} == {str(n) for n in range(200)}


def test_after_a_failure_a_new_chain_begins() -> None:
    memory = Memory()

    async def play() -> None:
        own = SignalLedger(memory.publish, "signal/a", lambda: 7)
        await own.write(**LINE)
        memory.broken = True
        with pytest.raises(UnavailableError):
            await own.write(**LINE)
        memory.broken = False
        await own.write(**LINE, detail="x" * 999)
        await own.close()

    asyncio.run(play())
    assert [(r.chain, r.seq) for r in memory.records] == [("signal/a/1", 0), ("signal/a/2", 0)]
    assert len(memory.records[1].detail) == 256


def test_a_record_that_cannot_be_written_stops_nobody_after_it() -> None:
    memory = Memory()

    async def play() -> None:
        own = SignalLedger(memory.publish, "signal/a", lambda: 7)
        with pytest.raises(UnavailableError):
            await own.write(**{**LINE, "verb": 7})
        await own.write(**LINE)
        await own.close()

    asyncio.run(asyncio.wait_for(play(), END_S))
    assert [record.verb for record in memory.records] == ["check"]


def test_too_many_that_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PENDING_MAX", 0)

    async def play() -> None:
        own = SignalLedger(Memory().publish, "signal/a", lambda: 7)
        with pytest.raises(UnavailableError, match="behind"):
            await own.write(**LINE)
        await own.close()

    asyncio.run(play())
