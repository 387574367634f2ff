"""The audit of what people do by command: written before it is done, and what became of it."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from streams import clock
from streams.errors import OtpguardError, UnavailableError
from streams.language import tr

if TYPE_CHECKING:
    from streams.config import Settings
    from streams.operate.audit import AuditChain


def login() -> str:
    """The system's name of whoever runs this, whatever is said of the actor."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that the system has no name for
        return str(os.getuid())


def actor() -> str:
    """The person at the keyboard, behind sudo too."""
    return os.environ.get("SUDO_USER") or login()


@contextmanager
def audit_chain(settings: Settings) -> Iterator[AuditChain]:
    """Yield the chain of whoever is logged in, for the audit that these settings name."""
    from streams.operate.audit import reported  # noqa: PLC0415 - start-up time

    with reported(login(), os.environ, settings.kafka.bootstrap, settings.app_id) as chain:
        yield chain


@contextmanager
def audited(settings: Settings, verb: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """Put an act into the audit before and after the block; `fields` are those of an `AuditRecord`.

    Whatever the block adds to what it is given goes into the record of the end. An act is done
    though the audit cannot be written, as a word at the command line is: its records wait for the
    next one. Raise UnavailableError after the block if they cannot even wait.
    """
    with audit_chain(settings) as chain:
        _note(chain, verb, "asked", fields)
        more: dict[str, Any] = {}
        try:
            yield more
        except BaseException:
            _note(chain, verb, "failed", fields)
            deliver_audit(settings, chain, quiet=chain.kept)
            raise
        _note(chain, verb, "done", fields | more)
        if deliver_audit(settings, chain) and not chain.kept:
            raise UnavailableError(tr("it is done, but its audit record is not written"))


@contextmanager
def looked(settings: Settings, verb: str, subject: str = "", detail: str = "") -> Iterator[None]:
    """Put a look at people's cases into the audit: kept before the block shows anything.

    Kafka is given it after the block, for somebody may be on the phone. Where it cannot be, that is
    said, and the record goes with the next one of this login, as a look that finds nothing does.
    """
    with audit_chain(settings) as chain:
        _note(chain, verb, "done", {"subject": subject, "detail": detail})
        yield
        deliver_audit(settings, chain)


def _note(chain: AuditChain, verb: str, outcome: str, fields: dict[str, Any]) -> None:
    import socket  # noqa: PLC0415 - start-up time

    chain.append(
        at_ms=clock.now_ms(),
        actor=actor(),
        channel="cli",
        auth="os",
        address=socket.gethostname()[:256],
        verb=verb,
        outcome=outcome,
        **{name: each[:256] if isinstance(each, str) else each for name, each in fields.items()},
    )


def deliver_audit(settings: Settings, chain: AuditChain, *, quiet: bool = False) -> bool:
    """Give the audit to Kafka; return whether it could not be, after saying so if not `quiet`."""
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.operate.audit import deliver  # noqa: PLC0415

    try:
        deliver(chain, client_arguments(settings.kafka), settings.topics.audit)
    except OtpguardError as error:
        if quiet:
            return True
        told = tr("NOT IN THE AUDIT: {error}; {n} records are lost when this command ends")
        if chain.kept:
            told = tr(
                "NOT IN THE AUDIT: {error}; {n} records wait in {path}, and are written with "
                "the next override"
            )
        typer.echo(told.format(error=error, n=len(chain.pending), path=chain.path), err=True)
        return True
    return False
