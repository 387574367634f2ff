"""Damaged and hostile files: what the memory agent remembers, and memory files to import.

`OTPGUARD_TEST_DAMAGED` sets the number of damaged copies of each file.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pyrage
import pytest
from typer.testing import CliRunner

from detectors.recognise.text.fold import NAME_VERSION
from detectors.thresholds import MEMORY_MAX
from streams.cli.memory import app
from streams.common.errors import UsageError
from streams.config import Settings
from streams.telemetry.metrics import Metrics
from streams.tools.operate import memory_file
from streams.tools.operate.memory_agent import MemoryAgent, _Published
from tests.builders.detectors.memory_records import TODAY
from tests.builders.streams.tools.operate.memory_file import FIRST, INTAKE, KEY, Site
from tests.detectors.stand_in import START_MS
from tests.nodes import Broker

DAMAGED = int(os.environ.get("OTPGUARD_TEST_DAMAGED", "300"))
LOGS = f"{7:016x}"


def damaged(good: bytes, number: int = DAMAGED) -> Iterator[bytes]:
    """Copies of a file: half are cut off, half have up to three other bytes."""
    rng = Random(73)
    yield b""
    for length in np.linspace(1, len(good) - 1, number // 2, dtype=int).tolist():
        yield good[:length]
    for _ in range(number - number // 2 - 1):
        bad = bytearray(good)
        for at in rng.sample(range(len(good)), rng.randint(1, 3)):
            bad[at] ^= rng.randint(1, 255)
        yield bytes(bad)


def agent_of(folder: Path) -> MemoryAgent:
    key = folder / "memory.key"
    key.write_bytes(KEY)
    settings = Settings(detect={"memory_key_file": key})
    return MemoryAgent(settings, Metrics("memory"), lambda: 0, 1, folder)


def remembered(folder: Path) -> dict[int, _Published]:
    agent = agent_of(folder)
    agent._recall(LOGS)
    return agent._published


def packed(**columns: object) -> bytes:
    """A file as the agent writes it, but for these columns."""
    n = 100
    good = {
        "at": np.array([9, 1_790_000_000_000]),
        "keys": np.arange(n, dtype=np.uint64) + np.uint64(8613900000000),
        "marks": np.arange(n, dtype=np.int64) * 7919**4,
    }
    out = io.BytesIO()
    # numpy's stubs take a column for `allow_pickle`
    np.savez(out, **{key: np.asarray(each) for key, each in (good | columns).items()})  # type: ignore[arg-type]
    return out.getvalue()


def test_a_damaged_file_of_the_agent_is_deleted_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"memory-{LOGS}-3.npz"
    path.write_bytes(packed())
    whole = remembered(tmp_path)[3]
    assert len(whole.keys) == 100
    unharmed = 0
    for bad in damaged(packed()):
        path.write_bytes(bad)
        caplog.clear()
        found = remembered(tmp_path)
        if found:  # the damage is in bytes that say nothing, such as a date
            assert found[3][:2] == whole[:2]
            assert (found[3].keys == whole.keys).all()
            assert (found[3].marks == whole.marks).all()
            unharmed += 1
        else:
            assert path.name in caplog.text
            assert "publishes this partition again" in caplog.text
        assert path.exists() == bool(found)
    assert unharmed < DAMAGED / 10


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name in ("at", "keys", "marks"):
            with made.open(f"{name}.npy", "w", force_zip64=True) as part:
                np.lib.format.write_array_header_1_0(
                    part, {"descr": "<u8", "fortran_order": False, "shape": (1 << 22,)}
                )
                for _ in range(1 << 5):
                    part.write(bytes(1 << 20))
    return out.getvalue()


def named_twice() -> bytes:
    out = io.BytesIO(packed())
    with zipfile.ZipFile(out, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("keys.npy", b"x")
    return out.getvalue()


def of_shape(shape: tuple[int, ...], descr: str = "<u8") -> bytes:
    """A file whose recipients have another shape in their header than in fact."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed())) as good, zipfile.ZipFile(out, "w") as made:
        for name in good.namelist():
            made.writestr(name, head.getvalue() if name == "keys.npy" else good.read(name))
    return out.getvalue()


def npy(value: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(value), allow_pickle=True)
    return out.getvalue()


