"""The one writer of a worker: what is acknowledged, how late, and what fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError

from streams.engine.state.checkpoint import PutRecord
from streams.engine.state.outbox import Output
from streams.engine.transport.driver import App
from streams.engine.worker.publisher import Publisher
from streams.telemetry.metrics import Metrics


class Producer:
    """What a broker answers to each record, in memory: the app's producer needs a cluster."""

    def __init__(self, answer: Callable[[], object], *, waits: bool) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.appended: list[tuple[Any, ...]] = []
        self.answer = answer
        self.waits = waits

    def append(self, *record: Any) -> asyncio.Future[object] | None:
        if self.waits:
            return None
        self.appended.append(record)
        return self.acknowledged()

    async def send(self, *record: Any) -> asyncio.Future[object]:
        self.sent.append(record)
        return self.acknowledged()

    def acknowledged(self) -> asyncio.Future[object]:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        answer = self.answer()
        if isinstance(answer, BaseException):
            done.set_exception(answer)
        else:
            done.set_result(answer)
        return done


def published(
    act: Callable[[Publisher], Any], answer: object = None, *, waits: bool = False
) -> tuple[Any, Producer, Metrics]:
    producer, metrics = Producer(lambda: answer, waits=waits), Metrics("worker")
    app = cast("App", SimpleNamespace(producer=producer))

    async def play() -> Any:
        result = await act(Publisher(app, "changelog", metrics))
        await asyncio.sleep(0)  # callbacks of what is done
        return result

    return asyncio.run(play()), producer, metrics


def delays(metrics: Metrics, part: str) -> float | None:
    return metrics.registry.get_sample_value(f"otpguard_decision_delay_seconds_{part}")


def output(caused_ms: int | None) -> Output:
    return Output("throttle", b"k", b"v", (("h", b"1"),), caused_ms)


def sending(caused_ms: int | None) -> Callable[[Publisher], Any]:
    async def act(publisher: Publisher) -> None:
        done = await publisher.send(output(caused_ms))
        await asyncio.wait([asyncio.ensure_future(done)])

    return act


def test_an_output_is_handed_over_as_it_is() -> None:
    _, producer, _ = published(sending(None))
    assert producer.appended == [("throttle", b"k", b"v", (("h", b"1"),))]
    assert not producer.sent
    _, producer, _ = published(sending(None), waits=True)
    assert producer.sent == [("throttle", b"k", b"v", None, None, [("h", b"1")])]


@pytest.mark.parametrize("waits", [False, True])
def test_a_decision_s_delay_is_told_once_the_broker_has_it(waits: bool) -> None:
    _, _, metrics = published(sending(1), waits=waits)
    assert delays(metrics, "count") == 1
    _, _, metrics = published(sending(None), waits=waits)
    assert not delays(metrics, "count"), "a dead letter is no decision"
    _, _, metrics = published(sending(1 << 50), waits=waits)
    assert delays(metrics, "sum") == 0, "a cause of the future has no negative delay"


def test_decisions_of_one_batch_are_acknowledged_together_and_each_has_its_delay() -> None:
    async def play() -> list[float | None]:
        metrics = Metrics("worker")
        shared: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        producer = SimpleNamespace(append=lambda *_: shared)
        publisher = Publisher(cast("App", SimpleNamespace(producer=producer)), "c", metrics)
        for caused_ms in 1, None, 1 << 50, 1:
            assert await publisher.send(output(caused_ms)) is shared
        told = [delays(metrics, "count")]
        shared.set_result(None)
        await asyncio.sleep(0)
        return [*told, delays(metrics, "count")]

    assert asyncio.run(play()) == [0, 3]


def test_a_record_that_failed_was_not_published() -> None:
    _, _, metrics = published(sending(1), KafkaTimeoutError())
    assert not delays(metrics, "count")


def test_a_record_of_a_checkpoint_has_the_offset_that_the_broker_gave() -> None:
    async def act(publisher: Publisher) -> Any:
        return await publisher.append(3, PutRecord(b"r0", b"x"))

    appended, producer, _ = published(act, SimpleNamespace(offset=17))
    assert appended == 17
    assert producer.sent == [("changelog", b"r0", b"x", 3, None, None)]
    with pytest.raises(KafkaError):
        published(act, KafkaTimeoutError())
