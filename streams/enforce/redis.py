"""Leases as Redis keys, for gateways whose interceptor can look one up before it takes a message.

`otpguard:throttle:<recipient>` is a compact JSON that ends with its lease (PXAT), so a dead adapter
leaves nothing behind. `otpguard:refused:<action>` is counted up by the gateway's script, and the
hash `otpguard:trusted` gives scripts without the registry the class of each trusted platform.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, TypeVar

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from detectors.leases.gate import Lease
from detectors.recognise.registry import Registry
from streams.config import Redis
from streams.enforce.gateway import GatewayAwayError, Order, Refusals
from streams.errors import ConfigError

PREFIX: Final = "otpguard:"
VALUE_VERSION: Final = 1
SCAN_COUNT: Final = 1_000
TIMEOUT_S: Final = 1.0
"""One call; an adapter that waits longer would let the operator's word wait too."""

_PASSING: Final = (
    redis.BusyLoadingError,
    redis.ConnectionError,
    redis.OutOfMemoryError,
    redis.ReadOnlyError,
    redis.TimeoutError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.MasterDownError,
)
"""A Redis that is not there, or cannot take writes now and may later."""

_PASSING_CODES: Final = ("MISCONF", "NOREPLICAS")  # the same, but redis-py has no class for them

_T = TypeVar("_T")
_encode: Final = msgspec.json.Encoder().encode


def lease_value(lease: Lease) -> bytes:
    """A lease as gateways read it. Equal leases are equal bytes.

    >>> from detectors.model.records import Scope
    >>> from detectors.model.event import Trust
    >>> lease_value(Lease("a1", 600_000, Scope("otp", (Trust.BANK,), (7,), ())))
    b'{"v":1,"action":"a1","until":600000,"category":"otp","trust":["bank"],"ids":[7],"prints":[]}'
    """
    return _encode(
        {
            "v": VALUE_VERSION,
            "action": lease.action_id,
            "until": lease.expires_at_ms,
            "category": lease.scope.category,
            "trust": [trust.name.lower() for trust in lease.scope.trust],
            "ids": lease.scope.pass_ids,
            "prints": lease.scope.pass_prints,
        }
    )


def trusted(registry: Registry) -> dict[str, str]:
    """Class by platform key of everybody who always passes."""
    signatures = ((f"sig:{name}", (platform,)) for name, platform in registry.signatures.items())
    ports = ((f"port:{number}", owners) for number, owners in registry.ports.items())
    return {
        key: platform.trust.name.lower()
        for key, platforms in chain(signatures, ports)
        for platform in platforms
        if platform.trust
    }


def connect(settings: Redis, timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """A client that says at once when Redis is away: waiting and asking again is the adapter's."""
    secure = {
        "ssl_ca_certs": settings.ca_file,
        "ssl_certfile": settings.cert_file,
        "ssl_keyfile": settings.key_file,
    }
    return redis.Redis.from_url(
        settings.url,
        username=settings.username or None,
        password=settings.password.get_secret_value() or None,
        socket_timeout=timeout_s,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        **{name: str(path) for name, path in secure.items() if path is not None},
    )


class RedisGateway:
    """See the module. Safe for use by several threads."""

    batch_max = 1_000
    parallel_max = 1
    tries_max: int | None = None

    def __init__(self, client: redis.Redis, registry: Registry, prefix: str = PREFIX) -> None:
        self._client = client
        # Field, value, field, value: what HSET takes.
        self._trusted = list(chain.from_iterable(trusted(registry).items()))
        self._prefix = prefix
        self._throttle = f"{prefix}throttle:"
        self._refused = f"{prefix}refused:"
        self._announced = False

    def held(self) -> Iterable[str]:
        """Recipients of all keys, whoever set them."""
        return self._names(self._throttle)

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Set the keys in one round trip."""

        def send() -> None:
            with self._client.pipeline(transaction=False) as pipe:
                for order in orders:
                    pipe.set(
                        self._throttle + order.recipient,
                        lease_value(order.lease),
                        pxat=order.lease.expires_at_ms,
                    )
                _execute(pipe)

        self._call(send)
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Delete the keys."""
        self._call(lambda: self._client.unlink(*(self._throttle + each for each in recipients)))
        return {}

    def expire(self, recipients: Sequence[str]) -> Refusals:  # noqa: ARG002 - the interface's
        """Nothing to do: Redis ends keys itself."""
        return {}

    def refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Take the counters of these actions."""
        if not action_ids:
            return ()

        def take() -> list[int]:
            with self._client.pipeline(transaction=False) as pipe:
                for action_id in action_ids:
                    pipe.getdel(self._refused + action_id)
                return [int(count or 0) for count in _execute(pipe)]

        return self._call(take)

    def counted(self) -> Iterable[str]:
        """Actions of all counters; the gateway's script lets them end after a day."""
        return self._names(self._refused)

    def health(self) -> str:
        """The server's run id and a marker that lives as long as the data does.

        A restart changes the first; a flush, or a replica that never had our keys, the second.
        """

        def ask() -> str:
            mine = uuid.uuid4().hex
            with self._client.pipeline(transaction=False) as pipe:
                pipe.info("server")
                pipe.set(f"{self._prefix}adapter", mine, nx=True)
                pipe.get(f"{self._prefix}adapter")
                server, fresh, marker = _execute(pipe)
            if fresh or not self._announced:
                with self._client.pipeline() as pipe:
                    pipe.delete(f"{self._prefix}trusted")
                    if self._trusted:
                        pipe.hset(f"{self._prefix}trusted", items=self._trusted)
                    _execute(pipe)
                self._announced = True
            return f"{server['run_id']}/{marker.decode()}"

        return self._call(ask)

    def close(self) -> None:
        """Close the connections; keys stay and end by themselves."""
        self._client.close()

    def _names(self, prefix: str) -> list[str]:
        """What stands behind the prefix in all keys that have it."""

        def scan() -> list[str]:
            keys = self._client.scan_iter(match=f"{prefix}*", count=SCAN_COUNT)
            return [key.decode()[len(prefix) :] for key in keys]

        return self._call(scan)

    def _call(self, do: Callable[[], _T]) -> _T:
        """Do it, or say that Redis is away. What it forbids altogether is for a person to mend."""
        try:
            return do()
        except redis.AuthenticationError as error:
            raise ConfigError(f"redis: {error}") from error
        except _PASSING as error:
            raise GatewayAwayError(type(error).__name__) from error
        except redis.ResponseError as error:
            if str(error).startswith(_PASSING_CODES):
                raise GatewayAwayError(str(error).split(" ", 1)[0]) from error
            raise ConfigError(f"redis: {error}") from error


def _execute(pipe: Pipeline) -> list[Any]:
    """The answers of a pipeline. Its own errors would name the command, and so the recipient."""
    answers = pipe.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers
