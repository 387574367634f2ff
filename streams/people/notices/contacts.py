"""Contacts of platforms for reports. Each has an owner and an expiry date. The file is TOML.

    [[contact]]
    platforms = ["sig:某站", "port:10690000001"]
    name = "某站安全部"
    mail = "abuse@example.com"
    owner = "abuse desk"          # who maintains this entry at the operator
    expires = 2027-06-30          # last day on which this entry is used
    contract = true               # reports may contain the platform's own message ids

A person may leave a platform, and a platform may lose a domain. So an expired entry is not used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from detectors.recognise.registry import Registry
from streams.common import ConfigError, read_toml, tr
from streams.common.tls import private

FIELDS: Final = (
    "platforms", "name", "mail", "webhook", "secret_file", "owner", "expires", "contract",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlatformContact:
    """A contact for one or more platforms. `platforms`: keys as the register writes them."""

    platforms: tuple[str, ...]
    name: str
    owner: str
    expires: date
    mail: str = ""
    webhook: str = ""
    secret_file: Path | None = None
    contract: bool = False


@dataclass(frozen=True, slots=True)
class PlatformContacts:
    """All contacts, by platform key."""

    by_platform: Mapping[str, PlatformContact]

    def of(self, platform: str, today: date) -> PlatformContact | None:
        """Return the contact of a platform on this day. None: no contact, or it has expired."""
        found = self.by_platform.get(platform)
        return found if found is not None and today <= found.expires else None

    def list_expired(self, today: date) -> list[PlatformContact]:
        """Return the expired entries, each once."""
        return list({id(c): c for c in self.by_platform.values() if c.expires < today}.values())


def read_contacts(path: Path | None, registry: Registry) -> PlatformContacts:
    """Read the file of contacts; None gives no contacts. Raise ConfigError that names the entry.

    A platform may be listed under any of its names and numbers: the registry maps it to its key.
    """
    from detectors.recognise.keys import current_key  # noqa: PLC0415 - start-up time

    if path is None:
        return PlatformContacts({})
    try:
        rows = read_toml(path).get("contact", [])
        if not isinstance(rows, list):
            raise ValueError(tr("entries begin with [[contact]]"))  # noqa: TRY301, TRY004
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            tr("reports.contacts_file {path}: {error}").format(path=path, error=said)
        ) from None
    found: dict[str, PlatformContact] = {}
    for nth, contact in enumerate(_contacts(rows, path), 1):
        for platform in {current_key(registry, each): None for each in contact.platforms}:
            if platform in found:
                raise _wrong(path, nth, tr("{name} is in two entries").format(name=platform))
            found[platform] = contact
    return PlatformContacts(found)


def _contacts(rows: Iterable[Any], path: Path) -> Iterable[PlatformContact]:
    for nth, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise _wrong(path, nth, tr("no table"))
        if strange := sorted(str(name) for name in row.keys() - set(FIELDS)):
            raise _wrong(path, nth, tr("no field {names}").format(names=", ".join(strange)))
        platforms = row.get("platforms") or ()
        mail, webhook = str(row.get("mail") or ""), str(row.get("webhook") or "")
        owner, secret = str(row.get("owner") or ""), row.get("secret_file")
        if (
            not platforms
            or not isinstance(platforms, list)
            or not all(":" in str(each) for each in platforms)
        ):
            raise _wrong(path, nth, tr("platforms are keys such as sig:某站"))
        if not owner:
            raise _wrong(path, nth, tr("an owner looks after each entry"))
        if not (mail or webhook) or (mail and "@" not in mail) or not mail.isprintable():
            raise _wrong(path, nth, tr("mail or webhook is needed, and a mail has an @"))
        if webhook and not (webhook.lower().startswith("https:") and private(webhook) and secret):
            raise _wrong(path, nth, tr("a webhook is https, and signed by secret_file"))
        yield PlatformContact(
            platforms=tuple(map(str, platforms)),
            name=str(row.get("name") or platforms[0]),
            owner=owner,
            expires=_date(row.get("expires"), path, nth),
            mail=mail,
            webhook=webhook,
            secret_file=Path(str(secret)) if secret else None,
            contract=row.get("contract") is True,
        )


def _date(written: Any, path: Path, nth: int) -> date:
    if isinstance(written, datetime):  # TOML allows a date with a time of day
        return written.date()
    if isinstance(written, date):
        return written
    try:
        return date.fromisoformat(str(written))
    except ValueError:
        raise _wrong(path, nth, tr("expires is a day such as 2027-06-30")) from None


def _wrong(path: Path, nth: int, what: str) -> ConfigError:
    return ConfigError(
        tr("reports.contacts_file {path}, entry {n}: {what}").format(path=path, n=nth, what=what)
    )
