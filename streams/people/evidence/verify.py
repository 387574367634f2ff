"""Verify a pack or a signed report, by the rules of the verifier that is inside each pack."""

import datetime as dt
from pathlib import Path

from streams.common import tr
from streams.people.evidence import canonical, standalone
from streams.people.evidence.pack_files import TOKEN
from streams.people.evidence.pack_keys import is_good
from streams.people.evidence.stamp import check_token


class PackVerdict(standalone.Verifier):
    """Result of a verification. An empty `wrong` means that the pack is unchanged.

    The signatures are verified without openssl, and the problems are told in the current language.
    """

    stamped = ""  # time in the time-stamp token; empty without one

    def describe(self, each: standalone.Wrong) -> str:
        return tr(each.form).format(**each.values)

    def sm3(self, data: bytes) -> str:
        return canonical.sm3(data)

    def is_good(self, keys: dict[str, bytes], kind: str, message: bytes, signature: bytes) -> bool:
        return is_good(keys, kind, message, signature)

    def check_token(self, token: bytes, manifest: bytes) -> None:
        """Check that the token is of this manifest, and signed by the given authority."""
        authority = Path(self.authority) if self.authority else None
        try:
            at = check_token(token, manifest, authority)
        except canonical.PackError as error:
            raise standalone.Wrong("{name}: {what}", name=TOKEN, what=error) from None
        self.stamped = at.astimezone(dt.UTC).isoformat()

    @property
    def stamp_checked(self) -> bool:
        """True if the time stamp was checked against the authority's certificates."""
        return bool(self.stamped and self.authority)


def verify(folder: Path, trusted: str, *, authority: Path | None = None) -> PackVerdict:
    """Verify a pack and return the verdict. Never raises for a pack that was changed.

    `trusted`: fingerprint of the signer, obtained independently of the pack. `authority`:
    certificates of the time-stamping authority in PEM, if its token is to be checked.
    """
    return PackVerdict(folder, trusted, str(authority or ""))
