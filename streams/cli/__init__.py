"""The commands, one module each, imported only when they run, so that `--help` is fast.

A command's module names the modules that it needs at its top, as `from streams.cases import shadow`
and not `from streams.cases.shadow import Shadow`. Such a module is loaded when one of its names is
first used (`_Lazily`). So `otpguard COMMAND --help` loads no client, no numpy and no settings.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import LazyLoader
from itertools import chain
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from streams.common import ENGLISH, Exit, current_language, suggest, tr
from streams.common.foreign import translate_message

EPILOG: Final = (
    "Exit codes: 0 done; 1 a check failed, or you did not confirm; 2 wrong usage; 3 applied, "
    "but a gateway has not confirmed; 4 the checked pack is an extract; 70 the state cannot "
    "be trusted, restart; 75 a service is unreachable, try again; 78 wrong settings, topics "
    "or rights, a restart cannot help; 130 interrupted."
)

LANGUAGE_HELP: Final = "Language of the answers: en or zh-Hans; the default follows LANG."
ZONE_HELP: Final = "Times in UTC, not in this machine's zone."
VERBOSE_HELP: Final = "Say which settings file was found."
HEADINGS: Final = ("Examples:", "Example:", "Exit codes:", "Roles:")

ROW: Final = re.compile(r"^( +[\w-]+ {2,})(\S.*)$", re.MULTILINE)
"""Matches a row of a help text's table: a name and a sentence."""
ASIDE: Final = re.compile(r"(?<=  )(\(.+\))$", re.MULTILINE)
"""Matches a remark in brackets behind an example."""

WIDE: Final = "[\u2e80-\ua4cf\uf900-\ufaff\uff00-\uff60]"
"""Matches a character that takes two cells of a terminal."""
UNBREAKABLE: Final = re.compile(f"[（《「【]|{WIDE}(?=[、。，：；！？）》」』】”):;,.])")
"""Matches a wide character after which no line ends: before closing punctuation, and a bracket."""

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "worker": ("streams.cli.worker:worker", "Detect floods in a Kafka topic and publish leases."),
    "init": (
        "streams.cli.init:init",
        "Set otpguard up: settings, topics, ports, and a check of everything.",
    ),
    "demo": (
        "streams.tools.demo.command:demo",
        "Watch an incident from end to end on this machine.",
    ),
    "replay": ("streams.cli.replay:replay", "Run the detector over files, with no broker."),
    "compare": ("streams.cli.compare:compare", "Compare two configurations side by side."),
    "recognise": (
        "streams.cli.recognise:recognise",
        "Explain why a text counts as a code, or not.",
    ),
    "scenario": ("streams.cli.scenario:scenario", "Rehearse an attack, or what looks like one."),
    "calibrate": ("streams.cli.calibrate:calibrate", "Test settings on your own history."),
    "cases": ("streams.cli.cases:app", "List who is attacked, and what is done about it."),
    "top": ("streams.cli.top:top", "Watch floods, gateways and workers, as they change."),
    "campaigns": (
        "streams.cli.network_lists:campaigns",
        "List campaigns: floods of many recipients.",
    ),
    "platforms": ("streams.cli.network_lists:platforms", "List the platforms that floods abuse."),
    "phone": ("streams.cli.phone:phone", "Look a caller's number up, during the call."),
    "explain": ("streams.cli.explain:explain", "Explain why a recipient is throttled."),
    "evidence": ("streams.cli.evidence:app", "Export a case as evidence, and verify it."),
    "release": ("streams.cli.override:release", "End the lease of a recipient."),
    "allow": ("streams.cli.override:allow", "Let the codes of one more platform pass."),
    "exempt": ("streams.cli.override:exempt", "Never throttle a recipient."),
    "mode": ("streams.cli.override:mode", "The kill switch of all gateways."),
    "audit": (
        "streams.cli.audit:app",
        "List who saw or did what, and check that the list is complete.",
    ),
    "shadow-report": (
        "streams.cli.shadow_report:shadow_report",
        "Report what enforcement would refuse.",
    ),
    "desk": ("streams.cli.desk:app", "Store the cases for support staff."),
    "notify": ("streams.cli.notify:app", "Notify victims, and the platforms that floods abuse."),
    "report": ("streams.cli.report:report", "Report a month, for regulator and management."),
    "gate": ("streams.cli.gate:app", "Answer a gateway's question about each message."),
    "signal": ("streams.cli.signal:app", "Inform banks that a number is flooded."),
    "rails": ("streams.cli.override:rails", "Let gateways accept more leases for a while."),
    "enforce": ("streams.cli.enforce:app", "Make a gateway enforce the leases."),
    "agent": ("streams.cli.agent:app", "Report campaigns and platforms across all partitions."),
    "feed": ("streams.cli.feed:app", "Bring a carrier's own events into the input topic."),
    "dlq": ("streams.cli.dlq:app", "Inspect dead letters, and replay them."),
    "topics": ("streams.cli.topics_command:app", "Create and check the topics."),
    "config": ("streams.cli.config:app", "Check and show the settings."),
    "size": ("streams.cli.size:size", "Compute what your traffic needs, before you buy anything."),
    "memory": ("streams.cli.memory:app", "Take what is known about subscribers elsewhere."),
    "failover": (
        "streams.cli.doctor:failover",
        "Say whether this standby site can take over.",
    ),
    "canary": ("streams.cli.canary:canary", "Flood a reserved number, to see it throttled."),
    "doctor": ("streams.cli.doctor:doctor", "Report what is wrong here, and what to do."),
    "metrics": ("streams.cli.metrics_command:app", "List the metrics."),
}
"""Place of each command (a function or a group of commands), and its description in one line."""

