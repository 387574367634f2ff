"""A pack key inside a hardware security module. The module signs; the key never leaves it.

A PKCS#11 URI (RFC 7512) names the key, for example
`pkcs11:token=unit;object=pack-2026?module-path=/usr/lib/softhsm/libsofthsm2.so`. Both private keys
have the label in `object`: an Ed25519 key (CKK_EC_EDWARDS, PKCS#11 3.0) and a P-256 key.

Most devices use a fresh random number for each P-256 signature. So a pack that is made twice
differs in this signature. Salts come from an Ed25519 signature, which is deterministic (RFC 8032).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from streams.common import ConfigError, UnavailableError, UsageError, read_bytes, tr
from streams.common.extras import how_to_install
from streams.people.evidence.pack_keys import SALTING, PackKey, PublicKeys, low_s, salt_by

if TYPE_CHECKING:
    from pkcs11 import Session

SCHEME: Final = "pkcs11:"
_OCTETS: Final = 0x04  # DER tag of an OCTET STRING; an uncompressed point also begins with 4

# All threads of a process share a single login at a token.
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class TokenUri:
    """The parts of a PKCS#11 URI that are used here."""

    module: str  # path of the device's library
    label: str  # label of both keys
    token: str  # label of the token
    serial: str = ""
    pin_source: str = ""  # path of a file whose first line is the PIN

    @classmethod
    def of(cls, uri: str) -> TokenUri:
        """Parse a URI. Raise UsageError if it names no key, or has an unknown or duplicate part.

        A PIN inside the URI counts as unknown.
        """
        try:
            parts = urlsplit(uri)
            path = _split_attributes(parts.path, ";", ("token", "object", "serial"))
            query = _split_attributes(parts.query, "&", ("module-path", "pin-source"))
        except ValueError as error:
            raise UsageError(
                tr("{uri}: {name!r} is not known here, or comes twice").format(
                    uri=uri, name=str(error)
                )
            ) from None
        pin = query.get("pin-source", "")
        made = cls(
            module=query.get("module-path", ""),
            label=path.get("object", ""),
            token=path.get("token", ""),
            serial=path.get("serial", ""),
            pin_source=unquote(urlsplit(pin).path) if pin.startswith("file:") else pin,
        )
        if parts.scheme != "pkcs11" or not (made.module and made.label and made.token):
            raise UsageError(
                tr("{uri}: a key in hardware has token, object and module-path").format(uri=uri)
            )
        return made


def _split_attributes(text: str, between: str, allowed: tuple[str, ...]) -> dict[str, str]:
    """Split the attributes of a PKCS#11 URI into names and values.

    Raise ValueError, with the name, for an unknown or duplicate attribute.
    """
    found: dict[str, str] = {}
    for part in filter(None, text.split(between)):
        name, _, value = part.partition("=")
        if name not in allowed or name in found:
            raise ValueError(name)
        found[name] = unquote(value)
    return found


class HardwareKey:
    """A pack key in a token. It logs in for each signature, so that no login stays open."""

    def __init__(self, uri: TokenUri, pin: str) -> None:
        """Find both keys. Raise ConfigError or UnavailableError if that fails."""
        self._uri, self._pin = uri, _pin_of(uri, pin)
        with _session(uri, self._pin) as session:
            self.public = _public(session, uri.label)
        self._secret = b""

    def signatures(self, message: bytes) -> dict[str, bytes]:
        """Return both signatures, by kind, after verifying them. Raises errors like `__init__`."""
        from pkcs11 import KeyType, Mechanism, ObjectClass  # noqa: PLC0415 - an optional extra

        with _session(self._uri, self._pin) as session:
            keys: Iterator[Any] = (
                session.get_key(ObjectClass.PRIVATE_KEY, kind, self._uri.label)
                for kind in (KeyType.EC_EDWARDS, KeyType.EC)
            )
            ed, curve = keys
            made: dict[str, bytes] = {
                "ed25519": ed.sign(message, mechanism=Mechanism.EDDSA),
                # Hash in software: some devices have no mechanism that hashes and signs.
                "p256": low_s(
                    curve.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA)
                ),
            }
        for kind, signature in made.items():
            if not self.public.verifies(kind, signature, message):
                raise UnavailableError(
                    tr("{token}: its signature by {kind} is not good").format(
                        token=self._uri.token, kind=kind
                    )
                )
        return made

    def salt(self, *place: object) -> str:
        """Return the salt for a place in a pack, in hex. Raises errors like `__init__`."""
        if not self._secret:
            self._secret = hashlib.sha256(self.signatures(SALTING)["ed25519"]).digest()
        return salt_by(self._secret, place)


PackSigner = PackKey | HardwareKey  # A pack key that can sign, in memory or in hardware.


