"""All topics with their shapes and the reasons; creates topics, and reports wrong shapes.

A worker that finds a wrong shape stops with exit code 78. For example, a changelog that deletes
records loses state, and unequal partition counts separate a recipient from its memory. Other
defects do not stop a worker, but `topics check` fails: see `cautions`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from detectors.model.times import DAY_MS, HOUR_MS
from detectors.thresholds import LEASE_MAX_MS
from streams.cluster.admin import Cluster, Shape
from streams.common import ConfigError, tr, trn
from streams.config import Settings

SEGMENTS_MIN: Final = 10
"""Number of segments per retention time. Kafka deletes whole segments, and only after the segment's
time is over. A record therefore lives up to one retention plus one segment. With Kafka's default
segment of a week, texts with a retention of three days were stored for ten."""

EVIDENCE_MS: Final = 180 * DAY_MS
"""Retention of evidence: six months, as the Cybersecurity Law (Art. 21) demands for logs."""

MEMORY: Final = frozenset(
    {"incident", "counts", "audit", "notice", "campaign", "platform_parts", "platform"}
)
"""Topic roles without which detection and throttling still work. A worker on an upgraded cluster
that lacks these topics therefore runs, and reports what is not stored."""

AHEAD_MAX_MS: Final = HOUR_MS
"""Largest time that a record may be ahead of the broker's clock, if producers set record times. One
hour is more than any clock drifts, and less than the longest lease."""


BOUNDS: Final[Mapping[str, tuple[Literal["least", "most"], str]]] = MappingProxyType(
    {
        "min.compaction.lag.ms": (
            "least",
            "compaction may keep an old lease that a retry or a zombie wrote last",
        ),
        "max.compaction.lag.ms": ("most", "expired records stay on the brokers"),
        "min.cleanable.dirty.ratio": ("most", "a start reads expired records, and takes longer"),
        "segment.bytes": ("most", "the newest segment is never compacted, and a start reads it"),
        "delete.retention.ms": ("most", "a start reads removed records, and takes longer"),
        "segment.ms": ("most", "the newest segment is never compacted, so overrides stay in it"),
        "min.insync.replicas": (
            "least",
            "a record that only one broker has is lost with that broker",
        ),
    }
)
"""Kafka settings that must be at least, or at most, the value that `topics create` sets, each with
the harm if they are not. Other settings have rules of their own; a test checks that each setting
has a rule."""


@dataclass(frozen=True, slots=True)
class Topic:
    """The shape that a topic should have."""

    role: str
    name: str
    partitions: int
    replication: int
    cleanup: Literal["delete", "compact", "compact,delete"]
    retention_ms: int | None  # None: records are stored for ever, as in compacted topics.
    why: str
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def configs(self) -> dict[str, str]:
        """The topic-level Kafka settings."""
        configs: dict[str, str] = {"cleanup.policy": self.cleanup}
        if self.retention_ms is not None:
            configs["retention.ms"] = str(self.retention_ms)
            configs["segment.ms"] = str(self.retention_ms // SEGMENTS_MIN)
        if self.replication >= 3:
            configs["min.insync.replicas"] = "2"
        return configs | dict(self.extra)


def topics(settings: Settings) -> tuple[Topic, ...]:
    """Return the intended shape of every topic, from the design and the settings."""
    names, copies = settings.topics, settings.topics.replication
    few = min(8, names.partitions)
    # Expired overrides leave the brokers within days, even if their segment is not yet full.
    words = {"segment.ms": str(DAY_MS), "max.compaction.lag.ms": str(DAY_MS)}
    wanted = (
        Topic("input", names.input, names.partitions, copies, "delete", DAY_MS,
              "short, because it contains texts; after an outage of a day it can still be "
              "read again. Brokers set the times, because one wrong clock could otherwise "
              "keep texts for years and date leases ahead",
              {"message.timestamp.type": "LogAppendTime"}),
        Topic("changelog", settings.changelog, names.partitions, copies, "compact", None,
              "checkpoints; never deletes by time, as replays of old traffic would empty it",
              {"min.cleanable.dirty.ratio": "0.1", "max.compaction.lag.ms": "10000",
               "segment.bytes": str(16 << 20), "delete.retention.ms": str(HOUR_MS)}),
        Topic("throttle", names.throttle, few, copies, "compact,delete", 2 * DAY_MS,
              "the newest lease of a recipient counts; none outlives a day. Nothing is compacted "
              "before the longest lease and what is remembered of it are over: an old lease that a "
              "retry or a zombie wrote last would else be the one that is left",
              {"min.compaction.lag.ms": str(2 * HOUR_MS)}),
        Topic("episode", names.episode, few, copies, "delete", 30 * DAY_MS,
              "explanations, for complaints that arrive weeks later"),
        Topic("acks", names.acks, few, copies, "delete", 7 * DAY_MS,
              "what gateways did, for a week of reports"),
        Topic("override", names.override, 1, copies, "compact", None,
              "every adapter reads the whole topic before it acts; one partition preserves "
              "the order", words),
        Topic("everyone", names.everyone, 1, copies, "compact", None,
              "the kill switch; a topic of its own, so that few may write it", words),
        Topic("undeliverable", names.undeliverable, 1, copies, "delete", 7 * DAY_MS,
              "leases that a gateway rejected permanently; few, and retained as long as "
              "their acknowledgements"),
        Topic("dead_letters", names.dead_letters, few, copies, "delete", 3 * DAY_MS,
              "the only place with original texts: retained shortly, with its own ACL"),
        Topic("incident", names.incident, few, copies, "delete", EVIDENCE_MS,
              "the messages of a flood, for complaints and reports to the police months later"),
        Topic("counts", names.counts, few, copies, "delete", EVIDENCE_MS,
              "what gateways refused in a flood, as long as the flood itself is known"),
        Topic("audit", names.audit, 1, copies, "delete", EVIDENCE_MS,
              "who saw or did what; one partition keeps the order of its chains"),
        Topic("campaign", names.campaign, 1, copies, "compact,delete", EVIDENCE_MS,
              "the current state of each campaign, as long as its floods are known; one "
              "partition, whose owner is the only writer"),
        Topic("platform_parts", names.platform_parts, 1, copies, "delete", 8 * DAY_MS,
              "sums of codes by platform, a week of which its agent reads at its start"),
        Topic("platform", names.platform, 1, copies, "compact", None,
              "each platform's figures of a week; deleted when it has sent nothing for one"),
        Topic("notice", names.notice, few, copies, "delete", EVIDENCE_MS,
              "who was notified of a flood, as long as the flood itself is known"),
    )  # fmt: skip
    # Overrides for everyone share the topic of other overrides unless a name of their own is set.
    return tuple({topic.name: topic for topic in reversed(wanted)}.values())[::-1]


ORDERED: Final = frozenset({"override", "everyone"})
"""Roles of topics whose newest record of a key wins, and which therefore have one partition."""


def problems(
    wanted: Iterable[Topic], found: Mapping[str, Shape], blind: str | None = None
) -> list[str]:
    """Return one sentence for each defect that must be corrected before a worker may start.

    `blind` names a user from whom the brokers may hide topics: a topic that this user does not see
    may exist. Retention and the partition counts of outputs belong to the operator, so they are not
    checked. A setting that the broker does not report is not checked either. Otherwise a user
    without the right to see settings would be advised to recreate topics, and would delete their
    records.
    """
    by_role = {topic.role: topic for topic in wanted}
    missing = [
        topic.name
        for topic in by_role.values()
        if topic.name not in found and topic.role not in MEMORY
    ]
    said = [_missing(missing, blind)] if missing else []
    for topic in by_role.values():
        shape = found.get(topic.name)
        policy = None if shape is None else shape.configs.get("cleanup.policy")
        if topic.cleanup == "compact" and policy not in (None, "compact"):
            told = tr("topic {name} has cleanup.policy={policy}; it must be compact alone").format(
                name=topic.name, policy=policy
            )
            said.append(_add_remedy(told, topic.name, "cleanup.policy", "compact"))
    source, log = by_role["input"].name, by_role["changelog"].name
    if source in found and log in found and found[source].partitions != found[log].partitions:
        said.append(
            tr(
                "topics {source} and {log} have {one} and {other} partitions; these must be equal"
            ).format(
                source=source,
                log=log,
                one=found[source].partitions,
                other=found[log].partitions,
            )
        )
    elif source in found and found[source].partitions != by_role["input"].partitions:
        said.append(
            tr(
                "topic {source} has {has} partitions, topics.partitions is {wanted}: the "
                "number decides which partition a key belongs to"
            ).format(
                source=source,
                has=found[source].partitions,
                wanted=by_role["input"].partitions,
            )
        )
    return said


def _missing(names: Sequence[str], blind: str | None) -> str:
    """Name the missing or invisible topics, and the command that helps.

    >>> _missing(["a"], None), _missing(["a", "b"], "user x")
    ('topic a is missing; `otpguard topics create` makes it',
    'topics a, b are missing, or user x has no right to see them; `otpguard topics acls` lists the
    rights of each role, `otpguard topics create`, as administrator, makes topics')
    """
    return {
        (True, True): tr("topic {names} is missing; `otpguard topics create` makes it"),
        (True, False): tr("topics {names} are missing; `otpguard topics create` makes them"),
        (False, True): tr(
            "topic {names} is missing, or {blind} has no right to see it; `otpguard topics acls` "
            "lists the rights of each role, `otpguard topics create`, as administrator, makes "
            "topics"
        ),
        (False, False): tr(
            "topics {names} are missing, or {blind} has no right to see them; `otpguard topics "
            "acls` lists the rights of each role, `otpguard topics create`, as administrator, "
            "makes topics"
        ),
    }[blind is None, len(names) == 1].format(names=", ".join(names), blind=blind)


def blind(settings: Settings, cluster: Cluster) -> str | None:
    """Return the name of this user if topics may be hidden from it; None if it sees all topics."""
    if cluster.authoriser() != "closed":
        return None
    name = settings.kafka.username
    return tr("user {name}").format(name=name) if name else tr("this user")


def cautions(
    wanted: Sequence[Topic], found: Mapping[str, Shape], blind: str | None = None
) -> list[str]:
    """Return one sentence for each risk to privacy or leases, with the command that corrects it.

    A worker may run in spite of these, and without the topics of `MEMORY`. A setting that the
    broker does not report is not checked. `blind` is as for `problems`.
    """
    missing = [each.name for each in wanted if each.role in MEMORY and each.name not in found]
    said = [_missing(missing, blind)] if missing else []
    for topic in (each for each in wanted if each.name in found):
        shape = found[topic.name]
        said += _cleanup(topic, shape.configs)
        if "delete" in shape.configs.get("cleanup.policy", ""):
            said += _retention(topic, shape.configs)
        said += _bounds(topic, shape)
        if topic.role in ORDERED and shape.partitions > topic.partitions:
            said.append(
                tr(
                    "topic {name} has {has} partitions and must have one: records in two "
                    "partitions have no order, so an older override may win after a restart; "
                    "create the topic again and publish the overrides once more"
                ).format(name=topic.name, has=shape.partitions)
            )
        if topic.role == "input":
            said += _times(topic.name, shape.configs)
    return said


def _cleanup(topic: Topic, configs: Mapping[str, str]) -> Iterator[str]:
    """Report a wrong cleanup policy; `problems` does so for topics that are compacted only."""
    policy = configs.get("cleanup.policy")
    if policy is None or topic.cleanup == "compact":
        return
    if set(policy.replace(" ", "").split(",")) != set(topic.cleanup.split(",")):
        wanted = f"[{topic.cleanup}]" if "," in topic.cleanup else topic.cleanup
        told = tr("topic {name} has cleanup.policy={policy}: records do not go when they should")
        yield _add_remedy(
            told.format(name=topic.name, policy=policy), topic.name, "cleanup.policy", wanted
        )


def _bounds(topic: Topic, shape: Shape) -> Iterator[str]:
    """Report too few replicas, and settings that are worse than those of `topics create`."""
    if shape.replication < topic.replication:
        yield (
            tr(
                "topic {name} has {has} copies, topics.replication says {wanted}: "
                "what those brokers lose is lost; `kafka-reassign-partitions.sh` adds copies"
            ).format(name=topic.name, has=shape.replication, wanted=topic.replication)
        )
    for key, wanted in topic.configs.items():
        found = _number(shape.configs, key)
        if key not in BOUNDS or found is None:
            continue
        if key == "segment.ms" and topic.retention_ms is not None:
            continue  # Here segment.ms is a fraction of the retention, which `_retention` checks.
        side, harm = BOUNDS[key]
        if found < float(wanted) if side == "least" else found > float(wanted):
            held = shape.configs[key]
            told = tr("topic {name} has {key}={held}: {harm}").format(
                name=topic.name, key=key, held=held, harm=tr(harm)
            )
            yield _add_remedy(told, topic.name, key, wanted)


def _retention(topic: Topic, configs: Mapping[str, str]) -> Iterator[str]:
    """Report records that are stored too long, and leases that are deleted too early."""
    keeps_ms, segment_ms = _number(configs, "retention.ms"), _number(configs, "segment.ms")
    if keeps_ms is None:
        return
    if keeps_ms < 0:
        if topic.retention_ms is not None:
            told = tr("topic {name} keeps records for ever").format(name=topic.name)
            yield _add_remedy(told, topic.name, "retention.ms", topic.retention_ms)
        return
    if segment_ms is not None and segment_ms * SEGMENTS_MIN > keeps_ms:
        longest = _span(keeps_ms + segment_ms)
        told = tr(
            "topic {name} has segment.ms={segment_ms} at retention.ms={keeps_ms}: records last up "
            "to {longest}"
        ).format(name=topic.name, segment_ms=segment_ms, keeps_ms=keeps_ms, longest=longest)
        yield _add_remedy(told, topic.name, "segment.ms", int(keeps_ms) // SEGMENTS_MIN)
    if topic.role == "throttle" and keeps_ms < LEASE_MAX_MS:
        told = tr(
            "topic {name} has retention.ms={keeps_ms}, less than a lease: an adapter that "
            "restarts would not know leases that are still in force"
        ).format(name=topic.name, keeps_ms=keeps_ms)
        yield _add_remedy(told, topic.name, "retention.ms", topic.retention_ms or LEASE_MAX_MS)


def _times(name: str, configs: Mapping[str, str]) -> Iterator[str]:
    """Report a topic on which a producer with a wrong clock may set record times far ahead."""
    kind = configs.get("message.timestamp.type")
    if kind is None or kind == "LogAppendTime":
        return
    ahead_ms = _number(configs, "message.timestamp.after.max.ms")
    if ahead_ms is None or ahead_ms > AHEAD_MAX_MS:
        told = tr("topic {name} takes any time that a producer writes on a record")
        more = tr(" (or message.timestamp.after.max.ms of at most {most})")
        yield _add_remedy(
            told.format(name=name), name, "message.timestamp.type", "LogAppendTime"
        ) + more.format(most=AHEAD_MAX_MS)


def _number(configs: Mapping[str, str], key: str) -> int | float | None:
    """Return a setting as a number.

    Integers stay exact, because Kafka's largest exceed a float's precision.
    """
    written = configs.get(key) or ""
    if written.removeprefix("-").isdigit():
        return int(written)
    try:
        return float(written)
    except ValueError:
        return None


def _add_remedy(told: str, name: str, key: str, value: object) -> str:
    """Return a defect with the command that corrects it; `split_remedy` separates the two."""
    command = f"kafka-configs.sh --alter --topic {name} --add-config {key}={value}"
    return told + tr("; ") + tr("`{command}` mends it").format(command=command)


def split_remedy(says: str) -> tuple[str, str]:
    """Split a sentence of `problems` or `cautions` into the defect and its remedy.

    >>> split_remedy("topic a is missing; `otpguard topics create` makes it")
    ('topic a is missing', '`otpguard topics create` makes it')
    """
    what, _, remedy = says.partition(tr("; "))
    return what, remedy


def _span(span_ms: float) -> str:
    """Return a time span as text for people.

    >>> _span(864_000_000), _span(8_640_000)
    ('10.0 days', '2.4 hours')
    """
    days = span_ms / DAY_MS
    if days >= 1:
        return tr("{days} days").format(days=f"{days:.1f}")
    return tr("{hours} hours").format(hours=f"{span_ms / HOUR_MS:.1f}")


def review(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the defects (`problems`) and the risks (`cautions`) of the topics on the cluster.

    A worker may start if there is no defect.
    """
    wanted = topics(settings)
    with Cluster(settings.kafka) as cluster:
        found = cluster.shapes(topic.name for topic in wanted)
        who = blind(settings, cluster) if len(found) < len(wanted) else None
    return problems(wanted, found, who), cautions(wanted, found, who)


def writable(settings: Settings, name: str) -> bool:
    """Return true if a topic exists and this user may write to it."""
    with Cluster(settings.kafka) as cluster:
        return "WRITE" in cluster.operations([name]).get(name, ())


def create(settings: Settings) -> list[str]:
    """Create the missing topics, and return their names. Existing topics are not changed.

    Raise ConfigError, before any topic is created, if there are fewer brokers than replicas.
    """
    wanted = topics(settings)
    with Cluster(settings.kafka) as cluster:
        found = cluster.shapes(topic.name for topic in wanted)
        missing = [topic for topic in wanted if topic.name not in found]
        copies, brokers = settings.topics.replication, cluster.brokers()
        if missing and copies > brokers:
            there = trn("there is {n} broker", "there are {n} brokers", brokers)
            raise ConfigError(
                tr(
                    "{there}, and topics.replication asks for {copies} copies: `otpguard topics "
                    "create --replication {brokers}`, or replication = {brokers} under [topics] in "
                    "the settings"
                ).format(there=there, copies=copies, brokers=brokers)
            )
        for topic in missing:
            cluster.create(topic.name, topic.partitions, topic.replication, topic.configs)
    return [topic.name for topic in missing]
