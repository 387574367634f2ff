"""`make bench`: measures, and writes figures, tables and pictures to bench-results/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from streams.demo import brokers
from streams.demo.brokers import BrokerError
from tests.bench import compare as comparing
from tests.bench import report, stages

app: Final = typer.Typer(
    help=__doc__, add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False
)

Folder = Annotated[Path, typer.Option(help="Where results go.")]
Full = Annotated[bool, typer.Option("--full", help="The long form: steady figures, half an hour.")]

QUICK_EVENTS: Final = 450_000
FULL_EVENTS: Final = 3_000_000


@app.callback(invoke_without_command=True)
def all_of_it(
    context: typer.Context, *, full: Full = False, folder: Folder = Path("bench-results")
) -> None:
    """Without a command: the peers, then the stages."""
    if context.invoked_subcommand is None:
        events = FULL_EVENTS if full else QUICK_EVENTS
        compare(events=events, runs=3 if full else 1, folder=folder)
        profile(events=events // 3, folder=folder)


@app.command()
def compare(
    *,
    events: Annotated[int, typer.Option(help="Events in the topic; a third is warm-up.")] = (
        QUICK_EVENTS
    ),
    runs: Annotated[int, typer.Option(help="Runs of each peer, in turn.")] = 1,
    partitions: Annotated[int, typer.Option(help="Of the topic.")] = 4,
    only: Annotated[
        str, typer.Option(help="Peers whose name or job has one of these, as ceiling,whole.")
    ] = "",
    folder: Folder = Path("bench-results"),
) -> None:
    """otpguard beside its peers, on Apache Kafka."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with brokers.broker("kafka", properties={"log.retention.hours": "-1"}) as kafka:
            figures = comparing.compare(
                kafka, events=events, runs=runs, partitions=partitions, only=only, folder=folder
            )
    except BrokerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(78) from None
    figures |= {"runs": runs, "machine": report.machine()}
    report.write(folder, "compare", figures, report.cost_table(figures))
    report.cost_picture(figures, folder / "compare.svg")
    if any(peer["failed"] and not peer["missing"] for peer in figures["peers"]):
        raise typer.Exit(1)


@app.command()
def profile(
    *,
    events: Annotated[int, typer.Option(help="Half of them are warm-up.")] = 200_000,
    folder: Folder = Path("bench-results"),
) -> None:
    """Where the time of an event goes, stage by stage, without Kafka."""
    profiles = [stages.profile(events, batch) for batch in (10_000, 1_000)]
    figures = {"profiles": profiles, "machine": report.machine()}
    report.write(folder, "stages", figures, report.stage_table(figures))


if __name__ == "__main__":
    app()
