"""Every command of the guides and runbooks, run as it is written on a machine that is at work.

A command that cannot run here falls under a rule of `RULES`, which says why, and which is checked.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from kafka import KafkaProducer

from streams.cluster.kafka_rights import ROLES
from streams.common.extras import MODULES
from streams.config import PORTS
from streams.tools.scenarios.numbering import subscriber
from streams.wire import encode_platform
from tests import clusters
from tests.brokers import need_kafka
from tests.builders.deploy import guide, quickstart
from tests.builders.streams.wire.platform_records import FIGURES
from tests.deploy.machine import Machine, machine
from tests.deploy.tools import ROOT
from tests.enforce.loop import now_ms
from tests.enforce.services import Server, listens, redis_server
from tests.nodes import Broker
from tests.ports import usual_ports
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.guides, pytest.mark.timeout(1_800)]

CHINESE: Final = ".zh.md"
PAGES: Final = sorted(
    path
    for path in (ROOT / "README.md", *(ROOT / "deploy").rglob("*.md"))
    if not path.name.endswith(CHINESE)
)
"""A page in Chinese has the commands of the one in English beside it: a test compares them."""
RECIPIENT: Final = "8617000000000"  # of `otpguard scenario`
PLACEHOLDERS: Final = {"RECIPIENT": RECIPIENT, "NUMBER": RECIPIENT}
FED: Final = "otpguard feed jsonl - --now"
SWEPT: Final = "sig:某校"  # in the runbook of sweeps
CALLER: Final = "8613900000001"  # who is flooded in the pages for people
FOLLOWS: Final = re.compile(
    r"otpguard (worker|enforce|feed redis|canary(?! --once)|desk serve|gate serve)|"
    r"kafka-console-consumer\.sh(?!.*--(timeout-ms|offset))"
)
"""What waits for what comes: it is well if it still waits, and has said nothing bad."""
MAY_FIND_NOTHING: Final = re.compile(r"^(journalctl|kafka-console-consumer\.sh).*\| *grep")
MAY_WARN: Final = re.compile(r"^otpguard doctor\b")
OVERRIDES: Final = re.compile(r"^otpguard (release|allow|exempt|mode|rails) ")
WAIT_S: Final = 12
END_S: Final = 90
"""Longer than whoever was asked to end takes to say where it stands: that is looked for."""

TOOLS: Final = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-broker-api-versions.sh": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}
"""The distribution's scripts -> what they start; here they are two lines each."""


class Command(NamedTuple):
    """One command of a page, as it is written."""

    page: str
    section: str
    text: str


def commands() -> Iterator[Command]:
    """All of them: each line of each block of shell, continued lines as one."""
    for path in PAGES:
        text, page = path.read_text("utf-8"), path.relative_to(ROOT).as_posix()
        section = ""
        for found in re.finditer(
            r"^#+ ([^\n]+)$|^( *)```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL
        ):
            if found[1]:
                section = found[1]
                continue
            block = re.sub(rf"^{found[2]}", "", found[3], flags=re.MULTILINE).replace("\\\n", " ")
            for line in whole_lines(block):
                yield Command(page, section, line)


