"""`otpguard replay`: runs the detector over files."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Annotated, Final

import msgspec
import typer

from detectors.model import records as episode_records
from streams.cases import explanation, log_replay, rulings as gateway_rulings
from streams.cli.shared import (
    JsonOption,
    SettingsOption,
    fold_line,
    format_counts,
    open_lines,
    plain_bytes,
    progress,
    writing,
)
from streams.common import UsageError, moment, tr
from streams.gateways.feeds import text_form

PACED_S: Final = 2.0
"""Minimum duration in seconds of a run whose rate is printed; a shorter one mostly measures the
start.
"""


FilesArgument = Annotated[
    list[str], typer.Argument(metavar="FILE…|-", help="JSON lines (.gz too), or - for stdin.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no summary on stderr.")
]


def replay(
    files: FilesArgument,
    settings: SettingsOption,
    *,
    episodes: Annotated[
        bool, typer.Option("--episodes", help='Also print episode records, marked by "topic".')
    ] = False,
    dlq: Annotated[
        Path | None,
        typer.Option(
            "--dlq", metavar="FILE", help="Write refused records here.", show_default=False
        ),
    ] = None,
    rulings: Annotated[
        bool,
        typer.Option(
            "--rulings",
            help="Print one line for each code with the gateway's ruling, instead of actions.",
        ),
    ] = False,
    delay_ms: Annotated[
        int,
        typer.Option(
            "--delay-ms", min=0, help="With --rulings: from an event to its lease being in force."
        ),
    ] = 500,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Run the detector over sms.delivery.v1 values, with no broker.

    Reads JSON lines, writes a JSON line for each throttle action to standard output, and a summary
    to standard error. A terminal gets a sentence for each lease instead. Several files are one log,
    in the order given.

    With --rulings, a lease is in force from --delay-ms after the event that caused it, and each
    code passes or is refused as at a gateway. A lease in shadow refuses nothing. A terminal then
    gets only the summary.

    \b
    Examples:
      otpguard scenario A1 --seed 3 | otpguard replay -
      otpguard replay mon.jsonl.gz tue.jsonl.gz --episodes > decisions.jsonl
      otpguard replay day.jsonl --dlq refused.jsonl \
        | jq -r .recipient | sort | uniq -c
      OTPGUARD_MODE=enforce otpguard replay day.jsonl --rulings \
        | jq 'select(.ruling == "refuse")'
    """
    if rulings and episodes:
        raise UsageError(tr("either --rulings or --episodes, not both"))
    topic = settings.topics.episode if episodes else None
    account = _Account()
    gateway = gateway_rulings.RulingGateway(delay_ms)
    told = sys.stdout.isatty() and not as_json and not episodes
    with ExitStack() as stack:
        letters = stack.enter_context(_create_file(dlq)) if dlq else None
        bar = progress("", plain_bytes(files), of_bytes=True, quiet=quiet or (told and not rulings))
        show = stack.enter_context(bar)
        chunks = log_replay.chunks_of_files(files, open_lines, settings.input.value_bytes_max, show)
        chunks = text_form.decode_lines(chunks, partial(typer.echo, err=True))
        for step in log_replay.replay(settings, chunks):
            lines: Iterable[bytes] = log_replay.outputs(step, topic)
            if rulings:
                gateway.add(step.decisions.actions)
                ruled = list(gateway.rule_batch(step.decoded.batch, step.codes))
                account.whys.update(f"{each.ruling}: {each.why}" for each in ruled)
                lines = (msgspec.json.encode(each) + b"\n" for each in ruled)
            elif told:
                lines = _describe_leases(step.decisions.actions)
            if not (rulings and told):
                sys.stdout.buffer.writelines(lines)
                sys.stdout.buffer.flush()
            account.take(step)
            if letters is not None:
                with writing(letters.name):
                    letters.writelines(
                        msgspec.json.encode(log_replay.format_refused(reject)) + b"\n"
                        for reject in step.decoded.rejects
                    )
    if not quiet:
        print(account.summarise(), file=sys.stderr)
    account.check()


def _describe_leases(actions: Iterable[episode_records.Action]) -> Iterator[bytes]:
    """Yield a sentence for each new lease: when, who, what, until when and why."""
    for action in actions:
        if not action.update:
            line = tr("{at}  {recipient}  {verb} until {until} ({mode}): {why}").format(
                at=moment(action.issued_at_ms),
                recipient=action.recipient,
                verb=tr(action.verb),
                until=moment(action.expires_at_ms),
                mode=tr(action.mode),
                why=explanation.retold(action.reason.rule, action.reason.text),
            )
            yield f"{fold_line(line)}\n".encode()


@dataclass
class _Account:
    """Counts of all lines by result, and their rate."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    whys: Counter[str] = field(default_factory=Counter)  # rulings and their reasons
    began: float = 0.0
    first: int = 0  # lines of the first chunk, which is mostly words read for the first time

    def take(self, step: log_replay.Replayed) -> None:
        if not self.counts:
            self.began, self.first = time.perf_counter(), step.lines
        self.counts["lines"] += step.lines
        self.counts["codes"] += step.decisions.codes
        actions = step.decisions.actions
        self.counts["actions"] += len(actions)
        self.counts["shadow"] += sum(action.mode == "shadow" for action in actions)
        self.counts.update({str(outcome): n for outcome, n in step.decoded.outcomes.items()})
        self.reasons.update(str(reject.reason) for reject in step.decoded.rejects)

    def summarise(self) -> str:
        told = [format_counts(self.counts) or tr("no lines")]
        if self.whys:
            told.append(tr("rulings: {what}").format(what=format_counts(self.whys)))
        if self.reasons:
            told.append(tr("refused: {what}").format(what=format_counts(self.reasons)))
        took_s = time.perf_counter() - self.began
        if self.began and took_s >= PACED_S:
            rate = f"{(self.counts['lines'] - self.first) / took_s:,.0f}"
            told.append(tr("{took} s, {rate} lines/s").format(took=f"{took_s:.1f}", rate=rate))
        if self.counts["codes"] and not self.counts["actions"]:
            told.append(tr("nobody was throttled"))
        return "; ".join(told)

    def check(self) -> None:
        """Raise UsageError if no line was an event, because that is probably the wrong file."""
        lines = self.counts["lines"]
        if not lines or self.reasons.total() < lines:
            return
        few = ", ".join(reason for reason, _ in self.reasons.most_common(3))
        raise UsageError(
            tr(
                "not one of {n} lines is an event ({few}). An export: `otpguard feed csv FILE "
                "--sample 1000000 | otpguard replay -`. Else `otpguard topics schema "
                "sms.delivery.v1` says what an event is, and --dlq FILE keeps the lines"
            ).format(n=lines, few=few)
        )


@contextmanager
def _create_file(path: Path) -> Iterator[IO[bytes]]:
    with writing(path):
        file = path.open("wb")
    try:
        yield file
    finally:
        with writing(path):
            file.close()  # writes what is left
