"""`otpguard cases`: what happened to whom, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Final

import msgspec
import typer

from streams import config as configs, wire
from streams.cases import explanation, standing
from streams.cases.store import answers, opening, store
from streams.cli.audited import audit_look
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    fold_line,
    group,
    progress,
    records_shown,
    write_json,
    write_lines,
    write_table,
)
from streams.cluster import admin, read
from streams.common import (
    ConfigError,
    UsageError,
    clock,
    escape_unprintable,
    join_list,
    moment,
    tr,
    trn,
)
from streams.tools.operate import overrides

app = group("List who is attacked, and what is done about it.")

SinceOption = Annotated[str, typer.Option("--since", help="How far back, such as 6h or 7d.")]
NamedArgument = Annotated[
    str,
    typer.Argument(help="Recipient in any format, action or episode.", metavar="ACTION|RECIPIENT"),
]


@app.command("ls")
def ls(
    settings: SettingsOption,
    *,
    since: SinceOption = "24h",
    all_: Annotated[bool, typer.Option("--all", help="Include those that are over.")] = False,
    watched: Annotated[bool, typer.Option("--watched", help="Include watched ones.")] = False,
    as_json: JsonOption = False,
) -> None:
    r"""List open cases that are throttled, the one with the most messages first.

    JSON has all open cases, the oldest first.

    \b
    Examples:
      otpguard cases ls
      otpguard cases ls --all --since 7d --json
    """
    with audit_look(settings, "view", detail="cases"):
        with closing(read_topics(settings, since)) as model:
            rows = [summary(line) for line in model.all(ended=all_)]
            switched = switch_of(model)
        if as_json:
            write_json(rows)
            return
        warn(switched)
        # A case at level WATCH may have a lease that refuses single platforms.
        alone = ("watch", standing.Doing.WATCHED)
        shown = [r for r in rows if all_ or watched or (r["level"], r["gateways"]) != alone]
        if shown:
            by = Counter(row["outcome"] for row in shown)
            typer.echo(tr("{n} refused, {m} observed").format(n=by["refused"], m=by["observed"]))
            _write_cases(
                sorted(shown, key=lambda row: (row["level"] != "throttle", -row["messages"]))
            )
        elif not rows:
            typer.echo(tr("no cases") if all_ else tr("no open cases"))
        if left := len(rows) - len(shown):
            cases = trn("{n} case is only watched", "{n} cases are only watched", left)
            typer.echo(tr("{cases}; --watched lists them too").format(cases=cases))


COLUMNS: Final = {
    "recipient": "recipient",
    "state": "state",
    "since": "since",
    "messages": "messages",
    "platforms": "platforms",
    "novel": "novel",
    "refused": "refused",
    "last": "last",
    "level": "level",
    "outcome": "outcome",
    "gateways": "gateways",
    "rule": "rule",
    "episode": "episode",
}

WORDS: Final = frozenset({"state", "level", "outcome", "gateways"})
"""Columns with our own words, which are translated."""

SPARED: Final = ("episode", "rule", "gateways", "outcome", "platforms", "novel", "refused", "since",
                 "messages", "level", "last")  # fmt: skip
"""Columns that are left out on a narrow screen, in this order; never recipient and state."""

COLOURS: Final = {
    "throttled": "bold red",
    "unconfirmed": "bold yellow",
    "failed": "bold yellow",
    "released": "green",
    "exempt": "green",
    "off": "bold reverse",
    "shadow": "cyan",
    "watched": "cyan",
}


def _write_cases(rows: Sequence[Mapping[str, Any]]) -> None:
    write_table(
        [tr(heading) for heading in COLUMNS.values()],
        [[tr(row[name]) if name in WORDS else row[name] for name in COLUMNS] for row in rows],
        drop=[list(COLUMNS).index(name) for name in SPARED],
        styles={tr(state): colour for state, colour in COLOURS.items()},
    )


def summary(line: answers.CaseLine) -> dict[str, Any]:
    """Return one row of a list of cases."""
    return {
        "episode": line.episode_id,
        "recipient": line.recipient,
        "level": line.level,
        "mode": line.mode,
        "since": moment(line.first_ms),
        "last": moment(line.last_ms),
        "messages": line.messages,
        "platforms": line.platforms,
        "novel": line.novel,
        "rule": line.rule,
        "gateways": line.gateways,
        "refused": line.refused,
        "state": line.state,
        "outcome": line.outcome,
    }


def counts_now(line: answers.CaseLine) -> str:
    """Return the newest counts of a case, for a reader who sees an older record of this case."""
    return tr("this is how the case stood then; now it has {messages} from {platforms}, {novel} of "
              "them new to this recipient").format(
        messages=trn("{n} message", "{n} messages", line.messages),
        platforms=explanation.platform_count(line.platforms),
        novel=explanation.at_least(line.novel),
    )  # fmt: skip


def switch_of(model: store.ReadModel) -> wire.Override | None:
    """Return the kill-switch override that is in force, or None."""
    return standing.switch([each.word for each in model.words_now()], clock.now_ms())


def warn(word: wire.Override | None) -> None:
    """Print a warning if the kill switch is on: gateways then do not enforce the listed leases."""
    if word is not None:
        typer.secho(escape_unprintable(standing.banner(word)), fg="red", bold=True)


@app.command()
def show(
    named: NamedArgument,
    settings: SettingsOption,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Show a recipient's cases, the most severe open one first.

    This is the most severe open case, otherwise the newest.

    \b
    Examples:
      otpguard cases show +8613900000001
      otpguard cases show 1:sms.delivery.v1:7:123456 --since 7d
    """
    show_cases(settings, named, since, as_json=as_json, most=None)


