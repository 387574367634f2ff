"""Signatures of Standard Webhooks: a receiver knows who posted, and that nobody changed it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from streams.errors import ConfigError
from streams.language import tr

_STANDARD_KEY: Final = "whsec_"


def signers(secrets: Sequence[bytes]) -> list[Webhook]:
    """One for each key: base64 behind `whsec_`, as the scheme writes them, or the bytes themselves.

    Raise ConfigError if one is empty or no base64.
    """
    try:
        return [
            Webhook(secret.decode() if secret.startswith(_STANDARD_KEY.encode()) else secret)
            for secret in secrets
        ]
    except (ValueError, EmptyWebhookSecretError):
        raise ConfigError(tr("webhook: a secret is empty, or no base64 behind whsec_")) from None


def signed(keys: Sequence[Webhook], identity: str, body: bytes, at_s: int) -> dict[str, str]:
    """Return the headers of a body that is posted at `at_s` (UTC), signed by each of the keys."""
    at = datetime.fromtimestamp(at_s, UTC)
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(key.sign(identity, at, body.decode()) for key in keys),
    }
