"""Nothing is covered before it is acknowledged, and what fails is published again."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from streams.engine.state import outbox
from streams.engine.state.outbox import Outbox, Output
from tests.waiting import END_S


class Broker:
    """Acknowledges when told to."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.waiting: deque[asyncio.Future[object]] = deque()
        self.refuse: list[Exception] = []

    async def send(self, output: Output) -> asyncio.Future[object]:
        if self.refuse:
            raise self.refuse.pop()
        self.received.append(output.value)
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def acknowledge(self, error: Exception | None = None) -> None:
        future = self.waiting.popleft()
        future.set_exception(error) if error else future.set_result(None)


def _outputs(*values: bytes) -> list[Output]:
    return [Output("topic", b"key", value) for value in values]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RETRY_PAUSE_S", 0.0)


async def _turns(n: int = 10) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


def test_settling_waits_for_everything_up_to_the_mark_and_no_more() -> None:
    async def play() -> None:
        broker = Broker()
        box = Outbox(broker.send)
        box.add(_outputs(b"1", b"2"))
        settling = asyncio.create_task(box.settle(box.mark))
        box.add(_outputs(b"3"))
        await _turns()
        assert not settling.done()
        broker.acknowledge()
        await _turns()
        assert not settling.done()
        broker.acknowledge()
        await _turns()
        assert settling.done()
        assert len(box) == 1

    asyncio.run(play())


def test_what_the_producer_has_waits_no_more_though_nobody_has_acknowledged_it() -> None:
    async def play() -> None:
        broker = Broker()
        box = Outbox(broker.send)
        told = [box.waiting]
        box.add(_outputs(b"1"))
        told.append(box.waiting)
        await box.push()
        told.append(box.waiting)
        box.add(_outputs(b"2"))
        told.append(box.waiting)
        assert (told, len(box)) == ([False, True, False, True], 2)

    asyncio.run(play())


def test_what_fails_is_published_again() -> None:
    async def play() -> None:
        broker = Broker()
        broker.refuse = [KafkaTimeoutError()]
        box = Outbox(broker.send)
        box.add(_outputs(b"1", b"2"))
        settling = asyncio.create_task(box.settle(box.mark))
        await _turns()
        broker.acknowledge(KafkaTimeoutError())
        await _turns()
        assert broker.received == [b"1", b"2", b"1"]
        broker.acknowledge()
        broker.acknowledge()
        await asyncio.wait_for(settling, END_S)

    asyncio.run(play())


def test_all_that_failed_is_published_again_after_one_pause_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Records fail by the batch: with a pause for each, a hundred leases came 50 s late."""
    monkeypatch.setattr(outbox, "RETRY_PAUSE_S", 0.25)
    pauses: list[float] = []
    turn = asyncio.sleep

    async def sleep(pause_s: float) -> None:
        pauses.extend([pause_s] if pause_s else ())
        await turn(0)

    async def play() -> None:
        broker = Broker()
        box = Outbox(broker.send)
        box.add(_outputs(b"1", b"2", b"3", b"4"))
        await box.push()
        broker.acknowledge(KafkaTimeoutError())
        broker.acknowledge(KafkaTimeoutError())
        broker.acknowledge()
        broker.acknowledge(KafkaTimeoutError())
        monkeypatch.setattr(asyncio, "sleep", sleep)
        settling = asyncio.ensure_future(box.settle(box.mark))
        await _turns()
        assert (broker.received[4:], pauses) == ([b"1", b"2", b"4"], [0.25])
        for _ in range(3):
            broker.acknowledge()
        await asyncio.wait_for(settling, END_S)

    asyncio.run(play())


def test_what_is_too_large_can_never_be_published() -> None:
    async def play() -> None:
        broker = Broker()
        broker.refuse = [MessageSizeTooLargeError()]
        box = Outbox(broker.send)
        box.add(_outputs(b"1"))
        with pytest.raises(MessageSizeTooLargeError):
            await box.settle(box.mark)

    asyncio.run(play())


def test_a_checkpoint_that_is_given_up_takes_no_receipt_with_it() -> None:
    async def play() -> None:
        broker = Broker()
        box = Outbox(broker.send)
        box.add(_outputs(b"1"))
        given_up = asyncio.create_task(box.settle(box.mark))
        await _turns()
        given_up.cancel()
        await asyncio.wait({given_up})
        settling = asyncio.create_task(box.settle(box.mark))
        await _turns()
        assert not settling.done()
        broker.acknowledge()
        await asyncio.wait_for(settling, END_S)
        assert broker.received == [b"1"]

    asyncio.run(play())


def test_two_that_push_at_once_publish_in_order_and_once() -> None:
    async def play() -> None:
        broker = Broker()
        box = Outbox(broker.send)
        box.add(_outputs(b"1", b"2", b"3"))
        await asyncio.gather(box.push(), box.push())
        assert broker.received == [b"1", b"2", b"3"]

    asyncio.run(play())
