"""Starts a private PostgreSQL server for tests, as another user, because it does not run as
root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.brokers import IN_CI
from tests.ports import free_port

PLACES: Final = tuple(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
"""Where Debian puts the server's programs, the newest version first."""

SETTINGS: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
"""Tests lose nothing with the machine. Of a benchmark these would be untrue."""


@dataclass(slots=True)
class Postgres:
    """A running server; each database of a test is its own."""

    port: int
    _names: Iterator[int] = field(default_factory=count)

    def database(self) -> str:
        """Make an empty database, and return its URL for a case store."""
        name = f"desk{next(self._names)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._url(name).replace("postgresql://", "postgresql+psycopg://")

    def _url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"


def why_none() -> str:
    """Return why there is no PostgreSQL here; empty if there is."""
    if not PLACES:
        return "postgresql is not installed (.ci/packages)"
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return "PostgreSQL does not run as root, and there is no runuser"
    return ""


@contextmanager
def server(settings: tuple[str, ...] = SETTINGS) -> Iterator[Postgres]:
    """Run a server on loopback, with its data in a folder that goes with it."""
    root = os.geteuid() == 0
    as_user = ["runuser", "-u", "postgres", "--"] if root else []
    scratch = tempfile.TemporaryDirectory(prefix="otpguard-postgres-", ignore_cleanup_errors=True)
    folder = Path(scratch.name)
    data, port = folder / "data", free_port()
    if root:
        entry = pwd.getpwnam("postgres")
        os.chown(folder, entry.pw_uid, entry.pw_gid)

    def run(name: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(PLACES[0] / name), *arguments],
            check=False, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    with scratch:
        run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
            "-N")  # fmt: skip
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 " + " ".join(
            f"-c {each}" for each in settings
        )
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield Postgres(port)
        finally:
            run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")


def need_postgres() -> None:
    """Skip where there is none; in CI that is a failure."""
    if why := why_none():
        (pytest.fail if IN_CI else pytest.skip)(why)
