"""Administers a Kafka cluster, and converts settings into client arguments.

Each failure becomes an exception with one sentence and the exit code that fits.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from aiokafka import errors as aio_errors
from aiokafka.conn import create_conn
from kafka import TopicPartition, errors
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    KafkaAdminClient,
    OffsetSpec,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from streams.cluster.kafka_rights import Right
from streams.common import ConfigError, OtpguardError, UnavailableError, tr
from streams.config import Kafka

# The client's event loop warns about its own tasks whenever a turn takes long. Users of a command
# can do nothing about these warnings. A crash of the loop is logged as an error.
logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)

TIMEOUT_S: Final = 10  # Seconds for one request; a healthy broker answers in milliseconds.
PROBE_S: Final = 5.0  # Seconds for a connection and a handshake.

_DENIED: Final = (
    errors.AuthorizationError,
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
)

_REFUSED: Final = (
    aio_errors.AuthenticationFailedError,
    aio_errors.AuthenticationMethodNotSupported,
    aio_errors.SaslAuthenticationFailed,
    aio_errors.UnsupportedSaslMechanismError,
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A topic as the cluster describes it; `configs` are the settings that the broker reports."""

    partitions: int
    replication: int
    configs: Mapping[str, str]


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """Return the arguments with which kafka-python and aiokafka connect to the cluster.

    Returns only after a broker has accepted a login with them. Without this check, clients would
    retry a wrong password again and again, wait for ever for a handshake that never comes, and
    report an untrusted certificate as a timeout. Raise UnavailableError or ConfigError with the
    last broker's reason.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap.split(","),
        "security_protocol": kafka.security.upper(),
    }
    if kafka.security.endswith("ssl"):
        arguments["ssl_context"] = tls(kafka)
    if kafka.security.startswith("sasl"):
        arguments |= {
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password.get_secret_value(),
        }
    _look_at_names(kafka)
    _knock(kafka, arguments.get("ssl_context"))
    if kafka.security.startswith("sasl"):
        asyncio.run(_sign_in(kafka, arguments))
    return arguments


def tls(kafka: Kafka) -> ssl.SSLContext:
    """Return a TLS context that verifies the certificates and host names of the brokers."""
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file)
        if kafka.cert_file is not None:
            context.load_cert_chain(kafka.cert_file, kafka.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(tr("kafka TLS files: {error}").format(error=error)) from None
    return context


_EVERY: Final = frozenset(("ALTER", "CREATE", "DELETE", "DESCRIBE", "READ", "WRITE"))


class Cluster(ExitStack):
    """A connection for queries and administration; use it in a `with` block."""

    def __init__(self, kafka: Kafka) -> None:
        super().__init__()
        self._where = kafka.bootstrap
        arguments = client_arguments(kafka)
        with in_a_sentence(tr("connect"), kafka.bootstrap):
            self._admin = KafkaAdminClient(
                **arguments,
                client_id="otpguard-admin",
                request_timeout_ms=int(TIMEOUT_S * 1000),
                bootstrap_timeout_ms=int(TIMEOUT_S * 1000),
            )
        self.callback(self._admin.close)

    def shapes(self, names: Iterable[str]) -> dict[str, Shape]:
        """Return partitions, replication and settings of the topics in `names` that exist."""
        with in_a_sentence(tr("describe topics"), self._where):
            described = self._describe(names)
            if not described:
                return {}
            resources = [ConfigResource("TOPIC", each["name"]) for each in described]
            configs = self._admin.describe_configs(resources, config_filter="all")["topic"]
        return {
            topic["name"]: Shape(
                partitions=len(topic["partitions"]),
                replication=min(len(each["replica_nodes"]) for each in topic["partitions"]),
                configs={key: entry["value"] for key, entry in configs[topic["name"]].items()},
            )
            for topic in described
        }

    def _describe(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Describe the topics that the cluster lists: to describe another one could create it."""
        present = sorted(set(names) & set(self._admin.list_topics()))
        return list(self._admin.describe_topics(present)) if present else []

    def create(
        self, name: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> None:
        """Create one topic.

        If another process has just created the topic, this is no error.
        """
        options = {
            "num_partitions": partitions,
            "replication_factor": replication,
            "configs": dict(configs),
        }
        with in_a_sentence(tr("create topic {name}").format(name=name), self._where):
            try:
                self._admin.create_topics({name: options}, wait_for_metadata=True)
            except errors.TopicAlreadyExistsError:
                return

    def version(self) -> str:
        """Return the oldest version among the brokers that the protocol reveals, such as "4.3"."""
        with in_a_sentence(tr("ask for versions"), self._where):
            brokers = self._admin.describe_cluster()["brokers"]
            found = {
                self._admin.get_broker_version_data(each["broker_id"]).broker_version
                for each in brokers
            }
        return ".".join(map(str, min(found)))

    def brokers(self) -> int:
        """Return the number of brokers; a topic cannot have more replicas."""
        with in_a_sentence(tr("ask for brokers"), self._where):
            return len(self._admin.describe_cluster()["brokers"])

    def names(self) -> set[str]:
        """Return the names of the topics that this user may see."""
        with in_a_sentence(tr("list topics"), self._where):
            return set(self._admin.list_topics())

    def topic_id(self, name: str) -> str:
        """Return the id that the cluster gave an existing topic when it was created."""
        with in_a_sentence(tr("describe topics"), self._where):
            return str(self._admin.describe_topics([name])[0]["topic_id"])

    def authoriser(self) -> Literal["none", "open", "closed"]:
        """Return whether the cluster checks rights, and whether this user may list the rights.

        "none": there is no authoriser, and every user sees every topic. "open": this user may list
        the rights, so a topic that is not visible does not exist. "closed": topics may be hidden
        from this user.
        """
        anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        rights = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
        with in_a_sentence(tr("ask for rights"), self._where):
            try:
                self._admin.describe_acls(rights)
            except errors.SecurityDisabledError:
                return "none"
            except (errors.AuthorizationError, errors.UnsupportedVersionError):
                return "closed"
        return "open"

    def operations(self, names: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return the operations that this user may perform, for each visible topic.

        A broker that does not know rights reports none; then every operation counts as allowed.
        """
        with in_a_sentence(tr("describe topics"), self._where):
            told = {each["name"]: each["authorized_operations"] for each in self._describe(names)}
        return {name: _EVERY if may is None else frozenset(may) for name, may in told.items()}

    def lag(self, group: str, topic: str, before_ms: int | None = None) -> dict[int, int]:
        """Return how many records of each partition a group has not committed; empty: no commit.

        `before_ms` (UTC): count only the records before the first record of this time or later.
        """
        with in_a_sentence(
            tr("read the offsets of group {group}").format(group=group), self._where
        ):
            try:
                found = self._admin.list_group_offsets({group: None})[group]
            # No consumer group has ever existed on this cluster.
            except errors.CoordinatorNotAvailableError:
                return {}
            done = {place: each.offset for place, each in found.items() if place.topic == topic}
            until = dict(self._admin.list_partition_offsets(dict.fromkeys(done, OffsetSpec.LATEST)))
            if before_ms is not None:
                told = self._admin.list_partition_offsets(dict.fromkeys(done, before_ms))
                until |= {place: each for place, each in told.items() if each.offset >= 0}
        return {
            place.partition: max(0, until[place].offset - offset)
            for place, offset in sorted(done.items())
        }

    def members(self, group: str, topic: str) -> dict[str, int]:
        """Return the members of a consumer group, each with its number of partitions of a topic."""
        with in_a_sentence(tr("describe group {group}").format(group=group), self._where):
            try:
                found = self._admin.describe_groups([group])[group]["members"]
            # No consumer group has ever existed on this cluster.
            except errors.CoordinatorNotAvailableError:
                return {}
        return {
            f"{each['client_host'].lstrip('/')} {each['member_id'][-8:]}": sum(
                len(part["partitions"])
                for part in each["member_assignment"]["assigned_partitions"]
                if part["topic"] == topic
            )
            for each in found
            if each["member_assignment"]
        }

    def count_since(self, topic: str, since_ms: int) -> int | None:
        """Return the number of records of a topic from a time (UTC) on; None: no such topic."""
        with in_a_sentence(tr("read the offsets of {topic}").format(topic=topic), self._where):
            if not (found := self._describe([topic])):
                return None
            places = [
                TopicPartition(topic, each["partition_index"]) for each in found[0]["partitions"]
            ]
            ends = self._admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
            firsts = self._admin.list_partition_offsets(dict.fromkeys(places, since_ms))
        return sum(ends[p].offset - firsts[p].offset for p in places if firsts[p].offset >= 0)

    def commit_metadata(self, prefix: str) -> dict[str, set[str]]:
        """Return what each visible group of this prefix stored with its offsets."""
        with in_a_sentence(tr("list consumer groups"), self._where):
            told = [each["group_id"] for each in self._admin.list_groups()]
            groups = [each for each in told if each.startswith(prefix)]
            found = self._admin.list_group_offsets(groups) if groups else {}
        return {
            group: {each.metadata or "" for each in offsets.values()}
            for group, offsets in found.items()
        }

    def grant(self, rights: Iterable[Right]) -> None:
        """Grant these rights; existing rights stay."""
        acls = [
            ACL(
                each.principal,
                "*",
                ACLOperation[each.operation],
                ACLPermissionType.ALLOW,
                ResourcePattern(
                    ResourceType[each.kind.upper()],
                    each.name,
                    ACLResourcePatternType["PREFIXED" if each.prefixed else "LITERAL"],
                ),
            )
            for each in rights
        ]
        with in_a_sentence(tr("give rights"), self._where):
            for error in self._admin.create_acls(acls)["failed"]:
                raise error


@contextmanager
def in_a_sentence(verb: str, where: str) -> Iterator[None]:
    """Turn a Kafka client's failure into ConfigError, or UnavailableError if retrying may help."""
    try:
        yield
    except (errors.KafkaTimeoutError, errors.KafkaConnectionError) as error:
        raise UnavailableError(
            tr(
                "no broker answers at {where} ({error}): is it up, and is this the right address "
                "and listener protocol?"
            ).format(where=where, error=_name(error))
        ) from None
    except (errors.KafkaError, OSError, ValueError) as error:
        # If a retry may help, a broker answers, but it is starting or overloaded.
        passes = isinstance(error, errors.RetriableError) and not isinstance(error, _DENIED)
        kind = UnavailableError if passes else ConfigError
        raise kind(
            tr("cannot {verb} at {where}: {error}").format(
                verb=verb, where=where, error=_name(error)
            )
        ) from None


def unusable(what: str, error: errors.KafkaError) -> OtpguardError:
    """Return the error to raise: ConfigError for a missing right, else UnavailableError."""
    if isinstance(error, _DENIED):
        return ConfigError(
            tr("{what}: {error}; `otpguard topics acls` lists the rights").format(
                what=what, error=_name(error)
            )
        )
    return UnavailableError(f"{what}: {_name(error)}")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Turn failures of Kafka clients inside the `with` block into the error of `unusable`."""
    try:
        yield
    except errors.KafkaError as error:
        raise unusable(what, error) from None


def no_topic(name: str) -> ConfigError:
    """Return the error for a topic that is missing or hidden; Kafka does not reveal which."""
    return ConfigError(
        tr(
            "no topic {name}, or no right to see it; `otpguard topics create` makes topics, "
            "`otpguard topics acls` lists the rights"
        ).format(name=name)
    )


def require_topic(kafka: Kafka, name: str) -> str:
    """Return the id of a topic, which is another one if the topic was deleted and created again.

    Raise ConfigError at once if the topic is missing; a producer would wait for the topic.
    """
    with Cluster(kafka) as cluster:
        if name not in cluster.names():
            raise no_topic(name)
        return cluster.topic_id(name)


async def _sign_in(kafka: Kafka, arguments: Mapping[str, Any]) -> None:
    reason: Exception = TimeoutError()
    for address in kafka.bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            connection = await create_conn(
                host,
                int(port),
                request_timeout_ms=int(PROBE_S * 1000),
                **{name: value for name, value in arguments.items() if name != "bootstrap_servers"},
            )
        except aio_errors.IllegalSaslStateError:
            raise ConfigError(
                tr(
                    "{address} takes no password: kafka.security is {security}, and that is "
                    "another listener's port; name the port of the SASL listener, or set "
                    "kafka.security = {other!r}"
                ).format(
                    address=address,
                    security=kafka.security,
                    other="ssl" if kafka.security.endswith("ssl") else "plaintext",
                )
            ) from None
        except _REFUSED:
            raise ConfigError(
                tr(
                    "{address} refuses user {username}: wrong name, password or mechanism "
                    "({mechanism})"
                ).format(address=address, username=kafka.username, mechanism=kafka.mechanism)
            ) from None
        except (aio_errors.KafkaError, OSError) as error:
            reason = error
        else:
            await connection.close()
            return
    raise UnavailableError(
        tr(
            "cannot sign in at {bootstrap}: {reason}; is it up, and is kafka.security "
            "({security}) the protocol of this listener?"
        ).format(bootstrap=kafka.bootstrap, reason=_name(reason), security=kafka.security)
    )


def _look_at_names(kafka: Kafka) -> None:
    """Raise ConfigError for an invalid host name; clients would try to resolve each name."""
    for address in kafka.bootstrap.split(","):
        try:
            address.rpartition(":")[0].encode("idna")
        except UnicodeError as error:
            raise ConfigError(
                tr("cannot {verb} at {where}: {error}").format(
                    verb=tr("connect"), where=address, error=error.__cause__ or error
                )
            ) from None


def _knock(kafka: Kafka, context: ssl.SSLContext | None) -> None:
    """Return after a broker accepts a connection, and completes the TLS handshake if TLS is set."""
    problem: Exception | None = None
    for address in kafka.bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=PROBE_S) as connection:
                if context is not None:
                    context.wrap_socket(connection, server_hostname=host).close()
                return
        except ssl.SSLCertVerificationError as error:
            raise ConfigError(
                tr("the certificate of {address} is not trusted: {verify_message}").format(
                    address=address, verify_message=error.verify_message
                )
            ) from None
        except OSError as error:  # TimeoutError and SSLError are subclasses of OSError.
            problem = error
    if isinstance(problem, ssl.SSLError):
        raise ConfigError(
            tr("{bootstrap} does not speak TLS as expected: {reason}").format(
                bootstrap=kafka.bootstrap, reason=problem.reason
            )
        )
    reason = "no answer" if isinstance(problem, TimeoutError) else getattr(problem, "strerror", "")
    raise UnavailableError(
        tr(
            "no broker answers at {bootstrap} ({problem}): is it up, and is this the right "
            "address and listener protocol?"
        ).format(bootstrap=kafka.bootstrap, problem=reason or problem)
    )


def _name(error: Exception) -> str:
    """Return the name of an error, with the broker's own message if there is one."""
    kind = type(error).__name__.removesuffix("Error")
    message = getattr(error, "description", None) or getattr(error, "message", "")
    return f"{kind}: {message}" if message else kind
