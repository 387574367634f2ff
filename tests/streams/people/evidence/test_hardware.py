"""A pack key in SoftHSM: made there, never out of it, and its packs are as any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.common.errors import ConfigError, UnavailableError, UsageError
from streams.people.evidence import standalone
from streams.people.evidence.hardware import HardwareKey, TokenUri, make_in_hardware
from streams.people.evidence.pack import make
from streams.people.evidence.standalone import KINDS
from streams.people.evidence.verify import verify
from tests.streams.people.evidence.packs import chosen, making
from tests.streams.people.evidence.softhsm import MODULE, PIN, TOKEN, token, uri

__all__ = ["token"]


def test_a_uri_is_read_as_the_rfc_writes_it() -> None:
    made = TokenUri.of(uri("pack%2D1", more="&pin-source=file:/run/a%20b"))
    assert made == TokenUri(MODULE, "pack-1", TOKEN, "", "/run/a b")
    assert TokenUri.of("pkcs11:serial=7;token=t;object=o?module-path=/m").serial == "7"


@pytest.mark.parametrize(
    "wrong",
    [
        "pkcs11:token=t?module-path=/m",
        "pkcs11:object=o?module-path=/m",
        "pkcs11:token=t;object=o",
        "pkcs11:token=t;object=o;object=p?module-path=/m",
        "pkcs11:token=t;object=o?module-path=/m&pin-value=1234",
        "http:token=t;object=o?module-path=/m",
    ],
)
def test_a_uri_that_names_no_key_or_tells_a_pin_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError):
        TokenUri.of(wrong)


def test_a_pack_is_signed_in_the_token_and_verified_like_any_other(
    token: Path, tmp_path: Path
) -> None:
    where = TokenUri.of(uri("pack"))
    public = make_in_hardware(where, PIN)
    with pytest.raises(UsageError, match="there is a key"):
        make_in_hardware(where, PIN)
    key = HardwareKey(where, PIN)
    assert key.public == public
    for name in ("one", "two"):
        make(chosen(), making(key=key), tmp_path / name)
        told = verify(tmp_path / name, public.fingerprint)
        assert (told.wrong, told.signer) == ([], public.fingerprint)
        assert standalone.verify(tmp_path / name, public.fingerprint) == []
    same = [(tmp_path / name / "records.jsonl").read_bytes() for name in ("one", "two")]
    assert same[0] == same[1]
    assert key.signatures(b"x")["ed25519"] == HardwareKey(where, PIN).signatures(b"x")["ed25519"]
    assert HardwareKey(where, PIN).salt("e", 1) == key.salt("e", 1) != key.salt("e", 2)


def test_no_private_half_can_be_taken_out(token: Path) -> None:
    import pkcs11

    make_in_hardware(TokenUri.of(uri("pack")), PIN)
    with pkcs11.lib(MODULE).get_token(token_label=TOKEN).open(user_pin=PIN) as session:
        found = list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}))
        assert len(found) == len(KINDS)
        for each in found:
            assert not each[pkcs11.Attribute.EXTRACTABLE]
            with pytest.raises(pkcs11.AttributeSensitive):
                _ = each[pkcs11.Attribute.VALUE]


def test_wrong_pins_tokens_keys_and_libraries_are_told_apart(token: Path, tmp_path: Path) -> None:
    where = TokenUri.of(uri("pack"))
    with pytest.raises(ConfigError, match="NoSuchKey"):
        HardwareKey(where, PIN)
    make_in_hardware(where, PIN)
    with pytest.raises(ConfigError, match="PinIncorrect"):
        HardwareKey(where, "000000")
    with pytest.raises(ConfigError, match="NoSuchToken"):
        HardwareKey(TokenUri.of(uri("pack", token="other")), PIN)
    with pytest.raises(ConfigError, match="no PIN"):
        HardwareKey(where, "")
    with pytest.raises(UnavailableError):
        HardwareKey(TokenUri("/nowhere.so", "pack", TOKEN), PIN)
    file = tmp_path / "pin"
    file.write_text(f"{PIN}\n")
    source = TokenUri.of(uri("pack", more=f"&pin-source=file:{file}"))
    with pytest.raises(ConfigError, match="others may read it"):
        HardwareKey(source, "")
    file.chmod(0o600)
    assert HardwareKey(source, "").public == HardwareKey(where, PIN).public


def test_half_a_key_or_one_on_another_curve_is_refused(token: Path) -> None:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    def pair(
        session: pkcs11.Session, kind: pkcs11.KeyType, curve: bytes, way: pkcs11.Mechanism
    ) -> None:
        given = {pkcs11.Attribute.EC_PARAMS: curve}
        session.create_domain_parameters(kind, given, local=True).generate_keypair(
            mechanism=way, store=True, label="half"
        )

    with pkcs11.lib(MODULE).get_token(token_label=TOKEN).open(user_pin=PIN, rw=True) as session:
        pair(session, pkcs11.KeyType.EC, encode_named_curve_parameters("secp384r1"),
             pkcs11.Mechanism.EC_KEY_PAIR_GEN)  # fmt: skip
    with pytest.raises(ConfigError, match="NoSuchKey"):
        HardwareKey(TokenUri.of(uri("half")), PIN)
    with pkcs11.lib(MODULE).get_token(token_label=TOKEN).open(user_pin=PIN, rw=True) as session:
        pair(session, pkcs11.KeyType.EC_EDWARDS, bytes.fromhex("06032b6570"),
             pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN)  # fmt: skip
    with pytest.raises(UnavailableError, match="Ed25519 and a P-256"):
        HardwareKey(TokenUri.of(uri("half")), PIN)


def test_packs_need_no_driver_of_hardware() -> None:
    told = "import sys, streams.people.evidence.signer, streams.people.evidence.pack\n"
    told += "print('pkcs11' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
