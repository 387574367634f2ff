"""Certificates that settings name: good ones are taken, others are said before it serves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from streams.common.errors import ConfigError
from streams.common.tls import authorities, check_own, private


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key, the same key with a passphrase, another key, and rubbish."""
    made = tmp_path_factory.mktemp("tls")
    for name in ("own", "other"):
        openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-days", "30", "-subj", "/CN=x", "-keyout", made / f"{name}.key", "-out",
                made / f"{name}.pem")  # fmt: skip
    openssl("ec", "-in", made / "own.key", "-aes256", "-passout", "pass:x", "-out", made / "locked")
    (made / "rubbish").write_text("x")
    return made


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def test_a_file_of_authorities_is_trusted_and_none_means_the_machine_s(folder: Path) -> None:
    assert len(authorities("a.ca_file", folder / "own.pem").get_ca_certs()) == 1
    assert authorities("a.ca_file", None).check_hostname


@pytest.mark.parametrize(
    ("name", "says"),
    [("absent", "No such file"), ("rubbish", "no certificate in PEM"), (".", "a.ca_file")],
)
def test_authorities_that_are_none_are_said(folder: Path, name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        authorities("a.ca_file", folder / name)


def test_a_certificate_with_its_key_is_good_and_none_is_needed(folder: Path) -> None:
    check_own("a", folder / "own.pem", folder / "own.key", folder / "other.pem")
    check_own("a", None, None)


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("own.pem", "other.key", "with its key"),
        ("own.pem", "locked", "no passphrase"),
        ("rubbish", "own.key", "in PEM"),
        ("own.pem", "absent", "No such file"),
    ],
)
def test_a_certificate_that_nobody_could_be_shown_is_said(
    folder: Path, cert: str, key: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        check_own("a", folder / cert, folder / key)
    with pytest.raises(ConfigError, match="client_ca_file"):
        check_own("a", folder / "own.pem", folder / "own.key", folder / "rubbish")


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://bank.example:8443/x", True),
        ("http://localhost:8080", True),
        ("http://[::1]/x", True),
        ("http://bank.example", False),
        ("http://localhost.bank.example", False),
        ("ftp://localhost/x", False),
        ("https:///x", False),
        ("https://[bank.example", False),
        ("", False),
    ],
)
def test_a_url_is_private_by_tls_or_on_this_machine(url: str, *, may: bool) -> None:
    assert private(url) is may