def make_in_hardware(uri: TokenUri, pin: str) -> PublicKeys:
    """Generate a pack key in a token and return its public keys. The private keys cannot leave.

    Raises UsageError if the label is in use, and ConfigError or UnavailableError for the token.
    """
    from pkcs11 import Attribute, KeyType, Mechanism  # noqa: PLC0415 - belongs to an optional extra

    with _session(uri, _pin_of(uri, pin), write=True) as session:
        if any(True for _ in session.get_objects({Attribute.LABEL: uri.label})):
            raise UsageError(
                tr("{token}: there is a key {label}").format(token=uri.token, label=uri.label)
            )
        kept = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        for kind, curve, way in (
            # DER object identifiers of the curves (RFC 8410, RFC 5480), for CKA_EC_PARAMS.
            (KeyType.EC_EDWARDS, "06032b6570", Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
            (KeyType.EC, "06082a8648ce3d030107", Mechanism.EC_KEY_PAIR_GEN),
        ):
            given = {Attribute.EC_PARAMS: bytes.fromhex(curve)}
            session.create_domain_parameters(kind, given, local=True).generate_keypair(
                mechanism=way, store=True, label=uri.label, private_template=kept
            )
        return _public(session, uri.label)


def _pin_of(uri: TokenUri, given: str) -> str:
    """Return the PIN from the file in the URI, otherwise `given`. Raise ConfigError if missing."""
    if not uri.pin_source:
        if not given:
            raise ConfigError(
                tr("no PIN: evidence.pin_file, OTPGUARD_EVIDENCE_PIN or pin-source names it")
            )
        return given
    file = Path(uri.pin_source)
    try:
        return read_private(file).decode().split("\n", 1)[0]
    except UnicodeDecodeError:
        raise ConfigError(tr("{file}: no PIN, but no text at all").format(file=file)) from None


def read_private(file: Path) -> bytes:
    """Return the bytes of a file with a secret. Raise ConfigError if others may read it too."""
    content = read_bytes(file)
    if file.stat().st_mode & 0o077:
        raise ConfigError(tr("{file}: others may read it; chmod 600").format(file=file))
    return content


@contextmanager
def _session(uri: TokenUri, pin: str, *, write: bool = False) -> Iterator[Session]:
    """Log in at a token. Raise ConfigError for wrong settings, UnavailableError otherwise."""
    try:
        import pkcs11  # noqa: PLC0415 - belongs to an optional extra
    except ImportError:
        how = how_to_install("hsm")
        raise UnavailableError(
            tr("a key in hardware needs more packages: {how}").format(how=how)
        ) from None
    settled = (
        pkcs11.NoSuchToken,
        pkcs11.MultipleTokensReturned,
        pkcs11.NoSuchKey,
        pkcs11.MultipleObjectsReturned,
        pkcs11.PinIncorrect,
        pkcs11.PinLenRange,
        pkcs11.PinInvalid,
        pkcs11.PinLocked,
        pkcs11.PinExpired,
    )
    wanted: dict[str, Any] = {"token_label": uri.token}
    if uri.serial:
        wanted["token_serial"] = uri.serial.encode()
    with _one_at_a_time:
        try:
            token = pkcs11.lib(uri.module).get_token(**wanted)
            with token.open(user_pin=pin, rw=write) as session:
                yield session
        except settled as error:
            # No retry: a token locks itself after a few wrong PINs.
            raise ConfigError(
                tr("{token}, key {label}: {error}").format(
                    token=uri.token, label=uri.label, error=type(error).__name__
                )
            ) from None
        except pkcs11.PKCS11Error as error:
            raise UnavailableError(
                tr("{token}: {error}").format(
                    token=uri.token, error=str(error) or type(error).__name__
                )
            ) from None


def _public(session: Session, label: str) -> PublicKeys:
    """Read both public keys. Raise UnavailableError if they are not an Ed25519 and a P-256 key."""
    from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 - from an optional extra

    ed, curve = (
        bytes(session.get_key(ObjectClass.PUBLIC_KEY, kind, label)[Attribute.EC_POINT])
        for kind in (KeyType.EC_EDWARDS, KeyType.EC)
    )
    try:
        keys: tuple[ed25519.Ed25519PublicKey, ec.EllipticCurvePublicKey] = (
            ed25519.Ed25519PublicKey.from_public_bytes(_point(ed, 32)),
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _point(curve, 65)),
        )
    except ValueError:
        raise UnavailableError(
            tr("key {label}: a pack key is an Ed25519 and a P-256 key of one label").format(
                label=label
            )
        ) from None
    der = (key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys)
    return PublicKeys(*der)


def _point(value: bytes, size: int) -> bytes:
    """Unwrap a point from its OCTET STRING. Some devices return the bare point instead.

    >>> _point(bytes([4, 2, 7, 8]), 2).hex(), _point(bytes([7, 8]), 2).hex()
    ('0708', '0708')
    """
    if len(value) == size + 2 and value[0] == _OCTETS and value[1] == size:
        return value[2:]
    return value