def whole_lines(block: str) -> Iterator[str]:
    """Commands of a block; a quotation may go over several lines."""
    begun = ""
    for line in block.splitlines():
        if not begun and (not line.strip() or line.startswith("#")):
            continue
        begun += line
        try:
            shlex.split(begun, comments=True)
        except ValueError:
            begun += "\n"
        else:
            yield begun
            begun = ""
    assert not begun, f"a quotation that nobody closes: {begun}"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which commands do not run here, why, and what is checked of them instead."""

    why: str
    fits: Callable[[Command], object]
    check: Callable[[Command], None]


def _is_followed_by(module_blocks: Callable[[], str]) -> Callable[[Command], None]:
    def check(command: Command) -> None:
        lines = module_blocks().replace("\\\n", " ").splitlines()
        assert command.text in lines, command

    return check


def _names_files_of_this_checkout(command: Command) -> None:
    named = re.findall(r"(?<![\w/])deploy/[\w./-]+", command.text)
    assert named, command
    for name in named:
        assert (ROOT / name).exists(), command


def _is_a_target(command: Command) -> None:
    words = shlex.split(command.text, comments=True)
    done = subprocess.run(
        ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _is_an_environment_of_the_makefile(command: Command) -> None:
    folder = command.text.split()[1].removesuffix("/bin/activate")
    assert f"VENV := {folder}\n" in (ROOT / "Makefile").read_text(), command


def _is_what_jasmin_needs(command: Command) -> None:
    assert (ROOT / "deploy/gateways/jasmin/requirements.txt").exists()
    assert "requirements.txt" in command.text


def _names_a_class_of_the_jar(command: Command) -> None:
    smsgate = ROOT / "deploy/gateways/smsgate"
    jar = re.search(r"otpguard-smsgate-([\d.]+)\.jar", command.text)
    name = re.search(r" otpguard\.smsgate\.(\w+) ", command.text)
    assert jar, command
    assert name, command
    assert f"<version>{jar[1]}</version>" in (smsgate / "pom.xml").read_text("utf-8")
    assert (smsgate / f"src/main/java/otpguard/smsgate/{name[1]}.java").exists()


def _names_roles(command: Command) -> None:
    roles = re.findall(r" (\w+)=\S+", command.text)
    assert roles, command
    assert set(roles) <= set(ROLES), command


def _names_an_extra(command: Command) -> None:
    (extra,) = re.findall(r"'\.\[(\w+)\]'", command.text)
    assert extra in MODULES, command


RULES: Final = (
    Rule(
        "another test follows this part in a machine of its own",
        lambda c: c.page == "README.md" and c.section.startswith("Quickstart"),
        _is_followed_by(lambda: "\n".join(quickstart.commands())),
    ),
    Rule(
        "another test follows this part in a machine of its own",
        lambda c: c.page == "deploy/README.md" and c.section == "On a machine with systemd",
        _is_followed_by(lambda: "\n".join(guide.blocks("sh"))),
    ),
    Rule(
        "CI runs it: it is this suite, or the demo",
        lambda c: c.text.startswith("make "),
        _is_a_target,
    ),
    Rule(
        "needs a container engine or a cluster: what it reads is checked by test_manifests",
        lambda c: re.match(r"(docker|helm|kubectl) ", c.text),
        _names_files_of_this_checkout,
    ),
    Rule(
        "in Jasmin's own environment, which tests/enforce/test_jasmin.py makes",
        lambda c: c.text.startswith("pip ") and "/jasmin/" in c.page,
        _is_what_jasmin_needs,
    ),
    Rule(
        "needs a broker with an authoriser, on which test_guide applies roles",
        lambda c: "topics acls" in c.text and "--apply" in c.text,
        _names_roles,
    ),
    Rule(
        "the machine's Python is Debian's; the lock that its own is made of has the extra's too",
        lambda c: c.text.startswith("pip install '.["),
        _names_an_extra,
    ),
    Rule(
        "needs the jar that Maven builds: tests/enforce/test_kannel_gate.py runs it",
        lambda c: c.text.startswith("java "),
        _names_a_class_of_the_jar,
    ),
    Rule(
        "a shell that this one is",
        lambda c: c.text.startswith(". .venv/bin/activate"),
        _is_an_environment_of_the_makefile,
    ),
)  # fmt: skip


def rule_of(command: Command) -> Rule | None:
    """The rule by which a command does not run here."""
    return next((rule for rule in RULES if rule.fits(command)), None)


PAUSED: Final = {
    "otpguard gate serve": "otpguard-gate@smsc-1",
    "otpguard desk serve": "otpguard-desk-index",
}
"""Who does the same on this machine, and steps aside."""

TYPED: Final = {
    "otpguard desk user add": "correct horse battery staple",
    "otpguard desk erase": "y",
}
"""What a person answers."""

ELSEWHERE: Final = "export OTPGUARD_DESK_STORE=sqlite:////tmp/restored.db\n"
"""The empty store that a backup is restored into."""

HERE: Final = [each for each in commands() if rule_of(each) is None]


@dataclass(frozen=True, slots=True)
class Site:
    """A machine at work: worker, adapter, feed and canary, at their usual ports."""

    machine: Machine
    variables: dict[str, str]

    def run(self, text: str, before: str = "") -> subprocess.CompletedProcess[str]:
        """A command as an operator types it, cut off once it has followed for a while."""
        for word, value in PLACEHOLDERS.items():
            text = re.sub(rf"\b{word}\b", value, text)
        for begin, answer in TYPED.items():
            if text.startswith(begin):
                text = f"echo {shlex.quote(answer)} | {text}"
        exports = "".join(f"export {name}={value!r}\n" for name, value in self.variables.items())
        exports += "export EDITOR=true\n"  # a person leaves the file as it is
        follows = FOLLOWS.search(text)
        if follows:
            exports += "export OTPGUARD_HTTP_PORT=0\n"  # the usual one is taken, by what works here
        pipefail = "" if "| head" in text else "set -o pipefail\n"
        lines = f"cd /root/checkout\n{exports}{before}{pipefail}{text}\n"
        limit = str(WAIT_S if follows else 600)
        return self.machine.run("timeout", "-k", str(END_S), limit, "bash", "-c", lines)


UNIT: Final = """[Service]
ExecStart=/opt/otpguard/bin/otpguard {words}
Environment=OTPGUARD_CONFIG=/etc/otpguard/otpguard.toml
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need_kafka()
    folder = tmp_path_factory.mktemp("commands")
    with (
        usual_ports(),
        clusters.broker("kafka") as kafka,
        redis_server(folder / "redis") as redis,
        machine(folder) as fresh,
    ):
        prepare(fresh, kafka, redis)
        fill(kafka)
        url = f"redis://127.0.0.1:{redis.port}/0"
        ready = Site(fresh, {"KAFKA": kafka.bootstrap, "REDIS_URL": url})
        for text in (
            f"otpguard scenario A1 | {FED}",
            f"otpguard scenario A1 --seed 2 | sed s/{RECIPIENT}/{CALLER}/g | {FED}",
            "sleep 5",
        ):
            done = ready.run(text)
            assert done.returncode == 0, done.stderr
        yield ready


