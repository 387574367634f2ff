"""`otpguard notify`: notices to victims, and reports to abused platforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import phonenumbers
import typer

from streams import config as configs, wire
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    group,
    log_to_stderr,
    recipient_of,
    records_shown,
    serving,
    write_json,
    write_lines,
    write_table,
)
from streams.cluster import admin, read
from streams.common import ConfigError, Exit, clock, escape_unprintable, tr
from streams.people.notices import (
    channels,
    contacts as platform_contacts,
    notice_book,
    notifier as notifying,
    platform_use,
    reply,
    smpp,
    tell,
    texts as notice_texts,
)
from streams.telemetry import metrics as telemetry

LAST_NOTICE_S: Final = 55.0
"""Seconds for a last notice to a slow SMSC; TimeoutStopSec= of the unit is 60."""

app = group("Notify victims of floods, and report to the platforms that floods abuse.")


@app.command()
def run(settings: SettingsOption) -> None:
    r"""Notify each victim once, after a gateway has confirmed the lease.

    Texts are checked first, with their largest values: one SMS part, no link, no number, and not
    recognised as a verification code. In shadow mode nobody is notified.

    \b
    Example:
      otpguard notify run --config /etc/otpguard/otpguard.toml
    """
    log_to_stderr()
    texts = _texts(settings)
    book = notice_book.NoticeBook(_params(settings))
    metrics = telemetry.Metrics("notifier")
    with admin.working(tr("cannot notify")):
        notifier = notifying.Notifier(
            book,
            _channel(settings),
            texts,
            admin.client_arguments(settings.kafka),
            settings.topics,
            metrics,
            clock.now_ms,
            replies=reply.Replies(settings.notify, settings.intake().numbers, book)
            if settings.notify.reply
            else None,
            reply_topic=settings.notify.reply_topic,
        )
        reading = "reading what was told"
        with serving(
            settings,
            metrics,
            lambda: "" if notifier.ready.is_set() else reading,
            stop_s=LAST_NOTICE_S,
        ) as stop:
            notifier.run(stop)


@app.command()
def preview(
    settings: SettingsOption,
    *,
    number: Annotated[
        str,
        typer.Option(
            "--number", help="Show the texts in the language of this number, in any format."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    r"""Show every text that victims may get, with the longest values; nothing is sent.

    \b
    Examples:
      otpguard notify preview --config /etc/otpguard/otpguard.toml
      otpguard notify preview --number 85261234567
    """
    texts = _texts(settings)
    notify = settings.notify
    chosen = list(dict.fromkeys((notify.language, *notify.languages.values())))
    if number:
        chosen = [texts.language(recipient_of(settings, number))]
    rows = []
    for language in chosen:
        for name in _names(settings):
            text = texts.render(
                name,
                language,
                notice_texts.Facts(0, notice_texts.COUNT_MAX + 1, notice_texts.COUNT_MAX + 1),
            )
            taken, most = notice_texts.units(text)
            rows.append({"language": language, "text": name, "units": taken, "of": most,
                         "sender": notify.sender, "says": text})  # fmt: skip
    shown = (
        line
        for row in rows
        for line in (
            f"{row['language']}  {row['text']}  {row['units']}/{row['of']}",
            f"  {row['says']}",
        )
    )
    write_lines(rows, shown, as_json=as_json)


@app.command()
def platforms(
    settings: SettingsOption,
    *,
    day: Annotated[
        str, typer.Option("--day", help="Day of the report, in UTC.", show_default="yesterday")
    ] = "",
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="Report on today, and only on platforms above reports.at_once."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list who would get a report.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    r"""Report to platforms whose pages were abused: when, how much, and what stops it.

    Reports contain counts and times, never a number or its hash; fewer than five victims are "<5".
    A platform that improves after a report gets none for a week. Run it once a day by a timer, and
    with --at-once every few minutes: a platform gets one report for each day.

    \b
    Examples:
      otpguard notify platforms --dry-run
      otpguard notify platforms --at-once
      otpguard notify platforms --day 2026-11-25 --lang zh-Hans
    """
    reports, topics, now_ms = settings.reports, settings.topics, clock.now_ms()
    day_ms = now_ms - now_ms % 86_400_000 if at_once else tell.day_of(day, now_ms)
    contacts = platform_contacts.read_contacts(reports.contacts_file, settings.registry()[0])
    since_ms = day_ms - reports.days * 86_400_000
    clients = admin.client_arguments(settings.kafka)
    with admin.working(tr("cannot tell platforms")):
        decisions = tell.decide(
            read.readable(records_shown(clients, topics.incident, since_ms), wire.decode_incident),
            read.readable(records_shown(clients, topics.notice, since_ms), wire.decode_notice),
            contacts,
            reports,
            day_ms=day_ms,
            now_ms=now_ms,
            at_once=at_once,
        )
        wanted = [each.report for each in decisions if each.report is not None]
        became: dict[str, str] = {}
        if not dry_run and wanted:
            say, close = tell.writer(clients, topics.notice)
            for report, state, why in tell.send(wanted, reports, say, clock.now_ms):
                became[report.use.key] = f"{state} {why}".strip()
            close()
    _show_told(decisions, became, as_json=as_json)
    _warn_of_expired(contacts, now_ms)
    if any(state.startswith("failed") for state in became.values()):
        raise typer.Exit(Exit.TRY_AGAIN)


def _warn_of_expired(contacts: platform_contacts.PlatformContacts, now_ms: int) -> None:
    for contact in contacts.list_expired(datetime.fromtimestamp(now_ms / 1000, UTC).date()):
        typer.echo(
            tr("otpguard: the entry of {name} has expired on {day}; {owner} looks after it").format(
                name=escape_unprintable(contact.name),
                day=contact.expires,
                owner=escape_unprintable(contact.owner),
            ),
            err=True,
        )


def _show_told(
    decisions: Sequence[tell.Decision], became: Mapping[str, str], *, as_json: bool
) -> None:
    rows = [
        {
            "platform": each.use.key,
            "decision": str(each.telling),
            "outcome": became.get(each.use.key, ""),
            "to": each.contact.name if each.contact is not None else "",
            "messages": each.use.messages,
            "floods": len(each.use.episodes),
            "victims": platform_use.few(len(each.use.victims)),
        }
        for each in decisions
    ]
    if as_json:
        write_json(rows)
    elif rows:
        heads = [tr(name) for name in COLUMNS]
        told = [{**row, "decision": tr(SAID[str(row["decision"])])} for row in rows]
        write_table(heads, [list(map(str, row.values())) for row in told], drop=(3, 5))
    else:
        typer.echo(tr("no platform was used for a flood on that day"))


SAID: Final = {
    "digest": "gets a report of the day",
    "at_once": "gets a report at once",
    "few": "was used too little",
    "quiet": "improves since its last report",
    "told": "got its report already",
    "nobody": "has no contact",
    "not_yet": "gets a report at the day's end",
}

COLUMNS: Final = ("platform", "decision", "outcome", "to", "messages", "floods", "victims")


def _names(settings: configs.Settings) -> tuple[str, ...]:
    notify = settings.notify
    return (
        *(("start_reply", "opened") if notify.reply else ("start",)),
        "start_few",
        *(("end",) if notify.end else ()),
        *(("released",) if notify.taken_back else ()),
    )


def _texts(settings: configs.Settings) -> notice_texts.NoticeTexts:
    texts = notice_texts.read_texts(settings.notify.texts_file)
    return notice_texts.check_texts(
        texts, settings.notify, _names(settings), settings.registry()[0]
    )


def _params(settings: configs.Settings) -> notice_book.NotifyParams:
    notify, first = settings.notify, int(settings.canary.first)
    home = str(phonenumbers.country_code_for_region(settings.input.country))
    return notice_book.NotifyParams(
        hold_off_ms=round(notify.hold_off_h * 3_600_000),
        per_minute=notify.per_minute,
        per_day=notify.per_day,
        prefixes={each.lstrip("+"): most for each, most in notify.to_prefixes.items()}
        or {home: notify.per_day},
        age_max_ms=round(notify.age_max_s * 1000),
        gateways=frozenset(notify.gateways),
        canary=range(first, first + settings.canary.numbers),
        end=notify.end,
        released=notify.taken_back,
    )


def _channel(settings: configs.Settings) -> channels.Channel:
    notify = settings.notify
    ca_file = str(notify.ca_file) if notify.ca_file else None
    if not notify.sender:
        raise ConfigError(tr("notify.sender is empty: a notice comes from a number, such as 10086"))
    if notify.channel == "file":
        return channels.FileChannel(notify.file)
    if notify.channel == "jasmin":
        return channels.JasminChannel(
            notify.url,
            notify.username,
            notify.password.get_secret_value(),
            timeout_s=notify.answer_s,
            ca_file=ca_file,
        )
    if notify.channel == "webhook":
        return channels.WebhookChannel(
            notify.url,
            notify.secret.get_secret_value().encode(),
            timeout_s=notify.answer_s,
            ca_file=ca_file,
        )

    return smpp.SmppChannel(settings.smpp, notify.answer_s)
