"""Stores leases as Redis keys, for gateways that can look up a key before accepting a message.

`otpguard:throttle:<recipient>` contains the lease as compact JSON. The key expires with its lease
(PXAT), so leases end even if the adapter is dead. The gateway's script increments
`otpguard:refused:<action>` and, if it can, the hash `otpguard:platforms:<action>` by platform id.
The script records retries that it let pass under `otpguard:again:<recipient>`. Two
hashes serve scripts without access to the registry: `otpguard:trusted` contains the class of each
trusted platform, `otpguard:keys` the key of each brand that has more than one name.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from detectors.leases.gateway_rule import Lease
from detectors.recognise.platform.registry import Registry
from streams.common import ConfigError, tr
from streams.config import Redis
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError, LeaseTally, Order, Refusals

PREFIX: Final = "otpguard:"
VALUE_VERSION: Final = 1
NARROW_VERSION: Final = 2
"""Version of a platform lease. A script of version 1 refuses to read it, and lets everything pass.
Such a script ignores the field `take_refused` of a full lease."""
SCAN_COUNT: Final = 1_000
TIMEOUT_S: Final = 1.0
"""Timeout of one call, in seconds. An operator's override waits while a call runs."""

_FORBIDDEN: Final = ("NOAUTH", "NOPERM", "WRONGPASS")
"""Redis error codes for missing permissions, which only a person can fix. Any other error (loading,
out of memory, running a script, read-only replica) may disappear at the next attempt."""

_encode: Final = msgspec.json.Encoder().encode


def lease_value(lease: Lease) -> bytes:
    """Encode a lease as JSON for gateways. Equal leases give equal bytes.

    >>> from detectors.model.records import Scope
    >>> from detectors.model.event import Trust
    >>> lease_value(Lease("a1", 600_000, Scope("otp", (Trust.BANK,), (7,), ())))
    b'{"v":1,"action":"a1","until":600000,"category":"otp","trust":["bank"],"ids":[7],"prints":[]}'
    """
    value: dict[str, object] = {
        "v": NARROW_VERSION if lease.narrow else VALUE_VERSION,
        "action": lease.action_id,
        "until": lease.expires_at_ms,
        "category": lease.scope.category,
        "trust": [trust.name.lower() for trust in lease.scope.trust],
        "ids": lease.scope.pass_ids,
        "prints": lease.scope.pass_prints,
    }
    if lease.again:
        value["again"] = [
            {"id": window.platform_id, "from": window.from_ms, "until": window.until_ms}
            | ({"hot": True} if window.hot else {})
            for window in lease.again
        ]
    if lease.refused_ids or lease.narrow:
        value["refused"] = sorted(lease.refused_ids)
    return _encode(value)


def list_trusted(registry: Registry) -> dict[str, str]:
    """Return the trust class of each platform that always passes, by platform key."""
    signatures = ((f"sig:{name}", (platform,)) for name, platform in registry.signatures.items())
    ports = ((f"port:{number}", owners) for number, owners in registry.ports.items())
    return {
        key: platform.trust.name.lower()
        for key, platforms in chain(signatures, ports)
        for platform in platforms
        if platform.trust
    }


def aliases(registry: Registry) -> dict[str, str]:
    """Platform key by `sig:` and a normalised name, `port:` and a number, `host:` and a domain.

    The key is empty for senders that the operator calls shared: the text names the platform. Names
    that are their own key are left out, and so are numbers and domains without an owner.
    """
    from detectors.recognise.platform.keys import BRAND, brand_key, host_key  # noqa: PLC0415 - start-up time
    from detectors.recognise.platform.names import load_names  # noqa: PLC0415

    names = {f"{BRAND}{key}": key for key in chain(load_names().names, registry.signatures)}
    keys = {written: brand_key(registry, key) for written, key in names.items()}
    keys |= {f"port:{number}": f"{BRAND}{o[0].key}" for number, o in registry.ports.items()}
    keys |= {f"host:{host}": host_key(registry, host) for host in registry.hosts}
    keys |= {f"{BRAND}{sender}": "" for sender in registry.shared}
    return {written: key for written, key in keys.items() if written != key}


