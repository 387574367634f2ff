"""`otpguard size`: computes what an installation needs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from streams.cli.shared import JsonOption, write_json, write_table
from streams.common import tr
from streams.common.limits import PARTITIONS_MAX
from streams.tools.operate import sizing


def size(
    *,
    events: Annotated[
        int, typer.Option(min=1, max=10**8, help="Messages a second at the busiest.")
    ],
    recipients: Annotated[
        int, typer.Option(min=1, max=10**10, help="Subscribers who are sent anything.")
    ],
    replicas: Annotated[int, typer.Option(min=1, max=9, help="Copies of each topic.")] = 3,
    as_json: JsonOption = False,
) -> None:
    r"""Compute how many workers, partitions, and bytes of memory and disk your traffic needs.

    The figures were measured on one machine with two cores; measure your own before you buy.

    \b
    Examples:
      otpguard size --events 100000 --recipients 10000000
      otpguard size --events 20000 --recipients 2000000 --replicas 1 --json
    """
    found = sizing.size_of(events, recipients, replicas=replicas)
    if as_json:
        write_json({"events": events, "recipients": recipients, "replicas": replicas,
                    **asdict(found)})  # fmt: skip
        return
    rows = [
        (tr("workers, one core each"), f"{found.workers:,}"),
        (tr("partitions of the input and of the changelog"), f"{found.partitions:,}"),
        (tr("memory of a worker"), _bytes(found.memory_bytes)),
        (tr("… with as many suspects as there can be"), _bytes(found.memory_attacked_bytes)),
        (tr("a cycle of a worker's checkpoints"), f"{found.checkpoint_s:,} s"),
        (tr("changelog, live, on each replica"), _bytes(found.changelog_live_bytes)),
        (tr("room for it on disk, all replicas"), _bytes(found.changelog_disk_bytes)),
        (tr("input of a day, all replicas"), _bytes(found.input_day_bytes)),
        (tr("… with the producer's lz4"), _bytes(found.input_day_lz4_bytes)),
    ]
    if found.installations > 1:
        rows.insert(0, (tr("installations; what follows is of each"), f"{found.installations:,}"))
    write_table((tr("what"), tr("how much")), rows)
    if found.installations > 1:
        typer.echo(
            tr(
                "one installation has {most} partitions at most: give each of {n} topics, workers "
                "and gates of its own, and its share of the subscribers, so that all messages to "
                "one number go to the same"
            ).format(most=f"{PARTITIONS_MAX:,}", n=f"{found.installations:,}")
        )
    typer.echo(
        tr("measured on one machine with two cores: measure your own traffic before you buy")
    )


def _bytes(count: int) -> str:
    """Return a size with a suitable unit.

    >>> _bytes(1_260_000_000), _bytes(9_797_760_000_000), _bytes(565_000_000)
    ('1.3 GB', '9.8 TB', '565 MB')
    """
    for unit, one in (("TB", 10**12), ("GB", 10**9)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count / 10**6:.0f} MB"
