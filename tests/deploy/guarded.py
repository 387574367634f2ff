"""Starts a Kafka with SCRAM, TLS and ACLs, and makes the settings of each role."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.cluster.kafka_rights import ROLES
from streams.config import Settings, load
from tests import clusters
from tests.clusters import Guarded
from tests.nodes import Broker


@dataclass(frozen=True, slots=True)
class Castle:
    """The broker and everybody's password."""

    broker: Broker
    guarded: Guarded
    folder: Path

    def config(self, user: str, name: str = "", **changes: str) -> Path:
        """A settings file for a user, its password in a file beside it; values are TOML."""
        path = self.folder / f"{name or user}.toml"
        password = path.with_suffix(".password")
        password.write_text(self.guarded.users[user] + "\n")
        kafka = {
            "bootstrap": f'"{self.broker.bootstrap}"',
            "security": '"sasl_ssl"',
            "username": f'"{user}"',
            "password_file": f'"{password}"',
            "ca_file": f'"{self.guarded.ca}"',
        }
        kafka |= changes
        rest = (
            f'worker = {{data_dir = "{self.folder}/{user}"}}',
            "http = {port = 0}",
            "detect = {recipients_max = 100_000}",
            "topics = {partitions = 2, replication = 1, everyone = 'otpguard.override.all.v1'}",
            "[kafka]",
            *(f"{key} = {value}" for key, value in kafka.items()),
        )
        path.write_text("\n".join(rest) + "\n")
        return path

    def settings(self, user: str) -> Settings:
        """The same, loaded."""
        return load(self.config(user))


@contextmanager
def castle(folder: Path, users: Iterable[str] = ("stranger", *ROLES)) -> Iterator[Castle]:
    """One node, an `admin` that may do everything, and `users` that may do nothing yet.

    The certificate is good for 127.0.0.1 and a host `redis`, and signed by an authority of this
    folder's own.
    """
    ca, key_pair = folder / "ca.pem", folder / "broker.pem"
    _authority(folder, ca, key_pair)
    guarded = Guarded({name: f"{name}-Secret-1" for name in ("admin", *users)}, key_pair, ca)
    with clusters.broker("kafka", heap="512m", guarded=guarded) as running:
        yield Castle(running, guarded, folder)


def _authority(folder: Path, ca: Path, key_pair: Path) -> None:
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    _openssl(folder, "req", "-x509", *new, "-subj", "/CN=test authority",
             "-keyout", "ca.key", "-out", ca)  # fmt: skip
    _openssl(folder, "req", "-x509", *new, "-subj", "/CN=broker", "-CA", ca, "-CAkey", "ca.key",
             "-addext", "subjectAltName=IP:127.0.0.1,DNS:redis",
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", "broker.key", "-out", "broker.crt")  # fmt: skip
    parts = (folder / "broker.key", folder / "broker.crt")
    key_pair.write_text("".join(part.read_text() for part in parts))


def _openssl(folder: Path, *words: Any) -> None:
    command: Sequence[str] = ["openssl", *map(str, words)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
