"""Collects the texts for people from the source, its tables and the help, for translators.

`python -m deploy.languages` brings the catalogues up to date with the source and compiles them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import typer
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from typer.main import get_command

from detectors.leases.rails import Refusal
from detectors.suspects.clocks import ClockClass
from streams.cluster.topics import topics
from streams.common.language import DOMAIN, ENGLISH, FOLDER, LANGUAGES
from streams.config import Settings
from streams.people.notices.notice_book import Unsent
from streams.tools.operate.dead_letters import LetterStatus
from streams.wire.desired_state import NoLease

ROOT: Final = Path(__file__).parents[2]
KEYWORDS: Final[dict[str, Any]] = {
    "tr": None, "trn": (1, 2), "trc": ((1, "c"), 2), "html": None,
}  # fmt: skip
METHODS: Final = [("**.py", "python"), ("**.j2", "jinja2")]

TABLES: Final = (
    "detectors.episodes.episode:REASONS",
    "streams.cases.explanation:RULES",
    "streams.cases.explanation:KINDS",
    "streams.cases.outcome:SENTENCES",
    "streams.cases.standing:SAYS",
    "streams.cases.call_answer:ALOUD",
    "streams.people.evidence.gaps:GAPS",
    "streams.people.evidence.pack_report:KIND_NAMES",
    "streams.people.desk.list_pages:LIVE_ORDERS",
    "streams.people.desk.list_pages:CSV_COLUMNS",
    "streams.people.desk.rights:ROLE_NAMES",
    "streams.people.desk.render:PAGES:name",
    "streams.people.desk.call_view:STATES",
    "streams.people.desk.call_pages:IDENTIFIED",
    "streams.people.desk.call_pages:DECIDED",
    "streams.people.desk.oversight:STATES",
    "streams.people.desk.oversight:OUTCOMES",
    "streams.people.desk.oversight:VERBS",
    "streams.cli.desk:USERS",
    "streams.cli.cases:COLUMNS",
    "streams.cli.recognise:HEADINGS",
    "streams.cli.top_feed:COLUMNS",
    "streams.cli.feed_csv:HEADINGS",
    "streams.cases.store.store:ORDERS:keys",
    "streams.cli.network_lists:CAMPAIGN_COLUMNS",
    "streams.cli.network_lists:PLATFORM_COLUMNS",
    "streams.cli.topics_command:COLUMNS",
    "streams.cli.notify:COLUMNS",
    "streams.cli.notify:SAID",
    "streams.people.notices.abuse_reports:REMEDIES",
    "streams.cluster.topics:BOUNDS:1",
    "streams.config:RESTARTS",
    "streams.config.load:REMOVED",
    "streams.gateways.feeds.presets:PRESETS:about",
    "streams.tools.scenarios:SCENARIOS:summary",
    "streams.cli.cases:COLOURS:keys",
    "streams.cli:GROUPS:keys",
    "streams.cli.doctor:MARKS",
    "streams.common.foreign:SENTENCES",
    "streams.cli.shadow_report:FIGURES",
    "streams.tools.demo.run_report:LOOK_ALIKES",
    "streams.tools.demo.play:ANNOUNCED",
    "streams.tools.demo.report_pictures:LANE_NAMES",
    "streams.cli.metrics_command:COLUMNS",
    "streams.cli.desk:CHECKED",
    "streams.cli.desk:MADE",
    "streams.cli.desk:HOLDS",
    "streams.tools.operate.retention:ALWAYS",
    "streams.gateways.feeds.file_records:REASONS",
    "detectors.recognise.rules.rule_table:RULES:says",
    "detectors.recognise.rules.traits:TRAITS",
)
"""Tables whose values (keys, a field of the values) are translated where they are shown."""

WORDS: Final = (
    # trust classes, changes of an episode, levels, answers of gateways, modes, rulings, states
    "bank", "government", "carrier", "emergency", "none", "known", "new", "opened", "raised",
    "lowered", "renewed", "ended", "applied", "ignored", "failed", "expired", "unknown", "over",
    "lapsed", "WATCH", "THROTTLE", "CLEAR", "shadow", "enforce", "off", "no_lease", "trusted",
    "not_otp", "lines", "codes", "actions", "counted",
    "one platform sent verification codes again and again",
    "current", "proposed", "shown", "exceeded", "open", "given", "seen in the history",
    *(each.name.lower().replace("_", " ") for each in ClockClass),
    "flood", "resend", "limit", "throttle", "release",
    "throttle_platforms", "retry_windows", "watch", "clear", "rule", "trait", "piece", "pieces",
    "all others together", "names", "others", "weak", "denied", "Examples:", "Example:",
    "Exit codes:", "Roles:", "settings", "broker", "topics", "rights", "lag",
    "sample", "store", "console", "signal", "notices", "gateways", "dead letters", "certificates",
    "events", "keys", "partitions", "clocks", "ports", "protection",
    # what is done at the desk, and what becomes of it
    "done", "asked", "refused", "failed", "nothing", "told", "local", "oidc", "proxy", "enter",
    "victim_start", "victim_end", "victim_released", "platform", "sent", "sending", "suppressed",
    # rows and fates of dead letters, columns of settings and scenarios
    "position", "written", "reason", "source", "bytes", "fate", "key_bytes", "whole", "record_time",
    "replayed_to", *(fate.value for fate in LetterStatus), "not listed (--limit)",
    "repeats of a dead letter, not counted", "records that are no dead letters",
    "name", "value", "default", "scenario",
    # why a platform is told or not; columns of the month's figures
    "digest", "at_once", "few", "quiet", "told", "nobody", "not_yet", "day", "floods", "before",
    "after", "platform",
    # of the command line's library
    "Arguments", "Options", "Commands", "required", "default: {default}", "env var: {var}",
    "(dynamic)", "Missing command.", "Aborted!", "Show this message and exit.",
)  # fmt: skip
"""Words that stand for values of records and libraries."""


CONTEXTS: Final = {
    "why": (*NoLease, *Refusal, "away"),  # a gateway holds no lease
    "notice": tuple(Unsent),  # why a notice was not sent
    "campaign": ("open", "over"),
}
"""Words whose meaning depends on where they stand, by the context that `trc` is given."""


def collected() -> Catalog:
    """Return a catalogue of all messages, without translations."""
    catalogue = Catalog(project=DOMAIN, fuzzy=False)
    found = extract_from_dir(
        str(ROOT / "streams"), METHODS, {"**.j2": {"silent": "false"}}, KEYWORDS, [], None
    )
    for name, _, message, _, context in sorted(found, key=lambda each: (each[0], each[1])):
        catalogue.add(message, locations=[(f"streams/{name}", 0)], context=context)
    for context, words in CONTEXTS.items():
        for word in words:
            catalogue.add(str(word), context=context)
    for message in [*_of_tables(), *WORDS, *_of_settings(), *_of_help()]:
        if message.strip():
            catalogue.add(message)
    return catalogue


def _of_tables() -> Iterator[str]:
    for place in TABLES:
        module, name, *part = place.split(":")
        table = getattr(import_module(module), name)
        if isinstance(table, tuple) and part:
            yield from (getattr(row, part[0]) for row in table)
            continue
        if part == ["keys"] or isinstance(table, tuple):
            yield from table
        elif part and part[0].isdecimal():
            yield from (row[int(part[0])] for row in table.values())
        elif part:
            yield from (getattr(row, part[0]) for row in table.values())
        else:
            yield from table.values()


def _of_settings() -> Iterator[str]:
    """Yield the description of every setting and every topic."""
    for section in (Settings, *(each.annotation for each in Settings.model_fields.values())):
        fields = getattr(section, "model_fields", {})
        yield from (field.description or "" for field in fields.values())
    yield from (topic.why for topic in topics(Settings()))


def _of_help() -> Iterator[str]:
    """Yield every sentence of every `--help`."""
    from streams.__main__ import app  # noqa: PLC0415 - a program, not a library
    from streams.cli import COMMANDS  # noqa: PLC0415

    yield from (says for _, says in COMMANDS.values())
    root = get_command(app)
    yield from _of_command(root)
    for module, _, name in (place.partition(":") for place, _ in COMMANDS.values()):
        command = getattr(import_module(module), name)
        if not isinstance(command, typer.Typer):
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command()(command)
            command = alone
        yield from _of_command(get_command(command))


def _of_command(command: Any) -> Iterator[str]:
    from streams.cli import ASIDE, ROW  # noqa: PLC0415 - a program, not a library

    says, _, blocks = (command.help or "").replace("\\b\n", "\b\n").partition("\b\n")
    yield from (" ".join(each.split()) for each in says.split("\n\n"))
    yield from (row[2] for row in ROW.finditer(blocks))
    yield from (aside[1] for aside in ASIDE.finditer(blocks))
    yield command.epilog or ""
    for parameter in command.params:
        yield parameter.help or ""
        default = getattr(parameter, "show_default", None)
        if isinstance(default, str):
            yield default
    for each in getattr(command, "commands", {}).values():
        yield from _of_command(each)


def path_of(tag: str) -> Path:
    """Return the path of a catalogue's source; the compiled file is beside it."""
    return FOLDER / LANGUAGES[tag] / "LC_MESSAGES" / f"{DOMAIN}.po"


