"""`otpguard release | allow | exempt | mode`: the operator's word, which wins over the machine.

It goes onto the override topic, which every adapter reads by itself; no worker is needed.
"""

from __future__ import annotations

import getpass
import os
import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from streams.cli.shared import ConfigOption, JsonOption, settings_of, write_json
from streams.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from streams.config import Settings
    from streams.wire import Override

EVERYONE: Final = "*"
PLATFORM: Final = re.compile("(sig|port|id|host|from):.+")
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

RecipientArgument = Annotated[str, typer.Argument(help="Number in any form, or token.")]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; a ticket, say.")]
ActorOption = Annotated[
    str, typer.Option("--actor", help="Who says it.", show_default="who is logged in")
]
WaitOption = Annotated[
    float, typer.Option("--wait", help="Seconds to wait for adapters to confirm; 0: none.")
]
EndOption = Annotated[bool, typer.Option("--end", help="End it now.")]


def release(
    recipient: RecipientArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    *,
    lasts: Annotated[
        str, typer.Option("--for", help="No new lease for so long either, such as 30m or 2h.")
    ] = "1h",
    actor: ActorOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""Take back a recipient's lease, and make none for an hour.

    \b
    Examples:
      otpguard release +8613900000001 --reason "ticket 4711"
      otpguard release 13900000001 -r "she called" --for 1d
    """
    _say(config, "release", recipient, reason, actor, lasts, wait_s, as_json=as_json)


def allow(
    recipient: Annotated[str, typer.Argument(help="Number or token; '*' for everybody.")],
    platform: Annotated[
        str, typer.Argument(help="Key, such as sig:某校 or port:106…; a bare name is a signature.")
    ],
    reason: ReasonOption,
    config: ConfigOption = None,
    *,
    lasts: Annotated[str, typer.Option("--for", help="Such as 12h or 30d.")] = "30d",
    end: EndOption = False,
    actor: ActorOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""Let the codes of one more platform pass.

    \b
    Examples:
      otpguard allow +8613900000001 sig:某校 --reason "she waits for it"
      otpguard allow '*' 某银行 --reason "missing in the registry" --for 7d
      otpguard allow +8613900000001 sig:某校 --reason "done" --end
    """
    _say(
        config, "allow", recipient, reason, actor, "0s" if end else lasts, wait_s,
        as_json=as_json, platform=platform_key(platform),
    )  # fmt: skip


def exempt(
    recipient: RecipientArgument,
    reason: ReasonOption,
    config: ConfigOption = None,
    *,
    lasts: Annotated[
        str | None, typer.Option("--for", help="Such as 90d; default: until --end.")
    ] = None,
    end: EndOption = False,
    actor: ActorOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""Never throttle a recipient: QA, shared numbers of a company, public inboxes.

    \b
    Examples:
      otpguard exempt +8613900000001 --reason "QA of the app team"
      otpguard exempt +8613900000001 --reason "number given back" --end
    """
    _say(
        config, "exempt", recipient, reason, actor, "0s" if end else lasts, wait_s, as_json=as_json
    )


def mode(
    switch: Annotated[str, typer.Argument(help="shadow, enforce or off.", metavar="MODE")],
    reason: ReasonOption,
    config: ConfigOption = None,
    *,
    lasts: Annotated[
        str | None, typer.Option("--for", help="Then enforce again; default: until said anew.")
    ] = None,
    actor: ActorOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""The kill switch of all gateways: shadow and off take every lease back at once.

    `enforce` lets leases stand again that the detector meant to be enforced; it makes none of
    those that it published in shadow.

    \b
    Examples:
      otpguard mode off --reason "complaints, ticket 4711"
      otpguard mode shadow --reason "maintenance" --for 2h
      otpguard mode enforce --reason "all clear"
    """
    if switch not in ("shadow", "enforce", "off"):
        raise typer.BadParameter(f"{switch!r} is none of shadow, enforce, off")
    _say(config, "mode", EVERYONE, reason, actor, lasts, wait_s, as_json=as_json, mode=switch)


def platform_key(written: str) -> str:
    """A platform as the detector names it; what has no form is a signature.

    >>> platform_key("port:95588"), platform_key("【ICBC】")
    ('port:95588', 'sig:icbc')
    """
    from detectors.recognise.fold import name_key  # noqa: PLC0415 - start-up time

    if PLATFORM.fullmatch(written):
        return written
    key = name_key(written)
    if not key:
        raise UsageError(f"{written!r} names no platform")
    return f"sig:{key}"


def seconds(written: str) -> int:
    """A span of time.

    >>> seconds("90m"), seconds("30d")
    (5400, 2592000)
    """
    if not re.fullmatch("[0-9]{1,6}[smhd]", written):
        raise UsageError(f"{written!r} is no span of time; 45s, 30m, 2h and 7d are")
    return int(written[:-1]) * _UNITS_S[written[-1]]


def _say(
    config: Path | None,
    verb: str,
    recipient: str,
    reason: str,
    actor: str,
    lasts: str | None,
    wait_s: float,
    *,
    as_json: bool,
    **more: str,
) -> None:
    """Publish one word, and tell where it is in effect."""
    import msgspec  # noqa: PLC0415 - start-up time

    from streams.wire import Override  # noqa: PLC0415

    settings = settings_of(config)
    canonical = recipient
    if recipient != EVERYONE:
        canonical = settings.intake().numbers.canonical(recipient) or ""
        if not canonical:
            raise UsageError(f"{recipient!r} is neither a number nor a token")
    now_ms = time.time_ns() // 1_000_000
    try:
        word = msgspec.convert(
            {
                "recipient": canonical,
                "verb": verb,
                "actor": actor or _who(),
                "reason": reason,
                "issued_at_ms": now_ms,
                "expires_at_ms": None if lasts is None else now_ms + seconds(lasts) * 1000,
                **more,
            },
            Override,
        )
    except msgspec.ValidationError as error:
        raise UsageError(str(error)) from None
    name, confirmed, failed = _publish(settings, word, wait_s)
    if as_json:
        answers = {"override": name, "in_effect": confirmed, "failed": failed}
        write_json({**msgspec.to_builtins(word), **answers})
    else:
        until = "until said anew" if word.expires_at_ms is None else f"for {lasts}"
        typer.echo(f"{verb} said by {word.actor}, {until} ({name})")
        for gateway, took_s in confirmed.items():
            typer.echo(f"in effect at {gateway} after {took_s:.2f} s")
    if failed:
        told = ", ".join(f"{gateway} ({why})" for gateway, why in failed.items())
        raise UnavailableError(f"not obeyed by {told}; while a lease is in force it is said again")
    if wait_s and not confirmed:
        raise UnavailableError(
            f"no adapter confirmed within {wait_s:g} s; the word stands and counts when one runs"
        )


def _publish(
    settings: Settings, word: Override, wait_s: float
) -> tuple[str, dict[str, float], dict[str, str]]:
    """Write an override: its id; by adapter, seconds until it was obeyed, and why it is not."""
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # noqa: PLC0415 - start-up time
    from kafka.errors import KafkaError  # noqa: PLC0415

    from streams.cluster.admin import client_arguments, unusable  # noqa: PLC0415
    from streams.cluster.read import readable  # noqa: PLC0415
    from streams.wire import decode_ack, encode_override, override_id, override_key  # noqa: PLC0415

    clients: dict[str, Any] = client_arguments(settings.kafka)
    topics = settings.topics
    topic = topics.everyone if word.recipient == EVERYONE else topics.override
    acks = topics.acks
    confirmed: dict[str, float] = {}
    failed: dict[str, str] = {}
    try:
        with (
            closing(KafkaConsumer(**clients, allow_auto_create_topics=False)) as consumer,
            closing(KafkaProducer(**clients, acks="all")) as producer,
        ):
            places = [
                TopicPartition(acks, number) for number in consumer.partitions_for_topic(acks) or ()
            ]
            if wait_s and places:
                consumer.assign(places)
                for place, end in consumer.end_offsets(places).items():
                    consumer.seek(place, end)
            sent = producer.send(topic, encode_override(word), key=override_key(word))
            name = override_id(word, sent.get(timeout=10).offset)
            said = time.monotonic()
            while places and time.monotonic() - said < wait_s:
                for batch in consumer.poll(timeout_ms=100).values():
                    for ack in readable(batch, decode_ack):
                        if ack.action_id != name:
                            continue
                        if ack.state == "applied":
                            confirmed[ack.gateway_id] = time.monotonic() - said
                            failed.pop(ack.gateway_id, None)
                        else:
                            failed[ack.gateway_id] = ack.why
    except KafkaError as error:
        raise unusable(f"cannot publish to {topic}", error) from None
    return name, confirmed, failed


def _who() -> str:
    return os.environ.get("SUDO_USER") or getpass.getuser()
