"""`otpguard dlq`: shows dead letters and replays them."""

from __future__ import annotations

import base64
import logging
import sys
from collections import Counter
from typing import Annotated, Any

import typer
from rich import cells

from streams import wire
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    format_counts,
    group,
    progress,
    stopping,
    write_json,
    write_table,
)
from streams.cluster import admin
from streams.common import UsageError, escape_unprintable, tr, utc
from streams.tools.operate import dead_letters

app = group("Inspect dead letters, and replay them.")

ReasonOption = Annotated[
    list[str] | None,
    typer.Option(help="Only this reason; repeat the option for several.", show_default=False),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        help="Only dead letters of this period until now, such as 6h.", show_default=False
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        help="Only dead letters that are older than this, such as 30m.", show_default=False
    ),
]
PartitionOption = Annotated[
    int | None,
    typer.Option(
        min=0, help="Only dead letters of this partition of the source.", show_default=False
    ),
]


@app.command("ls")
def ls(
    settings: SettingsOption,
    *,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    partition: PartitionOption = None,
    limit: Annotated[
        int, typer.Option(min=0, help="List this many of the newest dead letters; all are counted.")
    ] = 50,
    as_json: JsonOption = False,
) -> None:
    r"""List refused events with their reasons, and count them. Shows no number and no text.

    The position is partition:offset in the topic of dead letters. "refused again" marks a dead
    letter of an event that was refused again after a replay.

    \b
    Examples:
      otpguard dlq ls --since 2h
      otpguard dlq ls --reason missing_field --limit 5 --json
    """
    wanted = _filter(reason, since, until, partition)
    with progress(tr("dead letters read"), None) as tell:
        found = dead_letters.find(
            admin.client_arguments(settings.kafka), settings.topics.dead_letters, wanted, tell
        )
    listed = found.letters[-limit:] if limit else []
    if as_json:
        write_json(
            {
                "counts": {why: _words(fates) for why, fates in found.counts().items()},
                "letters": [_row(letter) for letter in listed],
                "repeats": found.repeats,
                "foreign": found.foreign,
            }
        )
        return
    if listed:
        rows = [_row(letter) for letter in listed]
        write_table(
            [tr(name) for name in rows[0]],
            [[*list(row.values())[:-1], tr(row["fate"])] for row in rows],
        )
        typer.echo("")
    for why, fates in found.counts().items():
        typer.echo(f"{escape_unprintable(why)}: {fates.total()} ({format_counts(_words(fates))})")
    notes = {
        "not listed (--limit)": len(found.letters) - len(listed),
        "repeats of a dead letter, not counted": found.repeats,
        "records that are no dead letters": found.foreign,
    }
    typer.echo(format_counts(notes) or ("" if found.letters else tr("no dead letters")), err=True)


