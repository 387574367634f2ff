"""Load the pack key that an option or the settings name: from a file or a secret."""

from pathlib import Path

from streams.common import ConfigError, read_bytes, tr
from streams.config import Settings
from streams.people.evidence.canonical import PackError
from streams.people.evidence.pack_keys import PackKey


def signer(settings: Settings, named: str = "") -> PackKey:
    """Return the pack key that the option `named` gives, otherwise the key of the settings.

    Raises ConfigError if there is no usable key.
    """
    own = settings.evidence
    named = named or str(own.key_file or "")
    text = own.key.get_secret_value()
    if named:
        text = _read_private(Path(named)).decode("ascii", "replace")
    elif not text:
        raise ConfigError(
            tr("no pack key: --key, evidence.key_file or OTPGUARD_EVIDENCE_KEY names it")
        )
    try:
        return PackKey.read(text)
    except PackError as error:
        file = named or "evidence.key"
        raise ConfigError(tr("{file}: {error}").format(file=file, error=error)) from None


def _read_private(file: Path) -> bytes:
    """Return the bytes of a file with a secret. Raise ConfigError if others may read it too."""
    content = read_bytes(file)
    if file.stat().st_mode & 0o077:
        raise ConfigError(tr("{file}: others may read it; chmod 600").format(file=file))
    return content