GROUPS: Final = {
    "First day": ("doctor", "cases", "explain", "phone", "release", "mode"),
    "Start": ("init", "demo", "worker", "topics", "config", "feed"),
    "See": ("top", "campaigns", "platforms", "metrics", "audit"),
    "Explain": ("recognise", "replay", "scenario"),
    "Act": ("allow", "exempt", "rails", "gate", "enforce"),
    "Operate": ("agent", "dlq", "memory", "failover", "canary"),
    "People": ("desk", "notify", "signal", "evidence", "report"),
    "Measure": ("calibrate", "shadow-report", "compare", "size"),
}
"""Headings of the list of commands, and the commands below each. `First day`: the README's six."""


LAZY: Final = re.compile(
    r"(detectors|rich|streams)(?!\.cli)\..+|kafka|msgspec|numpy|phonenumbers|pydantic"
)
"""Modules that a command loads when it first uses them: ours, and those of others that take tens of
milliseconds. Parts of a package of others load with it, as its authors test it."""


class _Lazily(MetaPathFinder):
    """Finds modules of `LAZY`, and has each loaded at the first use of one of its names."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the module's specification, or None if it is to be loaded at once."""
        if not LAZY.fullmatch(fullname):
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = LazyLoader(found.loader)
        return found


@contextmanager
def _lazily() -> Iterator[None]:
    finder = _Lazily()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _CellFormatter(typer.Context.formatter_class):  # type: ignore[misc, valid-type]
    """Wraps help by terminal cells, not by characters, and Chinese text between its characters.

    The base class counts characters, and ends lines at spaces. So a wide character is followed by
    a space here, or by NUL where no line may end. Both are taken out before they are written.
    """

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or tr("Usage: "))

    def write_text(self, text: str) -> None:
        super().write_text(_pad(text))

    def write_dl(self, rows: Any, *arguments: Any) -> None:
        # The name of a command may also be a word of the catalogue.
        super().write_dl([(name, _pad(says)) for name, says in rows], *arguments)

    def write(self, string: str) -> None:
        super().write(re.sub(f"\0|(?<={WIDE}) ", "", string))


_Context: Final = type("_Context", (typer.Context,), {"formatter_class": _CellFormatter})


def _pad(text: str) -> str:
    return re.sub(f"{WIDE}(?!\0)", r"\g<0> ", UNBREAKABLE.sub("\\g<0>\0", tr(text)))


