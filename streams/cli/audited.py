"""Audit records of commands: one before the action, and one with its result."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer

from streams import config as configs
from streams.cases import audit_chain as chains
from streams.cluster import admin
from streams.common import ConfigError, OtpguardError, UnavailableError, clock, tr


def login() -> str:
    """Return the login name of the process, whatever `--actor` says."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the system has no name for
        return str(os.getuid())


def actor() -> str:
    """Return the login name of the person at the keyboard, also under sudo."""
    return os.environ.get("SUDO_USER") or login()


@contextmanager
def audit_chain(settings: configs.Settings) -> Iterator[chains.AuditChain]:
    """Yield the audit chain of the current login, for the topic in these settings."""
    folder = chains.folder_of(os.environ, settings.kafka.bootstrap, settings.app_id)
    with chains.AuditChain(folder, login()) as chain:
        yield chain


@contextmanager
def audit_act(settings: configs.Settings, verb: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """Write an audit record before and after the block; `fields` are fields of `AuditRecord`.

    The block may add fields to the dict that it gets; they go into the second record. The action is
    done even if Kafka is unreachable, and the records wait on disk for the next command. Raise
    UnavailableError after the block if they cannot be stored on disk either.
    """
    with audit_chain(settings) as chain:
        note(chain, verb, "asked", fields)
        more: dict[str, Any] = {}
        try:
            yield more
        except BaseException:
            note(chain, verb, "failed", fields)
            deliver_audit(settings, chain, quiet=chain.is_durable)
            raise
        note(chain, verb, "done", fields | more)
        if deliver_audit(settings, chain) and not chain.is_durable:
            raise UnavailableError(tr("it is done, but its audit record is not written"))


@contextmanager
def audit_look(
    settings: configs.Settings, verb: str, subject: str = "", detail: str = ""
) -> Iterator[None]:
    """Write an audit record of a look at cases, on disk before the block shows anything.

    The record is sent to Kafka after the block, because somebody may be on the phone. If Kafka is
    unreachable, the command says so, and the record is sent with the next one of this login. The
    same holds for a look that finds nothing.
    """
    with audit_chain(settings) as chain:
        note(chain, verb, "done", {"subject": subject, "detail": detail})
        yield
        deliver_audit(settings, chain)


def note(chain: chains.AuditChain, verb: str, outcome: str, fields: Mapping[str, Any]) -> None:
    """Add a record of this command; `fields` are further fields of `AuditRecord`."""
    chain.append(
        at_ms=clock.now_ms(),
        channel="cli",
        auth="os",
        address=socket.gethostname()[:256],
        verb=verb,
        outcome=outcome,
        **{
            name: each[:256] if isinstance(each, str) else each
            for name, each in {"actor": actor(), **fields}.items()
        },
    )


def deliver_audit(
    settings: configs.Settings, chain: chains.AuditChain, *, quiet: bool = False
) -> bool:
    """Send waiting audit records to Kafka; return True on failure, and print it unless `quiet`."""
    try:
        chains.deliver(chain, admin.client_arguments(settings.kafka), settings.topics.audit)
    except OtpguardError as error:
        if quiet:
            return True
        told = tr("NOT IN THE AUDIT: {error}; {n} records are lost when this command ends")
        if chain.is_durable:
            told = tr(
                "NOT IN THE AUDIT: {error}; {n} records wait in {path}, and are written with "
                "the next override"
            )
        typer.echo(told.format(error=error, n=len(chain.pending), path=chain.path), err=True)
        return True
    return False


def require_numbers(settings: configs.Settings) -> None:
    """Raise ConfigError unless this user may write the audit, and so may see numbers."""
    audit = settings.topics.audit
    with admin.Cluster(settings.kafka) as cluster:
        if "WRITE" not in cluster.operations([audit]).get(audit, ()):
            raise ConfigError(
                tr("numbers are shown to who may write {audit}: role support").format(audit=audit)
            )
