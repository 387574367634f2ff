"""The printed report of a pack, in two languages: HTML and PDF/A-3, from cover sheet to gaps.

The cover sheet has the fields that item 14 of the Chinese opinion on cybercrime procedure (2022)
requires: number of the legal request, electronic seal of the unit, check values, and their method.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from detectors.model.records import Level
from streams.cases.explanation import at_least, explain, platform_count, platform_name
from streams.cases.standing import Doing, doing, format_override, says
from streams.common import (
    CHINESE,
    ENGLISH,
    UsageError,
    escape_unprintable,
    join_list,
    moment,
    pdf,
    speaking,
    tr,
    trn,
    utc_exact as utc,
)
from streams.common.language import zone_name
from streams.common.page import environment
from streams.people.evidence.gaps import describe_gap as gap_told
from streams.people.evidence.pack_records import Chosen

NAMES: Final = {CHINESE: "report.zh", ENGLISH: "report.en"}
KIND_NAMES: Final = {
    "episode": "changes of the case",
    "incident": "incident records",
    "message": "single messages",
    "earlier": "first messages before the throttle",
    "lease": "leases",
    "ack": "answers of gateways",
    "counts": "counts of gateways",
    "word": "operators' overrides",
    "notice": "notices",
}
"""Kind of record -> its name for people."""

EVENTS_MAX: Final = 600
"""Maximum number of single messages in print: one hour of the fastest flood.

The records contain all messages.
"""


FIELD_MAX: Final = 200
"""Maximum characters of a field on the cover sheet. The desk's form has the same limit."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Fields of the cover sheet. An empty field is printed as a line to fill in by hand."""

    unit: str = ""
    contact: str = ""
    authority: str = ""
    document_no: str = ""
    received: str = ""
    officer: str = ""
    zone: str = "Asia/Shanghai"

    def __post_init__(self) -> None:
        """Raise UsageError for a field that is not one line of text. It would be signed as is."""
        for name in ("authority", "document_no", "received", "officer"):
            written = getattr(self, name)
            if len(written) > FIELD_MAX or not written.isprintable():
                raise UsageError(
                    tr("a field of the cover is one line of {n} characters at most: {text}").format(
                        n=FIELD_MAX, text=f"{escape_unprintable(written[:40])!r}"
                    )
                )

    def document(self) -> dict[str, Any]:
        return {
            "contact": self.contact,
            "officer": self.officer,
            "request": {
                "authority": self.authority,
                "document_no": self.document_no,
                "received": self.received,
            },
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class Seal:
    """Check values of the records, the signer's fingerprint, and the program that made the pack."""

    signer: str
    chain_head: str
    tree_root: str
    sha256: str
    sm3: str
    bytes: int
    lines: int
    program: str
    config: str


Gaps = Sequence[tuple[str, dict[str, int]]]


def pages(chosen: Chosen, cover: Cover, seal: Seal, records: bytes, gaps: Gaps) -> dict[str, bytes]:
    """Return the reports: file name -> content. The PDFs have the records attached.

    The reports do not contain the time of their creation. So a repeated pack has the same reports.
    """
    made: dict[str, bytes] = {}
    at = datetime.fromtimestamp(chosen.case.last.at_ms / 1000, UTC)
    attached = pdf.Attachment("records.jsonl", records, f"SHA-256 {seal.sha256}", at)
    for tag, name in NAMES.items():
        with speaking(tag, ZoneInfo(cover.zone)):
            page = html(chosen, cover, seal, gaps)
        made[f"{name}.html"] = page.encode()
        made[f"{name}.pdf"] = pdf.write(page, [attached], seal.sha256)
    return made


def html(chosen: Chosen, cover: Cover, seal: Seal, gaps: Gaps) -> str:
    """Return the report as HTML, in the current language and time zone."""
    case, last = chosen.case, chosen.case.last
    told = explain(last)
    templates = environment()
    templates.filters["cssquoted"] = _quote_css
    # The state at the time of the last record, not now, so that a pack made later is the same.
    state = doing(case, chosen.of("word"), last.at_ms)
    return templates.get_template("people/evidence/report.html.j2").render(
        episode=chosen.episode_id,
        cover=cover,
        seal=seal,
        form=_form(chosen, cover),
        headline=_headline(chosen),
        integrity=[
            (tr("records.jsonl, lines"), f"{seal.lines}"),
            (tr("records.jsonl, bytes"), f"{seal.bytes}"),
            ("SHA-256", seal.sha256),
            ("SM3", seal.sm3),
            (tr("Last value of the chain"), seal.chain_head),
            (tr("Root of the tree"), seal.tree_root),
            (tr("Signer's fingerprint"), seal.signer),
        ],
        # For a case that is over, "nothing is refused" would read as if nothing had ever been.
        facts=[
            *_facts(chosen),
            *([] if state is Doing.OVER else [(tr("then"), says(state, case.lease(last.at_ms)))]),
        ],
        told=told,
        steps=[
            (moment(step.at_ms), utc(step.at_ms), *row[1:])
            for step, row in zip(last.path, told.path, strict=True)
        ],
        sightings=[
            (moment(each.at_ms), utc(each.at_ms), *row[1:])
            for each, row in zip(last.sightings, told.sightings, strict=True)
        ],
        events=list(_events(chosen))[:EVENTS_MAX],
        events_all=len(chosen.of("message")),
        leases=list(_leases(chosen)),
        words=[format_override(word) for word in chosen.of("word")],
        gaps=[gap_told(gap, figures) for gap, figures in gaps],
        repeat="otpguard evidence repeat . EVENTS.jsonl",
        zone=zone_name(last.at_ms),
    )


def local(at_ms: int, zone: tzinfo) -> str:
    """Format a time in the given zone, without the zone's name.

    >>> local(1_772_422_380_123, ZoneInfo("Asia/Shanghai"))
    '2026-03-02 11:33:00'
    """
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%Y-%m-%d %H:%M:%S}"


