"""`otpguard topics`: creates and checks the topics, and prints their settings."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from streams import config as configs
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    describe_created,
    group,
    write_json,
    write_list,
    writing,
)
from streams.cluster import admin, kafka_rights, topics as topic_setup
from streams.common import ConfigError, OtpguardError, UsageError, replace_file, tr, trn
from streams.common.limits import PARTITIONS_MAX
from streams.tools.operate import diagnosis, overrides

COLUMNS: Final = ("topic", "partitions", "copies", "cleanup", "why")

app = group("Create and check the topics.")

PartitionsOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=PARTITIONS_MAX, help="Partitions of input and changelog; default: "
                                        "topics.partitions.",
        show_default=False,
    ),
]  # fmt: skip
ReplicationOption = Annotated[
    int | None,
    typer.Option(min=1, max=9, help="Default: topics.replication.", show_default=False),
]


@app.command()
def create(
    settings: SettingsOption,
    *,
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Create missing topics, leave the others unchanged, and report what `check` would.

    \b
    Examples:
      otpguard topics create --config /etc/otpguard/otpguard.toml
      otpguard topics create --partitions 4 --replication 1  (for one broker)
    """
    settings = _override_shape(settings, partitions, replication)
    made = topic_setup.create(settings)
    problems, cautions = topic_setup.review(settings)  # of those that were there
    if as_json:
        write_json({"created": made, "problems": problems, "cautions": cautions})
    else:
        typer.echo(describe_created(made) or tr("nothing to create"))
        for sentence in (*problems, *cautions):
            typer.echo(tr("note: {sentence}").format(sentence=sentence), err=True)


@app.command()
def check(settings: SettingsOption, *, as_json: JsonOption = False) -> None:
    r"""Report what is wrong with the topics; exits with 78 if anything is.

    A worker does not start with a problem. It does start with a caution: records that are retained
    for too long, times from a wrong clock, or leases that Kafka deletes before they end.

    Also checks the newest events, if this user may read them. A producer that hashes keys in
    another way than Java's clients splits floods over partitions, and leads to exit code 78 too.

    \b
    Examples:
      otpguard topics check
      otpguard topics check --json | jq .problems
    """
    problems, cautions = topic_setup.review(settings)
    if not problems:
        try:
            found = diagnosis.examine_keys(settings)
        except OtpguardError as error:
            typer.echo(tr("keys were not looked at: {error}").format(error=error), err=True)
        else:
            problems = [f"{each.says}: {each.remedy}" for each in found if each.state == "bad"]
    if as_json:
        write_json({"problems": problems, "cautions": cautions})
    elif not (problems or cautions):
        typer.echo(tr("topics are as they should be"))
    if problems or cautions:
        raise ConfigError("\n".join((*problems, *cautions)))


