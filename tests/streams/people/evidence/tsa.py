"""A time-stamping authority that `openssl ts` plays, and packs that it stamped."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from streams.people.evidence.pack import extract, make
from streams.people.evidence.pack_files import MANIFEST
from streams.people.evidence.signed_envelope import succession
from streams.people.evidence.stamp import attach, query
from tests.streams.people.evidence.packs import SHOP, chosen, key, making

SETTINGS: Final = """
[tsa]
default_tsa = own
[own]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@cache
def authority(folder: Path) -> Path:
    """The folder of an authority: ca.pem, and what it needs to stamp."""
    folder.mkdir(exist_ok=True)
    subject = ["-nodes", "-newkey", "rsa:2048", "-days", "30"]
    openssl("req", "-x509", *subject, "-subj", "/CN=ca", "-keyout", folder / "ca.key",
            "-out", folder / "ca.pem")  # fmt: skip
    openssl("req", *subject[:3], "-subj", "/CN=tsa", "-keyout", folder / "tsa.key",
            "-out", folder / "tsa.csr")  # fmt: skip
    (folder / "ext").write_text("extendedKeyUsage=critical,timeStamping\n")
    openssl("x509", "-req", "-in", folder / "tsa.csr", "-CA", folder / "ca.pem", "-CAkey",
            folder / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", folder / "ext",
            "-out", folder / "tsa.pem")  # fmt: skip
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(SETTINGS.format(folder=folder))
    return folder


def answered(folder: Path, request: bytes) -> bytes:
    (folder / "q").write_bytes(request)
    openssl("ts", "-reply", "-config", folder / "tsa.cnf", "-queryfile", folder / "q",
            "-out", folder / "r")  # fmt: skip
    return (folder / "r").read_bytes()


def stamped(folder: Path, made: Path) -> Path:
    """Stamp a pack; the authority's certificate."""
    own = authority(folder / "authority")
    attach(made, key(), answered(own, query((made / MANIFEST).read_bytes())))
    return own / "ca.pem"


def whole() -> dict[str, Path]:
    """A pack with a time stamp and a list of successors, an extract of it, and the authority."""
    folder = Path(_whole().name)
    ca = folder / "authority" / "ca.pem"
    return {"pack": folder / "pack", "extract": folder / "extract", "authority": ca}


@cache
def _whole() -> TemporaryDirectory[str]:
    made = TemporaryDirectory(prefix="otpguard-pack-")
    folder = Path(made.name)
    signers = succession(key("before"), key().public, "2027-01-01T00:00:00Z")
    make(chosen(), making(signers=signers), folder / "pack")
    stamped(folder, folder / "pack")
    extract(folder / "pack", SHOP, folder / "extract")
    return made
