"""`otpguard`: the program."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from streams.cli import EPILOG, Commands
from streams.errors import OtpguardError
from streams.shown import shown

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"otpguard {version('otpguard')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it and stop.")
    ] = False,
) -> None:
    """Notice floods of verification codes, and tell the SMS gateways to throttle them."""


def main() -> None:
    """Run a command; what a user can put right is one line on standard error, no traceback."""
    try:
        app(prog_name="otpguard")
    except OtpguardError as error:
        for line in str(error).splitlines():
            print(f"otpguard: {shown(line)}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