KEYS = np.arange(100, dtype=np.uint64)
HOSTILE_STATES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no zip": lambda: b"no array",
    "one array": lambda: npy(KEYS),
    "a pickle": lambda: npy([{}]),
    "an array of objects": lambda: packed(keys=np.array([{}] * 100, object)),
    "recipients with fractions": lambda: packed(keys=KEYS.astype(float)),
    "negative recipients": lambda: packed(keys=KEYS.astype(np.int64)),
    "words for recipients": lambda: packed(keys=KEYS.astype(str)),
    "a table for recipients": lambda: packed(keys=KEYS.reshape(10, 10)),
    "unsorted recipients": lambda: packed(keys=KEYS[::-1]),
    "a recipient twice": lambda: packed(keys=KEYS // 2),
    "more marks than recipients": lambda: packed(marks=np.arange(101)),
    "marks with fractions": lambda: packed(marks=KEYS.astype(float)),
    "no place": lambda: packed(at=np.zeros(0, np.int64)),
    "a place of words": lambda: packed(at=np.array(["x", "y"])),
    "a negative place": lambda: packed(at=np.array([-2, 1_790_000_000_000])),
    "a negative time": lambda: packed(at=np.array([9, -1])),
    "another member": lambda: packed(more=KEYS),
    "a member twice": named_twice,
    "an array of 8 EiB": lambda: of_shape((1 << 60,)),
    "an array of 4 GiB": lambda: of_shape((1 << 29,)),
    "a shape below zero": lambda: of_shape((-5,)),
    "no type": lambda: of_shape((100,), "<q8"),
    "a bomb": bomb,
}


