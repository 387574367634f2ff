"""SoftHSM, a token of software behind the interface that hardware has, with a PIN and a store."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.enforce.services import need

MODULE: Final = "/usr/lib/softhsm/libsofthsm2.so"
PIN: Final = "482911"
TOKEN: Final = "otpguard test"


def uri(label: str, *, token: str = TOKEN, more: str = "") -> str:
    """The URI of a key in the token."""
    return f"pkcs11:token={token.replace(' ', '%20')};object={label}?module-path={MODULE}{more}"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh token in a folder of this test."""
    util = need("softhsm2-util", "softhsm2")
    import pkcs11

    folder = tmp_path / "tokens"
    folder.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {folder}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    words = [util, "--init-token", "--free", "--label", TOKEN, "--so-pin", "1357", "--pin", PIN]
    subprocess.run(words, check=True, capture_output=True)
    pkcs11.unload(MODULE)  # it reads the file's name when it is loaded
    yield folder
    pkcs11.unload(MODULE)
