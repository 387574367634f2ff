"""The clients of the signal service, read from a TOML file. Most clients are banks.

The service tells a client whether a number is flooded with codes. A client has a name, scopes,
quotas, its own platforms, a certificate and a webhook.
"""

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from detectors.model.event import Trust
from detectors.recognise.platform.keys import current_key
from detectors.recognise.platform.registry import Registry
from streams.common import convert_toml
from streams.common.tls import private

CHECK: Final = "verification-flood-signal:check"
DATE: Final = "verification-flood-signal:retrieve-date"
OWN: Final = "verification-flood-signal:own-codes"
SCOPES: Final = (CHECK, DATE, OWN)


class SignalClient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client. Each request needs a scope in `scopes`, and in the access token if it has one."""

    name: str
    scopes: frozenset[str] = frozenset({CHECK, DATE})
    per_minute: int = 600
    number_per_hour: int = 30  # requests about one number; more would mean watching a person
    platforms: tuple[str, ...] = ()  # keys of the client's own platforms
    trust: Trust = Trust.BANK
    certificate_sha256: str = ""  # of the client certificate in DER, hex; empty: tokens only
    sink: str = ""  # webhook URL for floods of the client's customers; empty: no webhook
    sink_secret_file: Path | None = None  # secret for Standard Webhooks, shared with the client
    sink_numbers_file: Path | None = None  # customers who agreed, one number per line
    sink_per_minute: int = 120


def read(path: Path, registry: Registry) -> dict[str, SignalClient]:
    """Read the clients from TOML, one table per client. Raise ConfigError for invalid content.

    A client's platform may be listed under any of its names and numbers.
    """
    return convert_toml(
        "signal.clients_file",
        path,
        lambda tables: {name: _client(name, row, registry) for name, row in tables.items()},
    )


def _client(name: str, table: dict[str, Any], registry: Registry) -> SignalClient:
    given = {key: value for key, value in table.items() if value != ""}
    row = msgspec.convert(
        {**given, "name": name, "trust": Trust[str(given.get("trust", "bank")).upper()]},
        SignalClient,
        dec_hook=lambda kind, path: kind(path),
    )
    if unknown := row.scopes - set(SCOPES):
        raise ValueError(f"{name}: unknown scopes {', '.join(sorted(unknown))}")
    if min(row.per_minute, row.number_per_hour, row.sink_per_minute) < 1:
        raise ValueError(f"{name}: a quota is 1 or more")
    fingerprint = row.certificate_sha256.replace(":", "").lower()
    if fingerprint and (len(fingerprint) != 64 or set(fingerprint) - set("0123456789abcdef")):
        raise ValueError(f"{name}: certificate_sha256 has 64 hex digits")
    _check_sink(row)
    platforms = tuple(current_key(registry, each) for each in row.platforms)
    return msgspec.structs.replace(row, platforms=platforms, certificate_sha256=fingerprint)


def _check_sink(row: SignalClient) -> None:
    """Raise ValueError for a webhook that others could read, or that cannot be authenticated."""
    named = [bool(each) for each in (row.sink, row.sink_secret_file, row.sink_numbers_file)]
    if any(named) and not all(named):
        raise ValueError(
            f"{row.name}: sink, sink_secret_file and sink_numbers_file belong together"
        )
    if row.sink and not private(row.sink):
        raise ValueError(f"{row.name}: sink is https, or http to this machine")
    if row.sink and urlsplit(row.sink).username:
        raise ValueError(f"{row.name}: sink has a user in it")
