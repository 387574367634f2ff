"""Leases as Redis keys, for gateways whose interceptor can look one up before it takes a message.

`otpguard:throttle:<recipient>` is a compact JSON that ends with its lease (PXAT), so a dead adapter
leaves nothing behind. `otpguard:refused:<action>` is counted up by the gateway's script, and so, if
it can, is the hash `otpguard:platforms:<action>`, by platform id; what it lets through at a second
request it keeps under `otpguard:again:<recipient>`. Two hashes serve scripts without the registry:
`otpguard:trusted` gives the class of each trusted platform, `otpguard:keys` the key of each brand
that has more than one name.
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
from streams.enforce.gateway import GatewayAwayError, LeaseTally, Order, Refusals
from streams.errors import ConfigError
from streams.language import tr

PREFIX: Final = "otpguard:"
VALUE_VERSION: Final = 1
SCAN_COUNT: Final = 1_000
TIMEOUT_S: Final = 1.0
"""One call; an adapter that waits longer would let the operator's word wait too."""

_FORBIDDEN: Final = ("NOAUTH", "NOPERM", "WRONGPASS")
"""Answers of Redis to whom it lets do nothing: only a person can mend that. Whatever else it says
(it loads, is full, runs somebody's script, follows another) may be over at the next try."""

_T = TypeVar("_T")
_encode: Final = msgspec.json.Encoder().encode


def lease_value(lease: Lease) -> bytes:
    """A lease as gateways read it. Equal leases are equal bytes.

    >>> from detectors.model.records import Scope
    >>> from detectors.model.event import Trust
    >>> lease_value(Lease("a1", 600_000, Scope("otp", (Trust.BANK,), (7,), ())))
    b'{"v":1,"action":"a1","until":600000,"category":"otp","trust":["bank"],"ids":[7],"prints":[]}'
    """
    value = {
        "v": VALUE_VERSION,
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
    return _encode(value)


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


def aliases(registry: Registry) -> dict[str, str]:
    """Platform key by `sig:` and a normalised name, `port:` and a number, `host:` and a domain.

    The key is empty for senders that the operator calls shared: the text names the platform. Names
    that are their own key are left out, and so are numbers and domains without an owner.
    """
    from detectors.recognise.keys import BRAND, brand_key, host_key  # noqa: PLC0415 - start-up time
    from detectors.recognise.names import listed  # noqa: PLC0415

    names = {f"{BRAND}{key}": key for key in chain(listed().names, registry.signatures)}
    keys = {written: brand_key(registry, key) for written, key in names.items()}
    keys |= {f"port:{number}": f"{BRAND}{o[0].key}" for number, o in registry.ports.items()}
    keys |= {f"host:{host}": host_key(registry, host) for host in registry.hosts}
    keys |= {f"{BRAND}{sender}": "" for sender in registry.shared}
    return {written: key for written, key in keys.items() if written != key}


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
    again = True

    def __init__(self, client: redis.Redis, registry: Registry, prefix: str = PREFIX) -> None:
        self._client = client
        # Field, value, field, value: what HSET takes.
        self._tables = {
            f"{prefix}trusted": list(chain.from_iterable(trusted(registry).items())),
            f"{prefix}keys": list(chain.from_iterable(aliases(registry).items())),
        }
        self._prefix = prefix
        self._throttle = f"{prefix}throttle:"
        self._refused = f"{prefix}refused:"
        self._platforms = f"{prefix}platforms:"
        self._marker = f"{prefix}adapter"
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
                        _key(self._throttle, order.recipient),
                        lease_value(order.lease),
                        pxat=order.lease.expires_at_ms,
                    )
                _execute(pipe)

        self._call(send)
        return {}

    def release(self, recipients: Sequence[str]) -> Refusals:
        """Delete the keys."""
        keys = [_key(self._throttle, each) for each in recipients]
        self._call(lambda: self._client.unlink(*keys))
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
                    pipe.getdel(_key(self._refused, action_id))
                return [_count(answer) for answer in _answers(pipe)]

        return self._call(take)

    def tallies(self, action_ids: Sequence[str]) -> Sequence[LeaseTally]:
        """Read the counters of these actions, and those by platform; both stay."""
        if not action_ids:
            return ()

        def look() -> list[LeaseTally]:
            with self._client.pipeline(transaction=False) as pipe:
                for action_id in action_ids:
                    pipe.get(_key(self._refused, action_id))
                    pipe.hgetall(_key(self._platforms, action_id))
                answers = _answers(pipe)
            pairs = zip(answers[::2], answers[1::2], strict=True)
            return [LeaseTally(_count(total), _by_platform(hash_)) for total, hash_ in pairs]

        return self._call(look)

    def counted(self) -> Iterable[str]:
        """Actions of all counters; the gateway's script lets them end after a day."""
        # An action's name is text; what is none was made by somebody else.
        return [name for name in self._names(self._refused) if name.isprintable()]

    def health(self) -> str:
        """The server's run id and a marker that lives as long as the data does.

        A restart changes the first; a flush, or a replica that never had our keys, the second.
        """

        def ask() -> str:
            fresh = False
            with self._client.pipeline(transaction=False) as pipe:
                pipe.info("server")
                pipe.get(self._marker)
                server, marker = _execute(pipe)
            if marker is None:
                # Only then: a Redis that is full refuses this one too, and could still release.
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

        return self._call(ask)

    def close(self) -> None:
        """Close the connections; keys stay and end by themselves."""
        self._client.close()

    def _names(self, prefix: str) -> list[str]:
        """List what follows the prefix in all keys that have it."""

        def scan() -> list[str]:
            keys = self._client.scan_iter(match=f"{prefix}*", count=SCAN_COUNT)
            # Bytes that are no UTF-8 survive as what `_key` makes the same bytes of.
            return [key.decode("utf-8", "surrogateescape")[len(prefix) :] for key in keys]

        return self._call(scan)

    def _call(self, do: Callable[[], _T]) -> _T:
        """Do it, or say that Redis is away. What it forbids altogether is for a person to mend."""
        try:
            return do()
        except redis.RedisError as error:
            if _forbids(error):
                raise ConfigError(tr("redis: {error}").format(error=error)) from error
            raise GatewayAwayError(type(error).__name__) from error