@app.command()
def show(
    position: Annotated[str, typer.Argument(help="Position as `ls` prints it, such as 3:17.")],
    settings: SettingsOption,
    *,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="The original value to standard output: personal data. --json adds the key.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Show one dead letter: reason, source, size; its bytes only with --raw.

    \b
    Examples:
      otpguard dlq show 3:17
      otpguard dlq show 3:17 --raw | jq keys
      otpguard dlq show 3:17 --raw --json | jq -r .value | base64 -d
    """
    letter, record, target = dead_letters.show(
        admin.client_arguments(settings.kafka), settings.topics.dead_letters, position
    )
    key: bytes | None = dict(record.headers).get("key")
    told: dict[str, Any] = _row(letter) | {
        "key_bytes": None if key is None else len(key),
        "whole": letter.whole,
        "record_time": _time(letter.time_ms),
        "replayed_to": None if target is None else str(target),
    }
    if raw:
        typer.echo(tr("personal data: numbers and texts of subscribers follow"), err=True)
        if not as_json:
            if sys.stdout.isatty():
                typer.echo(escape_unprintable(record.value.decode("utf-8", "backslashreplace")))
            else:
                sys.stdout.buffer.write(record.value)
                sys.stdout.buffer.flush()
            return
        told["key"] = None if key is None else base64.b64encode(key).decode()
        told["value"] = base64.b64encode(record.value).decode()
    if as_json:
        write_json(told)
        return

    for name, value in told.items():
        says = tr(value) if name == "fate" else str(value)
        shown = "-" if value is None else escape_unprintable(says)
        typer.echo(f"{cells.set_cell_size(tr(name), 12)} {shown}")


@app.command()
def replay(
    settings: SettingsOption,
    *,
    reason: ReasonOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    partition: PartitionOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Maximum number of dead letters; the oldest first.", show_default=False
        ),
    ] = None,
    rate_max: Annotated[float, typer.Option(min=0.1, help="Events a second.")] = 1000.0,
    by_key: Annotated[
        bool,
        typer.Option(
            "--by-key",
            help="Send dead letters without a key to any partition. Use this after "
            "partitions were added.",
        ),
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option(
            "--unchecked", help="Also replay events that these settings would refuse again."
        ),
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Also replay dead letters that were refused again after an earlier replay.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Only report what would be done.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Send dead letters to the input again, with their original keys and bytes.

    Each dead letter is replayed once and then marked. An interrupted replay continues where it
    stopped; up to 200 events may come twice, which changes no decision. Events that the current
    settings would refuse again stay where they are. Event times do not change: a lease of an old
    flood has already ended when it is issued, and an event a day older than the recipient's newest
    platforms opens no episode.

    \b
    Examples:
      otpguard dlq replay --dry-run
      otpguard dlq replay --reason unknown_schema_version --since 6h
      otpguard dlq replay --rate-max 50 --limit 100 --json
    """
    wanted = _filter(reason, since, until, partition)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what fails is said in one line
    clients, topics = admin.client_arguments(settings.kafka), settings.topics
    replayer = dead_letters.Replayer(
        clients, topics.dead_letters, topics.input, settings.intake(),
        per_s=rate_max, by_key=by_key, unchecked=unchecked, again=again,
    )  # fmt: skip
    with progress(tr("dead letters read"), None) as tell:
        letters, account = replayer.choose(
            dead_letters.find(clients, topics.dead_letters, wanted, tell).letters
        )
    stopped = stopping().is_set  # The batch at hand is finished first.
    with progress(tr("replayed"), len(letters)) as tell:
        replayer.run(letters, account, limit=limit, dry_run=dry_run, stop=stopped, tell=tell)
    if as_json:
        write_json({
            "would_publish" if dry_run else "published": account.published,
            "would_be_refused": dict(sorted(account.refused_still.items())),
            "replayed_before": account.replayed_before,
            "refused_again": account.refused_again,
            "cut_or_empty": account.not_whole,
            "interrupted": stopped(),
        })  # fmt: skip
    else:
        _say_replayed(account, dry_run=dry_run, stopped=stopped())


def _say_replayed(account: dead_letters.LetterReplay, *, dry_run: bool, stopped: bool) -> None:
    done = tr("would replay {n}") if dry_run else tr("replayed {n}")
    typer.echo(done.format(n=account.published))
    left = {
        **{
            tr("would be refused as {why}:").format(why=why): n
            for why, n in account.refused_still.items()
        },
        tr("replayed before:"): account.replayed_before,
        tr("refused again after a replay (--again):"): account.refused_again,
        tr("cut or empty, their producer alone has them:"): account.not_whole,
    }
    for what, n in left.items():
        if n:
            typer.echo(tr("left: {what} {n}").format(what=what, n=n))
    if stopped:
        typer.echo(tr("stopped before the end; called again, it goes on"), err=True)


def _filter(
    reasons: list[str] | None, since: str | None, until: str | None, partition: int | None
) -> dead_letters.Filter:
    for each in reasons or ():
        if each not in set(wire.RejectReason):
            raise UsageError(
                tr("no reason {each!r}; there are: {known}").format(
                    each=each, known=", ".join(wire.RejectReason)
                )
            )
    return dead_letters.Filter(
        frozenset(reasons or ()),
        None if since is None else ago_ms(since),
        None if until is None else ago_ms(until),
        partition,
    )


def _row(letter: dead_letters.Letter) -> dict[str, Any]:
    return {
        "position": letter.position,
        "written": _time(letter.written_ms),
        "reason": letter.reason,
        "source": str(letter.source),
        "bytes": letter.bytes,
        "fate": letter.fate.value,
    }


def _words(fates: Counter[Any]) -> dict[str, int]:
    return {fate.value: n for fate, n in sorted(fates.items())}


def _time(at_ms: int) -> str | None:
    return utc(at_ms) if at_ms >= 0 else None
