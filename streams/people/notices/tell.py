"""Send reports to platforms: choose the platforms, find the contact, send each report once.

A record on the notice topic is written before a report leaves.
"""

import logging
import mailbox
import smtplib
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

import msgspec

from detectors.model.incidents import IncidentRecord
from detectors.model.times import DAY_MS
from streams.cluster.prompt import PromptProducer, say as publish
from streams.common import ConfigError, UsageError, tr
from streams.config import Reports
from streams.people.notices.abuse_reports import PlatformReport, document, mail, report_id
from streams.people.notices.channels import Delivered, WebhookChannel
from streams.people.notices.contacts import PlatformContact, PlatformContacts
from streams.people.notices.notice_book import Unsent, may_have
from streams.people.notices.platform_use import PlatformUse, Telling, to_tell, trend, uses
from streams.wire import Notice, encode_notice
from streams.wire.notice_records import NoticeState

log = logging.getLogger(__name__)

SMTP_S: Final = 30.0
KEY_MAX: Final = 200  # characters of a platform key in the id of a notice

Say = Callable[[Notice], object]
"""Function that writes a record to the notice topic and returns when the broker has it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A platform that floods abused on a day, and whether it gets a report about that day."""

    telling: Telling
    use: PlatformUse
    contact: PlatformContact | None
    report: PlatformReport | None  # set only if a report is to be sent


def decide(
    incidents: Iterable[IncidentRecord],
    notices: Iterable[Notice],
    contacts: PlatformContacts,
    settings: Reports,
    *,
    day_ms: int,
    now_ms: int,
    at_once: bool,
) -> list[Decision]:
    """Decide for every platform that was used on a day whether to report, the most used first.

    `day_ms`: first millisecond of the day in UTC. Incidents and notices must reach back
    `settings.days` days.
    """
    incidents = list(incidents)
    since_ms = day_ms - settings.days * DAY_MS
    found = uses(incidents, day_ms, day_ms + DAY_MS)
    before = uses(incidents, since_ms, day_ms + DAY_MS)
    told = told_days(notices)
    total = sum(use.messages for use in found.values())
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    decisions = []
    for use in sorted(found.values(), key=lambda each: (-each.messages, each.key)):
        days = before[use.key].days()
        telling = to_tell(
            use,
            told={at: days.get(at, 0) for at in told.get(use.key, ())},
            today_ms=day_ms,
            now_ms=now_ms,
            messages_min=settings.messages_min,
            at_once=settings.at_once if at_once else None,
        )
        contact = contacts.of(use.key, today)
        report = None
        if telling in (Telling.DIGEST, Telling.AT_ONCE):
            if contact is None:
                telling = Telling.NOBODY
            else:
                first = min(told.get(use.key, ()), default=None)
                earlier, since = trend(days, first, since_ms, day_ms + DAY_MS)
                report = PlatformReport(
                    report_id=report_id(use.key, day_ms), use=use, contact=contact,
                    from_ms=day_ms, until_ms=min(day_ms + DAY_MS, now_ms), made_ms=now_ms,
                    share=use.messages / total, after=since,
                    before=earlier,
                )  # fmt: skip
        decisions.append(Decision(telling, use, contact, report))
    return decisions


def told_days(notices: Iterable[Notice]) -> Mapping[str, set[int]]:
    """Return the days for which reports were sent: platform key -> first milliseconds of the days.

    The last record of each notice decides. A report with an unknown result also counts, because a
    platform gets at most one report per day.
    """
    found: dict[str, set[int]] = defaultdict(set)
    newest = {each.notice_id: each for each in notices if each.kind == "platform"}
    for notice in newest.values():
        _, _, rest = notice.notice_id.partition(":")
        day = rest.partition(":")[0]
        if may_have(notice) and day.isdecimal():
            found[notice.to].add(int(day))
    return found


def send(
    reports: Iterable[PlatformReport], settings: Reports, say: Say, now_ms: Callable[[], int]
) -> Iterator[tuple[PlatformReport, NoticeState, str]]:
    """Send reports one by one, and yield the outcome of each.

    The record `sending` is on the log before a report leaves. A failed report never stops the
    others. If a report certainly did not leave, the next run sends it again.
    """
    check_reporter(settings)
    for report in reports:
        key = report.use.key
        sending = Notice(
            notice_id=f"platform:{report.from_ms}:{key[:KEY_MAX]}",
            episode_id="",
            kind="platform",
            to=key[:256],
            channel="webhook" if report.contact.webhook else settings.mail,
            template="report",
            state="sending",
            why="",
            at_ms=now_ms(),
        )
        state: NoticeState = "failed"
        try:
            content = write_report(report, settings)
        except Exception as error:  # noqa: BLE001 - one bad report must not stop the others
            why = type(error).__name__
        else:
            say(sending)
            try:
                state, why = deliver(report, content, settings)
            except Exception as error:  # noqa: BLE001 - for the same reason
                log.warning("a report met %s on its way", type(error).__name__)
                why = Unsent.UNKNOWN
        say(msgspec.structs.replace(sending, state=state, why=why, at_ms=now_ms()))
        yield report, state, why