def _form(chosen: Chosen, cover: Cover) -> list[tuple[str, str]]:
    blank = "____________________"
    form = tr("{kind} ({name}) {n}")
    kinds = [
        form.format(kind=tr(KIND_NAMES[kind]), name=kind, n=n)
        for kind, n in Counter(each.kind for each in chosen.records).items()
    ]
    return [
        (tr("Requesting authority"), cover.authority or blank),
        (tr("Number of the legal request"), cover.document_no or blank),
        (tr("Request received"), cover.received or blank),
        (tr("Unit that provides"), cover.unit or blank),
        (tr("Contact"), cover.contact or blank),
        (tr("Made by"), cover.officer or blank),
        (tr("Number concerned"), chosen.case.last.recipient),
        (tr("Case"), chosen.episode_id),
        (tr("Kind and number of records"), join_list(kinds)),
        (
            tr("Form"),
            tr("electronic data: JSON lines (records.jsonl), with this report in HTML and PDF/A-3"),
        ),
        (tr("Origin"), _origin(chosen)),
    ]


def _origin(chosen: Chosen) -> str:
    if any("store" in each.at for each in chosen.records):
        return tr(
            "the case store of the system otpguard, which keeps the records of its topics; nothing "
            "was added by hand"
        )
    return tr("the topics of the system otpguard, read without change; nothing was added by hand")


def _headline(chosen: Chosen) -> str:
    last = chosen.case.last
    evidence = last.evidence
    return tr(
        "From {first} to {last} the number {recipient} was sent {messages} that look like "
        "verification codes, of {platforms}; {novel} of these had never reached it before."
    ).format(
        first=moment(evidence.first_ms),
        last=moment(evidence.last_ms),
        recipient=last.recipient,
        messages=trn("{n} message", "{n} messages", evidence.messages),
        platforms=platform_count(evidence.platforms),
        novel=at_least(evidence.novel),
    )


def _facts(chosen: Chosen) -> Iterator[tuple[str, str]]:
    case, evidence = chosen.case, chosen.case.last.evidence
    both = tr("{local} ({utc})")
    yield (
        tr("first message"),
        both.format(local=moment(evidence.first_ms), utc=utc(evidence.first_ms)),
    )
    yield (
        tr("last message"),
        both.format(local=moment(evidence.last_ms), utc=utc(evidence.last_ms)),
    )
    for record in case.records:
        if record.change != "renewed":
            when = both.format(local=moment(record.at_ms), utc=utc(record.at_ms))
            form = tr("{level}: {when}")
            if record.level is Level.THROTTLE:
                form = tr("{level}, {mode}: {when}")
            level, mode = tr(record.level.name), tr(record.mode)
            yield tr(record.change), form.format(level=level, mode=mode, when=when)
    yield tr("messages"), f"{evidence.messages:,}"
    yield tr("platforms"), at_least(evidence.platforms)
    yield tr("never seen at this number before"), at_least(evidence.novel)
    yield tr("refused, as far as gateways reported"), f"{chosen.refused:,}"


def _events(chosen: Chosen) -> Iterator[tuple[str, ...]]:
    for each in chosen.of("message"):
        yield (
            f"{moment(each.at_ms)} {utc(each.at_ms)}",
            _whole(each.sender or "-"),
            platform_name(each.platform) if each.platform else tr(each.trust.name.lower()),
            each.gateway or "-",
            _whole(each.message_id or "-") if len(each.message_id) < 16 else each.message_id,
            tr("would pass") if each.would == "pass" else tr("would be refused"),
        )


def _whole(text: str) -> Markup:
    """Prevent line breaks inside a text. People must be able to read and copy a number in full."""
    return Markup('<span class="whole">{}</span>').format(escape_unprintable(text))


def _leases(chosen: Chosen) -> Iterator[tuple[str, ...]]:
    for action in chosen.case.actions:
        answers = [
            tr("{gateway}: {state}, {n} refused").format(
                gateway=ack.gateway_id, state=tr(ack.state), n=ack.refused_count
            )
            if ack.refused_count
            else tr("{gateway}: {state}").format(gateway=ack.gateway_id, state=tr(ack.state))
            for ack in chosen.case.acks.get(action.action_id, ())
        ]
        yield (
            f"{moment(action.issued_at_ms)} {utc(action.issued_at_ms)}",
            f"{(action.expires_at_ms - action.issued_at_ms) / 60_000:g}",
            f"{action.action_id} {tr(action.verb)} {tr(action.mode)}",
            "; ".join(answers) or tr("no word"),
        )


def _quote_css(text: str) -> str:
    r"""Escape a text for the inside of a CSS string, so that the text cannot end the string.

    >>> _quote_css('1:a"b')
    '1:a\\22 b'
    """
    return "".join(c if c.isalnum() or c in ":.-_ " else f"\\{ord(c):x} " for c in text)