class Commands(TyperGroup):
    """The top-level group. It imports a command when it is called, and none to list them."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """Translate the texts, now that typer has added all options, and make the context."""
        _translate(self)
        with _translate_errors():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with _translate_errors():
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        """Return the names in the order of their groups."""
        return list(chain.from_iterable(GROUPS.values()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the called command. If there is none, the error names similar commands."""
        if args and args[0] == "help":  # as other programs have it
            args = [*args[1:], "--help"]
            if len(args) == 1:
                typer.echo(ctx.get_help())
                ctx.exit()
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            sentence = tr("No such command {name!r}.").format(name=args[0])
            names = [*COMMANDS, "help"]
            ctx.fail(suggest(sentence, args[0], names, "`otpguard {}`"))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the base class's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        with _lazily():
            found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            found.info.epilog = EPILOG
            return _translate_command(get_command(found))
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name, epilog=EPILOG)(found)
        return _translate_command(get_command(alone))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the base class's signature
        width = max(map(len, COMMANDS))
        for heading, names in GROUPS.items():
            with formatter.section(tr(heading)):
                formatter.write_dl([(name.ljust(width), tr(COMMANDS[name][1])) for name in names])


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except TyperException as error:
        ctx = getattr(error, "ctx", None)
        helps = ctx is not None and error.message == ctx.get_help()
        if error.exit_code == Exit.USAGE and current_language() != ENGLISH and not helps:
            error.show = partial(_show, error, ctx)  # type: ignore[attr-defined]
        raise


def _show(error: TyperException, ctx: Any, file: Any = None) -> None:  # noqa: ARG001 - as typer's
    """Print what `UsageError.show` prints, in the current language."""
    if ctx is not None:
        typer.echo(ctx.get_usage(), err=True)
        hint = tr("`{command} --help` says more.").format(command=ctx.command_path)
        typer.echo(f"{hint}\n", err=True)
    typer.echo(tr("Error: {what}").format(what=translate_message(error.format_message())), err=True)


def _translate_command(command: Any) -> Any:
    """Return the command with translated texts, and with the options --lang and --utc.

    The source has backslash and b before the examples of a docstring; click expects the character.
    """
    _translate(command)
    below = getattr(command, "commands", None)
    if below is None:
        command.params += spoken_options()
    for each in (below or {}).values():
        _translate_command(each)
    return command


def _translate(command: Any) -> None:
    says, examples, rest = (command.help or "").partition("\\b\n")
    for heading in HEADINGS:
        rest = rest.replace(heading, tr(heading))
    rest = ROW.sub(lambda row: row[1] + tr(row[2]), rest.replace("\\b\n", "\b\n"))
    command.help = translate_help(says) + (examples and "\b\n")
    command.short_help = command.help.split("\n\n")[0].partition("\b")[0]  # whole, not cut off
    command.help += ASIDE.sub(lambda aside: tr(aside[1]), rest)
    command.context_class = _Context
    command.epilog = command.epilog and tr(command.epilog)
    for parameter in command.params:
        parameter.help = parameter.help and tr(parameter.help)
        if isinstance(getattr(parameter, "show_default", None), str):
            parameter.show_default = tr(parameter.show_default)


def translate_help(says: str) -> str:
    """Translate a help text paragraph by paragraph."""
    paragraphs = (" ".join(each.split()) for each in says.split("\n\n"))
    return "\n\n".join(map(tr, paragraphs))


def spoken_options() -> list[Any]:
    """The options --lang, --utc and -v of every command, which are read before it runs."""

    def run_command(
        *,
        lang: Annotated[
            str | None,
            typer.Option(
                "--lang",
                metavar="LANG",
                help=tr(LANGUAGE_HELP),
                show_default=False,
                expose_value=False,
            ),
        ] = None,
        utc: Annotated[bool, typer.Option("--utc", help=tr(ZONE_HELP), expose_value=False)] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help=tr(VERBOSE_HELP), expose_value=False)
        ] = False,
    ) -> None: ...

    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(context_settings={"help_option_names": []})(run_command)
    return get_command(alone).params
