"""What the watch says of logs and of brokers that do not answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.watch import UndecidedError, Watch, rebalances
from tests.nodes import Broker

LOG = """\
2026-01-02 10:00:00,000 INFO streams.engine.worker.app: metrics and health at http://127.0.0.1:1
2026-01-02 10:00:01,000 INFO streams.engine.state.manager: partitions are revoked
2026-01-02 10:00:04,500 INFO streams.engine.state.manager: generation 1: partitions [0], of which 0 stay
2026-01-02 10:00:05,000 INFO streams.engine.state.manager: reading from {0: 0}
2026-01-02 10:01:00,000 INFO streams.engine.state.manager: a rebalance begins, or the end: last checkpoints
2026-01-02 10:01:02,000 INFO streams.engine.state.manager: last checkpoints: 1 of 1
2026-01-02 10:01:02,100 INFO streams.engine.state.manager: partitions are revoked
2026-01-02 10:01:03,000 INFO streams.engine.state.manager: generation 2: partitions [0], of which 1 stay
2026-01-02 10:01:03,500 INFO streams.engine.state.manager: partitions are revoked
2026-01-02 10:01:13,500 INFO streams.engine.state.manager: reading from {0: 9}
2026-01-02 10:02:00,000 INFO streams.engine.state.manager: partitions are revoked
Traceback of a thread, without a time
2026-01-02 10:02:31,000 CRITICAL streams.engine.worker.watchdog: nothing was done (exit 75)
2026-01-02 10:05:00,000 INFO streams.engine.worker.app: metrics and health at http://127.0.0.1:1
2026-01-02 10:05:00,250 INFO streams.engine.state.manager: partitions are revoked
2026-01-02 10:05:01,250 WARNING streams.engine.state.manager: checkpoint record again
2026-01-02 10:05:31,000 WARNING streams.engine.worker.app: waiting: no broker answers
2026-01-02 10:06:00,000 INFO streams.engine.worker.app: metrics and health at http://127.0.0.1:1
2026-01-02 10:06:01,000 INFO streams.engine.state.manager: partitions are revoked
2026-01-02 10:06:03,000 INFO streams.engine.worker.app: stopping
2026-01-02 10:06:03,000 INFO streams.engine.state.manager: a rebalance begins, or the end: last checkpoints
2026-01-02 10:06:13,000 INFO streams.engine.state.manager: last checkpoints: 1 of 1
"""  # noqa: E501


def test_each_rebalance_is_timed_by_itself(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text(LOG)
    assert rebalances(log) == [4.0, 3.5, 10.0, 31.0, 1.0, 2.0]


def watch(committed: dict[int, int], looks: int) -> Watch:
    broker = Broker("given", "none", "127.0.0.1:9")
    made = Watch(broker, "group", "topic", 1, behind={0: (5, 9)}, looks=looks)
    made.committed = committed
    return made


def test_a_watch_that_is_never_answered_says_nothing_about_the_workers() -> None:
    with pytest.raises(UndecidedError, match="no answer"):
        watch({}, 0).caught_up(0.3)


def test_workers_that_commit_are_given_more_time_and_others_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = watch({0: 5}, 7)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        one.looks += 1
        if len(slept) < 50:
            one.committed = {0: 5 + len(slept)}

    clock = iter(range(10_000))
    monkeypatch.setattr("tests.faults.watch.time.sleep", sleep)
    monkeypatch.setattr("tests.faults.watch.time.monotonic", lambda: float(next(clock)))
    assert not one.caught_up(10)
    assert 50 < len(slept) < 70