@pytest.mark.parametrize("kind", HOSTILE_STATES)
def test_a_hostile_file_of_the_agent_is_deleted_and_named(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"memory-{LOGS}-3.npz"
    path.write_bytes(HOSTILE_STATES[kind]())
    assert not remembered(tmp_path)
    assert path.name in caplog.text
    assert not path.exists()


def test_what_is_no_file_of_the_agent_does_not_stop_it(tmp_path: Path) -> None:
    (tmp_path / f"memory-{LOGS}-x.npz").write_bytes(packed())
    (tmp_path / f"memory-{LOGS}-1.npz").mkdir()
    (tmp_path / f"memory-{LOGS}-2.npz").write_bytes(packed())
    assert [*remembered(tmp_path)] == [2]


HEAD: Final = {
    "otpguard_memory": 1, "name_version": NAME_VERSION, "partitions": 2, "made_ms": START_MS,
}  # fmt: skip
ROW: Final = (f"{FIRST}", 0, START_MS, TODAY - 9, [[7, TODAY - 3, 2]])


def as_line(row: Any) -> bytes:
    return row if isinstance(row, bytes) else json.dumps(row).encode()


def memory_of(*rows: Any, head: Any = HEAD, **end: Any) -> bytes:
    """A memory file with these lines, and a checksum that fits."""
    lines = b"".join(as_line(each) + b"\n" for each in (head, *rows))
    digest = hashlib.blake2b(lines, digest_size=16).hexdigest()
    return gzip.compress(lines + as_line({"recipients": len(rows), "digest": digest} | end))


def row(**columns: Any) -> list[Any]:
    """A line with these columns in place of valid ones."""
    names = ("recipient", "partition", "as_of_ms", "born_day", "platforms")
    return [*(dict(zip(names, ROW, strict=True)) | columns).values()]


_PLATFORMS: Final[tuple[Any, ...]] = (
    None, "x", {}, 7, [7], [[]], [[7, 1]], [[7, 1, 1, 1]], [[-1, 1, 1]], [[2**32, 1, 1]],
    [[7, 0, 1]], [[7, 2**40, 1]], [[7, 1, 0]], [[7, 1, 3]], [["7", 1, 1]],
    [[7 + i, 1, 1] for i in range(MEMORY_MAX + 1)],
)  # fmt: skip
_LINES: Final[tuple[Any, ...]] = (
    b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, b'["\\ud800",0,0,0,[]]', ROW[:4],
    [*ROW, 0], b"0" * 100_000,
)  # fmt: skip
HOSTILE_ROWS: dict[str, Any] = {
    **{
        f"recipient {each!r:.20}": row(recipient=each)
        for each in ("", "abc", " ", "+", "0", "12", "h0:", "h0:12", "h0:xyz", "x" * 300, 7, None)
    },
    **{f"partition {each!r}": row(partition=each) for each in (-1, 2, 2**40, "0", 0.5, None)},
    **{f"time {each!r}": row(as_of_ms=each) for each in (0, -1, 10**14, 2**70, "now", 1e400)},
    **{f"born {each!r}": row(born_day=each) for each in (0, -1, 2**40, "today")},
    **{
        f"platforms {each!r:.20}": row(platforms=each)
        for each in _PLATFORMS
    },
    **{f"line {each!r:.20}": each for each in _LINES},
}  # fmt: skip
HOSTILE_FILES: dict[str, Callable[[], bytes]] = {
    "a line of 64 MiB": lambda: memory_of(b" " * (1 << 26)),
    "no head": lambda: memory_of(head=ROW),
    "a newer version": lambda: memory_of(head=HEAD | {"otpguard_memory": 2}),
    "other names": lambda: memory_of(head=HEAD | {"name_version": NAME_VERSION + 1}),
    "names of no version": lambda: memory_of(head=HEAD | {"name_version": "2"}),
    "a deep head": lambda: memory_of(head=b"[" * 100_000),
    "fewer lines than it says": lambda: memory_of(ROW, recipients=2),
    "lines below zero": lambda: memory_of(recipients=-1),
    "no checksum": lambda: memory_of(ROW, digest=""),
    "two files": lambda: memory_of(ROW) + memory_of(ROW),
    "something behind": lambda: memory_of(ROW) + b"x",
    "packed twice": lambda: gzip.compress(memory_of(ROW)),
    "not packed": lambda: gzip.decompress(memory_of(ROW)),
    "nothing": lambda: b"",
    "nothing packed": lambda: gzip.compress(b""),
    "no age file": lambda: b"age-encryption.org/v1\n" + bytes(99),
}


@pytest.mark.parametrize("kind", [*HOSTILE_ROWS, *HOSTILE_FILES])
def test_a_hostile_memory_file_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path, key = tmp_path / "m.gz", tmp_path / "age.key"
    key.write_text("")
    good = [row(recipient=f"{FIRST + i}") for i in range(9)]
    made = HOSTILE_FILES.get(kind) or (lambda: memory_of(*good, HOSTILE_ROWS[kind]))
    path.write_bytes(made())
    with pytest.raises(UsageError, match=r"m\.gz") as refused:
        memory_file.check(path, INTAKE, key)
    assert kind in HOSTILE_FILES or "line 11: " in str(refused.value)
    assert f"{FIRST}"[:6] not in str(refused.value)


def test_the_lines_that_hostile_ones_are_made_of_are_good(tmp_path: Path) -> None:
    path = tmp_path / "m.gz"
    path.write_bytes(memory_of(ROW, row(recipient="h0:8000000000001234", partition=1)))
    head, end, has_reduced = memory_file.check(path, INTAKE)
    assert (head.partitions, end.recipients, has_reduced) == (2, 2, True)


@pytest.mark.parametrize("form", ["plain", "age"])
def test_a_damaged_memory_file_is_refused_or_says_the_same(form: str, tmp_path: Path) -> None:
    path, key = tmp_path / "m.gz", tmp_path / "age.key"
    identity = pyrage.x25519.Identity.generate()
    key.write_text(f"{identity}\n")
    whole = memory_of(*(row(recipient=f"{FIRST + i * 7919}") for i in range(200)))
    if form == "age":
        whole = pyrage.encrypt(whole, [identity.to_public()])
    path.write_bytes(whole)
    wanted, unharmed = memory_file.check(path, INTAKE, key), 0
    for bad in damaged(whole):
        path.write_bytes(bad)
        try:
            assert memory_file.check(path, INTAKE, key) == wanted
            unharmed += 1  # the damage is in gzip's head, such as a date
        except UsageError as error:
            assert "m.gz" in str(error)  # noqa: PT017 - either is right
    assert unharmed < DAMAGED / 10


@pytest.mark.broker
def test_of_a_file_with_one_bad_recipient_nothing_is_published(
    broker: Broker, unique: str, tmp_path: Path
) -> None:
    site, path = Site(broker, unique, 2), tmp_path / "m.gz"
    good = [row(recipient=f"{FIRST + i}") for i in range(2 * memory_file.TOGETHER)]
    key, progress = tmp_path / "memory.key", tmp_path / "m.gz.progress"
    key.write_bytes(KEY)
    settings = tmp_path / "otpguard.toml"
    settings.write_text(
        f'[kafka]\nbootstrap = "{broker.bootstrap}"\n[input]\ncountry = "CN"\n'
        f'[topics]\ninput = "{site.input}"\n[detect]\nmemory_key_file = "{key}"\n'
    )
    arguments = ["import", str(path), "--rate", "1e6", "--config", str(settings)]
    for bad in ("", "abc"):
        path.write_bytes(memory_of(*good, row(recipient=bad)))
        done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, UsageError)
        assert (site.published(), progress.exists()) == (0, False)
    path.write_bytes(memory_of(*good))
    progress.mkdir()
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UsageError)
    assert ("m.gz.progress" in str(done.exception), site.published()) == (True, 0)
    progress.rmdir()
    digest = json.loads(gzip.decompress(path.read_bytes()).splitlines()[-1])["digest"]
    progress.write_bytes(json.dumps([digest, site.input, -5]).encode())
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert site.published() == len(good)
