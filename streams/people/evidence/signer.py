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
    named = named or own.key_uri or str(own.key_file or "")
    if named.startswith(SCHEME):
        return HardwareKey(TokenUri.of(named), own.pin.get_secret_value())
    text = own.key.get_secret_value()
    if named:
        text = read_private(Path(named)).decode("ascii", "replace")
    elif not text:
        raise ConfigError(
            tr(
                "no pack key: --key, evidence.key_file, evidence.key_uri or "
                "OTPGUARD_EVIDENCE_KEY names it"
            )
        )
    try:
        return PackKey.read(text)
    except PackError as error:
        file = named or "evidence.key"
        raise ConfigError(tr("{file}: {error}").format(file=file, error=error)) from None