@app.command()
def audit(settings: SettingsOption, *, as_json: JsonOption = False) -> None:
    r"""List the overrides in force: who, what, why, until when.

    \b
    Example:
      otpguard cases audit
    """
    words = words_of(settings)
    write_lines(
        [msgspec.to_builtins(word) for word in words],
        (f"{word.recipient:16}  {standing.format_override(word)}" for word in words),
        as_json=as_json,
    )


@app.command()
def tidy(
    settings: SettingsOption,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only report what would be deleted.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Delete overrides that ended over three days ago, because they name numbers.

    Run it once a day by a timer, as a user who may read and write overrides (role support; duty for
    overrides for everybody). It changes no override that is in force, and none that is made
    meanwhile.

    \b
    Examples:
      otpguard cases tidy --dry-run
      otpguard cases tidy
    """
    clients, topics = admin.client_arguments(settings.kafka), settings.topics
    now_ms = clock.now_ms()
    done, denied = {}, []
    for topic in dict.fromkeys((topics.override, topics.everyone)):
        try:
            done[topic] = overrides.tidy(clients, topic, now_ms, dry_run=dry_run)
        except ConfigError as error:  # support may write the one, duty the other
            denied.append(str(error))
    if as_json:
        write_json(done)
    else:
        for topic, told in done.items():
            form = tr("{topic}: {deleted} deleted, {stand} left")
            if dry_run:
                form = tr("{topic}: {deleted} would be deleted, {stand} left")
            line = form.format(topic=topic, deleted=told.deleted, stand=told.words)
            again = tr("{n} said again").format(n=told.said_again)
            typer.echo(join_list([line, again]) if told.said_again else line)
    if not done:
        raise ConfigError("\n".join(denied))
    for sentence in denied:
        typer.echo(sentence, err=True)


def show_cases(
    settings: configs.Settings, named: str, since: str, *, as_json: bool, most: int | None
) -> None:
    """Print the cases of a name, the most important first; at most so many."""
    with finding(settings, named, since) as (model, found):
        if not as_json:
            warn(switch_of(model))
        for line in found[:most]:
            _print(model.case(line.episode_id), named, as_json=as_json)


@contextmanager
def finding(
    settings: configs.Settings, named: str, since: str, *more: str
) -> Iterator[tuple[store.ReadModel, Sequence[answers.CaseLine]]]:
    """Yield what the topics hold since then, and the cases of a name, the most important first.

    `more`: settings of further topics. The look is audited: by number, or by the given id. Raise
    UsageError if there is no case.
    """
    refuse_nobody(named)
    recipient = settings.intake().numbers.canonical(named)
    about = {"detail": named} if standing.ID.fullmatch(named) else {"subject": recipient or ""}
    with (
        audit_look(settings, "search", **about),
        closing(read_topics(settings, since, *more)) as model,
    ):
        found = model.find_named(named, recipient)
        if not found:
            raise UsageError(
                tr("no case of {named!r} in the last {since}; --since looks further back").format(
                    named=named, since=since
                )
            )
        yield model, found


def _print(file: answers.CaseFile, named: str, *, as_json: bool) -> None:
    """Print a case: as it was when the lease `find_named` was issued, otherwise as it is now."""
    line, case = file.line, file.case
    record = case.last
    if named != line.episode_id:
        record = next((each for each in case.records if standing.identity(each) == named), record)
    if as_json:
        write_json(
            {
                "episode": msgspec.Raw(wire.encode_episode(record)),
                "leases": [action.action_id for action in case.actions],
                "acks": [msgspec.to_builtins(ack) for each in case.acks.values() for ack in each],
                "operator": [msgspec.to_builtins(word) for word in case.words],
                "refused": line.refused,
                "outcome": line.outcome,
                "observed": file.observed and asdict(file.observed),
            }
        )
        return
    colour = COLOURS.get(line.state, "").rpartition(" ")[2]
    typer.secho(
        fold_line(standing_line(file)),
        fg=None if colour in ("", "reverse") else colour,
        bold=True,
    )
    if record.evidence != case.last.evidence:
        typer.echo(counts_now(line))
    for each in standing.explanation(case, record):
        typer.echo(fold_line(each))


def standing_line(file: answers.CaseFile) -> str:
    """Return how a case stands now, and why if it is only observed, as one line."""
    says = standing.says(file.line.state, file.case.lease(clock.now_ms()))
    line = tr("now: {state}").format(state=says)
    return line if file.observed is None else f"{line}. {file.observed.sentence()}"


def refuse_nobody(named: str) -> None:
    """Raise UsageError if this cannot name a case."""
    if not standing.can_name_case(named):
        raise UsageError(
            tr(
                "{named!r}: no recipient (a number or token), and no action or episode "
                "(such as 1:sms.delivery.v1:7:123456)"
            ).format(named=named)
        )


def read_topics(settings: configs.Settings, since: str, *more: str) -> store.ReadModel:
    """Read the cases since then, and all overrides. `more`: settings of further topics."""
    return opening.of_topics(settings, ago_ms(since), (*opening.CASE_TOPICS, *more), progress)


def words_of(settings: configs.Settings) -> list[wire.Override]:
    """Read all overrides, including those for everybody."""
    clients, topics = admin.client_arguments(settings.kafka), settings.topics
    return [
        word
        for topic in dict.fromkeys((topics.override, topics.everyone))
        for word in read.readable(records_shown(clients, topic), wire.decode_override)
    ]
