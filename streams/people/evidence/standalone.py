#!/usr/bin/env python3
"""Verify an otpguard evidence pack or signed report with Python 3.8 or later and openssl 3 alone.

    python3 verify.py --fingerprint FINGERPRINT [--tsa-ca CERTIFICATES.pem] FOLDER

Get the fingerprint of the signer independently of the pack, for example from a letter or from the
unit's website. A fingerprint that comes with the pack proves nothing. Exit codes: 0, the pack is
unchanged; 1, it was changed; 2, it cannot be checked on this machine; 4, it is an extract, which
contains only some records of the signed pack.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable  # noqa: UP035 - Python 3.8

FORMAT = "otpguard.evidence/1"  # also the start of the hash chain of a pack's records
REPORT_FORMAT = "otpguard.report/1"  # of a monthly report: no chain, all files are in the manifest
REPORT = "application/vnd.otpguard.report.v1+json"
MANIFEST = "application/vnd.otpguard.evidence.v1+json"
TIMESTAMP = "application/vnd.otpguard.evidence.timestamp.v1+json"
SUCCESSOR = "application/vnd.otpguard.evidence.successor.v1+json"
KINDS = ("ed25519", "p256")
BYTES_MAX = 256 << 20  # of one file; a pack of a one-hour flood takes about 1 % of this
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
IsGood = Callable[[Any, str, bytes, bytes], bool]  # keys, kind of the key, message, signature
# Older packs also have verify.html, a verifier for browsers.
OF_EXTRACT = {"records.jsonl", "signers.jsonl", "verify.py", "verify.html", "README.txt"}


def tr(text: str) -> str:
    """Mark a text for translators. The program translates it; this file is in English."""
    return text


class Wrong(Exception):
    """The pack is not as it was made. `form` is the text with placeholders for `values`."""

    def __init__(self, form: str, **values: Any) -> None:
        super().__init__(form.format(**values))
        self.form, self.values = form, values


def sha256(data: bytes) -> str:
    """Return the SHA-256 digest in hex."""
    return hashlib.sha256(data).hexdigest()


def b64(text: str) -> bytes:
    """Decode base64. Raise Wrong unless it is written in the one allowed way."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise Wrong(tr("base64 with bits to spare"))
    return data


def canonical(value: Any) -> bytes:
    """Return JSON by RFC 8785 for values without fractions, with a newline."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode() + b"\n"


def openssl(folder: Path, public: bytes, kind: str, message: bytes, signature: bytes) -> bool:
    """Return true if openssl finds the signature valid. It works on files in this folder."""
    pem = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
    (folder / "key").write_text(pem.format(base64.b64encode(public).decode()), encoding="utf-8")
    (folder / "message").write_bytes(message)
    if kind == "p256":
        if len(signature) != 64 or int.from_bytes(signature[32:], "big") > P256_ORDER // 2:
            return False  # the higher s is valid too, so anybody could compute this signature
        signature = der(signature[:32], signature[32:])
    (folder / "signature").write_bytes(signature)
    key, text, sig = (str(folder / name) for name in ("key", "message", "signature"))
    words = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", sig, text]
    if kind == "ed25519":
        words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", text]
        words += ["-sigfile", sig]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def der(*numbers: bytes) -> bytes:
    """Return a DER sequence of positive integers."""
    body = b""
    for number in numbers:
        plain = number.lstrip(b"\0") or b"\0"
        plain = b"\0" + plain if plain[0] & 0x80 else plain
        body += bytes([2, len(plain)]) + plain
    return bytes([0x30, len(body)]) + body


def kind_of_key(public: bytes) -> str:
    """Return the kind of a public key, found by its DER prefix. Raise Wrong if it is unknown."""
    if public[:12] == bytes.fromhex("302a300506032b6570032100") and len(public) == 44:
        return "ed25519"
    if public[:27] == bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")[:27]:
        return "p256"
    raise Wrong(tr("a key of an unknown kind"))


def open_envelope(data: bytes, kind: str) -> tuple[Any, dict[str, bytes], bytes]:
    """Parse a signed DSSE envelope. Return its value, signatures and signed bytes."""
    envelope = json.loads(data)
    if canonical(envelope) != data or set(envelope) != {"payload", "payloadType", "signatures"}:
        raise Wrong(tr("an envelope is not written canonically"))
    if envelope["payloadType"] != kind:
        raise Wrong(tr("an envelope of something else"))
    payload = b64(envelope["payload"])
    found = {}
    for each in envelope["signatures"]:
        if set(each) != {"keyid", "sig"} or each["keyid"] in found:
            raise Wrong(tr("signatures of another form"))
        found[each["keyid"]] = b64(each["sig"])
    head = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode()
    return json.loads(payload), found, head + payload


def keys_of(document: dict[str, str]) -> dict[str, bytes]:
    """Return the two public keys of a signer, by kind."""
    keys = {kind: b64(document[kind]) for kind in KINDS}
    if any(kind_of_key(keys[kind]) != kind for kind in KINDS):
        raise Wrong(tr("keys of another kind"))
    return keys


def fingerprint(keys: dict[str, bytes]) -> str:
    """Return the fingerprint of a signer."""
    return sha256(keys["ed25519"] + keys["p256"])


def check_signatures(
    keys: dict[str, bytes], found: dict[str, bytes], message: bytes, is_good: IsGood
) -> list[Wrong]:
    """Return what is wrong with signatures: each is valid, one of each kind, in order.

    Otherwise anybody could rewrite a valid envelope in another form that is also valid.
    """
    names = {kind: f"{fingerprint(keys)}:{kind}" for kind in KINDS}
    wrong = [
        Wrong(tr("the signature by {kind} is not good"), kind=kind)
        for kind, name in names.items()
        if not is_good(keys, kind, message, found.get(name, b""))
    ]
    if list(found) != list(names.values()):
        wrong.append(Wrong(tr("the signatures are not one of each known kind, in their order")))
    return wrong


def read_successors(
    data: bytes, is_good: IsGood
) -> list[tuple[dict[str, bytes], dict[str, bytes]]]:
    """Return the old and the new keys of each line. Raise Wrong unless the old key signed it."""
    pairs = []
    for line in data.splitlines(keepends=True):
        value, found, message = open_envelope(line, SUCCESSOR)
        old, new = keys_of(value["from"]), keys_of(value["to"])
        if set(value) != {"at", "from", "to"} or check_signatures(old, found, message, is_good):
            raise Wrong(tr("a successor that the key before did not sign"))
        pairs.append((old, new))
    return pairs


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node of the tree."""
    return hashlib.sha256(b"\1" + left + right).digest()


