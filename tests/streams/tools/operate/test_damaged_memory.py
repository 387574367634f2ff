"""Damaged and hostile files: what the memory agent remembers, and memory files to import.

`OTPGUARD_TEST_DAMAGED` sets the number of damaged copies of each file.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest

from streams.config import Settings
from streams.telemetry.metrics import Metrics
from streams.tools.operate.memory_agent import MemoryAgent, _Published
from tests.builders.streams.tools.operate.memory_file import KEY

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
            for column, wanted in zip(found[3], whole, strict=True):
                assert np.array_equal(column, wanted)
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