def prepare(fresh: Machine, kafka: Broker, redis: Server) -> None:
    """The program, its settings, its processes, and Kafka's tools."""
    jars = clusters.fetch_tools()
    tools = "\n".join(
        f'printf \'#!/bin/sh\\nexec java -cp "{jars}/*" {name} "$@"\\n\' > /usr/local/bin/{tool}'
        for tool, name in TOOLS.items()
    )
    # Here without users and folders of their own.
    units = {"desk-index": "desk index", "notifier": "notify run"}
    written = "\n".join(
        f"cat > /etc/systemd/system/otpguard-{name}.service <<'EOF'\n{UNIT.format(words=words)}EOF"
        for name, words in units.items()
    )
    names = "otpguard-worker@1 otpguard-adapter@jasmin-1 otpguard-feed@jasmin-1 otpguard-canary"
    names += " otpguard-gate@smsc-1 otpguard-desk-index otpguard-notifier"
    settings = f"""
kafka = {{bootstrap = "{kafka.bootstrap}"}}
redis = {{url = "redis://127.0.0.1:{redis.port}/0"}}
canary = {{period_s = 30, numbers = 15000}}
[topics]
partitions = 4
replication = 1
[kannel]
list_file = "/tmp/kannel.list"
[desk]
store = "sqlite:////tmp/desk.db"
[notify]
operator = "中国移动"
sender = "10086"
file = "/tmp/notices.jsonl"
[evidence]
key_file = "/etc/otpguard/pack.pem"
"""
    fresh.must(
        "bash",
        "-euc",
        """
        rm -rf /opt/otpguard /etc/otpguard /usr/local/bin/otpguard /root/checkout
        mkdir -p /etc/otpguard/secrets /root/checkout
        (cd /mnt && git -c safe.directory='*' ls-files -z | xargs -0 cp --parents -t /root/checkout)
        python3 -m venv /opt/otpguard
        /opt/otpguard/bin/pip install --quiet --require-hashes -r /mnt/deploy/locks/runtime.txt
    """,
    )
    fresh.must("bash", "-euc", f"""
        cd /root/checkout
        /opt/otpguard/bin/pip install --quiet --no-deps --no-build-isolation .
        ln -s /opt/otpguard/bin/otpguard /usr/local/bin/otpguard
        {tools}
        chmod 755 /usr/local/bin/kafka-*.sh
        printf %s {shlex.quote(settings)} > /etc/otpguard/otpguard.toml
        touch /etc/otpguard/secrets/{{worker,adapter,gate,feed,canary}}-kafka-password
        touch /etc/otpguard/secrets/{{,feed-}}jasmin-1-secret
        useradd --system otpguard-desk
        echo OTPGUARD_ADAPTER=redis > /etc/otpguard/adapter-jasmin-1.env
        echo OTPGUARD_SOURCE=redis --consumer feed-1 > /etc/otpguard/feed-jasmin-1.env
        echo OTPGUARD_HTTP_PORT=9474 > /etc/otpguard/worker-2.env
        cp /mnt/deploy/systemd/*.service /etc/systemd/system/
        {written}
        systemctl daemon-reload
        otpguard config template > otpguard.toml  # as the guide does, for whoever picks a command
        otpguard topics create
        systemctl start {names}
    """)  # fmt: skip
    kinds = ("worker", "adapter", "feed", "canary", "gate", "indexer", "notifier")
    for unit, port in zip(names.split(), [PORTS[kind] for kind in kinds], strict=True):

        def up() -> bool:
            if fresh.shows(unit, "ActiveState") == "failed":  # noqa: B023
                pytest.fail(fresh.run("journalctl", "-n", "40", "-u", unit).stdout)  # noqa: B023
            return listens(port)  # noqa: B023

        wait_until(up, f"{unit} answers")