def translated() -> list[str]:
    """Return the languages with a catalogue."""
    return [tag for tag in LANGUAGES if tag != ENGLISH]


def read(tag: str) -> Catalog:
    """Read a language's catalogue."""
    path = path_of(tag)
    with path.open("rb") as file:
        return read_po(file, locale=LANGUAGES[tag], domain=DOMAIN)


def updated(tag: str) -> Catalog:
    """Return a language's catalogue with the current messages, without removed ones."""
    catalogue = read(tag)
    catalogue.update(collected(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def lacking(catalogue: Catalog) -> list[str]:
    """Return the messages without a translation, or with one that is marked as fuzzy."""
    return [
        str(message.id)
        for message in catalogue
        if message.id and (message.fuzzy or not all(_forms(message.string)))
    ]


def _forms(string: Any) -> list[str]:
    return list(string) if isinstance(string, (tuple, list)) else [string or ""]


def written(catalogue: Catalog) -> bytes:
    """Return a catalogue as a file for translators.

    It is sorted, for the order of the source changes whenever a function is moved.
    """
    sink = io.BytesIO()
    write_po(sink, catalogue, width=100, no_location=True, sort_output=True)
    return sink.getvalue()


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue in compiled form."""
    sink = io.BytesIO()
    write_mo(sink, catalogue)
    return sink.getvalue()
