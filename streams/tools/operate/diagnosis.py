"""Finds defects of an installation, and names the remedy for each.

The checks only read: they write nothing, join no group and commit no offset.
"""

import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import numpy as np

from streams.cases import standing
from streams.cluster import topics
from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.at_work import sort_gateways
from streams.cluster.kafka_rights import ROLES, names
from streams.cluster.lag import BEHIND_S, ClusterFacts, cluster_facts
from streams.cluster.read import newest_records, readable
from streams.common import OtpguardError, escape_unprintable, join_list, tr, trn
from streams.config import PORTS, Settings
from streams.tools.operate.local_checks import Check, examine_role, try_check
from streams.wire import EVERYONE, Decoded, decode, decode_override
from streams.wire.partitioner import find_misplaced
from streams.wire.version import UNDECODABLE

BROKER_MIN: Final = (2, 8)
"""Oldest supported broker version. Chosen for static membership, and for idempotent writes without
a separate right."""

# Checks that say whether a standby site can take over, for a user with the role support.
STANDBY: Final = (
    "settings", "standby", "memory", "overrides", "broker", "topics", "lag", "gateways",
)  # fmt: skip

MEMORY_OLD_S: Final = 1_800.0  # As in the alert OtpguardMemoryOld.
OVERRIDES_OLD_H: Final = 36.0
"""Age of the newest override, in hours, from which a standby site is warned. Chosen: they are
brought there each night, and one night may fail."""

MEMORY_RUNBOOK: Final = "deploy/runbooks/OtpguardMemoryOld.md"

SAMPLE: Final = 500  # Number of newest records per partition that are checked.
# A country's 128 partitions would take long, and give the same answer.
SAMPLE_PARTITIONS: Final = 8
SKEW_S: Final = 5.0  # Detection counts in minutes; a gateway clock that is further off is wrong.
SLOW_S: Final = 600.0  # A lease starts at its message's time, and the shortest lease is this long.
SLOW_EVENTS: Final = 20  # Events of a gateway that are enough to judge its clock.
REFUSED_SHARE: Final = 0.01
"""Share of refused events that is reported. Chosen: a rare invalid record of a gateway is not a
fault. If a part of the traffic is refused, it is: one gateway has a wrong clock, or an import has
no time zone."""

TOGETHER: Final = 20
"""Events of each of two sources of one gateway that must overlap in time. Fewer may mean that one
source replaced the other. Chosen."""

SOURCES_TOLD: Final = 5  # Number of gateways that are named in a message.

WORST: Final = 5  # Number of partitions that are named in a message.

NONCANONICAL_SHARE: Final = 0.001  # A few unusual numbers do not mean that a topic has wrong keys.


def examine(settings: Settings, role: str, now_ms: int) -> Iterator[Check]:
    """Yield the checks for a user that should have the rights of `role`. `now_ms` is UTC.

    Checks that need a broker are left out if no broker can be used. A check that lacks a right has
    the state "unknown".
    """
    yield try_check("settings", lambda: _settings(settings))
    if settings.detect.hot == "network":
        yield _lists(settings)
    if settings.primary.bootstrap:
        yield from (_standby(settings), _memory(settings))
    yield _ports(settings)
    yield examine_protection(settings)
    yield from examine_role(settings, role, now_ms)
    try:
        cluster = Cluster(settings.kafka)
    except OtpguardError as error:
        yield Check(
            "broker",
            "bad",
            str(error),
            tr(
                "kafka.bootstrap, kafka.security, kafka.ca_file, kafka.username and its "
                "password_file have to fit the listener"
            ),
        )
        return
    with cluster:
        yield try_check("broker", lambda: _broker(settings, cluster))
        yield from _shapes(settings, cluster)
        yield try_check("rights", lambda: _rights(settings, role, cluster))
        yield from _examine_facts(cluster_facts(cluster, settings, now_ms), now_ms)
        if settings.primary.bootstrap and "override" in ROLES[role].reads.split():
            yield try_check("overrides", lambda: _overrides(settings, now_ms))
        with suppress(OtpguardError):  # many roles may not read overrides
            yield from _switch(settings, now_ms)
    if "input" in ROLES[role].reads.split():
        try:
            yield from _sample(settings, now_ms)
        except OtpguardError as error:
            yield Check("sample", "unknown", str(error))
    else:
        yield Check(
            "sample",
            "unknown",
            tr("the role {role} reads no events").format(role=role),
            tr("as the worker's user: otpguard doctor --role worker"),
        )


