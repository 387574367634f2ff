"""Shared parts of the commands: settings from options, output as JSON or a table, progress bars."""

from __future__ import annotations

import faulthandler
import gzip
import io
import logging
import re
import signal
import sys
import threading
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
import typer
from rich import (
    cells as cell_widths,
    console as consoles,
    progress as bars,
    table as tables,
    text as texts,
)

from streams import config as configs
from streams.cluster import read
from streams.common import UsageError, escape_unprintable, in_json, now_ms, tr, unwritten
from streams.common.files import replace_file
from streams.common.logs import to_stderr
from streams.telemetry import metrics as telemetry, metrics_server

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="OTPGUARD_CONFIG",
        help="Settings file (TOML).",
        show_default="./otpguard.toml, then /etc/otpguard/otpguard.toml",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
NumbersOption = Annotated[
    bool, typer.Option("--numbers", help="Show whole numbers, which is noted in the audit.")
]
TicketOption = Annotated[str, typer.Option("--ticket", help="Number of the ticket, for the audit.")]
GatewayOption = Annotated[
    str | None,
    typer.Option(
        "--gateway-id", help="Name of the gateway; default: enforce.gateway_id.", show_default=False
    ),
]

VERBOSE: Final = frozenset({"-v", "--verbose"})
"""The option of every command that asks for notices about the settings."""

UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
"""Length in seconds of each unit of a time span."""
GZIP: Final = b"\x1f\x8b"  # The first bytes of a packed file.
TOGETHER: Final = 2_000  # texts that are recognised in one pass: more cost memory and no less time
STOP_S: Final = 25.0  # TimeoutStopSec= of the units is 30


def group(help_: str) -> typer.Typer:
    """Return a group of commands, to be mounted by `streams.cli`."""
    return typer.Typer(
        help=help_, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )


def settings_of(config: Path | None) -> configs.Settings:
    """Load the settings of this file, or of the usual places."""
    return configs.load(file_of(config))


if TYPE_CHECKING:
    SettingsOption: TypeAlias = configs.Settings
else:  # typer would load the class of the settings for each `--help`
    SettingsOption = Annotated[
        Any,
        typer.Option(
            "--config",
            "-c",
            parser=lambda written: settings_of(Path(written) if written else None),
            default_factory=str,
            metavar="<path>",
            envvar="OTPGUARD_CONFIG",
            help="Settings file (TOML).",
            show_default="./otpguard.toml, then /etc/otpguard/otpguard.toml",
        ),
    ]
"""The option --config of a command that gets the settings, and not the path of their file."""


def file_of(config: Path | None) -> Path | None:
    """Return the settings file in use; with -v print its name if nobody named one."""
    if config is not None:
        return config
    found = configs.found_path()
    if found is not None and VERBOSE & set(sys.argv):
        _say_whose(found.absolute())
    return found


@cache
def _say_whose(settings: Path) -> None:
    """Print the name of the file once, however often a command reads it."""
    typer.echo(tr("otpguard: settings of {found}").format(found=settings), err=True)


def recipient_of(settings: configs.Settings, written: str) -> str:
    """Return the canonical form of a number or token. Raise UsageError if it is neither."""
    recipient = settings.intake().numbers.canonical(written)
    if not recipient:
        raise UsageError(
            tr("{recipient!r} is neither a number nor a token").format(recipient=written)
        )
    return recipient


def seconds(written: str) -> int:
    """Return a time span in seconds. Raise UsageError if it is invalid.

    >>> seconds("90m"), seconds("30d")
    (5400, 2592000)
    """
    if not re.fullmatch("[0-9]{1,6}[smhd]", written):
        raise UsageError(
            tr("{written!r} is no span of time; 45s, 30m, 2h and 7d are").format(written=written)
        )
    return int(written[:-1]) * UNITS_S[written[-1]]


def is_conversation() -> bool:
    """Return true if a person can be asked: input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ago_ms(span: str) -> int:
    """Return the time that lies this span in the past, in milliseconds UTC, at least 1970.

    Kafka's client rejects earlier times, and people write 99999d for "everything".
    """
    return max(0, now_ms() - seconds(span) * 1000)


def log_to_stderr() -> None:
    """Log as every service does, without the INFO messages of Kafka's client."""
    to_stderr()
    logging.getLogger("kafka").setLevel(logging.WARNING)
    logging.getLogger("kafka.coordinator").setLevel(logging.ERROR)  # "group_id is None" is meant


