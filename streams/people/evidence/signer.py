"""Load the pack key that an option or the settings name: from a file, a secret, or hardware."""

from pathlib import Path

from streams.common import ConfigError, tr
from streams.config import Settings
from streams.people.evidence.canonical import PackError
from streams.people.evidence.hardware import SCHEME, HardwareKey, PackSigner, TokenUri, read_private
from streams.people.evidence.pack_keys import PackKey


def signer(settings: Settings, named: str = "") -> PackSigner:
    """Return the pack key that the option `named` gives, otherwise the key of the settings.

    Raises ConfigError if there is no usable key. Raises UnavailableError if the hardware does not
    answer.
    """
    own = settings.evidence
    if named := named or own.key_uri or str(own.key_file or ""):
        return signer_named(named, own.pin.get_secret_value())
    if not (text := own.key.get_secret_value()):
        raise ConfigError(
            tr(
                "no pack key: --key, evidence.key_file, evidence.key_uri or "
                "OTPGUARD_EVIDENCE_KEY names it"
            )
        )
    try:
        return PackKey.read(text)
    except PackError as error:
        raise ConfigError(tr("evidence.key: {error}").format(error=error)) from None


def signer_named(named: str, pin: str) -> PackSigner:
    """Return the pack key of a file or of a PKCS#11 URI. Raises the same errors as `signer`."""
    if named.startswith(SCHEME):
        return HardwareKey(TokenUri.of(named), pin)
    file = Path(named)
    try:
        return PackKey.read(read_private(file).decode("ascii", "replace"))
    except PackError as error:
        raise ConfigError(tr("{file}: {error}").format(file=file, error=error)) from None
