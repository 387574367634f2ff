"""`otpguard init`: makes settings and topics from a broker's address, and checks them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final

import pydantic
import typer

from streams import config as configs
from streams.cli.doctor import exit_code, tell
from streams.cli.shared import describe_created
from streams.cluster import admin, topics
from streams.common import (
    ConfigError,
    Exit,
    OtpguardError,
    UnavailableError,
    UsageError,
    clock,
    replace_file,
    toml_value,
    tr,
    trn,
    unwritten,
)
from streams.tools.operate import diagnosis

USUAL: Final = ("127.0.0.1:9092", "kafka:9092")
"""Default addresses of a broker: on this machine, and in the compose file."""

COPIES: Final = 3  # outlive a broker's loss during another's upgrade
FEW, MANY = 4, 32  # partitions, to try it and to stay: deploy/README.md, Size
SASL: Final = ("sasl_plaintext", "sasl_ssl")
PROTOCOLS: Final = ("plaintext", "ssl", *SASL)


def init(
    *,
    single: Annotated[
        bool, typer.Option("--single", help="One machine, to try it: asks nothing.")
    ] = False,
    to: Annotated[Path, typer.Option(help="The settings file.")] = Path("otpguard.toml"),
    country: Annotated[
        str,
        typer.Option(help="ISO 3166 code: whose numbers are read, and whose banks are trusted."),
    ] = "",
) -> None:
    r"""Write settings, create the topics, list processes and rights, and run the doctor.

    Asks for what it cannot detect, and proposes answers; variables such as OTPGUARD_KAFKA_BOOTSTRAP
    become proposals. An existing settings file is not changed, so the command may be run again.

    \b
    Examples:
      otpguard init --single --country NG
      otpguard init --to /etc/otpguard/otpguard.toml
    """
    if to.exists():
        typer.echo(tr("{to} is there already, and stays as it is").format(to=to))
    else:
        _write(to, *_answers(to, country.upper(), single=single))
        typer.echo(tr("wrote {to}; `otpguard config template` lists every setting").format(to=to))
    settings = configs.load(to)
    with admin.Cluster(settings.kafka) as cluster:
        authoriser = cluster.authoriser()
    made = _make_topics(settings)
    typer.echo("\n" + "\n".join(_next(settings, to, rights=authoriser != "none")) + "\n")

    found = tell(diagnosis.examine(settings, "worker", clock.now_ms()))
    if exit_code(found) == Exit.CONFIG or not made:
        raise typer.Exit(Exit.CONFIG)


def _answers(
    to: Path, country: str, *, single: bool
) -> tuple[configs.Kafka, dict[str, str], int, int]:
    """Return Kafka settings, further settings as TOML values, partitions, and copies of each topic.

    Asks the user for the brokers, the country of the numbers, partitions and copies; with `single`
    for nothing.
    """
    usual = configs.load()
    if single:
        kafka = usual.kafka.model_copy(update={"bootstrap": _find_broker(usual.kafka)})
    else:
        kafka = _kafka(usual.kafka)
    with admin.Cluster(kafka) as cluster:
        brokers, version, guarded = cluster.brokers(), cluster.version(), cluster.authoriser()
    typer.echo(
        tr("{brokers}, Kafka {version}, at {bootstrap}").format(
            brokers=trn("{n} broker", "{n} brokers", brokers),
            version=version,
            bootstrap=kafka.bootstrap,
        )
    )
    copies, partitions = min(COPIES, brokers), FEW if single or brokers == 1 else MANY
    if not country and "country" in usual.input.model_fields_set:
        country = usual.input.country
    if not single:
        country = _ask(tr("Country of the numbers (ISO 3166, such as CN)"), country or None).upper()
        partitions = _number(tr("Partitions of the input (never expanded in flight)"), partitions)
        copies = _number(
            tr("Copies of each topic (at most {brokers})").format(brokers=brokers), copies
        )
    more = {"input.country": f'"{country}"'} if country else {}
    if single:  # the usual folder is there where a unit of systemd made it
        more["desk.store"] = str(toml_value(f"sqlite:///{to.absolute().with_name('desk.db')}"))
    if guarded != "none":  # the kill switch gets writers of its own
        more["topics.everyone"] = '"otpguard.override.all.v1"'
    return kafka, more, partitions, copies


def _kafka(usual: configs.Kafka) -> configs.Kafka:
    try:
        proposed = _find_broker(usual)
    except UnavailableError:
        proposed = usual.bootstrap
    given: dict[str, Any] = {"bootstrap": _ask(tr("Brokers (host:port,…)"), proposed)}
    given["security"] = _ask(
        tr("Protocol ({protocols})").format(protocols=", ".join(PROTOCOLS)), usual.security
    )
    if given["security"] in SASL:
        given["username"] = _ask(tr("User"), usual.username or "otpguard-worker")
        password = usual.password_file or "kafka-password"
        given["password_file"] = Path(_ask(tr("File with the password"), password)).absolute()
    if given["security"].endswith("ssl"):
        what = tr("PEM file of the authority of their certificates (-: the system's)")
        ca = _ask(what, usual.ca_file or "-")
        given["ca_file"] = None if ca == "-" else Path(ca).absolute()
    try:
        return configs.Kafka(**given)
    except pydantic.ValidationError as error:
        raise ConfigError("\n".join(f"kafka.{each}" for each in configs.sentences(error))) from None


def _find_broker(usual: configs.Kafka) -> str:
    """Return the first address where a broker answers. Raise UnavailableError with those tried."""
    places = dict.fromkeys((usual.bootstrap, *USUAL))
    for place in places:
        try:
            admin.client_arguments(usual.model_copy(update={"bootstrap": place}))
        except UnavailableError:
            continue
        return place
    raise UnavailableError(
        tr(
            "no broker answers at {places}: OTPGUARD_KAFKA_BOOTSTRAP=host:port names another, "
            "and `make kafka` starts one to try it with"
        ).format(places=tr(" or ").join(places))
    )


def _ask(what: str, proposed: object) -> str:
    """Return an answer from standard input; an empty line accepts the proposal, if any."""
    try:
        return str(typer.prompt(what, default=None if proposed is None else str(proposed))).strip()
    except typer.Abort:
        raise UsageError(tr("no answer: {what}; --single asks nothing").format(what=what)) from None


def _number(what: str, proposed: int) -> int:
    answer = _ask(what, proposed)
    if not answer.isdecimal():
        raise UsageError(tr("{answer!r} is no number: {what}").format(answer=answer, what=what))
    return int(answer)


def _write(
    to: Path, kafka: configs.Kafka, more: dict[str, str], partitions: int, copies: int
) -> None:
    """Write the settings that are not defaults; remove the file if they are wrong."""
    told = kafka.model_dump(exclude_defaults=True, exclude={"bootstrap", "password"})
    sections: dict[str, dict[str, str | None]] = {
        "kafka": {"bootstrap": toml_value(kafka.bootstrap)}
        | {name: toml_value(value) for name, value in told.items()},
        "topics": {"partitions": str(partitions), "replication": str(copies)},
    }
    for name, value in more.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, {})[key] = value
    lines = [
        "# Settings of otpguard that are not its defaults; `otpguard config template` has all."
    ]
    lines.append('mode = "shadow"  # leases are published and nobody obeys them: deploy/README.md')
    for section, values in sections.items():
        lines += ["", f"[{section}]", *(f"{name} = {value}" for name, value in values.items())]
    try:
        replace_file(to, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        sentence = tr("{to}: {strerror}; --to names another file")
        raise unwritten(to, error, sentence.format(to=to, strerror=error.strerror)) from None
    try:
        configs.load(to)
    except ConfigError:
        to.unlink()
        raise


def _make_topics(settings: configs.Settings) -> bool:
    try:
        made = topics.create(settings)
    except OtpguardError as error:
        typer.echo(tr("topics: {error}").format(error=error), err=True)
        typer.echo(
            tr(
                "        -> as administrator: OTPGUARD_KAFKA_USERNAME=admin "
                "OTPGUARD_KAFKA_PASSWORD_FILE=FILE otpguard topics create"
            ),
            err=True,
        )
        return False
    typer.echo(describe_created(made) or tr("all topics are there"))
    return True


def _next(settings: configs.Settings, to: Path, *, rights: bool) -> list[str]:
    """Print the processes to start, with their ports and rights."""
    usual = (
        to.absolute() == Path("otpguard.toml").absolute() and "OTPGUARD_CONFIG" not in os.environ
    )
    config = "" if usual else f" --config {to}"
    port = settings.http.port_of
    lines = [
        tr("What to start, and where it serves metrics and health:"),
        f"  otpguard worker{config}        # {port('worker')}",
        f"  otpguard enforce log{config}   # {port('adapter')}"
        + tr("; then redis, kannel or webhook"),
        f"  otpguard feed --help{config and '…'}   # {port('feed')}"
        + tr("; or gateways write the input"),
        f"  otpguard canary{config}        # {port('canary')}",
        tr("Then `otpguard cases ls` lists who is flooded (the extra `cases` has it)."),
    ]
    if rights:
        roles = "worker=otpguard-worker adapter=otpguard-adapter feed=otpguard-feed"
        lines += [
            tr("Rights, given by the administrator (without --apply: a script to be read first):"),
            f"  otpguard topics acls --apply{config} {roles} \\",
            "      canary=otpguard-canary support=USER duty=USER analyst=USER",
        ]
    else:
        lines.append(
            tr("Rights: these brokers ask nobody for any; deploy/SECURITY.md, before it counts")
        )
    return lines