def stopping(asked: Callable[[], None] = lambda: None) -> threading.Event:
    """Return an event that is set when the process receives SIGTERM or Ctrl-C.

    `asked` is called when the signal comes, just before the event is set.
    """
    stop = threading.Event()
    # An event has a lock: a handler that another signal interrupts while it sets the event, or that
    # interrupts who waits for it, would wait for itself. The queue's `put` needs none.
    signals: SimpleQueue[int] = SimpleQueue()

    def wait_for_one() -> None:
        signals.get()
        asked()
        stop.set()

    threading.Thread(target=wait_for_one, name="stop", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _: signals.put(which))
    return stop


@contextmanager
def serving(
    settings: configs.Settings,
    metrics: telemetry.Metrics,
    ready: Callable[[], str] = lambda: "",
    *,
    stop_s: float = STOP_S,
) -> Iterator[threading.Event]:
    """Serve metrics and health while the block runs; SIGTERM and Ctrl-C set the event it gets.

    `ready` returns why the service is not at work, empty if it is. Where the block has not ended
    `stop_s` after it was asked to, the process says where each of its threads stands, and ends: a
    client that waits for what never comes is otherwise killed by a supervisor, which says nothing.
    """
    stop = stopping(lambda: faulthandler.dump_traceback_later(stop_s, exit=True))
    where = settings.http
    port = where.port_of(metrics.role)
    try:
        with metrics_server.serve(where.host, port, metrics.registry, live=lambda: "", ready=ready):
            yield stop
    finally:
        faulthandler.cancel_dump_traceback_later()


def save_page(path: Path, page: bytes) -> None:
    """Write a page that only its owner may read, and say so."""
    with writing(path):
        replace_file(path, page, mode=0o600)
    typer.echo(tr("wrote {path}").format(path=path))


def write_json(value: Any) -> None:
    """Print one JSON document, indented for people."""
    document = msgspec.json.format(msgspec.json.encode(value, enc_hook=str)).decode()
    sys.stdout.write(in_json(document) + "\n")


