"""DSSE envelopes, signed by both halves of a pack key, in one way of writing. Pure.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md (v1). No byte of one is free: the
JSON is canonical, and both signatures have to be good.
"""

from __future__ import annotations

from typing import Any, Final

from streams.evidence.canonical import PackError, canonical, decoded, encoded, parsed
from streams.evidence.keys import PackSigner, PublicKeys
from streams.language import tr

MANIFEST: Final = "application/vnd.otpguard.evidence.v1+json"
REPORT: Final = "application/vnd.otpguard.report.v1+json"
TIMESTAMP: Final = "application/vnd.otpguard.evidence.timestamp.v1+json"
SUCCESSOR: Final = "application/vnd.otpguard.evidence.successor.v1+json"

KINDS: Final = ("ed25519", "p256")


def signed(key: PackSigner, kind: str, value: Any) -> bytes:
    """Return the envelope of a value, a line of canonical JSON with its end."""
    payload = canonical(value)
    made = key.signatures(pae(kind, payload))
    name = key.public.fingerprint
    return (
        canonical(
            {
                "payload": encoded(payload),
                "payloadType": kind,
                "signatures": [
                    {"keyid": f"{name}:{each}", "sig": encoded(made[each])} for each in KINDS
                ],
            }
        )
        + b"\n"
    )


def opened(data: bytes, kind: str) -> tuple[Any, dict[str, bytes], bytes]:
    """Return value, signatures by key id, and what was signed; PackError if it is no envelope.

    Signatures are in the order of the envelope.

    Nothing is verified yet.
    """
    if not data.endswith(b"\n"):
        raise PackError(tr("no line"))
    envelope = parsed(data[:-1])
    if not isinstance(envelope, dict) or set(envelope) != {"payload", "payloadType", "signatures"}:
        raise PackError(tr("no envelope"))
    if envelope["payloadType"] != kind:
        raise PackError(tr("an envelope of something else"))
    payload = decoded(envelope["payload"])
    try:
        signatures = {each["keyid"]: decoded(each["sig"]) for each in envelope["signatures"]}
        exact = all(set(each) == {"keyid", "sig"} for each in envelope["signatures"])
    except (TypeError, KeyError):
        raise PackError(tr("no signatures")) from None
    if not exact or len(signatures) != len(envelope["signatures"]):
        raise PackError(tr("no signatures"))
    return parsed(payload), signatures, pae(kind, payload)


def kind_of(data: bytes) -> str:
    """Return the kind that an envelope says it is, of which nothing is verified; else nothing."""
    try:
        envelope = parsed(data.removesuffix(b"\n"))
    except PackError:
        return ""
    kind = envelope.get("payloadType") if isinstance(envelope, dict) else None
    return kind if isinstance(kind, str) else ""


def check(signatures: dict[str, bytes], message: bytes, keys: PublicKeys) -> list[str]:
    """Return a sentence for each fault: a signature that is not good, or another list of them.

    The list has both kinds in their order. Otherwise anybody could write a good envelope anew.
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
    """Return what is signed: DSSE's pre-authentication encoding.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def succession(old: PackSigner, new: PublicKeys, at: str) -> bytes:
    """Return the line of a list of successors by which a key passes its trust on.

    `at` is the time in ISO 8601. Who holds a stolen key can write such a line too: whoever lost a
    key gives out the new fingerprint, and no list.
    """
    value = {"at": at, "from": old.public.document(), "to": new.document()}
    return signed(old, SUCCESSOR, value)


def successors(data: bytes) -> list[tuple[PublicKeys, PublicKeys]]:
    """Read a list of successors; PackError for a line that is none, or is not signed by the old."""
    found = []
    for line in data.splitlines(keepends=True):
        value, signatures, message = opened(line, SUCCESSOR)
        if not isinstance(value, dict) or set(value) != {"at", "from", "to"}:
            raise PackError(tr("no successor"))
        old, new = PublicKeys.of(value["from"]), PublicKeys.of(value["to"])
        if check(signatures, message, old):
            raise PackError(tr("a successor that the key before did not sign"))
        found.append((old, new))
    return found