@app.command("list")
def list_(
    settings: SettingsOption,
    *,
    partitions: PartitionsOption = None,
    replication: ReplicationOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show the topics as they should be, with reasons; contacts no broker.

    \b
    Example:
      otpguard topics list --json > topics.json
    """
    wanted = topic_setup.topics(_override_shape(settings, partitions, replication))
    document = [
        {
            "role": topic.role,
            "name": topic.name,
            "partitions": topic.partitions,
            "replication": topic.replication,
            "configs": topic.configs,
            "why": topic.why,
        }
        for topic in wanted
    ]
    rows = [(t.name, t.partitions, t.replication, t.cleanup, tr(t.why)) for t in wanted]
    write_list(document, COLUMNS, rows, as_json=as_json)


@app.command()
def acls(
    roles: Annotated[
        list[str],
        typer.Argument(
            metavar="ROLE=USER…",
            help="Role and user, such as worker=otpguard; --help lists the roles.",
        ),
    ],
    settings: SettingsOption,
    *,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Give the rights now, as the user of these settings."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Print a script that grants each role its rights with Kafka's own tool, or grant them.

    \b
    Roles:
      worker    detects; the only one that writes leases
      adapter   enforces at one gateway; reads no event
      gate      answers gateways: reads leases, writes events
      feed      writes events
      canary    writes its own numbers' events, reads leases and acknowledgements
      support   phone, release, allow, exempt for one recipient; cases, explain
      duty      mode, and allow for everybody
      agent     publishes campaigns and platforms: reads cases
      lists     with agent, if detect.hot is network: writes lists to the input
      desk      the desk: reads cases and audit, writes overrides and the audit
      notifier  notify: reads cases, writes notices
      replies   with notifier, if victims may reply: reads messages from phones
      signal    answers banks; writes the audit
      auditor   audit: reads who saw or did what
      analyst   shadow-report, calibrate: reads events and leases
      privacy   dlq: reads dead letters, replays them
      monitor   doctor: sees shapes and lag, reads nothing
    \b
    Examples:
      otpguard topics acls worker=otpguard adapter=otpguard-redis > acls.sh
      otpguard topics acls --apply --config admin.toml \
        duty=alice support=bob support=carol
    """
    given = [_role_and_user(each) for each in roles]
    wanted = list(kafka_rights.rights(settings, given))
    if as_json:
        write_json(wanted)
    if not (apply or as_json):
        typer.echo(kafka_rights.script(wanted, settings.kafka.bootstrap), nl=False)
    if apply:
        with admin.Cluster(settings.kafka) as cluster:
            cluster.grant(wanted)
        typer.echo(trn("gave {n} right", "gave {n} rights", len(wanted)), err=True)


@app.command()
def schema(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of a topic; without it all topics are listed.", show_default=False
        ),
    ] = None,
) -> None:
    r"""Write the JSON Schema of a topic's values (of the dead letters': their headers).

    \b
    Examples:
      otpguard topics schema
      otpguard topics schema sms.delivery.v1 > sms.delivery.v1.schema.json
    """
    shipped = {
        path.name.removesuffix(".json"): path
        for path in (files("streams.wire") / "schemas").iterdir()
    }
    if name is None:
        typer.echo("\n".join(sorted(shipped)))
    elif name in shipped:
        typer.echo(shipped[name].read_text("utf-8"), nl=False)
    else:
        raise UsageError(
            tr("no schema of {name}; there are: {shipped}").format(
                name=name, shipped=", ".join(sorted(shipped))
            )
        )


@app.command()
def backup(
    settings: SettingsOption,
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", help="A file, readable by its owner alone; -: stdout.")
    ] = "-",
) -> None:
    r"""Save the newest override of each key as JSON lines. A replay cannot restore them.

    Overrides name recipients: protect the file like the topic.

    \b
    Examples:
      otpguard topics backup --output words-2026-03-02.jsonl
      otpguard topics restore words-2026-03-02.jsonl
    """
    topics = settings.topics
    lines = list(
        overrides.save_overrides(
            admin.client_arguments(settings.kafka), (topics.override, topics.everyone)
        )
    )
    if output == "-":
        typer.echo("\n".join(lines))
        return
    path, content = Path(output), ("\n".join(lines) + "\n").encode()
    with writing(path):
        if path.exists() and not path.is_file():  # a pipe or a device
            path.write_bytes(content)
        else:  # the backup of before stands until this one is whole
            replace_file(path.resolve(), content, mode=0o600)
    typer.echo(tr("{n:,} overrides saved to {output}").format(n=len(lines) - 1, output=output))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, show_default=False)],
    settings: SettingsOption,
) -> None:
    r"""Restore overrides from a backup, unless the topic has a newer one in their place.

    \b
    Examples:
      otpguard topics create && otpguard topics restore words-2026-03-02.jsonl
    """
    topics = settings.topics
    try:
        # No other line end: JSON leaves some of them as they are, and reasons may hold them.
        lines = file.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {error}") from None
    done = overrides.restore(
        admin.client_arguments(settings.kafka), lines, topics.override, topics.everyone
    )
    typer.echo(
        tr("{said:,} overrides restored; {standing:,} exist already").format(
            said=done.said, standing=done.standing
        )
    )


def _role_and_user(written: str) -> tuple[str, str]:
    """Parse ROLE=USER; a user without a type becomes `User:`. Raise UsageError if it is invalid."""
    role, _, user = written.partition("=")
    if role not in kafka_rights.ROLES or not user:
        raise UsageError(
            tr("{each!r} is no ROLE=USER; the roles are {roles}").format(
                each=written, roles=", ".join(kafka_rights.ROLES)
            )
        )
    return role, user if ":" in user else f"User:{user}"


def _override_shape(
    settings: configs.Settings, partitions: int | None, replication: int | None
) -> configs.Settings:
    asked = {"partitions": partitions, "replication": replication}
    given = {name: value for name, value in asked.items() if value is not None}
    return settings.model_copy(update={"topics": settings.topics.model_copy(update=given)})
