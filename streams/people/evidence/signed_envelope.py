"""DSSE envelopes (version 1), signed with both keys of a pack key. Pure.

Specification: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md. No byte of an
envelope can be changed: the JSON must be canonical, and both signatures must be valid.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streams.common import tr
from streams.people.evidence import standalone
from streams.people.evidence.canonical import PackError, canonical, encode_base64, parse_canonical
from streams.people.evidence.pack_keys import PackKey, PublicKeys, is_good


def sign_value(key: PackKey, kind: str, value: Any) -> bytes:
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
                    {"keyid": f"{name}:{each}", "sig": encode_base64(made[each])}
                    for each in standalone.KINDS
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
    with _in_words():
        return standalone.open_envelope(data, kind)


def kind_of(data: bytes) -> str:
    """Return the payload type that an envelope claims, unverified; "" if it is no envelope."""
    try:
        envelope = parse_canonical(data.removesuffix(b"\n"))
    except PackError:
        return ""
    kind = envelope.get("payloadType") if isinstance(envelope, dict) else None
    return kind if isinstance(kind, str) else ""


def pae(kind: str, payload: bytes) -> bytes:
    """Return the bytes to sign: DSSE's pre-authentication encoding.

    >>> pae("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(payload), payload)


def succession(old: PackKey, new: PublicKeys, at: str) -> bytes:
    """Return one line for the list of successors, in which the old key vouches for the new key.

    `at`: time in ISO 8601. A thief of the old key can write such a line too. So after a theft,
    publish the new fingerprint itself, and no list of successors.
    """
    return sign_value(
        old, standalone.SUCCESSOR, {"at": at, "from": old.public.document(), "to": new.document()}
    )


def successors(data: bytes) -> list[tuple[PublicKeys, PublicKeys]]:
    """Read a list of successors. Raise PackError unless each line is signed by its old key."""
    with _in_words():
        pairs = standalone.read_successors(data, is_good)
    return [(PublicKeys(**old), PublicKeys(**new)) for old, new in pairs]


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn what the stand-alone verifier raises into a PackError in the current language."""
    try:
        yield
    except standalone.Wrong as error:
        raise PackError(tr(error.form)) from None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise PackError(tr("no envelope")) from None
