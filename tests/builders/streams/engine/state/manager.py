"""Builders that test_manager.py shares with other tests."""

from __future__ import annotations

from typing import Any

from detectors import chain
from streams.engine.state.checkpoint import PutRecord
from streams.engine.state.manager import StateManager
from streams.telemetry.metrics import Metrics

PARAMS = chain.Params()


async def _never(*_: object) -> Any:
    raise AssertionError("nothing should be sent")


class Kafka:
    """A changelog and a consumer, as the state manager sees them."""

    def __init__(self) -> None:
        self.log: list[PutRecord] = []
        self.committed: int | None = None
        self.positions: dict[int, int] = {}
        self.failed: list[BaseException] = []

    def states(self, *, rebuild: bool = False) -> StateManager:
        return StateManager(
            "in",
            PARAMS,
            0,
            1.0,
            1e9,
            5.0,
            _never,
            self.append,
            Metrics(),
            self.failed.append,
            rebuild=rebuild,
        )

    async def append(self, _partition: int, write: PutRecord) -> int:
        self.log.append(write)
        return len(self.log) - 1

    async def rebalance(
        self, states: StateManager, generation: int, partitions: set[int]
    ) -> list[int]:
        """What Faust does in one; returns the partitions whose changelog was read."""
        states.revoke()
        states.assign(frozenset(partitions), generation)
        read = sorted(states._readers)
        for partition in partitions:
            known = states.changelog_offset(partition)
            for offset, (key, value) in enumerate(self.log):
                if offset > known and key.startswith(f"{partition}|".encode()):
                    states.restore_record(partition, key, value, offset)
        await states.load(generation)
        await states.seek_to_states(self)  # type: ignore[arg-type]
        return read

    async def beginnings(self, partitions: Any) -> dict[int, int]:
        return dict.fromkeys(partitions, 7)

    def committed_offset(self, _partition: int) -> int | None:
        return self.committed

    async def seek_to(self, positions: dict[int, int]) -> None:
        self.positions.update(positions)
