"""RFC 3161 time stamps over a manifest: request a token, attach it, check it.

A time-stamping authority confirms that the manifest existed at a certain time. Many carrier
networks cannot reach an authority. Then the request leaves on a USB stick, and the token comes back
the same way.
"""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from streams.common import UnavailableError, UsageError, read_bytes, replace_file, tr, unwritten
from streams.people.evidence.canonical import PackError, entry
from streams.people.evidence.pack_files import MANIFEST, STAMP, TOKEN
from streams.people.evidence.pack_keys import PackKey
from streams.people.evidence.signed_envelope import kind_of, open_envelope, sign_value
from streams.people.evidence.standalone import MANIFEST as MANIFEST_KIND, REPORT, TIMESTAMP, sha256

TIMEOUT_S: Final = 30.0


def query(manifest: bytes) -> bytes:
    """Return a token request for a manifest: DER, SHA-256, with a nonce."""
    builder = TimestampRequestBuilder().data(manifest).hash_algorithm(HashAlgorithm.SHA256)
    return builder.cert_request(cert_request=True).build().as_bytes()


def fetch_token(url: str, manifest: bytes) -> bytes:
    """Request a token from an authority over HTTP.

    Raises UnavailableError if no token arrives, and UsageError for an invalid URL.
    """
    import urllib3  # noqa: PLC0415 - used only here

    try:
        place = urlsplit(url)
    except ValueError:
        place = urlsplit("")
    if place.scheme not in ("http", "https") or not place.hostname:
        raise UsageError(tr("{url!r} is no address; https://tsa.example/tsr is").format(url=url))
    try:
        with urllib3.PoolManager(retries=False, timeout=TIMEOUT_S) as pool:
            answer = pool.request(
                "POST",
                url,
                body=query(manifest),
                headers={"Content-Type": "application/timestamp-query"},
            )
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            tr("the time-stamping authority does not answer: {error}").format(
                error=type(error).__name__
            )
        ) from None
    if answer.status != 200 or len(answer.data) > 1 << 20:
        raise UnavailableError(
            tr("the time-stamping authority answers {status}").format(status=answer.status)
        )
    return answer.data


def check_token(token: bytes, manifest: bytes, authority: Path | None = None) -> datetime:
    """Return the time of a token for this manifest. Raise PackError if the token does not fit.

    `authority`: file with trusted certificates in PEM. With it the signature of the token is
    checked; without it only that the token belongs to this manifest.
    """
    try:
        response = decode_timestamp_response(token)
        if PKIStatus(response.status) != PKIStatus.GRANTED:
            raise PackError(tr("the authority refused"))
        imprint = response.tst_info.message_imprint.message
        at: datetime = response.tst_info.gen_time
    except ValueError:  # its message describes library internals
        raise PackError(tr("no time-stamp token (TimeStampResp, DER)")) from None
    if imprint.hex() != sha256(manifest):
        raise PackError(tr("a token of something else"))
    if authority is not None:
        _check_signature(token, manifest, authority)
    return at


def attach(pack: Path, key: PackKey, token: bytes) -> datetime:
    """Write a token into a pack, together with a record that the signer signs. Return its time.

    An authority does not sign its complete response, so the signed record protects the other bytes
    of the token. Raises PackError if the token or the key does not belong to this pack. Raises
    UsageError or UnavailableError for file errors. After an error the pack is unchanged.
    """
    manifest = manifest_of(pack)
    value, _, _ = open_envelope(manifest, REPORT if kind_of(manifest) == REPORT else MANIFEST_KIND)
    if value.get("signer") != key.public.document():
        raise PackError(tr("the pack was signed by another key than the one that was given"))
    at = check_token(token, manifest)
    written = {TOKEN: token, STAMP: sign_value(key, TIMESTAMP, stamp_value(manifest, token))}
    before = {name: (pack / name).read_bytes() for name in written if (pack / name).exists()}
    try:
        for name, content in written.items():
            replace_file(pack / name, content)
    except OSError as error:
        with suppress(OSError):  # restore both files, because they belong together
            for name in written:
                (pack / name).unlink(missing_ok=True)
                if name in before:
                    replace_file(pack / name, before[name])
        raise unwritten(pack, error) from None
    return at


def manifest_of(pack: Path) -> bytes:
    """Read the manifest of a pack. Raise UsageError if the folder has no manifest."""
    path = pack / MANIFEST
    manifest = read_bytes(path, UsageError)
    if kind_of(manifest) not in (MANIFEST_KIND, REPORT):
        raise UsageError(tr("{file}: no manifest of a pack").format(file=path))
    return manifest


def stamp_value(manifest: bytes, token: bytes) -> dict[str, Any]:
    """Return the value that is signed for a token: the manifest's digest, and the token's."""
    return {"manifest": sha256(manifest), "token": entry(TOKEN, token)}


def _check_signature(token: bytes, manifest: bytes, authority: Path) -> None:
    try:
        builder = VerifierBuilder()
        for certificate in load_pem_x509_certificates(read_bytes(authority, UsageError)):
            builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(decode_timestamp_response(token), manifest)
    except (ValueError, VerificationError) as error:
        raise PackError(
            tr("the token's signature is not good: {error}").format(error=error)
        ) from None
