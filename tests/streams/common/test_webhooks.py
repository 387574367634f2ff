"""Signatures of Standard Webhooks, checked by the scheme's own library."""

from __future__ import annotations

import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from streams.common.errors import ConfigError
from streams.common.webhooks import sign_body, signers

OLD, NEW = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "whsec_bmV3LW5ldy1uZXctbmV3LW5ldyE="


def test_a_receiver_with_either_key_knows_the_body_and_nobody_else_does() -> None:
    headers = sign_body(signers([NEW.encode(), OLD.encode()]), "m1", b"{}", int(time.time()))
    assert headers["webhook-id"] == "m1"
    for key in (OLD, NEW):
        assert Webhook(key).verify("{}", headers) == {}
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify("[]", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_c3RyYW5nZXIgc3RyYW5nZXIgcw==").verify("{}", headers)


@pytest.mark.parametrize("secret", [b"", b"whsec_", b"whsec_x", b"whsec_\xff"])
def test_a_secret_that_is_none_is_refused(secret: bytes) -> None:
    with pytest.raises(ConfigError, match="webhook: a secret"):
        signers([secret])
