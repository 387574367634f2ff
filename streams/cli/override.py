"""`otpguard release | allow | exempt | mode | rails`: overrides of operators.

An override wins over the detector. It is written to the override topic, which every adapter reads
itself, so no worker is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import msgspec
import typer

from detectors.model import records
from detectors.model.times import DAY_MS
from detectors.recognise.platform import registry as registries
from streams import config as configs, wire
from streams.cases import audit_chain as chains, network_views, standing
from streams.cli import audited, cases
from streams.cli.audited import audit_chain, deliver_audit
from streams.cli.shared import (
    UNITS_S,
    JsonOption,
    SettingsOption,
    TicketOption,
    fold_line,
    is_conversation,
    recipient_of,
    records_shown,
    seconds,
    write_json,
)
from streams.cluster import admin, read
from streams.common import (
    OtpguardError,
    UnavailableError,
    UnconfirmedError,
    UsageError,
    clock,
    escape_unprintable,
    join_list,
    moment,
    tr,
)
from streams.people.desk import override_publisher
from streams.tools.operate import diagnosis

EVERYONE: Final = "*"
RecipientArgument = Annotated[str, typer.Argument(help="Number in any format, or token.")]
ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason",
        "-r",
        help="Reason, such as a ticket; a terminal asks for it.",
        show_default=False,
    ),
]
ActorOption = Annotated[
    str, typer.Option("--actor", help="Author of the override.", show_default="who is logged in")
]
WaitOption = Annotated[
    float,
    typer.Option("--wait", help="Seconds to wait for adapters to confirm, at most; 0: none."),
]
EndOption = Annotated[bool, typer.Option("--end", help="End it now.")]


def release(
    recipient: RecipientArgument,
    settings: SettingsOption,
    *,
    reason: ReasonOption = "",
    lasts: Annotated[
        str,
        typer.Option("--for", help="Duration in which no new lease is made, such as 30m or 2h."),
    ] = "1h",
    actor: ActorOption = "",
    ticket: TicketOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""End a recipient's lease, and make no new one for an hour.

    \b
    Examples:
      otpguard release +8613900000001 --reason "ticket 4711"
      otpguard release 13900000001 -r "she called" --for 1d
    """
    _say(
        settings, "release", recipient, reason, actor, lasts, wait_s, as_json=as_json, ticket=ticket
    )