def leaf(line: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\0" + line).digest()


def root_over(hashes: list[bytes]) -> bytes:
    """Return the root over leaf hashes (RFC 9162, 2.1.1)."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    middle = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(root_over(hashes[:middle]), root_over(hashes[middle:]))


def root_by(line: bytes, index: int, size: int, path: list[str]) -> bytes:
    """Return the root that a proof leads to (RFC 9162, 2.1.3.2). Raise Wrong if it is invalid."""
    number, last, found = index, size - 1, leaf(line)
    if not 0 <= index < size:
        raise Wrong(tr("a record outside the tree"))
    for text in path:
        each = bytes.fromhex(text)
        if each.hex() != text or last == 0:
            raise Wrong(tr("a proof is of another form"))
        if number % 2 or number == last:
            found = node(each, found)
            while number and not number % 2:
                number, last = number >> 1, last >> 1
        else:
            found = node(found, each)
        number, last = number >> 1, last >> 1
    if last:
        raise Wrong(tr("a proof is too short"))
    return found


class Verifier:
    """The rules of a pack or report. The program replaces its cryptography and its language."""

    def __init__(self, folder: Path, given: str, authority: str = "") -> None:
        """`given`: fingerprint of the signer. `authority`: file with certificates in PEM, or ""."""
        self.given, self.authority = given, authority
        self.findings: list[Wrong] = []
        self.files: dict[str, bytes] = {}
        self.manifest: Any = {}
        self.signer = ""
        self.report = self.extract = False
        self.records = 0
        try:
            self.read(folder)
            self.check_manifest()
            self.check_files()
            if not self.report:
                self.check_records()
            self.check_stamp()
        except Wrong as error:
            self.findings.append(error)
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            RecursionError,
        ) as error:
            self.add(tr("not of this format ({kind})"), kind=type(error).__name__)

    @property
    def wrong(self) -> list[str]:
        """The problems. An empty list means that the pack is unchanged."""
        return [self.describe(each) for each in self.findings]

    def add(self, form: str, **values: Any) -> None:
        self.findings.append(Wrong(form, **values))

    def describe(self, each: Wrong) -> str:
        """Return the text of a problem."""
        return str(each)

    def sm3(self, data: bytes) -> str:
        """Return the SM3 digest in hex, computed by openssl."""
        done = subprocess.run(
            ["openssl", "dgst", "-sm3", "-r"], check=False, input=data, capture_output=True
        )
        if done.returncode:
            raise Wrong(tr("this openssl has no SM3"))
        return done.stdout.split()[0].decode()

    def is_good(self, keys: dict[str, bytes], kind: str, message: bytes, signature: bytes) -> bool:
        """Return true if the signature by the key of this kind is valid."""
        with tempfile.TemporaryDirectory() as folder:
            return openssl(Path(folder), keys[kind], kind, message, signature)

    def check_token(self, token: bytes, manifest: bytes) -> None:
        """Check the token of the time-stamping authority, if its certificates are given."""
        if not self.authority:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, data in (("manifest", manifest), ("token", token)):
                (Path(folder) / name).write_bytes(data)
            words = ["openssl", "ts", "-verify", "-data", f"{folder}/manifest"]
            words += ["-in", f"{folder}/token", "-CAfile", self.authority]
            if subprocess.run(words, check=False, capture_output=True).returncode:
                self.add(tr("manifest.tsr: the authority's signature is not good"))

    def read(self, folder: Path) -> None:
        """Read the files. Raise Wrong if there is anything else in the folder."""
        for path in sorted(folder.iterdir()):
            if not path.is_file() or path.is_symlink() or path.stat().st_size > BYTES_MAX:
                raise Wrong(tr("{name}: no plain file"), name=path.name)
            self.files[path.name] = path.read_bytes()

    def check_manifest(self) -> None:
        """Check format, signatures and signer of the manifest."""
        data = self.files["manifest.dsse.json"]
        self.report = json.loads(data)["payloadType"] == REPORT
        self.manifest, found, message = open_envelope(data, REPORT if self.report else MANIFEST)
        keys = keys_of(self.manifest["signer"])
        self.findings += check_signatures(keys, found, message, self.is_good)
        if self.manifest["format"] != (REPORT_FORMAT if self.report else FORMAT):
            self.add(tr("another format"))
        self.signer = fingerprint(keys)
        if self.signer not in self.list_trusted():
            self.add(
                tr("signed by {fingerprint}, not by the signer who was given"),
                fingerprint=self.signer,
            )

    def list_trusted(self) -> list[str]:
        """Return the given fingerprint and those of its successors."""
        trusted = [self.given]
        for old, new in read_successors(self.files.get("signers.jsonl", b""), self.is_good):
            if fingerprint(old) in trusted:
                trusted.append(fingerprint(new))
        return trusted

    def check_files(self) -> None:
        """Compare the files with the manifest."""
        files = self.files
        self.extract = "proofs.json" in files and not self.report
        apart = {"manifest.dsse.json", "manifest.tsr", "timestamp.dsse.json"}
        apart |= {"proofs.json"} if self.extract else set()
        listed = {each["path"]: each for each in self.manifest["files"]}
        for name in sorted(set(files) - set(listed) - apart):
            self.add(tr("{name}: not in the manifest"), name=name)
        for name, said in listed.items():
            if self.extract and name in files and name not in OF_EXTRACT:
                self.add(tr("{name}: no file of an extract, it tells of all records"), name=name)
            if self.extract and (name == "records.jsonl" or name not in files):
                continue  # records are verified by their proofs; other files may be left out
            if name not in files:
                self.add(tr("{name}: missing"), name=name)
                continue
            data = files[name]
            digests = len(data), sha256(data), self.sm3(data)
            if digests != (said["bytes"], said["sha256"], said["sm3"]):
                self.add(tr("{name}: changed"), name=name)

    def check_records(self) -> None:
        """Check the chain and the tree, or the proofs of an extract."""
        lines = self.files["records.jsonl"].split(b"\n")
        if lines.pop():
            raise Wrong(tr("the last line has no end"))
        self.records = len(lines)
        root, size = bytes.fromhex(self.manifest["tree_root"]), self.manifest["records"]
        if self.extract:
            self.check_proofs(lines, root, size)
            return
        before = sha256(f"{FORMAT}\n{self.manifest['episode']}".encode())
        for n, line in enumerate(lines):
            said = json.loads(line)
            if (said["n"], said["prev"]) != (n, before):
                self.add(tr("record {n}: the chain is broken"), n=n)
            before = sha256(line)
        if len(lines) != size or before != self.manifest["chain_head"]:
            self.add(tr("the chain does not end where the manifest says"))
        if root_over([leaf(line) for line in lines]) != root:
            self.add(tr("the tree has another root than the manifest says"))

    def check_proofs(self, lines: list[bytes], root: bytes, size: int) -> None:
        """Check that each record of an extract is in the signed tree."""
        proofs = json.loads(self.files["proofs.json"])
        if canonical(proofs) != self.files["proofs.json"]:
            raise Wrong(tr("proofs are not written canonically"))
        numbers = [json.loads(line)["n"] for line in lines]
        if numbers != sorted(set(numbers)) or set(proofs) != {str(n) for n in numbers}:
            raise Wrong(tr("proofs and records are not of the same lines"))
        if not lines:
            raise Wrong(tr("an extract without a record"))
        for n, line in zip(numbers, lines):  # noqa: B905 - Python 3.8
            if root_by(line, n, size, proofs[str(n)]) != root:
                self.add(tr("record {n}: not of this pack"), n=n)

    def check_stamp(self) -> None:
        """Check the time stamp, if there is one."""
        token, record = self.files.get("manifest.tsr"), self.files.get("timestamp.dsse.json")
        if token is None and record is None:
            if self.authority:
                self.add(tr("{name}: missing; a time stamp was to be checked"), name="manifest.tsr")
            return
        if token is None or record is None:
            raise Wrong(tr("a token and the record of it belong together"))
        manifest = self.files["manifest.dsse.json"]
        value, found, message = open_envelope(record, TIMESTAMP)
        if check_signatures(keys_of(self.manifest["signer"]), found, message, self.is_good):
            raise Wrong(
                tr("{name}: not signed by the signer of the manifest"), name="timestamp.dsse.json"
            )
        said = {"bytes": len(token), "path": "manifest.tsr", "sha256": sha256(token)}
        if value != {"manifest": sha256(manifest), "token": {**said, "sm3": self.sm3(token)}}:
            raise Wrong(tr("{name}: changed, or of another pack"), name="manifest.tsr")
        self.check_token(token, manifest)


def verify(folder: Path, given: str, authority: str = "") -> list[str]:
    """Verify a pack. Return the problems; an empty list means that the pack is unchanged."""
    told = Verifier(folder, given, authority)
    if not told.wrong:
        tell(told)
    return told.wrong


def tell(told: Verifier) -> None:
    """Print what a verified manifest describes."""
    manifest = told.manifest
    if "manifest.tsr" in told.files and not told.authority:
        print("time stamp: there; give --tsa-ca to have the authority's signature checked")
    of = f"report of {manifest['month']}" if told.report else f"case {manifest['episode']}"
    print(f"{of}, made by {manifest['made']['by'] or '-'}")
    print(f"signed at {manifest['made']['at']} (the signer's clock)")
    if told.report:
        return
    print(f"{told.records} of {manifest['records']} records")
    for gap in manifest["gaps"]:
        print(f"gap: {gap['en']}\n     {gap['zh-Hans']}")


def hindrance(folder: Path, given: str, authority: str) -> str:
    """Return why the pack cannot be checked on this machine or with these arguments, or ""."""
    if not folder.is_dir():
        return f"{folder}: no such folder 没有此文件夹"
    if len(given) != 64 or set(given) - set("0123456789abcdef"):
        return "a fingerprint has 64 hex digits 指纹应为 64 位十六进制数字"
    if authority and not Path(authority).is_file():
        return f"{authority}: no such file 没有此文件"
    try:
        done = subprocess.run(["openssl", "version"], check=False, capture_output=True)
        said = done.stdout.decode("ascii", "replace").strip()
    except OSError:
        said = "none"
    kind, _, number = said.partition(" ")
    if kind != "OpenSSL" or not number[:1].isdigit() or int(number.split(".")[0]) < 3:
        return f"openssl 3 or newer is needed, here is {said[:40]} 需要 openssl 3"
    return ""


def main() -> int:
    """Verify the folder that the command line names. Return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--fingerprint", required=True, help="of the signer, from elsewhere")
    parser.add_argument("--tsa-ca", default="", help="PEM of the time-stamping authority")
    parser.add_argument("folder", type=Path)
    words = parser.parse_args()
    given = "".join(words.fingerprint.split()).replace(":", "").lower()
    missing = hindrance(words.folder, given, words.tsa_ca)
    if missing:  # the pack itself may be fine
        print(f"CANNOT BE CHECKED HERE 无法校验: {missing}")
        return 2
    wrong = verify(words.folder, given, words.tsa_ca)
    for each in wrong:
        # A file's name in the pack may hold control sequences.
        print("WRONG 不符:", "".join(c if c.isprintable() else repr(c)[1:-1] for c in each))
    if not wrong and (words.folder / "proofs.json").exists():
        print("EXTRACT 节选: the records here are of the signed pack, others are left out 其余未附")
        return 4
    print("NOT VERIFIED 校验未通过" if wrong else "VERIFIED 校验通过")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