def connect(settings: Redis, timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """Return a client that fails at once if Redis is down: the adapter itself does the retries."""
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


class RedisGateway(Gateway):
    """Stores leases as Redis keys, as the module describes. Thread-safe."""

    def __init__(self, client: redis.Redis, registry: Registry, prefix: str = PREFIX) -> None:
        self._client = client
        # Alternating fields and values, as HSET expects them.
        self._tables = {
            f"{prefix}trusted": list(chain.from_iterable(list_trusted(registry).items())),
            f"{prefix}keys": list(chain.from_iterable(aliases(registry).items())),
        }
        self._prefix = prefix
        self._throttle = f"{prefix}throttle:"
        self._refused = f"{prefix}refused:"
        self._platforms = f"{prefix}platforms:"
        self._marker = f"{prefix}adapter"
        self._announced = False

    def list_recipients(self) -> Iterable[str]:
        """Return the recipients of all lease keys, whoever wrote them."""
        return self._names(self._throttle)

    def apply(self, orders: Sequence[Order]) -> Refusals:
        """Set the keys of all orders in one round trip."""
        with translating(), self._client.pipeline(transaction=False) as pipe:
            for order in orders:
                pipe.set(
                    _key(self._throttle, order.recipient),
                    lease_value(order.lease),
                    pxat=order.lease.expires_at_ms,
                )
            _execute(pipe)
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        keys = [_key(self._throttle, each) for each in recipients]
        with translating():
            self._client.unlink(*keys)
        return {}

    def take_refused(self, action_ids: Sequence[str]) -> Sequence[int]:
        """Return the counters of these actions and delete them."""
        if not action_ids:
            return ()
        with translating(), self._client.pipeline(transaction=False) as pipe:
            for action_id in action_ids:
                pipe.getdel(_key(self._refused, action_id))
            return [_count(answer) for answer in pipe.execute(raise_on_error=False)]

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Return the counters of these actions, in total and by platform, without deleting them."""
        if not action_ids:
            return ()
        with translating(), self._client.pipeline(transaction=False) as pipe:
            for action_id in action_ids:
                pipe.get(_key(self._refused, action_id))
                pipe.hgetall(_key(self._platforms, action_id))
            answers = pipe.execute(raise_on_error=False)
            pairs = zip(answers[::2], answers[1::2], strict=True)
            return [LeaseTally(_count(total), _by_platform(hash_)) for total, hash_ in pairs]

    def list_counted(self) -> Iterable[str]:
        """Return the actions that have a counter.

        The gateway's script lets counters expire after a day.
        """
        # Action ids are printable text; any other key was made by another program.
        return [name for name in self._names(self._refused) if name.isprintable()]

    def health(self) -> str:
        """Return the server's run id and a marker key, which together identify the stored data.

        A restart changes the run id. A flush, or a failover to a replica without our keys, changes
        the marker.
        """
        with translating():
            fresh = False
            with self._client.pipeline(transaction=False) as pipe:
                pipe.info("server")
                pipe.get(self._marker)
                server, marker = _execute(pipe)
            if marker is None:
                # Write only if the marker is missing: a full Redis rejects writes but could still
                # release.
                with self._client.pipeline(transaction=False) as pipe:
                    pipe.set(self._marker, uuid.uuid4().hex, nx=True)
                    pipe.get(self._marker)
                    fresh, marker = _execute(pipe)
            if fresh or not self._announced:
                with self._client.pipeline() as pipe:
                    for name, items in self._tables.items():
                        pipe.delete(name)
                        if items:
                            pipe.hset(name, items=items)
                    _execute(pipe)
                self._announced = True
            return f"{server['run_id']}/{marker.decode()}"

    def close(self) -> None:
        """Close the connections. The keys stay and expire by themselves."""
        self._client.close()

    def _names(self, prefix: str) -> list[str]:
        """Return the parts after the prefix of all keys with this prefix."""
        with translating():
            keys = self._client.scan_iter(match=f"{prefix}*", count=SCAN_COUNT)
            # Bytes that are not UTF-8 become surrogate escapes, which `_key` turns back into bytes.
            return [key.decode("utf-8", "surrogateescape")[len(prefix) :] for key in keys]


@contextmanager
def translating() -> Iterator[None]:
    """Translate the errors of the calls of Redis inside.

    Raise ConfigError for missing permissions, which a person must fix, and GatewayAwayError for any
    other error.
    """
    try:
        yield
    except redis.RedisError as error:
        if _forbids(error):
            raise ConfigError(tr("redis: {error}").format(error=error)) from error
        raise GatewayAwayError(type(error).__name__) from error


def _key(prefix: str, name: str) -> bytes:
    return (prefix + name).encode("utf-8", "surrogateescape")


def _forbids(error: redis.RedisError) -> bool:
    """True for a `_FORBIDDEN` error. For some errors redis-py removes the code from the text."""
    kinds = redis.AuthenticationError, redis.exceptions.NoPermissionError
    passing = redis.exceptions.AuthenticationWrongNumberOfArgsError
    return (isinstance(error, kinds) and not isinstance(error, passing)) or str(error).startswith(
        _FORBIDDEN
    )


def _execute(pipe: Pipeline) -> list[Any]:
    """Run a pipeline and return its answers, or raise the first error.

    The errors of redis-py itself would contain the command, and so the recipient.
    """
    answers = pipe.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _by_platform(answer: Any) -> dict[int, int]:
    """Return counts by platform id. Empty if the Redis user may not read the hash."""
    if not isinstance(answer, dict):
        return {}
    return {
        int(name): int(count)
        for name, count in answer.items()
        if name.isdigit() and count.isdigit() and int(name) < 1 << 32
    }


def _count(answer: Any) -> int:
    """Return the value of a counter; 0 if another program stored something else under its key."""
    if isinstance(answer, Exception):
        if isinstance(answer, redis.ResponseError) and str(answer).startswith("WRONGTYPE"):
            return 0
        raise answer
    try:
        return max(0, int(answer or 0))
    except ValueError:
        return 0
