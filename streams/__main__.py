"""Entry point of the command `otpguard`."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC
from types import FrameType
from typing import Annotated, Final, Literal, NoReturn, TextIO

import typer

from streams import __version__
from streams.cli import COMMANDS, EPILOG, LANGUAGE_HELP, VERBOSE_HELP, ZONE_HELP, Commands
from streams.common import FULL, Exit, OtpguardError, escape_unprintable, tr
from streams.common.extras import lacking
from streams.common.language import LANGUAGES, choose_language, matching, use
from streams.common.logs import FORMAT_VARIABLE

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it
    if wanted:
        typer.echo(f"otpguard {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
    log_format: Annotated[
        Literal["text", "json"] | None,
        typer.Option(
            envvar=FORMAT_VARIABLE,
            help="Format of a service's log on standard error.",
            show_default="text",
        ),
    ] = None,
    __: Annotated[
        str | None,
        typer.Option("--lang", metavar="LANG", help=LANGUAGE_HELP, show_default=False),
    ] = None,
    ___: Annotated[bool, typer.Option("--utc", help=ZONE_HELP)] = False,
    ____: Annotated[bool, typer.Option("--verbose", "-v", help=VERBOSE_HELP)] = False,
) -> None:
    """Detect floods of verification codes, and make SMS gateways throttle them."""
    if log_format is not None:
        os.environ[FORMAT_VARIABLE] = log_format


def speak(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Set the language and time zone of this process before any output or import.

    With `--json` the reader is a program, so the output is in English and UTC regardless of the
    environment.
    """
    given = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    if "--json" in given:
        return
    tag = choose_language(environment)
    for at, argument in enumerate(given):
        name, equals, value = argument.partition("=")
        if name == "--lang" and (equals or at + 1 < len(given)):
            wanted = value if equals else given[at + 1]
            found = matching(wanted)
            if found is None:
                print(
                    tr("otpguard: --lang {wanted}: one of {languages}").format(
                        wanted=wanted, languages=", ".join(LANGUAGES)
                    ),
                    file=sys.stderr,
                )
                sys.exit(Exit.USAGE)
            tag = found
    use(tag, UTC if "--utc" in given else None)


def main() -> None:
    """Run a command. An error that the user can fix is shown in one line, without a traceback."""
    gc.set_threshold(*_SELDOM)
    for name, value in _QUICKER.items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        _widen(stream)
    speak(sys.argv[1:], os.environ)
    interrupts = _note_interrupts()
    try:
        try:
            _open_closed()
            app(prog_name="otpguard")
        except BaseException as error:
            _end_generators(error)
            if interrupts and not isinstance(error, (OtpguardError, SystemExit)):
                sys.exit(Exit.INTERRUPTED)
            raise
        finally:
            sys.stdout.flush()  # flush here, where an error of a full disk can still be reported
    except OtpguardError as error:
        _end(error)
    except ModuleNotFoundError as error:
        wanted = lacking(error, next((word for word in sys.argv[1:] if word in COMMANDS), ""))
        if wanted is None:
            raise
        _end(wanted)
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = error.filename or "standard output"
        print(
            tr("otpguard: {where}: {strerror}; what was written is cut off").format(
                where=where, strerror=error.strerror
            ),
            file=sys.stderr,
        )
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # discard the data that is still buffered
        sys.exit(Exit.TRY_AGAIN)


def _note_interrupts() -> list[int]:
    """Return a list that gets an entry at each Ctrl-C, which still raises KeyboardInterrupt.

    Ctrl-C in the middle of an import leaves a module that lacks names. The error that this causes
    later is no defect to report. A command that ignores Ctrl-C, or handles it, is not affected.
    """
    interrupts: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, note)
    return interrupts


def _end_generators(error: BaseException | None) -> None:
    """Close the generators that an exception left suspended, and with them their Kafka clients.

    The frames of a traceback hold them until the interpreter ends. By then it has stopped the
    client's thread, and close() would wait for that thread for ever.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def _widen(stream: TextIO | None) -> None:
    """Make a stream accept every character, whatever the locale: texts may contain any.

    A file or pipe gets UTF-8, the encoding in which this program reads files. A terminal shows an
    escape sequence for characters that it cannot display.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return
    lenient = "backslashreplace" if stream.errors == "strict" else stream.errors
    if stream.isatty():
        stream.reconfigure(errors=lenient)
    else:
        stream.reconfigure(encoding="utf-8", errors=lenient)


def _open_closed() -> None:
    """Connect closed standard streams to /dev/null.

    Python sets a closed stream to None. The next opened file or socket would get its descriptor
    number, and code that writes to descriptor 1 or 2 would write into that file.
    """
    for name, flags, mode in (
        ("stdin", os.O_RDONLY, "r"), ("stdout", os.O_WRONLY, "w"), ("stderr", os.O_WRONLY, "w"),
    ):  # fmt: skip
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, flags), mode, encoding="utf-8"))


def _end(error: OtpguardError) -> NoReturn:
    for line in str(error).splitlines():
        print(f"otpguard: {escape_unprintable(line)}", file=sys.stderr)
    sys.exit(error.exit_code)


_SELDOM: Final = (400_000, 20, 20)
"""Thresholds of the garbage collector during start, which creates up to 300,000 long-lived objects.
With Python's default of 700 objects, the collector takes a tenth of the start time. Services set
their own thresholds."""

_QUICKER: Final = {"PYDANTIC_DISABLE_PLUGINS": "__all__", "OPENBLAS_NUM_THREADS": "1"}
"""Settings that make libraries start faster: no search for pydantic plugins in all packages, and no
linear algebra thread per core. Users can override them in the environment."""


if __name__ == "__main__":
    main()