def fill(kafka: Broker) -> None:
    """Write ordinary messages, some that are refused, and figures of a platform.

    The agent of platforms writes figures half an hour after a worker has begun.
    """
    words = {"schema_version": 1, "sender": "8613800000000", "text": "see you at eight"}
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=50)) as producer:
        for n in range(400):
            producer.send("sms.delivery.v1", b'{"schema_version":9}', key=str(n).encode())
        for n in range(8_000):
            who = subscriber(6_000_000 + n)
            ids = {"recipient": who, "message_id": f"m-{n}", "event_time_ms": now_ms()}
            producer.send(
                "sms.delivery.v1", json.dumps(words | ids).encode(), key=who.lstrip("+").encode()
            )
        producer.send(
            "otpguard.platform.v1",
            encode_platform(replace(FIGURES, platform=SWEPT)),
            key=str(FIGURES.platform_id).encode(),
        )
        producer.flush()


@pytest.fixture(scope="module")
def hanging(site: Site) -> Iterator[str]:
    """A transaction that stays open, in partition 0: the offset at which it began."""
    from confluent_kafka import Producer

    writer = Producer({
        "bootstrap.servers": site.variables["KAFKA"], "transactional.id": "hangs",
        "transaction.timeout.ms": 900_000,
    })  # fmt: skip
    writer.init_transactions()
    writer.begin_transaction()
    offsets: list[int] = []
    writer.produce("sms.delivery.v1", b"{}", partition=0,
                   on_delivery=lambda _, record: offsets.append(record.offset()))  # fmt: skip
    writer.flush()
    yield str(offsets[0])
    del writer


@pytest.mark.parametrize("command", HERE, ids=lambda each: f"{Path(each.page).stem}: {each.text}")
def test_a_command_runs_as_it_is_written(
    request: pytest.FixtureRequest, site: Site, command: Command
) -> None:
    text, before = command.text, ""
    if "OpenTransaction" in command.page:
        text = text.replace("OFFSET", request.getfixturevalue("hanging"))
    if "1f2e 3d4c …" in text:
        shown = json.loads(site.run("otpguard evidence key show --json").stdout)
        text = text.replace("1f2e 3d4c …", shown["fingerprint"])
    for example in ("sig:示例购物", SWEPT):
        if example in text and not text.startswith("otpguard platforms"):
            text = text.replace(example, platform_of_the_pack(site))
    if command.section == "Backup and restore" and " desk backup " not in text:
        before = ELSEWHERE
    aside = next((unit for begin, unit in PAUSED.items() if text.startswith(begin)), None)
    if aside:
        site.machine.must("systemctl", "stop", aside)
    done = site.run(text, before)
    if aside:
        site.machine.must("systemctl", "start", aside)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said[-3000:]
    assert "most recent call first" not in said, said[-3000:]  # the stacks of one that hung
    allowed = {0}
    if FOLLOWS.search(command.text):
        allowed |= {124}
    if "--max-time 0.02" in command.text:
        allowed |= {28}  # too late on a busy machine: a gateway lets the message pass then
    if MAY_FIND_NOTHING.search(command.text) or MAY_WARN.search(command.text):
        allowed |= {1}
    if OVERRIDES.search(command.text):
        allowed |= {3}  # the site has gateways that acknowledged today and run no more
    assert done.returncode in allowed, f"{command}\n{said[-3000:]}"


def platform_of_the_pack(site: Site) -> str:
    """A platform whose messages are in the pack that the page makes."""
    records = site.machine.must("cat", "/root/checkout/pack/records.jsonl").splitlines()
    found = re.findall(r'"(sig:[^"]+)"', "\n".join(records))
    return str(found[0])


def test_pages_in_chinese_have_the_commands_of_those_in_english() -> None:
    english = {each.text.partition(" #")[0].rstrip() for each in commands()}
    pages = list((ROOT / "deploy").rglob(f"*{CHINESE}"))
    assert pages
    for path in pages:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            for line in whole_lines(block.replace("\\\n", " ")):
                assert line.partition(" #")[0].rstrip() in english, f"{path.name}: {line}"


def test_what_does_not_run_here_falls_under_a_rule_that_holds() -> None:
    left = [(each, rule) for each in commands() if (rule := rule_of(each)) is not None]
    for command, rule in left:
        rule.check(command)
    assert {rule for _, rule in left} == set(RULES), "a rule that nothing falls under is deleted"
    with pytest.raises(AssertionError):
        _is_a_target(Command("README.md", "", "make nothing-of-that-name"))