def examine_standby(settings: Settings, now_ms: int) -> Iterator[Check]:
    """Yield the checks that say whether this site can take over from the one in `primary`."""
    if settings.primary.bootstrap:
        yield from (each for each in examine(settings, "support", now_ms) if each.check in STANDBY)
        return
    yield Check(
        "standby",
        "warn",
        tr("no second site is configured, so there is none to take over from"),
        tr("at the standby site, name the first one in primary.bootstrap: deploy/README.md, "
           "Failing over"),
    )  # fmt: skip


def _settings(settings: Settings) -> Check:
    settings.params()
    settings.check_country()
    _, overridden = settings.registry()
    if settings.kafka.security in ("plaintext", "sasl_plaintext") and not all(
        server.startswith(("127.", "localhost")) for server in settings.kafka.bootstrap.split(",")
    ):
        return Check(
            "settings",
            "warn",
            tr("events cross the network unencrypted"),
            'kafka.security = "sasl_ssl"',
        )
    says = tr("mode {mode}, fingerprint {fingerprint}").format(
        mode=settings.mode, fingerprint=settings.fingerprint()
    )
    if overridden:
        says += tr(", {n} entries of the registry overridden").format(n=len(overridden))
    return Check("settings", "ok", says)


def _lists(settings: Settings) -> Check:
    """Check where the network-wide lists of abused platforms are published.

    An invalid key is reported by an earlier check.
    """
    topic = settings.topics.input
    if topic != type(settings.topics).model_fields["input"].default:
        return Check(
            "lists",
            "warn",
            tr("lists are written to {topic}; other readers must skip them").format(topic=topic),
            tr("where that topic is not otpguard's own: detect.hot = partition"),
        )
    return Check(
        "lists", "ok", tr("lists of the whole network go into {topic}").format(topic=topic)
    )


def _standby(settings: Settings) -> Check:
    """Check whether this site can take over from the one in `primary`."""
    own, other = settings.epoch, settings.primary.epoch
    if own <= other:
        return Check(
            "standby",
            "bad",
            tr("epoch {own} is not above that of the other site, {other}").format(
                own=own, other=other
            ),
            tr("raise epoch, so that leases of this site win"),
        )
    if not other:
        return Check(
            "standby",
            "bad",
            tr("primary.epoch is 0, and no site has epoch 0: the first one is 1"),
            tr("the epoch of the workers there, so that their checkpoints are found"),
        )
    if settings.detect.memory_key_file is None:
        return Check(
            "standby",
            "bad",
            tr("the workers here adopt no memory of the other site"),
            tr("the same detect.memory_key_file for the workers and for `otpguard agent memory`"),
        )
    return Check("standby", "ok", tr("epoch {own} over {other}").format(own=own, other=other))


def _memory(settings: Settings) -> Check:
    """Report how old and how complete the memory of the other site is, by the agent's metrics."""
    page, told = _read_metrics(settings, "memory")
    try:
        age_s, recipients, read, missing = (
            told[f"otpguard_memory_{name}"]
            for name in (
                "age_seconds", "recipients",
                'partitions{state="read"}', 'partitions{state="missing"}',
            )
        )  # fmt: skip
    except KeyError:
        return Check(
            "memory",
            "unknown",
            tr("no `otpguard agent memory` answers at {page}").format(page=page),
            tr("run this on its machine, or start it"),
        )
    is_unknown = missing or not read
    form = tr("{read:.0f} of {all:.0f} partitions, {n:,.0f} recipients, {age:.0f} min old")
    if is_unknown:
        form = tr(
            "{read:.0f} of {all:.0f} partitions, {n:,.0f} recipients; the age is unknown until "
            "each partition was read once"
        )
    says = form.format(read=read, all=read + missing, n=recipients, age=age_s / 60)
    if is_unknown or age_s > MEMORY_OLD_S:
        return Check("memory", "warn", says, MEMORY_RUNBOOK)
    return Check("memory", "ok", says)


