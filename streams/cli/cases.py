"""`otpguard cases` and `otpguard explain`: what happened to whom, and why."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from streams.cli.override import seconds
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    group,
    settings_of,
    write_json,
    write_table,
)
from streams.errors import ConfigError, UsageError
from streams.shown import in_json, shown

if TYPE_CHECKING:
    from detectors.model.records import EpisodeRecord
    from streams.config import Settings
    from streams.operate.cases import Case

app = group("See who is attacked, and what is done about it.")

ID: Final = re.compile(r"\d+:[^:]+:\d+:\d+")
"""An episode's or action's id: epoch, topic, partition, offset."""

SinceOption = Annotated[str, typer.Option("--since", help="How far back, such as 6h or 7d.")]
NamedArgument = Annotated[
    str,
    typer.Argument(help="Recipient in any form, action or episode.", metavar="ACTION|RECIPIENT"),
]


@app.command("ls")
def ls(
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    all_: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""List open cases.

    \b
    Examples:
      otpguard cases ls
      otpguard cases ls --all --since 7d --json
    """
    from streams.operate.cases import open_now, summary  # noqa: PLC0415 - start-up time

    cases = _cases(settings_of(config), since)
    rows = [summary(case) for case in (cases.values() if all_ else open_now(cases.values()))]
    if as_json:
        write_json(rows)
    elif not rows:
        typer.echo("no cases" if all_ else "no open cases")
    else:
        write_table(list(rows[0]), [list(row.values()) for row in rows])