def write_report(report: PlatformReport, settings: Reports) -> bytes:
    """Return the bytes to send: a JSON document for a webhook, otherwise a mail."""
    if report.contact.webhook:
        return document(report, settings)
    return mail(report, settings).as_bytes()


def deliver(report: PlatformReport, content: bytes, settings: Reports) -> tuple[NoticeState, str]:
    """Send one report the way its contact asks for: webhook, Maildir or SMTP server.

    Returns the state and the reason of a failure.
    """
    contact = report.contact
    if contact.webhook:
        try:
            secret = Path(contact.secret_file).read_bytes().split(b"\n", 1)[0].strip()
        except OSError as error:
            return "failed", f"secret_file errno_{error.errno}"
        try:
            way = WebhookChannel(contact.webhook, secret, timeout_s=SMTP_S)
        except ConfigError:  # the secret is missing or not base64; only this contact is affected
            return "failed", "secret_file"
        delivery = way.post(report.report_id, content)
        way.close()
        return ("sent", "") if delivery.state is Delivered.SENT else ("failed", delivery.why)
    if settings.mail == "maildir":
        return _to_maildir(content, settings)
    return _to_server(content, settings)


def check_reporter(settings: Reports) -> None:
    """Raise ConfigError if reports have no author: `reports.org` and `reports.mail_from`."""
    name, at, domain = settings.mail_from.rpartition("@")
    if not (settings.org and name and at and domain):
        raise ConfigError(
            tr(
                "reports.org and reports.mail_from are both required, because a "
                "report names its author"
            )
        )


def _to_maildir(letter: bytes, settings: Reports) -> tuple[NoticeState, str]:
    try:
        with closing(mailbox.Maildir(settings.maildir, create=True)) as box:
            box.add(letter)
            box.flush()
    except OSError as error:
        return "failed", f"errno_{error.errno}"
    return "sent", ""


def _to_server(letter: bytes, settings: Reports) -> tuple[NoticeState, str]:
    context = ssl.create_default_context()
    given = False
    try:
        kind: Any = smtplib.SMTP_SSL if settings.smtp_port == 465 else smtplib.SMTP
        more = {"context": context} if settings.smtp_port == 465 else {}
        with kind(settings.smtp_host, settings.smtp_port, timeout=SMTP_S, **more) as server:
            if settings.smtp_tls and settings.smtp_port != 465:
                server.starttls(context=context)
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.password.get_secret_value())
            given = True
            server.send_message(message_from_bytes(letter))
    except smtplib.SMTPResponseException as error:
        return "failed", f"smtp_{error.smtp_code}"
    except (OSError, UnicodeError) as error:
        refused = isinstance(error, smtplib.SMTPException)  # these are OSErrors too
        hung_up = isinstance(error, smtplib.SMTPServerDisconnected)
        lost = given and (hung_up or not refused)
        return "failed", Unsent.UNKNOWN if lost else type(error).__name__
    return "sent", ""


def day_of(written: str, now_ms: int) -> int:
    """Return the first millisecond of a day in UTC. An empty string means yesterday.

    Raises UsageError if the text is not a date.

    >>> day_of("1970-01-02", 0), day_of("", 3 * 86_400_000 + 5)
    (86400000, 172800000)
    """
    if not written:
        return now_ms - now_ms % DAY_MS - DAY_MS
    try:
        at = date.fromisoformat(written)
    except ValueError:
        raise UsageError(
            tr("{written!r} is no day; 2026-11-26 is").format(written=written)
        ) from None
    return int(datetime(at.year, at.month, at.day, tzinfo=UTC).timestamp()) * 1000


def writer(clients: Mapping[str, Any], topic: str) -> tuple[Say, Callable[[], None]]:
    """Return a function that writes to the notice topic, and one that closes the producer."""
    producer = PromptProducer(clients)
    return (
        lambda notice: publish(producer, topic, encode_notice(notice), notice.notice_id.encode()),
        producer.close,
    )
