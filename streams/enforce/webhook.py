"""Leases as signed HTTPS requests, for gateways that have an API of their own.

A POST for each order: `{"schema_version", "verb": throttle | release | expire, "recipient"}` and
for a throttle the lease. Signed by the scheme of Standard Webhooks: `webhook-id`,
`webhook-timestamp` and `webhook-signature`, with every key in use. A receiver refuses what is
older than five minutes and passes over an id that it had: so nobody can say an old order again. A
try after a failure has the id of the order it repeats.

`Otpguard-Signature: t=<ms>,v1=<hex>`, the HMAC-SHA256 of `<ms>.<body>` under the newest key, is for
receivers from before. Answers: 2xx done; 408, 425, 429 and 5xx are tried again; anything else is
final for a lease, and a release is said again all the same.
"""

from __future__ import annotations

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

from streams.clock import now_ms
from streams.enforce.gateway import CountsNothing, GatewayAwayError, Order, Refusals
from streams.enforce.redis import lease_value
from streams.errors import ConfigError
from streams.language import tr
from streams.tls import authorities, private
from streams.webhooks import signed, signers

SCHEMA_VERSION: Final = 1
TIMEOUT_S: Final = 3.0
REPEATED_MAX: Final = 100_000
"""Orders that failed and keep their id, the newest of them; five times what rails let in."""
_PASSING: Final = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_encode: Final = msgspec.json.Encoder().encode


def sign(secret: bytes, at_ms: int, body: bytes) -> str:
    """The signature header of a body sent at `at_ms`.

    >>> sign(b"secret", 1_760_000_000_000, b"{}")[:24]
    't=1760000000000,v1=a72af'
    """
    digest = hmac.new(secret, b"%d." % at_ms + body, hashlib.sha256).hexdigest()
    return f"t={at_ms},v1={digest}"


class WebhookGateway(CountsNothing):
    """Posts to one URL, a bounded number at a time. Safe for use by several threads."""

    batch_max = 1
    tries_max: int | None = 8  # chosen: half a minute, with the adapter's back-off
    again = True

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        old_secret: bytes = b"",
        parallel: int = 16,
        ca_file: str | None = None,
    ) -> None:
        """With `old_secret` every order is signed by both, so that receivers change at leisure."""
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

    def held(self) -> Iterable[str] | None:
        """None: the receiver does not tell, and is told again what counts and what does not."""
        return None

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Post leases."""
        return self._post_all(
            (order.recipient, "throttle", {"lease": msgspec.Raw(lease_value(order.lease))})
            for order in orders
        )

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Post releases."""
        return self._post_all((recipient, "release", {}) for recipient in recipients)

    def expire(self, recipients: Sequence[str]) -> Refusals:
        """Post ends, for receivers that keep no time."""
        return self._post_all((recipient, "expire", {}) for recipient in recipients)

    def health(self) -> str:
        """Return a constant: only an order shows if the receiver is there."""
        return "webhook"

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def _post_all(self, orders: Iterable[tuple[str, str, dict[str, object]]]) -> Refusals:
        refusals = {}
        for recipient, verb, more in orders:
            body = {"schema_version": SCHEMA_VERSION, "verb": verb, "recipient": recipient, **more}
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
            **signed(self._signers, identity, body, at_ms // 1000),
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
        """Return the id of an order: a new one, or that of the same order that failed before."""
        with self._lock:
            before, identity = self._repeated.pop(recipient, (b"", ""))
            if before != body:
                identity = f"msg_{uuid.uuid4().hex}"
            self._repeated[recipient] = body, identity
            if len(self._repeated) > REPEATED_MAX:
                self._repeated.popitem(last=False)
        return identity