def _key(prefix: str, name: str) -> bytes:
    return (prefix + name).encode("utf-8", "surrogateescape")


def _forbids(error: redis.RedisError) -> bool:
    """Tell if it is one of `_FORBIDDEN`; redis-py cuts the code off some of its own errors."""
    kinds = redis.AuthenticationError, redis.exceptions.NoPermissionError
    passing = redis.exceptions.AuthenticationWrongNumberOfArgsError
    return (isinstance(error, kinds) and not isinstance(error, passing)) or str(error).startswith(
        _FORBIDDEN
    )


def _execute(pipe: Pipeline) -> list[Any]:
    """The answers of a pipeline. Its own errors would name the command, and so the recipient."""
    answers = _answers(pipe)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _answers(pipe: Pipeline) -> list[Any]:
    return pipe.execute(raise_on_error=False)


def _by_platform(answer: Any) -> dict[int, int]:
    """Counts by platform id; none where the user may not look, as with rights of before."""
    if not isinstance(answer, dict):
        return {}
    found = {}
    for name, count in answer.items():
        if name.isdigit() and count.isdigit() and int(name) < 1 << 32:
            found[int(name)] = int(count)
    return found


def _count(answer: Any) -> int:
    """The value of a counter; 0 for a key of that name that is none, which somebody else made."""
    if isinstance(answer, Exception):
        if isinstance(answer, redis.ResponseError) and str(answer).startswith("WRONGTYPE"):
            return 0
        raise answer
    try:
        return max(0, int(answer or 0))
    except ValueError:
        return 0