@app.command()
def show(
    named: NamedArgument,
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Show a recipient's cases as they stand now.

    \b
    Examples:
      otpguard cases show +8613900000001
      otpguard cases show 1:sms.delivery.v1:7:123456 --since 7d
    """
    for case in _found(settings_of(config), named, since):
        _print(case, case.last, as_json=as_json)


@app.command()
def watch(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    r"""Follow cases as they open, rise, renew and end, until Ctrl-C.

    \b
    Example:
      otpguard cases watch
    """
    import msgspec  # noqa: PLC0415 - start-up time

    from streams.cluster.admin import client_arguments  # noqa: PLC0415
    from streams.cluster.read import readable, records  # noqa: PLC0415
    from streams.operate.cases import Case, summary  # noqa: PLC0415
    from streams.wire import decode_episode  # noqa: PLC0415

    settings = settings_of(config)
    now_ms = time.time_ns() // 1_000_000
    try:
        clients, topic = client_arguments(settings.kafka), settings.topics.episode
        found = records(clients, topic, since_ms=now_ms, follow=True)
        for episode in readable(found, decode_episode):
            row = {"change": episode.change, **summary(Case(records=[episode]))}
            del row["gateways"], row["refused"]  # not known yet
            typer.echo(
                in_json(msgspec.json.encode(row).decode())
                if as_json
                else shown("  ".join(str(value) for value in row.values()))
            )
    except KeyboardInterrupt:
        return


@app.command()
def audit(config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    r"""Show the operator's word: who said what, why, until when.

    \b
    Example:
      otpguard cases audit
    """
    import msgspec  # noqa: PLC0415 - start-up time

    from streams.operate.cases import spoken  # noqa: PLC0415

    words = _words(settings_of(config))
    if as_json:
        write_json([msgspec.to_builtins(word) for word in words])
        return
    for word in words:
        typer.echo(shown(f"{word.recipient:16}  {spoken(word)}"))


@app.command()
def tidy(
    config: ConfigOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only say what would be deleted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Delete the operator's words that ended over a day ago: they name numbers.

    Once a day, by a timer, as somebody who may read and write the words (role support; duty for
    those about everyone). Nothing that still holds is touched, and a word that is said meanwhile
    stands.

    \b
    Examples:
      otpguard cases tidy --dry-run
      otpguard cases tidy
    """
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.operate.tidy import tidy as tidy_topic  # noqa: PLC0415

    settings = settings_of(config)
    clients, topics = client_arguments(settings.kafka), settings.topics
    now_ms = time.time_ns() // 1_000_000
    done, denied = {}, []
    for topic in dict.fromkeys((topics.override, topics.everyone)):
        try:
            done[topic] = tidy_topic(clients, topic, now_ms, dry_run=dry_run)
        except ConfigError as error:  # support may write the one, duty the other
            denied.append(str(error))
    if as_json:
        write_json(done)
    else:
        for topic, told in done.items():
            would = "would be deleted" if dry_run else "deleted"
            again = f", {told.said_again} said again" if told.said_again else ""
            typer.echo(f"{topic}: {told.deleted} {would}, {told.words} stand{again}")
    if not done:
        raise ConfigError("\n".join(denied))
    for sentence in denied:
        typer.echo(sentence, err=True)


def explain(
    named: NamedArgument,
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Say why: which platforms when, known or novel, scores, the rule, and why not something else.

    For an action: as it was when the lease was made. For a recipient: its newest case.

    \b
    Examples:
      otpguard explain +8613900000001
      otpguard explain 1:sms.delivery.v1:7:123456 --since 7d
    """
    from streams.operate.cases import identity  # noqa: PLC0415 - start-up time

    case = _found(settings_of(config), named, since)[-1]
    at_that_time = [record for record in case.records if identity(record) == named]
    _print(case, at_that_time[-1] if at_that_time else case.last, as_json=as_json)


def _print(case: Case, record: EpisodeRecord, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 - start-up time

    from streams.operate.cases import explanation  # noqa: PLC0415
    from streams.wire import encode_episode  # noqa: PLC0415

    if as_json:
        acks = [ack for each in case.acks.values() for ack in each]
        write_json(
            {
                "episode": msgspec.Raw(encode_episode(record)),
                "leases": [action.action_id for action in case.actions],
                "acks": [msgspec.to_builtins(ack) for ack in acks],
                "operator": [msgspec.to_builtins(word) for word in case.words],
                "refused": case.refused,
            }
        )
        return
    for line in explanation(case, record):
        typer.echo(shown(line))


def _found(settings: Settings, named: str, since: str) -> list[Case]:
    from streams.operate.cases import find  # noqa: PLC0415 - start-up time

    refuse_nobody(named)
    found = find(_cases(settings, since), named, settings.intake().numbers.canonical(named))
    if not found:
        raise UsageError(f"no case of {named!r} in the last {since}; --since looks further back")
    return found


def refuse_nobody(named: str, before: str = "") -> None:
    """Raise UsageError if this can name no case; `before` says what else it is not."""
    from streams.wire.recipients import TOKEN, WRITTEN_NUMBER  # noqa: PLC0415 - start-up time

    if not any(form.fullmatch(named) for form in (WRITTEN_NUMBER, TOKEN, ID)):
        raise UsageError(
            f"{named!r}: {before}no recipient (a number or token), and no action or episode "
            "(such as 1:sms.delivery.v1:7:123456)"
        )


def _cases(settings: Settings, since: str) -> dict[str, Case]:
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.cluster.read import readable, records  # noqa: PLC0415
    from streams.operate.cases import collect  # noqa: PLC0415
    from streams.wire import decode_ack, decode_action, decode_episode  # noqa: PLC0415

    since_ms = time.time_ns() // 1_000_000 - seconds(since) * 1000
    clients, topics = client_arguments(settings.kafka), settings.topics

    def read(topic: str, decode: Any) -> Any:
        return readable(records(clients, topic, since_ms=since_ms), decode)

    return collect(
        read(topics.episode, decode_episode),
        read(topics.throttle, decode_action),
        read(topics.acks, decode_ack),
        _words(settings),
    )


def _words(settings: Settings) -> list[Any]:
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.cluster.read import readable, records  # noqa: PLC0415
    from streams.wire import decode_override  # noqa: PLC0415

    clients, topics = client_arguments(settings.kafka), settings.topics
    return [
        word
        for topic in dict.fromkeys((topics.override, topics.everyone))
        for word in readable(records(clients, topic), decode_override)
    ]
