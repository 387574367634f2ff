"""`otpguard`: the program."""

from __future__ import annotations

import errno
import os
import sys
from importlib.metadata import version
from typing import Annotated, Final, Literal

import typer

from streams.cli import EPILOG, Commands
from streams.errors import Exit, OtpguardError
from streams.logs import FORMAT_VARIABLE
from streams.shown import shown

LogFormat = Literal["text", "json"]

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
    log_format: Annotated[
        LogFormat | None,
        typer.Option(
            envvar=FORMAT_VARIABLE,
            help="Of a service's log on standard error.",
            show_default="text",
        ),
    ] = None,
) -> None:
    """Notice floods of verification codes, and tell the SMS gateways to throttle them."""
    if log_format is not None:
        os.environ[FORMAT_VARIABLE] = log_format


def main() -> None:
    """Run a command; what a user can put right is one line on standard error, no traceback."""
    try:
        try:
            app(prog_name="otpguard")
        finally:
            sys.stdout.flush()  # here, where a full disk can still be said in a sentence
    except OtpguardError as error:
        for line in str(error).splitlines():
            print(f"otpguard: {shown(line)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        where = error.filename or "standard output"
        print(f"otpguard: {where}: {error.strerror}; what was written is cut off", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is buffered goes nowhere
        sys.exit(Exit.TRY_AGAIN)


_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""There is no room, or no more is allowed to this user or in this file."""


if __name__ == "__main__":
    main()
