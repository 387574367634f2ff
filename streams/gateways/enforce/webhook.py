"""Sends leases as signed HTTPS requests, for gateways that have an API of their own.

Each order is one POST: `{"schema_version", "verb", "recipient"}`, and for a lease also the lease.
Version 1 has the verbs `throttle`, `release` and `expire`. The verb `throttle_platforms` has
version 2: an older receiver, which would refuse everything, rejects it, and the codes pass.
Requests are signed as Standard Webhooks defines: headers `webhook-id`, `webhook-timestamp` and
`webhook-signature`, with every key in use. A receiver rejects requests older than five minutes and
ignores an id that it has seen, so an old order cannot be replayed. A retry after a failure has the
same id as the failed order.

The header `Otpguard-Signature: t=<ms>,v1=<hex>` serves older receivers. It contains the HMAC-SHA256
of `<ms>.<body>` with the newest key.

Responses: 2xx means done. After 408, 425, 429 and 5xx the order is retried. Any other status is
final for a lease, but a release is still retried.
"""

import hashlib
import hmac
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
import urllib3

from streams.common import ConfigError, now_ms, tr
from streams.common.tls import authorities, private
from streams.common.webhooks import sign_body, signers
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError, Order, Refusals
from streams.gateways.enforce.redis import lease_value

SCHEMA_VERSION: Final = 1
NARROW_VERSION: Final = 2
TIMEOUT_S: Final = 3.0
REPEATED_MAX: Final = 100_000
"""Maximum number of failed orders whose id is remembered; the newest are kept. This is five times
the number of leases that the rails (limits on leases) admit."""
_PASSING: Final = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_encode: Final = msgspec.json.Encoder().encode


def sign(secret: bytes, at_ms: int, body: bytes) -> str:
    """Return the value of the `Otpguard-Signature` header for a body sent at `at_ms`.

    >>> sign(b"secret", 1_760_000_000_000, b"{}")[:24]
    't=1760000000000,v1=a72af'
    """
    digest = hmac.new(secret, b"%d." % at_ms + body, hashlib.sha256).hexdigest()
    return f"t={at_ms},v1={digest}"


class WebhookGateway(Gateway):
    """Posts orders to one URL with a limited number of concurrent requests. Thread-safe."""

    batch_max = 1
    tries_max = 8  # chosen: about half a minute, including the adapter's back-off

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        old_secret: bytes = b"",
        parallel: int = 16,
        ca_file: str | None = None,
    ) -> None:
        """With `old_secret`, sign every order with both keys, so that receivers can change keys."""
        if not private(url):
            raise ConfigError(tr("webhook: only https, or http to this machine"))
        if not secret:
            raise ConfigError(tr("webhook: without a secret anybody could throttle anybody"))
        self.parallel_max = parallel
        self._url = url
        self._secret = secret
        self._signers = signers([secret, old_secret] if old_secret else [secret])
        self._repeated: OrderedDict[str, tuple[bytes, str]] = OrderedDict()  # by recipient
        self._lock = threading.Lock()
        self._http = urllib3.PoolManager(
            maxsize=parallel,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(TIMEOUT_S),
            ssl_context=authorities("ca_file", ca_file),
        )

    def list_recipients(self) -> Iterable[str] | None:
        """Return None: the receiver cannot list its leases, so the adapter repeats all orders."""
        return None

    def apply(self, orders: Sequence[Order]) -> Refusals:
        return self._post_all(
            (
                order.recipient,
                "throttle_platforms" if order.lease.narrow else "throttle",
                {"lease": msgspec.Raw(lease_value(order.lease))},
            )
            for order in orders
        )

    def release(self, recipients: Sequence[str]) -> Refusals:
        return self._post_all((recipient, "release", {}) for recipient in recipients)

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Post the ends of expired leases, for receivers that do not track time."""
        return self._post_all((recipient, "expire", {}) for recipient in recipients)

    def health(self) -> str:
        """Return a constant id: only an order shows whether the receiver is reachable."""
        return "webhook"

    def close(self) -> None:
        self._http.clear()

    def _post_all(self, orders: Iterable[tuple[str, str, dict[str, object]]]) -> Refusals:
        refusals = {}
        for recipient, verb, more in orders:
            version = NARROW_VERSION if verb == "throttle_platforms" else SCHEMA_VERSION
            body = {"schema_version": version, "verb": verb, "recipient": recipient, **more}
            status = self._post(recipient, _encode(body))
            if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise GatewayAwayError(f"http_{status}")
            if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                refusals[recipient] = f"http_{status}"
        return refusals

    def _post(self, recipient: str, body: bytes) -> int:
        identity = self._identity(recipient, body)
        at_ms = now_ms()
        headers = {
            "Content-Type": "application/json",
            "Otpguard-Signature": sign(self._secret, at_ms, body),
            **sign_body(self._signers, identity, body, at_ms // 1000),
        }
        try:
            status = self._http.request(
                "POST", self._url, body=body, headers=headers, redirect=False
            ).status
        except urllib3.exceptions.HTTPError as error:
            raise GatewayAwayError(type(error).__name__) from error
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            with self._lock:
                self._repeated.pop(recipient, None)
        return status

    def _identity(self, recipient: str, body: bytes) -> str:
        """Return the id for an order: its old id if the same order failed before, else a new id."""
        with self._lock:
            before, identity = self._repeated.pop(recipient, (b"", ""))
            if before != body:
                identity = f"msg_{uuid.uuid4().hex}"
            self._repeated[recipient] = body, identity
            if len(self._repeated) > REPEATED_MAX:
                self._repeated.popitem(last=False)
        return identity
