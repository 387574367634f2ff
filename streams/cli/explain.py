"""`otpguard explain`: explains throttles from the topics, or from a file of episode records."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from detectors.model import records
from streams import config as configs, wire
from streams.cases import explanation
from streams.cli import audited, cases
from streams.cli.cases import SinceOption
from streams.cli.shared import (
    ConfigOption,
    JsonOption,
    NumbersOption,
    open_lines,
    save_page,
    settings_of,
    write_lines,
)
from streams.common import UsageError, clock, tr


def explain(
    named: Annotated[
        str,
        typer.Argument(
            help="Recipient in any format, action or episode; or a file of records, - for stdin.",
            metavar="ACTION|RECIPIENT|FILE|-",
        ),
    ],
    config: ConfigOption = None,
    *,
    since: SinceOption = "24h",
    only: Annotated[
        str | None,
        typer.Option(
            "--only", help="For a file: only the records of this recipient, episode or action."
        ),
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="For a file: only the last record of each episode.")
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option("--html", help="Write the case as a page, with the flood by time."),
    ] = None,
    numbers: NumbersOption = False,
    as_json: JsonOption = False,
) -> None:
    r"""Explain a throttle: platforms, times, scores, the rule, and why no other rule.

    An action is explained as it was when the lease was made. For a recipient the most severe open
    case is explained, otherwise the newest. A file has records of the episode topic as JSON lines;
    each lease in it is printed in one line.

    With --html the case is a page in one file, as at the desk. Only its owner may read the file.
    Numbers in it are masked; only who may write the audit sees them whole.

    \b
    Examples:
      otpguard explain +8613900000001
      otpguard explain 1:sms.delivery.v1:7:123456 --since 7d
      otpguard explain +8613900000001 --html case.html
      otpguard scenario A1 --seed 3 | otpguard replay - --episodes \
        | otpguard explain - --last
      otpguard explain decisions.jsonl --only 8613900000001
    """
    if named != "-" and not Path(named).is_file():
        cases.refuse_nobody(named, tr("no such file, "))
        settings = settings_of(config)
        if page is None:
            cases.show_cases(settings, named, since, as_json=as_json, most=1)
        else:
            _write_page(settings, named, since, page, numbers=numbers)
        return
    if page is not None:
        raise UsageError(tr("--html needs a number, or the id of a case or action"))
    _explain_file(named, only, last=last, as_json=as_json)


def _write_page(
    settings: configs.Settings, named: str, since: str, page: Path, *, numbers: bool
) -> None:
    from streams.people.desk import call_view, masks, render  # noqa: PLC0415 - an extra, and heavy

    if numbers:
        audited.require_numbers(settings)
    with cases.finding(settings, named, since, "incident") as (model, found):
        now_ms, file = clock.now_ms(), model.case(found[0].episode_id)
        case = call_view.view(file, now_ms)
        case["whole"] = masks.whole(file.line.recipient) if numbers else case["number"]
        save_page(page, render.page_file("case_file", now_ms, case=case))


def _explain_file(named: str, only: str | None, *, last: bool, as_json: bool) -> None:
    found = [
        each
        for each in _records(named)
        if only is None
        or only.lstrip("+") in (each.recipient, each.episode_id, each.cause.id(each.epoch))
    ]
    if last:
        episodes = (each for each in found if isinstance(each, records.EpisodeRecord))
        found = list({each.episode_id: each for each in episodes}.values())
    if not found:
        raise UsageError(
            tr("{named}: no records{what}; `otpguard replay --episodes` writes them").format(
                named=named, what=tr(" of {only}").format(only=only) if only else ""
            )
        )
    told = [
        explanation.lines(r)
        if isinstance(r, records.EpisodeRecord)
        else [explanation.format_lease(r)]
        for r in found
    ]
    write_lines(
        [
            explanation.document(r)
            if isinstance(r, records.EpisodeRecord)
            else explanation.format_lease(r)
            for r in found
        ],
        chain.from_iterable((*lines, "") for lines in told),
        as_json=as_json,
    )


def _records(name: str) -> Iterator[records.EpisodeRecord | records.Action]:
    """Yield episode records, each with all known facts, and actions, in the order of the file."""
    before: dict[str, records.EpisodeRecord] = {}
    with open_lines(name) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                if b'"action_id"' in line[:64]:
                    yield wire.decode_action(line)
                    continue
                record = wire.decode_episode(line)
                record = records.merge_renewal(record, before.get(record.episode_id, record))
                before[record.episode_id] = record
                yield record
            except wire.UnreadableError as error:
                raise UsageError(
                    tr("{name}, line {number}: no episode and no action: {error}").format(
                        name=name, number=number, error=error
                    )
                ) from None
