"""Signs requests as Standard Webhooks defines, so that a receiver can verify the sender."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from streams.common.errors import ConfigError
from streams.common.language import tr

_STANDARD_KEY: Final = "whsec_"


def signers(secrets: Sequence[bytes]) -> list[Webhook]:
    """Return a signer for each key: base64 after `whsec_`, or else the raw bytes.

    Raise ConfigError if a key is empty, or is not base64 after `whsec_`.
    """
    try:
        return [
            Webhook(secret.decode() if secret.startswith(_STANDARD_KEY.encode()) else secret)
            for secret in secrets
        ]
    except (ValueError, EmptyWebhookSecretError):
        raise ConfigError(tr("webhook: a secret is empty, or no base64 behind whsec_")) from None


def sign_body(keys: Sequence[Webhook], identity: str, body: bytes, at_s: int) -> dict[str, str]:
    """Return the signature headers for a body posted at `at_s` (UTC), signed by each key."""
    at = datetime.fromtimestamp(at_s, UTC)
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(key.sign(identity, at, body.decode()) for key in keys),
    }
