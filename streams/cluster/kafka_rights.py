"""Access rights in Kafka: a role for each kind of process and person, and its ACLs.

Kafka's ACLs cover whole topics and cannot distinguish keys or verbs. Therefore dead letters have a
topic of their own. Overrides for everyone, such as the kill switch, can have one too:
`topics.everyone` names it. If both kinds of overrides share a topic, a person who may release one
recipient may also stop all throttling.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from streams.config import Settings, Topics

Operation = Literal["READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"]


@dataclass(frozen=True, slots=True)
class KafkaRole:
    """One kind of principal, with the topics that it reads and writes.

    Topics are named by their role, such as `input` or `throttle`: see `streams.cluster.topics`.
    Blanks separate them.
    """

    why: str
    reads: str = ""
    writes: str = ""
    group: Literal["", "app", "enforce", "agents"] = ""
    looks: bool = False  # Checks the shapes of all topics before it starts.
    # May see how far the workers have read the input, and how many dead letters there are, but none
    # of these records.
    lag: bool = False
    signs: bool = False  # May see the adapters' signs of life: speaks to all gateways.

    def operations(self, topic: str) -> frozenset[Operation]:
        """Return the operations that this role needs on the topic with role `topic`."""
        reads, writes = topic in self.reads.split(), topic in self.writes.split()
        lag = self.lag and topic in ("input", "dead_letters")
        needed: dict[Operation, bool] = {
            "READ": reads,
            "WRITE": writes,
            # Kafka implies DESCRIBE in READ and in WRITE.
            "DESCRIBE": reads or writes or self.looks or lag,
            "DESCRIBE_CONFIGS": self.looks,
        }
        return frozenset(each for each, is_needed in needed.items() if is_needed)


ROLES: Final[Mapping[str, KafkaRole]] = {
    "worker": KafkaRole(
        "detects: the only one that writes leases; never sees an operator's word",
        "input changelog acks",
        "changelog throttle episode incident platform_parts dead_letters", "app",
        looks=True),
    "adapter": KafkaRole(
        "enforces at one gateway; never sees an event",
        "throttle override everyone", "acks counts undeliverable", "enforce"),
    "gate": KafkaRole(
        "asked by a gateway: enforces, and reports what was asked; reads no event",
        "throttle override everyone", "acks counts undeliverable input", "enforce"),
    "agent": KafkaRole(
        "makes one picture of all partitions, of campaigns and platforms; sees cases, no event, no "
        "word", "episode campaign platform_parts platform", "campaign platform", "agents"),
    "lists": KafkaRole(
        "with agent, where `detect.hot` is network: appends lists of abused platforms",
        "", "input"),
    "memory": KafkaRole(
        "exports what is known of subscribers, for a file or for the agent of another site; there "
        "the agent has the role feed", "changelog"),
    "feed": KafkaRole("brings events in; reads nothing", "", "input"),
    "canary": KafkaRole(
        "floods its own numbers, and waits for lease and acknowledgement",
        "throttle acks", "input"),
    "support": KafkaRole(
        "people who help one recipient: phone, release, allow, exempt, cases, explain",
        "acks counts throttle episode override everyone campaign platform", "override audit",
        lag=True, signs=True),
    "duty": KafkaRole(
        "people who may press the kill switch, or allow a platform for everyone",
        "acks everyone campaign platform", "everyone audit", signs=True),
    "monitor": KafkaRole(
        "`otpguard doctor`: sees shapes and lag, reads nothing",
        group="app", looks=True),
    "analyst": KafkaRole(
        "people who weigh what enforcement would refuse: shadow-report, calibrate",
        "input throttle"),
    "desk": KafkaRole(
        "the abuse desk's indexer and console; for words about everyone it is given duty too",
        "throttle episode acks counts override everyone incident audit notice campaign platform",
        "override audit notice", lag=True, signs=True),
    "notifier": KafkaRole(
        "tells victims and platforms; knows what it told, and the operator's word; reads no event",
        "episode throttle acks override everyone incident counts notice", "notice"),
    "replies": KafkaRole(
        "with notifier, where victims may reply: reads messages from phones",
        "input", "override audit"),
    "signal": KafkaRole("answers banks from the desk's store, and audits that it did", "", "audit"),
    "auditor": KafkaRole("people who read the audit and check its chains", "audit"),
    "privacy": KafkaRole(
        "the few who may see refused events, send them again, and note that they did",
        "dead_letters undeliverable", "input dead_letters"),
}  # fmt: skip
"""Roles by name. `topics create` and `topics acls --apply` need the cluster's administrator, which
is not a role here."""


@dataclass(frozen=True, slots=True)
class Right:
    """One ACL: allows `principal` one operation on a resource, from any host."""

    principal: str
    kind: Literal["topic", "group"]
    name: str
    operation: Operation
    prefixed: bool = False


def names(settings: Settings) -> dict[str, str]:
    """Return the name of each topic, by topic role."""
    return {each: getattr(settings.topics, each) for each in _NAMED} | {
        "changelog": settings.changelog
    }


_NAMED: Final = sorted(set(Topics.model_fields) - {"partitions", "replication"})


def rights(settings: Settings, given: Iterable[tuple[str, str]]) -> Iterator[Right]:
    """Yield the ACLs for pairs of role and principal, such as `("worker", "User:otpguard")`."""
    for role_name, principal in given:
        role = ROLES[role_name]
        # Two topic roles may share one topic; each right is yielded once.
        yield from dict.fromkeys(
            Right(principal, "topic", name, operation)
            for topic, name in names(settings).items()
            for operation in sorted(role.operations(topic))
        )
        if role.group:
            # A worker's group is the application id itself. An adapter's group ends in its
            # gateway's name, and an agent's group in the subject that the agent publishes.
            prefixed = role.group != "app"
            name = f"{settings.app_id}-{role.group}-" if prefixed else settings.app_id
            yield Right(principal, "group", name, "DESCRIBE", prefixed)
            if role.reads or role.writes:
                yield Right(principal, "group", name, "READ", prefixed)
        if role.lag:
            yield Right(principal, "group", settings.app_id, "DESCRIBE")
        if role.signs:
            yield Right(
                principal, "group", f"{settings.app_id}-enforce-", "DESCRIBE", prefixed=True
            )


def script(given: Iterable[Right], bootstrap: str) -> str:
    """Return a shell script that grants these rights with Kafka's own tool.

    The environment variable `KAFKA_ACLS` names the tool if it is not on the PATH. `COMMAND_CONFIG`
    names the file with the administrator's credentials.
    """
    by_resource: dict[tuple[str, str, str, bool], list[str]] = {}
    for each in given:
        key = (each.principal, each.kind, each.name, each.prefixed)
        by_resource.setdefault(key, []).append(each.operation)
    lines = [
        "#!/bin/sh",
        "# Rights of otpguard's roles; made by `otpguard topics acls`.",
        "set -eu",
        ': "${COMMAND_CONFIG:?file with the credentials of an administrator}"',
        "add() {",
        f'    "${{KAFKA_ACLS:-kafka-acls.sh}}" --bootstrap-server {shlex.quote(bootstrap)} \\',
        '        --command-config "$COMMAND_CONFIG" --add --allow-principal "$@"',
        "}",
    ]
    for (principal, kind, name, prefixed), operations in by_resource.items():
        words = [principal]
        for operation in operations:
            words += ["--operation", operation.title().replace("_", "")]
        words += [f"--{kind}", name]
        if prefixed:
            words += ["--resource-pattern-type", "prefixed"]
        lines.append("add " + " ".join(map(shlex.quote, words)))
    return "\n".join(lines) + "\n"