def write_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    drop: Sequence[int] = (),
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table; a pipe gets it without frames and colours. Cells may be foreign text.

    On a narrow screen the columns of `drop` are left out, in that order, before any cell is cut
    off. `styles` gives cells with this content a colour.
    """
    console = consoles.Console(soft_wrap=not sys.stdout.isatty(), highlight=False, markup=False)
    if not sys.stdout.isatty():
        console.width = 10_000
    cells = [list(headings), *([escape_unprintable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(cell_widths.cell_len, column)) for column in zip(*cells, strict=True)]
    left = set(range(len(headings)))
    for column in drop:
        if sum(widths[each] + 2 for each in left) - 2 <= console.width:
            break
        left.discard(column)
    table = tables.Table(box=None, pad_edge=False, header_style="bold")
    for each in sorted(left):
        table.add_column(headings[each], no_wrap=bool(drop))
    for row in cells[1:]:
        table.add_row(
            *(texts.Text(row[each], (styles or {}).get(row[each], "")) for each in sorted(left))
        )
    console.print(table)


def write_list(
    document: Any, headings: Iterable[str], rows: Iterable[Sequence[object]], *, as_json: bool
) -> None:
    """Write a list: `document` as JSON, or else `rows` under translated headings."""
    if as_json:
        write_json(document)
    else:
        write_table([tr(heading) for heading in headings], rows)


def write_lines(document: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """Write `document` as JSON if `as_json` is true, otherwise `lines` as text.

    The lines may contain text that outsiders wrote, so unprintable characters are escaped.
    """
    if as_json:
        write_json(document)
        return
    for line in lines:
        typer.echo(fold_line(line))


def fold_line(line: str) -> str:
    """Return a line, escaped. A terminal gets it in lines that end between words.

    The next lines begin below the line's last column. A line with a command stays whole, so that
    the command can be copied.
    """
    line = escape_unprintable(line)
    if not sys.stdout.isatty() or "otpguard " in line:
        return line
    console, at = consoles.Console(), max(line.rfind("  ", 0, 40), 0) + 2
    indent = cell_widths.cell_len(line[:at])
    return line[:at] + f"\n{' ' * indent}".join(
        part.plain.rstrip() for part in texts.Text(line[at:]).wrap(console, console.width - indent)
    )


@contextmanager
def open_lines(path: str) -> Iterator[IO[bytes]]:
    """Open a file of lines, or `-` for standard input; gzip is unpacked, whatever its name.

    A byte order mark at the beginning is skipped. Raise UsageError if the file is empty or cannot
    be read, also while the block runs, or if it is an incomplete gzip file.
    """
    try:
        plain: Any = sys.stdin.buffer if path == "-" else io.BufferedReader(_Given(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    with nullcontext() if path == "-" else plain:
        packed = path.endswith(".gz") or _begins(plain, GZIP)
        if packed and not plain.peek(1):  # gzip reads nothing from it, and no error
            raise no_whole_gzip(path)
        stream: Any = gzip.GzipFile(fileobj=plain) if packed else plain
        try:
            if hasattr(stream, "peek") and not stream.peek(1):
                raise UsageError(tr("{path}: the file is empty").format(path=path))
            if _begins(stream, BOM_UTF8):  # Editors on Windows write this mark.
                stream.read(len(BOM_UTF8))
            yield stream
        except (gzip.BadGzipFile, zlib.error, EOFError):
            raise no_whole_gzip(path) from None


def no_whole_gzip(path: str) -> UsageError:
    """Return the error for a truncated or damaged gzip file."""
    return UsageError(
        tr("{path}: no whole gzip file; it was cut off, damaged, or never packed").format(path=path)
    )


def _begins(stream: Any, mark: bytes) -> bool:
    return hasattr(stream, "peek") and stream.peek(len(mark)).startswith(mark)


class _Given(io.FileIO):
    """A file that the user named. Any error of reading it becomes one sentence.

    The reader usually writes elsewhere too; errors of that are not about this file.
    """

    def readinto(self, buffer: Any, /) -> int | None:
        try:
            return super().readinto(buffer)
        except OSError as error:
            raise UsageError(f"{self.name}: {error.strerror}") from None


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn an error of writing into one sentence that names the file.

    BrokenPipeError is raised unchanged: the reader of a pipe may stop early, and then the command
    ends without a message.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritten(Path(path), error) from None


def plain_bytes(paths: Sequence[str]) -> int | None:
    """Return the bytes to read; None if a file is standard input, packed or missing."""
    plain = [Path(path) for path in paths if path != "-" and not path.endswith(".gz")]
    whole = len(plain) == len(paths) and all(path.is_file() for path in plain)
    return sum(path.stat().st_size for path in plain) if whole else None


@contextmanager
def progress(
    label: str, total: int | None, *, of_bytes: bool = False, quiet: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar if standard error is a terminal; yield the function that advances it.

    Without a `total` the bar has no end.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return

    class Rate(bars.ProgressColumn):
        def render(self, task: bars.Task) -> texts.Text:
            return texts.Text(tr("{n}/s").format(n=f"{task.speed:,.0f}") if task.speed else "")

    size = bars.DownloadColumn() if total is not None else bars.FileSizeColumn()
    counts = (size, bars.TransferSpeedColumn())
    bar = bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        *(counts if of_bytes else (bars.MofNCompleteColumn(), Rate())),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        console=consoles.Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)


def records_shown(
    clients: Mapping[str, Any], topic: str, since_ms: int | None = None
) -> Iterator[Any]:
    """Yield the records of `streams.cluster.read.records`, with a bar on a terminal."""
    with read.reading(clients, topic) as reader:
        for batch in batches_shown(reader, topic, reader.spans(since_ms)):
            yield from (record for record in batch if record.value is not None)


def batches_shown(reader: read.TopicReader, label: str, spans: read.Spans) -> Iterator[list[Any]]:
    """Yield the batches of these spans, with a bar on a terminal."""
    total = sum(max(0, end - first) for first, end in spans.values())
    with progress(label, total) as show:
        for batch in reader.batches(spans):
            yield batch
            show(len(batch))


def describe_created(names: Iterable[str]) -> str:
    """Return a line for each created topic; empty if none was."""
    return "\n".join(tr("created {name}").format(name=name) for name in names)


def format_counts(counts: Mapping[str, int]) -> str:
    """Return counts in one line, without zeros.

    >>> format_counts({"counted": 3, "rejected": 0, "other_type": 1})
    'counted 3, other_type 1'
    """
    return tr(", ").join(f"{tr(name)} {n}" for name, n in counts.items() if n)