def examine_protection(settings: Settings) -> Check:
    """Report the share of numbers that are only observed, by the metrics of the worker."""
    page, told = _read_metrics(settings, "worker")
    share = told.get("otpguard_recipients_observed_ratio")
    if share is None:
        return Check("protection", "unknown", tr("no worker answers at {page}").format(page=page))
    says = tr(
        "{share} of the numbers seen in the last day would only be observed, because too little is "
        "known of them; detect.enforce_cold changes that"
    )
    return Check("protection", "ok", says.format(share=f"{share:.0%}"))


def _read_metrics(settings: Settings, kind: str) -> tuple[str, dict[str, float]]:
    """Return the metrics page of a process on this machine, and its samples; none: no answer."""
    page = f"http://{settings.http.host}:{settings.http.port_of(kind)}/metrics"
    try:
        with urllib.request.urlopen(page, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return page, {name: float(value) for name, _, value in samples}
    except (OSError, ValueError):
        return page, {}


def _overrides(settings: Settings, now_ms: int) -> Check:
    """Report how many overrides this site has, the mode among them, and how old the newest is."""
    clients, names = client_arguments(settings.kafka), settings.topics
    held = newest_records(clients, names.override) | newest_records(clients, names.everyone)
    restore = tr("bring those of the other site: otpguard topics backup, otpguard topics restore")
    if not held:
        return Check(
            "overrides",
            "warn",
            tr("nobody is exempt or released here, and the mode is that of the settings"),
            restore,
        )
    age_h = (now_ms - max(each.timestamp for each in held.values())) / 3_600_000
    switches = sum(b"|mode|" in key for key in held)
    says = tr(
        "{n} in force or ended lately, {switches} of the mode, the newest {age_h:.1f} h old"
    ).format(n=len(held), switches=switches, age_h=age_h)
    if age_h > OVERRIDES_OLD_H:
        return Check("overrides", "warn", says, restore)
    return Check("overrides", "ok", says)


def _ports(settings: Settings) -> Check:
    """Report the metrics port of each kind of process.

    Only one process can use a port, so a port that is set for all processes is a warning.
    """
    if settings.http.port:
        return Check(
            "ports",
            "warn",
            tr("http.port {port} is that of every process with these settings").format(
                port=settings.http.port
            ),
            tr("leave it out, and give a single process its own by OTPGUARD_HTTP_PORT"),
        )
    usual = ", ".join(f"{kind} {settings.http.port_of(kind)}" for kind in PORTS)
    return Check("ports", "ok", usual if settings.http.port is None else tr("any that is free"))


def _broker(settings: Settings, cluster: Cluster) -> Check:
    version = cluster.version()
    if tuple(map(int, version.split(".")[:2])) < BROKER_MIN:
        oldest = ".".join(map(str, BROKER_MIN))
        return Check(
            "broker",
            "bad",
            f"Kafka {version}",
            tr("upgrade the brokers to {oldest}").format(oldest=oldest),
        )
    return Check(
        "broker",
        "ok",
        tr("Kafka {version} at {bootstrap}").format(
            version=version, bootstrap=settings.kafka.bootstrap
        ),
    )


def _shapes(settings: Settings, cluster: Cluster) -> Iterator[Check]:
    wanted = topics.topics(settings)
    found = cluster.shapes(topic.name for topic in wanted)
    who = topics.blind(settings, cluster) if len(found) < len(wanted) else None
    wrong = topics.problems(wanted, found, who)
    for says in wrong:
        what, remedy = topics.split_remedy(says)
        if "`" not in remedy:  # No command corrects this.
            what, remedy = says, tr("a topic with other settings must be created again")
        yield Check("topics", "bad", what, remedy)
    unsafe = topics.cautions(wanted, found, who)
    for says in unsafe:
        what, remedy = topics.split_remedy(says)
        yield Check("topics", "warn", what, remedy)
    thin = sorted({name for name, shape in found.items() if shape.replication < 2})
    if thin:
        yield Check(
            "topics",
            "warn",
            tr("one copy only: {thin}").format(thin=", ".join(thin)),
            tr("three copies outlive a broker: topics.replication, before `topics create`"),
        )
    if not (wrong or unsafe or thin):
        yield Check(
            "topics",
            "ok",
            tr("{found} topics, {partitions} of the input").format(
                found=len(found),
                partitions=trn(
                    "{n} partition", "{n} partitions", found[settings.topics.input].partitions
                ),
            ),
        )


def _rights(settings: Settings, role: str, cluster: Cluster) -> Check:
    needs: dict[str, frozenset[str]] = {}
    for topic, name in names(settings).items():  # Two topic roles may share one topic.
        needs[name] = needs.get(name, frozenset()) | ROLES[role].operations(topic)
    authoriser = cluster.authoriser()
    if authoriser == "none":
        return Check(
            "rights",
            "warn",
            tr("the brokers have no authoriser: everybody who reaches them may do anything"),
            tr(
                "an authoriser on the brokers, and the rights that `otpguard topics acls "
                "{role}=USER` lists"
            ).format(role=role),
        )
    may = cluster.operations(needs)
    if not may and authoriser == "open":
        return Check("rights", "unknown", tr("there are no topics to have rights on"))
    lacks, more = [], []
    for name, wanted in needs.items():
        # The topic is missing, which another check reports.
        if name not in may and authoriser == "open":
            continue
        has = may.get(name, frozenset())
        lacks += [f"{each} {name}" for each in sorted(wanted - has)]
        more += [f"{each} {name}" for each in sorted((has - wanted) & {"READ", "WRITE"})]
    if lacks:
        return Check(
            "rights",
            "bad",
            tr("as {role} this user lacks {lacks}").format(role=role, lacks="; ".join(lacks)),
            f"otpguard topics acls {role}=USER",
        )
    if more:
        return Check(
            "rights",
            "warn",
            tr("as {role} this user needs no {more}").format(role=role, more="; ".join(more)),
            tr(
                "an authoriser on the brokers, and no more rights than `otpguard topics acls "
                "{role}=USER` lists"
            ).format(role=role),
        )
    return Check("rights", "ok", tr("the rights of {role}, and no more").format(role=role))


def _examine_facts(facts: ClusterFacts, now_ms: int) -> Iterator[Check]:
    """Check workers and their lag, adapters and gates, and dead letters, as the brokers tell."""
    hidden = tr("this user may not see it")
    start = tr("start one, or wait a minute: otpguard worker --wait")
    if facts.lag is None:
        yield Check("lag", "unknown", hidden)
    elif not facts.lag:
        yield Check("lag", "warn", tr("no worker has written a checkpoint yet"), start)
    else:
        worst = sorted(facts.lag.items(), key=lambda each: -each[1])[:WORST]
        says = join_list([
            trn("{n} worker", "{n} workers", len(facts.workers or ())),
            trn("{n} event is not in a checkpoint yet", "{n} events are not in a checkpoint yet",
                sum(facts.lag.values())),
            *(tr("partition {p}: {n}").format(p=p, n=n) for p, n in worst if n),
        ])  # fmt: skip
        yield Check("lag", "ok", says) if facts.workers else Check("lag", "warn", says, start)
    at_work, stopped = sort_gateways(facts.signs or {}, now_ms)
    says = join_list([
        *(tr("{name}: leases as of {n} s ago").format(name=name, n=(now_ms - at) // 1000)
          for name, at in at_work.items()),
        *(tr("{name} stopped").format(name=name) for name in stopped),
    ])  # fmt: skip
    if stopped:
        yield Check("gateways", "warn", says, tr("start its adapter or gate again"))
    else:
        yield Check("gateways", "ok" if says else "unknown", says or tr("none is seen"))
    letters = facts.dead_letters
    says = hidden if letters is None else tr("{n} in the last hour").format(n=letters)
    if letters:
        yield Check("dead letters", "warn", says, tr("see why: otpguard dlq ls"))
    else:
        yield Check("dead letters", "ok" if letters == 0 else "unknown", says)


def _switch(settings: Settings, now_ms: int) -> Iterator[Check]:
    """Warn if the kill switch is on, for whoever may read overrides."""
    found = newest_records(client_arguments(settings.kafka), settings.topics.of_override(EVERYONE))
    word = standing.switch(readable(found.values(), decode_override), now_ms)
    if word is not None:
        yield Check("mode", "warn", standing.banner(word))


def _sample(settings: Settings, now_ms: int) -> Iterator[Check]:
    records, partitions = newest(settings)
    if not partitions:
        yield Check(
            "events",
            "unknown",
            tr("there is no {input} to look at").format(input=settings.topics.input),
        )
        return
    if not records:
        yield Check(
            "events",
            "warn",
            tr("none in {input}").format(input=settings.topics.input),
            tr("bring some in: otpguard feed --help"),
        )
        return
    decoded = _decode_records(settings, records)
    yield _events(settings, decoded, records, now_ms)
    yield from _keys(decoded, records, partitions)
    yield _sources(records)
    yield _clocks(decoded, [each.timestamp for each in records], now_ms)


def _events(settings: Settings, decoded: Decoded, records: Sequence[Any], now_ms: int) -> Check:
    newest_s = (now_ms - max(each.timestamp for each in records)) / 1000
    refused = len(decoded.rejects) / len(records)
    if refused > REFUSED_SHARE:
        all_ = refused > settings.input.refused_share_max
        part = f"{refused:.0%}" if all_ else f"{refused:.1%}"
        reasons = sorted({each.reason for each in decoded.rejects})
        return Check(
            "events",
            "bad" if all_ else "warn",
            tr("{part} of {records} would be refused: {reasons}").format(
                part=part, records=len(records), reasons=", ".join(reasons)
            ),
            tr("otpguard dlq ls, and otpguard topics schema sms.delivery.v1"),
        )
    if decoded.ahead:
        return Check(
            "events",
            "warn",
            tr("{part} of {records} have a time ahead of their record: {gateways}").format(
                part=f"{decoded.ahead.total() / len(records):.1%}",
                records=len(records),
                gateways=join_list(sorted(decoded.ahead)),
            ),
            tr("check the clocks and time zones of these gateways"),
        )
    if newest_s > BEHIND_S:
        return Check(
            "events",
            "warn",
            tr("the newest is {newest_s:.0f} s old").format(newest_s=newest_s),
            tr("check whether the gateways or their feed still send"),
        )
    return Check(
        "events",
        "ok",
        tr("{records} looked at, {refused:.1%} refused, the newest {newest_s:.0f} s old").format(
            records=len(records), refused=refused, newest_s=max(0.0, newest_s)
        ),
    )


class _Reported(msgspec.Struct):
    gateway_id: str | None = None
    reported_by: str | None = None


_reported: Final = msgspec.json.Decoder(_Reported).decode


def _sources(records: Sequence[Any]) -> Check:
    """Check that each gateway's events come from one source.

    With two sources at the same time, every message is reported twice, or each source reports a
    part under one name. A source that replaces another is no fault; nor are events that the old
    source still had to send.
    """
    times: dict[str, dict[str, list[int]]] = {}
    for each in records:
        try:
            read = _reported(each.value)
        except (*UNDECODABLE, TypeError):
            continue  # Dead letters report what is wrong with it.
        if read.gateway_id:
            of = times.setdefault(read.gateway_id, {})
            of.setdefault(read.reported_by or "", []).append(each.timestamp)
    doubled = sorted(name for name, of in times.items() if _together(list(of.values())))
    if doubled:
        some = ", ".join(
            f"{escape_unprintable(name)} ({len(times[name])})" for name in doubled[:SOURCES_TOLD]
        )
        return Check(
            "sources",
            "bad",
            tr("gateways whose events come from several sources at a time: {some}").format(
                some=some
            ),
            tr("one gate or one feed for each gateway id: enforce.gateway_id, --gateway-id"),
        )
    return Check(
        "sources",
        "ok",
        trn(
            "{n} gateway, with one source of events",
            "{n} gateways, each with one source of events",
            len(times),
        ),
    )


def _together(sources: Sequence[Sequence[int]]) -> bool:
    """Return true if two of these sources were active at the same time, by record times."""
    for at, one in enumerate(sources):
        for other in sources[:at]:
            first, last = max(min(one), min(other)), min(max(one), max(other))
            if all(sum(first <= t <= last for t in of) >= TOGETHER for of in (one, other)):
                return True
    return False


def examine_keys(settings: Settings) -> list[Check]:
    """Return the checks of the keys of the newest events; empty without events."""
    records, partitions = newest(settings)
    return list(_keys(_decode_records(settings, records), records, partitions)) if records else []


def _decode_records(settings: Settings, records: Sequence[Any]) -> Decoded:
    """Decode these records; the offset of an event is its index among them."""
    return decode(
        settings.intake(),
        settings.topics.input,
        0,
        [each.value for each in records],
        [each.key for each in records],
        range(len(records)),
        [each.timestamp for each in records],
        len(records),
    )


def _keys(decoded: Decoded, records: Sequence[Any], partitions: int) -> Iterator[Check]:
    """Check that all events of a recipient are in one partition, the one that its key selects."""
    counted = len(decoded.batch)
    share = decoded.noncanonical_keys / max(counted, 1)
    if share > NONCANONICAL_SHARE:
        yield Check(
            "keys",
            "bad",
            tr(
                "{share:.1%} of events are not keyed by their recipient's E.164 digits: a flood "
                "may be split over partitions and missed"
            ).format(share=share),
            tr("key them so at the gateway, or re-key: otpguard feed kafka"),
        )
    else:
        yield Check("keys", "ok", trn("{n} key is canonical", "{n} keys are canonical", counted))
    events = [records[at] for at in decoded.batch.offset.tolist()]
    found = np.array([each.partition for each in events], np.int64)
    astray = find_misplaced([each.key for each in events], found, partitions)
    share = float(astray.mean()) if counted else 0.0
    if share > NONCANONICAL_SHARE:
        yield Check(
            "partitions",
            "bad",
            tr(
                "{share:.1%} of events lie in another partition than murmur2 of their key: a "
                "flood may be split over partitions and missed"
            ).format(share=share),
            tr(
                "producers on librdkafka need partitioner=murmur2_random; other clients: "
                "deploy/README.md, Producers"
            ),
        )
    else:
        yield Check(
            "partitions",
            "ok",
            trn(
                "{n} event is in the partition of its key",
                "{n} events are in the partitions of their keys",
                counted,
            ),
        )


def _clocks(decoded: Decoded, record_ms: Sequence[int], now_ms: int) -> Check:
    event_ms = decoded.batch.event_time_ms
    ahead_s = (max(record_ms) - now_ms) / 1000
    if ahead_s > SKEW_S:
        return Check(
            "clocks",
            "bad",
            tr("records are {ahead_s:.0f} s ahead of this machine's clock").format(ahead_s=ahead_s),
            tr("run NTP on brokers, gateways and here"),
        )
    if len(event_ms):
        early_s = float(np.max(event_ms) - max(record_ms)) / 1000
        if early_s > SKEW_S:
            return Check(
                "clocks",
                "bad",
                tr("events are {early_s:.0f} s ahead of their records").format(early_s=early_s),
                tr("run NTP on the gateways"),
            )
    for gateway, behind_s in _behind(decoded, record_ms):
        if behind_s > SLOW_S:
            return Check(
                "clocks",
                "warn",
                tr(
                    "events of gateway {gateway} are {behind_s:.0f} s behind their records, all of "
                    "them: its leases are over before any gateway has them"
                ).format(gateway=gateway, behind_s=behind_s),
                tr("correct its clock and time zone; an import of old data looks like this too"),
            )
    return Check(
        "clocks", "ok", tr("no record or event is over {skew_s:.0f} s ahead").format(skew_s=SKEW_S)
    )


def _behind(decoded: Decoded, record_ms: Sequence[int]) -> Iterator[tuple[str, float]]:
    """Yield each gateway with enough events, and the smallest delay of its events in seconds.

    In a backlog some events have a small delay; with a slow clock none has.
    """
    batch = decoded.batch
    behind_s = (np.array(record_ms)[batch.offset] - batch.event_time_ms) / 1000
    gateways = np.array(list(batch.gateway))
    for gateway in np.unique(gateways).tolist():
        some = behind_s[gateways == gateway]
        if len(some) >= SLOW_EVENTS:
            yield gateway, float(some.min())


def newest(settings: Settings) -> tuple[list[Any], int]:
    """Return the newest records of some partitions of the input, and its partition count.

    The records are in no order. Aborted ones are left out, because workers do not count them.
    """
    from streams.cluster.read import reading  # noqa: PLC0415 - start-up time

    with reading(client_arguments(settings.kafka), settings.topics.input) as reader:
        spans = {
            partition: (max(first, end - SAMPLE), end)
            for partition, (first, end) in list(reader.spans().items())[:SAMPLE_PARTITIONS]
        }
        return list(reader.records(spans)), len(reader.partitions)
