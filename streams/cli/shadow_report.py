"""`otpguard shadow-report`: what enforcement would refuse, before anybody is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer
from rich.cells import cell_len

from streams.cli.cases import SinceOption
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    ago_ms,
    settings_of,
    write_json,
    write_table,
)
from streams.language import listed, tr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detectors.model.records import Action
    from streams.config import Settings
    from streams.operate.rulings import LogMessage


def shadow_report(
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    as_json: JsonOption = False,
) -> None:
    r"""Say what the leases of a period refuse, or would: platforms, recipients, probable harm.

    Reads the throttle topic and, for recipients under lease, the input topic, which has to reach
    back as far. Leases count the same in shadow and in enforce.

    \b
    Examples:
      otpguard shadow-report
      otpguard shadow-report --since 12h --json | jq .harm_ratio
    """
    from streams.cluster.admin import client_arguments  # noqa: PLC0415 - start-up time
    from streams.cluster.read import readable, records  # noqa: PLC0415
    from streams.operate.shadow import Shadow  # noqa: PLC0415
    from streams.wire import decode_action  # noqa: PLC0415

    settings = settings_of(config)
    since_ms = ago_ms(since)
    clients = client_arguments(settings.kafka)
    found = records(clients, settings.topics.throttle, since_ms=since_ms)
    shadow = Shadow.of(readable(found, decode_action))
    for message in _messages(settings, clients, shadow.leases):
        shadow.meet(message)
    report = {"since": since, **shadow.report()}
    if as_json:
        write_json(report)
        return
    _say(report)


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
"""The figures, as people are told them."""


def _say(report: Mapping[str, Any]) -> None:
    """Write the report for people."""
    labels = {name: tr(says) for name, says in FIGURES.items()}
    wide = max(map(cell_len, labels.values()))
    for name, label in labels.items():
        value = report[name]
        if isinstance(value, float):
            value = f"{value:.1%}"
        elif isinstance(value, dict):
            value = listed([f"{tr(kind)} {n}" for kind, n in value.items()]) or tr("none")
        typer.echo(f"{label}{' ' * (wide - cell_len(label))}  {value}")
    if platforms := report["platforms"]:
        typer.echo("")
        write_table(
            [tr("platform"), tr("messages"), tr("recipients")],
            [list(each.values()) for each in platforms],
        )


def _messages(
    settings: Settings, clients: dict[str, Any], leases: Mapping[str, Sequence[Action]]
) -> Iterator[LogMessage]:
    """Read the input topic for these recipients, from their first leases on.

    Everybody else is skipped unread, and so are partitions without a lease.
    """
    from detectors.recognise.recogniser import recognise  # noqa: PLC0415 - start-up time
    from streams.cluster.read import records  # noqa: PLC0415
    from streams.operate.rulings import LogMessage  # noqa: PLC0415
    from streams.wire import UnreadableError, decode_event  # noqa: PLC0415

    registry, _ = settings.registry()
    keys = {recipient.encode(): recipient for recipient in leases}
    starts: dict[int, int] = {}
    for cause in (action.cause for actions in leases.values() for action in actions):
        starts[cause.partition] = min(cause.offset, starts.get(cause.partition, cause.offset))
    intake = settings.intake()
    for record in records(clients, settings.topics.input, starts=starts):
        recipient = keys.get(record.key)
        if recipient is None:
            continue
        try:
            event = decode_event(record.value)
        except UnreadableError:
            continue  # a dead letter
        if not intake.is_message(event):
            continue
        verdict = recognise(
            registry,
            event.text or event.text_prefix or "",
            sender=event.sender,
            signature=event.signature or "",
            category=event.category or "",
            platform=event.platform_id or "",
            template=event.template_id or "",
            confidence_min=settings.recognise.confidence_min,
        )
        yield LogMessage(
            recipient, event.event_time_ms, record.offset,
            verdict.otp, verdict.platform, verdict.trust,
        )  # fmt: skip
