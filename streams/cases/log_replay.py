"""Runs the detection chain over files instead of Kafka, with the same decoding and decisions.

The lines stand for the log of one partition: partition 0, with line numbers from 0 over all files
as offsets. A replay of a partition's dump from its beginning therefore repeats the worker's action
ids.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from heapq import merge
from typing import IO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors import chain
from detectors.model.codes import Codes
from streams import wire
from streams.config import Settings

CHUNK_BYTES: Final = 4 << 20  # Bytes that are read and decided at once: about 12,000 events.


@dataclass(frozen=True, slots=True)
class Replayed:
    """The decisions for one chunk of lines."""

    lines: int
    decoded: wire.Decoded
    codes: Codes  # The recognised codes of the batch.
    decisions: chain.Decisions


def replay(settings: Settings, chunks: Iterable[list[bytes]]) -> Iterator[Replayed]:
    """Run the chain over lines, from an empty state.

    Memory use is that of one partition and one chunk. An event's time is compared with its own
    `ingest_time_ms`, if it has one, because files have no record times. The chunk boundaries do not
    change the result.
    """
    return replay_placed(settings, 0, add_offsets(chunks))


def add_offsets(
    chunks: Iterable[list[bytes]],
) -> Iterator[tuple[list[bytes], NDArray[np.int64]]]:
    """Yield the chunks, each with the offsets of its lines. They count from 0 over all chunks."""
    offset = 0
    for lines in chunks:
        yield lines, np.arange(offset, offset + len(lines))
        offset += len(lines)


def replay_placed(
    settings: Settings, number: int, chunks: Iterable[tuple[list[bytes], NDArray[np.int64]]]
) -> Iterator[Replayed]:
    """Decode and judge the lines of one partition as a worker does; yield the result per chunk.

    `number`: the partition. `chunks`: n lines with one event each, and their offsets (n,),
    ascending. The first chunk is judged with an empty state.
    """
    intake, params, recogniser = settings.intake(), settings.params(), settings.recogniser()
    partition = chain.Partition(params)
    for lines, offsets in chunks:
        n = len(lines)
        following = int(offsets[-1]) + 1 if n else 0
        records = wire.Records(number, following, lines, [None] * n, offsets, None)
        decoded = wire.decode(
            intake,
            settings.topics.input,
            number,
            records.values,
            records.keys,
            records.offsets,
            records.timestamps_ms,
            records.next_offset,
        )
        codes = recogniser.columns(decoded.batch)
        decisions = chain.process(params, partition, decoded.batch, codes)
        decoded = wire.refuse(decoded, wire.RejectReason.AHEAD_OF_LOG, decisions.ahead, records)
        yield Replayed(n, decoded, codes, decisions)


def chunks_of(file: IO[bytes], value_bytes_max: int) -> Iterator[list[bytes]]:
    """Yield the lines of a file in lists, without line ends.

    A line longer than a valid value is cut to one byte over the limit. Such a line is refused all
    the same, and a file without line ends does not fill the memory.
    """
    rest = b""
    while chunk := file.read(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[: value_bytes_max + 1]
        if lines:
            yield lines
    if rest:
        yield [rest]


def chunks_of_files(
    names: Iterable[str],
    opener: Callable[[str], AbstractContextManager[IO[bytes]]],
    value_bytes_max: int,
    progress: Callable[[int], None],
) -> Iterator[list[bytes]]:
    """Yield the lines of files in lists, as `chunks_of` does; all files are one log.

    `progress` is called with the number of further bytes that were read.
    """
    for name in names:
        with opener(name) as file:
            for lines in chunks_of(file, value_bytes_max):
                yield lines
                progress(sum(map(len, lines)) + len(lines))


def outputs(replayed: Replayed, episode_topic: str | None) -> Iterator[bytes]:
    """Yield a JSON line for each action, and for each episode record if their topic is given.

    The order is that of their causes; an episode change comes before the action that follows from
    it. Chunk boundaries therefore do not change the output.
    """
    actions = (
        (action.cause.offset, wire.encode_action(action) + b"\n")
        for action in replayed.decisions.actions
    )
    if episode_topic is None:
        return (line for _, line in actions)
    mark = b'{"topic":' + msgspec.json.encode(episode_topic) + b","
    episodes = (
        (record.cause.offset, mark + wire.encode_episode(record)[1:] + b"\n")
        for record in replayed.decisions.episodes
    )
    return (line for _, line in merge(episodes, actions, key=lambda pair: pair[0]))


def format_refused(reject: wire.Reject) -> dict[str, object]:
    """Return one line of a file of refused records; the value is text, cut like a dead letter."""
    value = (reject.value or b"")[: wire.DEAD_LETTER_BYTES_MAX]
    return {
        "offset": reject.offset,
        "reason": reject.reason,
        "value": value.decode("utf-8", "backslashreplace"),
    }
