"""Runs a program many times in processes of their own that need not load libraries anew.

A server process has loaded the libraries. For each run it forks, and the child runs the program as
`python -c` would: its own folder, output and exit, with none of otpguard's modules loaded before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

LIBRARIES: Final = (
    "aiokafka", "confluent_kafka", "cryptography.x509", "kafka", "numpy", "phonenumbers",
    "pydantic_settings", "rich.progress", "sqlalchemy", "typer",
)  # fmt: skip

SERVER: Final = f"""
import importlib, json, os, sys
for name in {LIBRARIES!r}:
    importlib.import_module(name)
loaded = [name for name in sys.modules if name.partition(".")[0] in ("detectors", "streams")]
assert not loaded, loaded
for line in sys.stdin:
    given = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
os.chdir(given["folder"])
for number, path in enumerate(given["streams"]):
    os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
sys.argv = ["-c", *given["words"]]
exec(compile(given["program"], "<string>", "exec"), {{"__name__": "__main__"}})
"""


class Forks:
    """A process that forks itself for each run."""

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        self._server = server
        self._folder = folder

    def run(
        self, program: str, words: Sequence[str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with these arguments in a folder; wait for its end."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        said = [self._folder / "out", self._folder / "err"]
        streams = [os.devnull, *map(str, said)]
        given = {"program": program, "words": words, "folder": str(folder), "streams": streams}
        self._server.stdin.write(json.dumps(given) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        out, err = (path.read_text(encoding="utf-8") for path in said)
        return subprocess.CompletedProcess([*words], code, out, err)


@contextmanager
def forks(root: Path) -> Iterator[Forks]:
    """Start a process that has loaded the libraries; its programs import from `root`."""
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as server,
    ):
        yield Forks(server, Path(folder))
        assert server.stdin is not None
        server.stdin.close()
