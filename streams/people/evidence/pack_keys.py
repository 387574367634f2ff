"""The pack key: an Ed25519 and an ECDSA P-256 key, their fingerprint, and the successor keys.

Each evidence pack has two signatures: old browsers support only P-256, and every version of
`openssl` can verify P-256. A verifier must get the fingerprint independently of the pack. A pack
that brings its own trusted key proves nothing.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from streams.common import tr
from streams.people.evidence.canonical import PackError, encode_base64
from streams.people.evidence.standalone import FORMAT, P256_ORDER

SALTING: Final = f"{FORMAT} salt".encode()
"""Domain separator of salts. Signed envelopes begin with `DSSEv1`, so the two never collide."""
_END: Final = "-----END PRIVATE KEY-----"
_LOCKED: Final = ("ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")
"""PEM markers of a key that is protected by a passphrase (RFC 7468, RFC 1421)."""
_HALF: Final = 32  # bytes of r, and bytes of s


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The two public keys, Ed25519 and P-256, that verify a signed evidence pack; each in DER."""

    ed25519: bytes
    p256: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 over both keys, as 64 hex digits."""
        return hashlib.sha256(self.ed25519 + self.p256).hexdigest()

    def document(self) -> dict[str, str]:
        return {"ed25519": encode_base64(self.ed25519), "p256": encode_base64(self.p256)}

    def verifies(self, kind: str, signature: bytes, message: bytes) -> bool:
        """Verify a signature of kind `ed25519`, or `p256` (r and low s, 64 bytes)."""
        try:
            if kind == "ed25519":
                key = load_der_public_key(self.ed25519)
                if not isinstance(key, ed25519.Ed25519PublicKey):
                    return False
                key.verify(signature, message)
                return True
            curve = load_der_public_key(self.p256)
            if not isinstance(curve, ec.EllipticCurvePublicKey) or len(signature) != 2 * _HALF:
                return False
            r, s = (int.from_bytes(each) for each in (signature[:_HALF], signature[_HALF:]))
            if s > P256_ORDER // 2:  # valid too, but anybody can compute it from the low s
                return False
            curve.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def is_good(keys: dict[str, bytes], kind: str, message: bytes, signature: bytes) -> bool:
    """Return true if the signature by the key of this kind is valid; needs no openssl."""
    return PublicKeys(**keys).verifies(kind, signature, message)


class PackKey:
    """A pack key whose private half is in memory."""

    def __init__(self, ed: ed25519.Ed25519PrivateKey, curve: ec.EllipticCurvePrivateKey) -> None:
        self._ed, self._curve = ed, curve

    @classmethod
    def fresh(cls) -> Self:
        """Generate a new key from the random source of the operating system."""
        return cls(ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read two PKCS #8 keys in PEM, in any order. Raise PackError for anything else."""
        if any(each in text for each in _LOCKED):
            raise PackError(tr("the key has a passphrase; a pack key has none"))
        found: dict[type, Any] = {}
        *parts, _ = text.split(_END)
        for part in parts:
            try:
                key = load_pem_private_key((part.strip() + f"\n{_END}\n").encode(), None)
            except (ValueError, TypeError):
                raise PackError(tr("no private key in PEM")) from None
            base = (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)
            found |= {kind: key for kind in base if isinstance(key, kind)}
        try:
            ed, curve = found[ed25519.Ed25519PrivateKey], found[ec.EllipticCurvePrivateKey]
        except KeyError:
            raise PackError(tr("a pack key is an Ed25519 and a P-256 key in one file")) from None
        if len(parts) > len(found):  # it would be unclear which key signs
            raise PackError(tr("there is more in it than one Ed25519 and one P-256 key"))
        if not isinstance(curve.curve, ec.SECP256R1):
            raise PackError(tr("a pack key's second half is on the curve P-256"))
        return cls(ed, curve)

    def to_pem(self) -> str:
        """Return the private key in PEM, in the format that `read` accepts."""
        return "".join(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            for key in (self._ed, self._curve)
        )

    @property
    def public(self) -> PublicKeys:
        return PublicKeys(
            *(
                key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
                for key in (self._ed, self._curve)
            )
        )

    def signatures(self, message: bytes) -> dict[str, bytes]:
        """Return both signatures, by kind. Both are deterministic (RFC 8032, RFC 6979)."""
        der = self._curve.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        p256 = b"".join(number.to_bytes(_HALF) for number in decode_dss_signature(der))
        return {"ed25519": self._ed.sign(message), "p256": low_s(p256)}

    def salt(self, *place: object) -> str:
        """Return the salt for a place in a pack, in hex: the same every time, impossible to guess.

        The proofs of an extract contain hashes of records that it leaves out. Without a salt, such
        a record could be found by trying every phone number.
        """
        seed = self._ed.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return salt_by(seed, place)


def low_s(signature: bytes) -> bytes:
    """Replace s of a P-256 signature (r and s) by the lower one of the two valid values."""
    s = int.from_bytes(signature[_HALF:])
    return signature[:_HALF] + min(s, P256_ORDER - s).to_bytes(_HALF)


def salt_by(secret: bytes, place: Iterable[object]) -> str:
    """Derive the salt for a place from a secret of the key. Return 16 bytes in hex."""
    key = hmac.digest(secret, SALTING, "sha256")
    return hmac.digest(key, "\n".join(map(str, place)).encode(), "sha256")[:16].hex()


def fingerprint_of(text: str) -> str:
    """Normalise a fingerprint that a person typed. Raise PackError if it is not a fingerprint.

    >>> fingerprint_of("AB " * 31 + "ab")[:4]
    'abab'
    """
    plain = "".join(text.split()).replace(":", "").lower()
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise PackError(tr("a fingerprint has 64 hex digits"))
    return plain


def in_groups(fingerprint: str) -> str:
    """Format a fingerprint in groups of four digits, for reading aloud.

    >>> in_groups("0123456789ab")
    '0123 4567 89ab'
    """
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))
