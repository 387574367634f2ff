"""Repeat the decisions of a pack from the events of the input topic.

Decisions depend only on the settings and the log. Anyone who has kept the log gets the same records
again, byte for byte. The log must start where the state about the recipient started; otherwise the
decisions differ.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.cases.log_replay import replay_placed
from streams.common import UsageError, read_bytes, read_toml, toml_value, tr
from streams.config import Settings
from streams.people.evidence.canonical import canonical
from streams.people.evidence.pack_files import RECORDS, REGISTRY, SETTINGS
from streams.people.evidence.pack_records import SINGLE, parts, place_record

DECIDED: Final = ("episode", "lease", "incident", *SINGLE)
SECTIONS: Final = ("input", "recognise", "detect")
CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True)
class Repetition:
    """Result of a repetition. `other`: line numbers of decisions that did not come out again."""

    same: int
    other: tuple[int, ...]
    events: int


def settings_text(settings: Settings) -> str:
    """Return the settings that decisions depend on, as TOML. The registry is a separate file."""
    lines = [
        "# The settings that these decisions depend on; fingerprint " + settings.fingerprint(),
        f"mode = {toml_value(settings.mode)}",
        f"epoch = {settings.epoch}",
        f"topics = {toml_value({'input': settings.topics.input})}",
    ]
    for name in SECTIONS:
        section = getattr(settings, name).model_dump(
            mode="json", exclude_none=True, exclude={"registry_file"}
        )
        lines += [
            "",
            f"[{name}]",
            *(f"{key} = {toml_value(value)}" for key, value in section.items()),
        ]
    return "\n".join(lines) + "\n"


def settings_of(pack: Path) -> Settings:
    """Read the settings of a pack. Raise UsageError if they cannot be read."""
    try:
        given = read_toml(pack / SETTINGS)
        if (pack / REGISTRY).exists():
            given["recognise"]["registry_file"] = pack / REGISTRY
        return Settings(**given)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError):
        raise UsageError(tr("{file}: no settings of a pack").format(file=pack / SETTINGS)) from None


def repeat(pack: Path, events: Iterable[bytes]) -> Repetition:
    """Process the events again with the settings of a pack, and compare the decisions.

    Each line of `events` is `{"topic", "partition", "offset", "value"}`. All lines must be of one
    partition, in order of their offsets. A line may also be a bare value; then the partition is 0,
    and offsets count from 0. Raises UsageError if pack or events cannot be used.
    """
    settings = settings_of(pack)
    wanted = list(_decisions(pack))
    if not wanted:
        raise UsageError(tr("{pack}: no decision is in it").format(pack=pack))
    placed = _place_events(events)
    first = next(placed, None)
    if first is None:
        raise UsageError(tr("there is no event to judge again"))
    found: set[bytes] = set()
    counted = refused = 0
    for step in replay_placed(settings, first[0], _chunk(chain((first,), placed))):
        counted += step.lines
        refused += len(step.decoded.rejects)
        made = step.decisions
        for kind, said in (
            *(("episode", each) for each in made.episodes),
            *(("lease", each) for each in made.actions),
            *(("incident", each) for each in made.incidents),
        ):
            found.update(
                canonical(dict(each.document)) for each in parts(place_record(kind, {}, said))
            )
    if refused == counted:
        raise UsageError(
            tr("not one of {n} lines is an event of the input topic").format(n=counted)
        )
    other = tuple(n for n, record in wanted if canonical(record) not in found)
    return Repetition(len(wanted) - len(other), other, counted)


def _decisions(pack: Path) -> Iterator[tuple[int, Any]]:
    try:
        for line in map(msgspec.json.decode, read_bytes(pack / RECORDS, UsageError).splitlines()):
            if line["kind"] in DECIDED:
                yield line["n"], line["record"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(tr("{file}: no records of a pack").format(file=pack / RECORDS)) from None


def _place_events(events: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield partition, offset and value of each event. All are of one partition, in log order."""
    partition: int | None = None
    following = 0
    for line in filter(bytes.strip, events):
        number, offset, value = _place(line, following)
        if partition not in (None, number) or offset < following:
            raise UsageError(tr("events of one partition, in the order of their offsets"))
        partition, following = number, offset + 1
        yield number, offset, value


def _chunk(
    placed: Iterator[tuple[int, int, bytes]],
) -> Iterator[tuple[list[bytes], NDArray[np.int64]]]:
    while some := list(islice(placed, CHUNK)):
        yield [value for _, _, value in some], np.array([at for _, at, _ in some], np.int64)


def _place(line: bytes, following: int) -> tuple[int, int, bytes]:
    """Return partition, offset and value of a line. A bare value gets the offset `following`."""
    if b'"offset"' not in line:
        return 0, following, line.rstrip(b"\n")
    try:
        told = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        return int(bytes(told["partition"])), int(bytes(told["offset"])), bytes(told["value"])
    except (ValueError, KeyError, RecursionError):
        raise UsageError(tr("an event is no JSON line")) from None
