"""DSSE envelopes (version 1), signed with both keys of a pack key. Pure.

Specification: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md. No byte of an
envelope can be changed: the JSON must be canonical, and both signatures must be valid.
"""

from typing import Any, Final

from streams.common.language import tr
from streams.people.evidence import standalone
from streams.people.evidence.canonical import PackError, canonical, encode_base64, parse_canonical
from streams.people.evidence.pack_keys import PackSigner, PublicKeys

MANIFEST: Final = "application/vnd.otpguard.evidence.v1+json"
REPORT: Final = "application/vnd.otpguard.report.v1+json"
TIMESTAMP: Final = "application/vnd.otpguard.evidence.timestamp.v1+json"
SUCCESSOR: Final = "application/vnd.otpguard.evidence.successor.v1+json"

KINDS: Final = ("ed25519", "p256")


def sign_value(key: PackSigner, kind: str, value: Any) -> bytes:
    """Sign a value. Return the envelope as one line of canonical JSON, with its newline."""
    payload = canonical(value)
    made = key.signatures(pae(kind, payload))
    name = key.public.fingerprint
    return (
        canonical(
            {
                "payload": encode_base64(payload),
                "payloadType": kind,
                "signatures": [
                    {"keyid": f"{name}:{each}", "sig": encode_base64(made[each])} for each in KINDS
                ],
            }
        )
        + b"\n"
    )


def open_envelope(data: bytes, kind: str) -> tuple[Any, dict[str, bytes], bytes]:
    """Parse an envelope. Return the value, the signatures by key id, and the signed bytes.

    Signatures keep the order of the envelope. This function does not verify the signatures. Raises
    PackError if the data is not an envelope of this kind.
    """
    try:
        return standalone.open_envelope(data, kind)
    except standalone.Wrong as error:
        raise PackError(tr(error.form)) from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise PackError(tr("no envelope")) from None


def kind_of(data: bytes) -> str:
    """Return the payload type that an envelope claims, unverified; "" if it is no envelope."""
    try:
        envelope = parse_canonical(data.removesuffix(b"\n"))
    except PackError:
        return ""
    kind = envelope.get("payloadType") if isinstance(envelope, dict) else None
    return kind if isinstance(kind, str) else ""


def check(signatures: dict[str, bytes], message: bytes, keys: PublicKeys) -> list[str]:
    """Verify the signatures. Return one sentence per problem: invalid, missing or wrong order.

    Exactly one signature of each kind must be present, in a fixed order. Otherwise anybody could
    rewrite a valid envelope in another form that is also valid.
    """
    names = {kind: f"{keys.fingerprint}:{kind}" for kind in KINDS}
    wrong = [
        tr("the signature by {kind} is not good").format(kind=kind)
        for kind, name in names.items()
        if not keys.verifies(kind, signatures.get(name, b""), message)
    ]
    if list(signatures) != list(names.values()):
        wrong.append(tr("the signatures are not one of each known kind, in their order"))
    return wrong


def pae(kind: str, payload: bytes) -> bytes:
    """Return the bytes to sign: DSSE's pre-authentication encoding.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def succession(old: PackSigner, new: PublicKeys, at: str) -> bytes:
    """Return one line for the list of successors, in which the old key vouches for the new key.

    `at`: time in ISO 8601. A thief of the old key can write such a line too. So after a theft,
    publish the new fingerprint itself, and no list of successors.
    """
    return sign_value(
        old, SUCCESSOR, {"at": at, "from": old.public.document(), "to": new.document()}
    )


def successors(data: bytes) -> list[tuple[PublicKeys, PublicKeys]]:
    """Read a list of successors. Raise PackError unless each line is signed by its old key."""
    found = []
    for line in data.splitlines(keepends=True):
        value, signatures, message = open_envelope(line, SUCCESSOR)
        if not isinstance(value, dict) or set(value) != {"at", "from", "to"}:
            raise PackError(tr("no successor"))
        old, new = PublicKeys.of(value["from"]), PublicKeys.of(value["to"])
        if check(signatures, message, old):
            raise PackError(tr("a successor that the key before did not sign"))
        found.append((old, new))
    return found
