"""The commands, one module each, imported only when they are called: `--help` stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

EPILOG: Final = (
    "Exit codes: 0 done; 2 wrong usage; 70 state cannot be trusted, restart; 75 something is away, "
    "try again; 78 wrong settings, topics or rights, a restart cannot help."
)

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "worker": ("streams.cli.worker:worker", "Detect floods in a Kafka topic and publish leases."),
    "init": ("streams.cli.init:init", "Set up: settings, topics, ports, and a check of all."),
    "demo": ("streams.demo.command:demo", "Watch an incident from end to end on this machine."),
    "replay": ("streams.cli.replay:replay", "Run the detector over files, with no broker."),
    "recognise": ("streams.cli.recognise:recognise", "Say why a text counts as a code, or not."),
    "scenario": ("streams.cli.scenario:scenario", "Rehearse an attack, or what looks like one."),
    "calibrate": ("streams.cli.calibrate:calibrate", "Try the settings on one's own history."),
    "cases": ("streams.cli.cases:app", "See who is attacked, and what is done about it."),
    "explain": ("streams.cli.explain:explain", "Say why a recipient is throttled."),
    "release": ("streams.cli.override:release", "Take back the lease of a recipient."),
    "allow": ("streams.cli.override:allow", "Let the codes of one more platform pass."),
    "exempt": ("streams.cli.override:exempt", "Never throttle a recipient."),
    "mode": ("streams.cli.override:mode", "The kill switch of all gateways."),
    "shadow-report": (
        "streams.cli.shadow_report:shadow_report",
        "Say what enforcement would refuse.",
    ),
    "enforce": ("streams.cli.enforce:app", "Make a gateway hold the leases."),
    "feed": ("streams.cli.feed:app", "Bring a carrier's own events into the input topic."),
    "dlq": ("streams.cli.dlq:app", "See what was refused, and send it in again."),
    "topics": ("streams.cli.topics:app", "Create and check the topics."),
    "config": ("streams.cli.config:app", "Check and show the settings."),
    "size": ("streams.cli.size:size", "Say what so much traffic takes, before anything is bought."),
    "canary": ("streams.cli.canary:canary", "Flood a reserved number, to see it throttled."),
    "doctor": ("streams.cli.doctor:doctor", "Say what is wrong here, and what to do."),
    "metrics": ("streams.cli.metrics:app", "List the metrics."),
}
"""Name -> where it is (a function or a group of commands), and what it does in one line."""


class Commands(TyperGroup):
    """Imports a command when it is called, and none of them to list them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the base class's signature
        """In the order of the table: from the everyday to the rare."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as above
        """Return the command, or None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(module), name)
        if isinstance(found, typer.Typer):
            found.info.epilog = EPILOG
            return _unfolded(get_command(found))
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(cmd_name, epilog=EPILOG)(found)
        return _unfolded(get_command(alone))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        """Write the list from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


def _unfolded(command: Any) -> Any:
    """Return the command with the marks before its examples as click wants them, not as written.

    A docstring in source holds a backslash and a b; click looks for the character.
    """
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for each in getattr(command, "commands", {}).values():
        _unfolded(each)
    return command
