"""`otpguard shadow-report`: reports what enforcement would refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import typer
from rich import cells

from detectors.model import event, records as episode_records
from streams import config as configs, wire
from streams.cases import rulings, shadow as shadow_counts
from streams.cli.cases import SinceOption
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    ago_ms,
    batches_shown,
    records_shown,
    write_json,
    write_table,
)
from streams.cluster import admin, read
from streams.common import Exit, join_list, tr


def shadow_report(
    settings: SettingsOption,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Report what leases refuse, or would refuse: platforms, recipients, probable harm.

    Reads the throttle topic and, for recipients under lease, the input topic, which must reach back
    as far. Leases count the same in shadow and in enforce mode. Ctrl-C prints what was read until
    then.

    \b
    Examples:
      otpguard shadow-report
      otpguard shadow-report --since 12h --json | jq .harm_ratio
    """
    since_ms = ago_ms(since)
    clients = admin.client_arguments(settings.kafka)
    found = records_shown(clients, settings.topics.throttle, since_ms)
    report: dict[str, Any] = {"since": since}
    actions: list[episode_records.Action] = []
    shadow: shadow_counts.Shadow | None = None
    try:
        actions.extend(read.readable(found, wire.decode_action))  # keeps what came before Ctrl-C
        shadow = shadow_counts.Shadow.of(actions)
        for message in _read(settings, clients, shadow.leases):
            shadow.meet(message)
    except KeyboardInterrupt:
        report["interrupted"] = True
    report |= (shadow or shadow_counts.Shadow.of(actions)).report()
    if as_json:
        write_json(report)
    else:
        _say(report)
    if "interrupted" in report:
        typer.echo(tr("interrupted: this is what was read until then"), err=True)
        raise typer.Exit(Exit.INTERRUPTED)


FIGURES: Final = {
    "since": "looked back over",
    "leases": "leases",
    "leases_by_mode": "leases by mode",
    "recipients_under_lease": "recipients under lease",
    "messages_refused": "messages refused, or that would be",
    "recipients_refused": "recipients of these",
    "messages_passed_under_lease": "messages passed under a lease",
    "messages_of_platforms_used_later": "refused, of platforms used later",
    "harm_ratio": "share of these: probable harm",
}


def _say(report: Mapping[str, Any]) -> None:
    labels = {name: tr(says) for name, says in FIGURES.items()}
    wide = max(map(cells.cell_len, labels.values()))
    for name, label in labels.items():
        value = report[name]
        if isinstance(value, float):
            value = f"{value:.1%}"
        elif isinstance(value, dict):
            value = join_list([f"{tr(kind)} {n}" for kind, n in value.items()]) or tr("none")
        typer.echo(f"{label}{' ' * (wide - cells.cell_len(label))}  {value}")
    if platforms := report["platforms"]:
        typer.echo("")
        write_table(
            [tr("platform"), tr("messages"), tr("recipients")],
            [list(each.values()) for each in platforms],
        )


def _read(
    settings: configs.Settings,
    clients: Mapping[str, Any],
    leases: Mapping[str, Sequence[episode_records.Action]],
) -> Iterator[rulings.LogMessage]:
    """Read the input topic for these recipients, from their first leases on.

    Partitions without a lease are not read.
    """
    starts: dict[int, int] = {}
    for cause in (action.cause for actions in leases.values() for action in actions):
        starts[cause.partition] = min(cause.offset, starts.get(cause.partition, cause.offset))
    with read.reading(clients, settings.topics.input) as reader:
        spans = {
            partition: (max(first, starts[partition]), end)
            for partition, (first, end) in reader.spans().items()
            if partition in starts
        }
        yield from _messages(settings, leases, batches_shown(reader, tr("messages read"), spans))


def _messages(
    settings: configs.Settings,
    leases: Iterable[str],
    batches: Iterable[Sequence[Any]],
) -> Iterator[rulings.LogMessage]:
    """Recognise the messages to these recipients in batches of records of one partition each.

    Everybody else's are skipped unread.
    """
    intake, recogniser = settings.intake(), settings.recogniser()
    keys, trusts = {recipient.encode() for recipient in leases}, tuple(event.Trust)
    for records in batches:
        few = [each for each in records if each.key in keys and each.value is not None]
        if few:
            batch = wire.decode(
                intake, settings.topics.input, few[0].partition,
                [each.value for each in few], [each.key for each in few],
                [each.offset for each in few], [each.timestamp for each in few],
                few[-1].offset + 1,
            ).batch  # fmt: skip
            codes = recogniser.columns(batch)
            for at in (batch.kind == event.EventKind.MESSAGE).nonzero()[0].tolist():
                number, otp = int(batch.recipient[at]), bool(codes.otp[at])
                recipient = batch.tokens.get(number) or str(number)
                if recipient.encode() in keys:
                    yield rulings.LogMessage(
                        recipient, int(batch.event_time_ms[at]), int(batch.offset[at]), otp,
                        codes.name(at) if otp else "", trusts[codes.trust[at]],
                    )  # fmt: skip
