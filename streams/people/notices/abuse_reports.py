"""Write reports to platforms: a mail with a table, or a document for a signed POST."""

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, Final

from detectors.model.times import MINUTE_MS
from streams.common import escape_unprintable, moment, tr, trn, utc
from streams.config import Reports
from streams.people.notices.contacts import PlatformContact
from streams.people.notices.platform_use import PlatformUse, few, most

NAMESPACE: Final = uuid.UUID("6f1d0a52-8d1e-5b7f-9c55-0f7f2d3b8a41")
"""UUID namespace of report ids. The same platform and day give the same id.

So a receiver recognises a report that is sent again.
"""
REMEDIES: Final = (
    "a captcha, or another proof of a person, before the page sends a code",
    "a limit for each number: one code a minute, five an hour, ten a day",
    "a limit for each address and each device that asks, and an alarm where one names many numbers",
    "a signed, single-use token in the page, so that nobody calls the sending interface without it",
)
"""Measures that a platform can take against the abuse, the most effective measure first."""


@dataclass(frozen=True, slots=True)
class PlatformReport:
    """A report about one platform for one period."""

    report_id: str
    use: PlatformUse
    contact: PlatformContact
    from_ms: int
    until_ms: int
    made_ms: int
    share: float  # share of the messages of all floods in this period, 0 to 1
    before: float | None  # messages per day before the first report
    after: float | None  # messages per day after the first report


def report_id(platform: str, from_ms: int) -> str:
    """Return the id of the report about a platform for the period that begins at `from_ms`.

    >>> report_id("sig:a", 0) == report_id("sig:a", 0), len(report_id("sig:a", 0))
    (True, 36)
    """
    return str(uuid.uuid5(NAMESPACE, f"{platform}|{from_ms}"))


def content(report: PlatformReport) -> dict[str, Any]:
    """Return the content for programs: senders, counts and times; no number or hash of a victim."""
    use = report.use
    found: dict[str, Any] = {
        "platform": use.key,
        "from": utc(report.from_ms),
        "until": utc(report.until_ms),
        "floods": len(use.episodes),
        "victims": few(len(use.victims)),
        "messages": use.messages,
        "refused": use.refused,
        "share_of_flood_messages": round(report.share, 4),
        "senders": most(use.senders),
        "accounts": most(use.accounts),
        "windows": [
            {
                "from": utc(each.from_ms),
                "until": utc(each.until_ms),
                "minutes": (each.until_ms - each.from_ms) // MINUTE_MS,
                "messages": each.messages,
                "most_a_minute": each.most_a_minute,
            }
            for each in use.windows()
        ],
        "messages_by_minute": {utc(at): n for at, n in sorted(use.minutes.items())},
        "messages_a_day_before_told": report.before,
        "messages_a_day_since_told": report.after,
        "remedies": list(REMEDIES),
    }
    if report.contact.contract:
        found["message_ids"] = list(use.message_ids)
    return found


def summary(report: PlatformReport) -> list[str]:
    """Return three lines: the reason of the report, its period, and its counts.

    The lines contain no platform, sender or window, so their length is bounded.
    """
    use = report.use
    return [
        tr(
            "Somebody used the page of yours that sends verification codes to flood people's "
            "phones. They did not ask for these codes, and neither did you mean to send them."
        ),
        tr("from {start} until {end}").format(
            start=moment(report.from_ms), end=moment(report.until_ms)
        ),
        tr("{messages} in {floods}, to {victims} people; {share} of all messages of floods").format(
            messages=trn("{n} message", "{n} messages", use.messages),
            floods=trn("{n} flood", "{n} floods", len(use.episodes)),
            victims=few(len(use.victims)),
            share=f"{report.share:.1%}",
        ),
    ]


def text(report: PlatformReport) -> str:
    """Return the report as text for a person, in the current language."""
    use = report.use
    why, *figures = summary(report)
    lines = [
        tr("To: {name}").format(name=escape_unprintable(report.contact.name)),
        "",
        why,
        "",
        tr("platform: {key}").format(key=escape_unprintable(use.key)),
        *figures,
        tr("sent by: {senders}").format(
            senders=", ".join(map(escape_unprintable, most(use.senders))) or "-"
        ),
        "",
        tr("When:"),
    ]
    lines += [
        "  "
        + tr("{start} to {end}: {n} messages, at most {most} a minute").format(
            start=moment(w.from_ms), end=moment(w.until_ms), n=w.messages, most=w.most_a_minute
        )
        for w in use.windows()
    ]
    if report.before is not None and report.after is not None:
        lines += [
            "",
            tr("Messages a day before your first report: {before}; since: {after}").format(
                before=f"{report.before:.0f}", after=f"{report.after:.0f}"
            ),
        ]
    lines += ["", tr("What stops it, by what helps most:")]
    lines += [f"  {n}. {tr(each)}" for n, each in enumerate(REMEDIES, 1)]
    lines += ["", tr("No number of a victim is in this report, and none will be given.")]
    return "\n".join(lines) + "\n"


def document(report: PlatformReport, settings: Reports) -> bytes:
    """Return the report as a JSON document for a webhook."""
    value = {
        "report_id": report.report_id,
        "timestamp": utc(report.made_ms),
        "reporter": {"org": settings.org, "contact": settings.mail_from},
        "source_identifier": report.use.key,
        "description": "\n".join(summary(report)),
        "otpguard": content(report),
    }
    return json.dumps(value, ensure_ascii=False).encode()


def _domain(settings: Reports) -> str:
    return settings.mail_from.rpartition("@")[2]


def mail(report: PlatformReport, settings: Reports) -> EmailMessage:
    """Return the report as a mail. The messages per minute are attached as CSV."""
    message = EmailMessage()
    headers = {
        "From": settings.mail_from,
        "To": report.contact.mail,
        "Subject": tr("Your page was used to flood people with codes: {platform}").format(
            platform=escape_unprintable(report.use.key)
        ),
        "Date": format_datetime(datetime.fromtimestamp(report.made_ms / 1000, UTC)),
        "Message-ID": make_msgid(report.report_id, _domain(settings)),
        "Auto-Submitted": "auto-generated",
    }
    for name, value in headers.items():
        message[name] = value
    message.set_content(text(report))
    message.add_attachment(as_csv(report), subtype="csv", filename="minutes.csv")
    return message


def as_csv(report: PlatformReport) -> str:
    """Return the messages per minute as CSV with two columns. Times are in UTC."""
    rows = (f"{utc(at)},{n}\n" for at, n in sorted(report.use.minutes.items()))
    return "".join(("minute_utc,messages\n", *rows))