def allow(
    recipient: Annotated[str, typer.Argument(help="Number or token; '*' means everybody.")],
    platform: Annotated[
        str, typer.Argument(help="Key, such as sig:某校 or port:106…; a bare name is a signature.")
    ],
    settings: SettingsOption,
    *,
    reason: ReasonOption = "",
    lasts: Annotated[str, typer.Option("--for", help="Period, such as 12h or 30d.")] = "30d",
    end: EndOption = False,
    unseen: Annotated[
        bool,
        typer.Option(
            "--unseen", help="Accept a platform that is in no registry and no recent case."
        ),
    ] = False,
    actor: ActorOption = "",
    ticket: TicketOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""Let the codes of one more platform pass.

    If no registry knows the platform, and only other platforms are in the cases of the last day,
    the command assumes a typing error: it lists similar names and sends nothing to gateways.

    \b
    Examples:
      otpguard allow +8613900000001 sig:某校 --reason "she waits for it"
      otpguard allow '*' 某银行 --reason "missing in the registry" --for 7d
      otpguard allow +8613900000001 sig:某校 --reason "done" --end
    """
    registry, _ = settings.registry()
    key = network_views.platform_key(registry, platform)
    if not (end or unseen):
        _check_heard_of(settings, recipient, key, registry)
    _say(
        settings, "allow", recipient, reason, actor, "0s" if end else lasts, wait_s,
        as_json=as_json, ticket=ticket, platform=key,
    )  # fmt: skip


def exempt(
    recipient: RecipientArgument,
    settings: SettingsOption,
    *,
    reason: ReasonOption = "",
    lasts: Annotated[
        str | None, typer.Option("--for", help="Duration, such as 90d; default: until --end.")
    ] = None,
    end: EndOption = False,
    actor: ActorOption = "",
    ticket: TicketOption = "",
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
        settings, "exempt", recipient, reason, actor, "0s" if end else lasts, wait_s,
        as_json=as_json, ticket=ticket,
    )  # fmt: skip


def mode(
    settings: SettingsOption,
    switch: Annotated[
        str,
        typer.Argument(
            help="off, shadow, enforce or normal; without it: print the mode in force.",
            metavar="[MODE]",
            show_default=False,
        ),
    ] = "",
    *,
    reason: ReasonOption = "",
    lasts: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="Duration, after which leases are enforced "
            "again; default: until the next `mode` "
            "command.",
        ),
    ] = None,
    actor: ActorOption = "",
    ticket: TicketOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""The kill switch of all gateways: shadow and off end every lease at once.

    `normal` withdraws the switch: gateways follow the leases again, in the mode of the settings.
    `enforce` does the same with --for. Neither enforces leases that were published in shadow.

    \b
    Examples:
      otpguard mode
      otpguard mode off --reason "complaints, ticket 4711"
      otpguard mode normal --reason "all clear"
      otpguard mode shadow --reason "maintenance" --for 2h
    """
    if not switch:
        _tell_mode(settings, as_json=as_json)
        return
    if switch not in ("shadow", "enforce", "off", "normal"):
        raise typer.BadParameter(
            tr("{given!r} is none of shadow, enforce, off, normal").format(given=switch)
        )
    if switch == "normal":  # an override that ends at once: the settings apply again
        switch, lasts = "enforce", "0s"
    _say(
        settings, "mode", EVERYONE, reason, actor, lasts, wait_s,
        as_json=as_json, ticket=ticket, mode=switch,
    )  # fmt: skip
    if switch == "enforce" and not as_json:
        typer.echo(fold_line(diagnosis.examine_protection(settings).says))


def _tell_mode(settings: configs.Settings, *, as_json: bool) -> None:
    """Print the mode in force: that of the kill switch, or else that of the settings."""
    word = standing.switch(cases.words_of(settings), clock.now_ms())
    if as_json:
        found = msgspec.to_builtins(word) if word else {"mode": settings.mode}
        write_json({"source": "override" if word else "settings", **found})
    elif word:
        cases.warn(word)
    else:
        typer.echo(
            tr("mode {mode}, by the settings; no kill switch is on").format(mode=settings.mode)
        )


def rails(
    times: Annotated[
        int,
        typer.Argument(
            help="Factor for the number of leases in the settings: 2 to 10. 1 ends the override.",
            metavar="TIMES",
        ),
    ],
    settings: SettingsOption,
    *,
    reason: ReasonOption = "",
    lasts: Annotated[
        str, typer.Option("--for", help="Duration, such as 30m or 2h; a day at most.")
    ] = "2h",
    actor: ActorOption = "",
    wait_s: WaitOption = 3.0,
    as_json: JsonOption = False,
) -> None:
    r"""Let gateways accept more leases for a while, in a campaign that is larger than the rails.

    Leases that the rails blocked, and that have not ended, are accepted at once, as far as there is
    room. When the override ends, leases in force stay until they end by themselves.

    \b
    Examples:
      otpguard rails 3 --reason "campaign 1:sms.delivery.v1:7:123456" --for 2h
      otpguard rails 1 --reason "over"
    """
    if not 1 <= times <= wire.RAILS_TIMES_MAX:
        raise typer.BadParameter(
            tr("{given} is not 1 to {most}").format(given=times, most=wire.RAILS_TIMES_MAX)
        )
    if not 0 < seconds(lasts) <= UNITS_S["d"]:
        raise typer.BadParameter(tr("raised rails end within a day: --for 24h at most"))
    _say(
        settings, "rails", EVERYONE, reason, actor, lasts if times > 1 else "0s", wait_s,
        as_json=as_json, times=times,
    )  # fmt: skip


def _canonical(settings: configs.Settings, recipient: str) -> str:
    return recipient if recipient == EVERYONE else recipient_of(settings, recipient)


def _check_heard_of(
    settings: configs.Settings, recipient: str, key: str, registry: registries.Registry
) -> None:
    """Raise UsageError if a platform looks like a typing error, and name similar ones."""
    canonical = _canonical(settings, recipient)
    if standing.heard_of(key, registry, ()):
        return
    try:
        own = {
            sighting.platform
            for record in _lately(settings)
            if recipient == EVERYONE or record.recipient == canonical
            for sighting in record.sightings
        }
    except OtpguardError:  # who may not read cases may allow all the same
        return
    near = standing.nearest(key, own, registry)
    if standing.heard_of(key, registry, own) or not (near or own):
        return
    told = tr(
        "{platform} is unknown: it is in no registry, and in no case of the last day. Did "
        "you mean {near}? --unseen allows it anyway"
    )
    if not near:
        told = tr(
            "{platform} is unknown: it is in no registry, and in no case of the last day; "
            "this recipient's case has {near}. --unseen allows it anyway"
        )
    raise UsageError(told.format(platform=key, near=join_list(near or standing.instead(own))))


def _lately(settings: configs.Settings) -> Iterator[records.EpisodeRecord]:
    since_ms = clock.now_ms() - DAY_MS
    found = records_shown(admin.client_arguments(settings.kafka), settings.topics.episode, since_ms)
    yield from read.readable(found, wire.decode_episode)


def _say(
    settings: configs.Settings,
    verb: str,
    recipient: str,
    reason: str,
    actor: str,
    lasts: str | None,
    wait_s: float,
    *,
    as_json: bool,
    **more: str | int,
) -> None:
    """Publish one override, and print where it is in effect."""
    reason = reason or _ask_reason()
    word = _word(settings, verb, recipient, reason, actor, lasts, **more)
    with audit_chain(settings) as chain:
        _note(chain, word, "asked")
        try:
            admin.require_topic(settings.kafka, settings.topics.of_override(recipient))
            with override_publisher.speaking_on(
                settings, clock.now_ms, listen=wait_s > 0
            ) as speaker:
                said = speaker.say(word, wait_s)
        except OtpguardError as error:
            _note(chain, word, error.outcome)
            # What went wrong with the word is said, and this alone where its records would be lost.
            deliver_audit(settings, chain, quiet=chain.is_durable)
            raise
        unconfirmed = wait_s and (said.missing or said.has_unknown or not said.obeyed)
        outcome = "failed" if said.failed else "unconfirmed" if unconfirmed else "done"
        _note(chain, word, outcome, said.word_id)
        unaudited = deliver_audit(settings, chain)
    _tell(word, said, lasts, unaudited, as_json=as_json)
    if said.failed:
        told = join_list([f"{gateway} ({why})" for gateway, why in said.failed.items()])
        raise UnavailableError(
            tr("not obeyed by {told}; the order is repeated while a lease is in force").format(
                told=told
            )
        )
    if wait_s and not said.obeyed:
        raise UnavailableError(
            tr(
                "no adapter confirmed within {wait} s; the override is stored, and takes "
                "effect when one runs"
            ).format(wait=f"{wait_s:g}")
        )
    if said.missing:
        raise UnconfirmedError(
            tr("applied, but not confirmed by {told}").format(told=join_list(said.missing))
        )
    if said.has_unknown:
        raise UnconfirmedError(
            tr(
                "applied, but which other gateways run is not known: this user may not see their "
                "consumer groups (`otpguard topics acls` lists the rights)"
            )
        )
    if unaudited:
        raise UnavailableError(tr("the override is in effect, but its audit record is not written"))


def _ask_reason() -> str:
    """Return the reason that a person types. Raise UsageError if nobody can be asked."""
    if not is_conversation():
        raise UsageError(tr('--reason "…" is needed, such as the number of a ticket'))
    return str(typer.prompt(tr("Reason")))


def _word(
    settings: configs.Settings,
    verb: str,
    recipient: str,
    reason: str,
    actor: str,
    lasts: str | None,
    **more: str | int,
) -> wire.Override:
    if verb == "rails":
        more["schema_version"] = wire.RAILS_VERSION

    now_ms = clock.now_ms()
    fields = {
        "recipient": _canonical(settings, recipient),
        "verb": verb,
        "actor": actor or audited.actor(),
        "reason": reason,
        "issued_at_ms": now_ms,
        "expires_at_ms": None if lasts is None else now_ms + seconds(lasts) * 1000,
        "via": "cli",
        **more,
    }
    try:
        return msgspec.convert(fields, wire.Override)
    except msgspec.ValidationError as error:
        raise UsageError(str(error)) from None


def _note(chain: chains.AuditChain, word: wire.Override, outcome: str, name: str = "") -> None:
    """Audit an override: before it is published, and with its result."""
    details = {"mode": word.mode, "rails": str(word.times)}
    detail = word.platform or details.get(word.verb, "")
    fields = {
        "actor": word.actor, "subject": word.recipient, "reason": word.reason,
        "detail": " ".join(each for each in (detail, name) if each),
        "ticket": word.ticket, "until_ms": word.expires_at_ms,
    }  # fmt: skip
    audited.note(chain, word.verb, outcome, fields)


def _tell(
    word: wire.Override,
    said: override_publisher.Said,
    lasts: str | None,
    unaudited: bool,
    *,
    as_json: bool,
) -> None:
    missing = {each: said.at_work[each] for each in said.missing}
    stopped = {each: said.silent[each] for each in said.list_stopped}
    if as_json:
        answers = {
            "override": said.word_id, "in_effect": said.obeyed, "failed": said.failed,
            "unconfirmed": missing, "stopped": stopped,
        }  # fmt: skip
        write_json({**msgspec.to_builtins(word), **answers, "audited": not unaudited})
        return
    until = tr("for {span}").format(span=lasts) if lasts else tr("until changed")
    if lasts == "0s":
        until = tr("ended at once")
    typer.echo(
        tr("{verb} by {actor}, {until} ({name})").format(
            verb=word.verb, actor=escape_unprintable(word.actor), until=until, name=said.word_id
        )
    )
    for gateway, took_s in said.obeyed.items():
        typer.echo(
            tr("in effect at {gateway} after {took} s").format(
                gateway=escape_unprintable(gateway), took=f"{took_s:.2f}"
            )
        )
    for told, found in (
        (tr("not confirmed by {gateway}, which last answered at {at}"), missing),
        (tr("{gateway} is stopped since {at}; it obeys when it starts"), stopped),
    ):
        for gateway, at_ms in found.items():
            typer.echo(told.format(gateway=escape_unprintable(gateway), at=moment(at_ms)))
