"""`otpguard compare`: two configurations side by side, over a file or the input topic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from streams.cases import log_replay
from streams.cli.cases import SinceOption
from streams.cli.shared import (
    JsonOption,
    ago_ms,
    open_lines,
    plain_bytes,
    progress,
    settings_of,
    write_json,
    write_table,
)
from streams.cluster import admin, read
from streams.common import join_list, tr
from streams.tools.operate import comparison


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE.toml", help="One configuration.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER.toml", help="The other one.")],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE…|-]", help="JSON lines (.gz too); without: the input topic of BEFORE."
        ),
    ] = None,
    *,
    since: SinceOption = "30d",
    as_json: JsonOption = False,
) -> None:
    r"""Run two configurations over the same messages, and list recipients for whom they differ.

    Nothing is published. Both begin with an empty state, so the messages should reach back some
    weeks. Leases in shadow count as enforced. --since applies to the topic. OTPGUARD_ variables
    change both configurations.

    \b
    Examples:
      otpguard compare now.toml next.toml day.jsonl.gz
      otpguard compare now.toml next.toml --since 7d
      otpguard compare now.toml next.toml day.jsonl --json \
        | jq '.recipients[].recipient'
    """
    found = comparison.Comparison([settings_of(before), settings_of(after)])
    if files:
        _of_files(found, files)
    else:
        _of_topic(found, ago_ms(since))
    report = found.report()
    if as_json:
        write_json(report)
        return
    for side in comparison.SIDES:
        typer.echo(tr("leases, {side}: {n}").format(side=tr(side), n=f"{report['leases'][side]:,}"))
    if not report["recipients"]:
        typer.echo(tr("no recipient differs in {n} lines").format(n=f"{report['lines']:,}"))
        return
    write_table(
        [tr("recipient"), tr("refused only before"), tr("refused only after"), tr("leases")],
        [_row(each) for each in report["recipients"]],
    )


def _row(each: dict[str, Any]) -> list[object]:
    told = dict.fromkeys(f"{tr(lease['only'])}: {lease['rule']}" for lease in each["leases"])
    return [each["recipient"], *each["refused_only"].values(), join_list(list(told))]


def _of_files(found: comparison.Comparison, files: list[str]) -> None:
    most = max(each.input.value_bytes_max for each in found.settings)
    with progress("", plain_bytes(files), of_bytes=True) as show:
        chunks = log_replay.chunks_of_files(files, open_lines, most, show)
        for _ in found.run(0, log_replay.add_offsets(chunks)):
            pass


def _of_topic(found: comparison.Comparison, since_ms: int) -> None:
    settings = found.settings[0]
    topic = settings.topics.input
    with read.reading(admin.client_arguments(settings.kafka), topic) as reader:
        spans = reader.spans(since_ms)
        with progress(topic, sum(end - first for first, end in spans.values())) as show:
            for number, span in spans.items():
                chunks = (
                    ([r.value or b"" for r in batch], np.array([r.offset for r in batch]))
                    for batch in reader.batches({number: span})
                )
                for lines in found.run(number, chunks):
                    show(lines)
