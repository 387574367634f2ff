"""Certificates of other services, as settings name them, and URLs that only they can read."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from streams.errors import ConfigError
from streams.language import tr

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""Names of this machine."""


def private(url: str) -> bool:
    """Tell if nobody on the way reads what goes to a URL: by TLS, or to this machine.

    >>> private("https://bank.example/x"), private("http://[::1]:8080"), private("http://bank.example")
    (True, True, False)
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that nothing closes
        return False
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def authorities(setting: str, file: str | Path | None) -> ssl.SSLContext:
    """Return a client's TLS that trusts a file of certificates, or the machine's for none.

    Raise ConfigError for a file that cannot be read or has no certificate.
    """
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise ConfigError(
            tr("{setting} {file}: no certificate in PEM").format(setting=setting, file=file)
        ) from None
    except OSError as error:
        raise ConfigError(
            tr("{setting} {file}: {error}").format(setting=setting, file=file, error=error.strerror)
        ) from None


def check_own(section: str, cert: Path | None, key: Path | None, ca: Path | None = None) -> None:
    """Raise ConfigError if the files by which a server shows itself, and knows clients, are none.

    Before it serves: the server's own library ends in the middle of its start.
    """
    if ca is not None:
        authorities(f"{section}.client_ca_file", ca)
    if cert is None:
        return
    try:
        # A key with a passphrase would be asked for at the terminal.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(cert, key, lambda: "")
    except ssl.SSLError:
        raise ConfigError(
            tr(
                "{section}.cert_file {cert} and key_file {key}: no certificate in PEM with "
                "its key, which has no passphrase"
            ).format(section=section, cert=cert, key=key)
        ) from None
    except OSError as error:
        raise ConfigError(
            tr("{section}.cert_file {cert} and key_file {key}: {error}").format(
                section=section, cert=cert, key=key, error=error.strerror
            )
        ) from None
