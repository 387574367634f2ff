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

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from detectors.recognise.platform.registry import Registry
from streams.common import ConfigError, convert_toml, tr
from streams.common.tls import private

SETTING: Final = "reports.contacts_file"


class PlatformContact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contact for one or more platforms. `platforms`: keys as the register writes them."""

    platforms: Annotated[tuple[str, ...], Meta(min_length=1)]
    owner: Annotated[str, Meta(min_length=1)]
    expires: date
    name: str = ""
    mail: str = ""
    webhook: str = ""
    secret_file: str = ""
    contract: bool = False

    def __post_init__(self) -> None:
        mail, webhook = self.mail, self.webhook
        if not all(":" in each for each in self.platforms):
            raise ValueError(tr("platforms are keys such as sig:某站"))
        if not (mail or webhook) or (mail and "@" not in mail) or not mail.isprintable():
            raise ValueError(tr("mail or webhook is needed, and a mail has an @"))
        private_https = webhook.lower().startswith("https:") and private(webhook)
        if webhook and not (private_https and self.secret_file):
            raise ValueError(tr("a webhook is https, and signed by secret_file"))
        msgspec.structs.force_setattr(self, "name", self.name or self.platforms[0])


class _File(msgspec.Struct, forbid_unknown_fields=True):
    contact: list[PlatformContact] = []


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
    from detectors.recognise.platform.keys import current_key  # noqa: PLC0415 - start-up time

    if path is None:
        return PlatformContacts({})
    found: dict[str, PlatformContact] = {}
    for contact in convert_toml(SETTING, path, partial(msgspec.convert, type=_File)).contact:
        for platform in {current_key(registry, each): None for each in contact.platforms}:
            if platform in found:
                said = tr("{name} is in two entries").format(name=platform)
                raise ConfigError(f"{SETTING} {path}: {said}")
            found[platform] = contact
    return PlatformContacts(found)
