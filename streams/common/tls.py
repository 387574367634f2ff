"""TLS helpers: CA certificates from settings, and URLs that nobody on the network can read."""

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from streams.common.errors import ConfigError
from streams.common.language import tr

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")  # Host names of this machine.


def private(url: str) -> bool:
    """True if nobody on the network can read requests to a URL: TLS, or this machine.

    >>> private("https://bank.example/x"), private("http://[::1]:8080"), private("http://bank.example")
    (True, True, False)
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # for example an unclosed bracket
        return False
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def authorities(setting: str, file: str | Path | None) -> ssl.SSLContext:
    """Return a client's TLS context that trusts a CA file, or the system's CAs if `file` is None.

    Raise ConfigError if the file cannot be read or contains no certificate.
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
    """Raise ConfigError if a server's certificate, key or client CA file is invalid.

    Call this before the server starts: the server library would fail in the middle of its start.
    """
    if ca is not None:
        authorities(f"{section}.client_ca_file", ca)
    if cert is None:
        return
    try:
        # Without the password function, a key with a passphrase would prompt at the terminal.
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
