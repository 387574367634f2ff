"""Command line of `make bench`; writes figures, tables and pictures to bench-results/."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from detectors.model.event import TICK_OFFSETS
from streams.tools.demo.stage import interruptible
from tests import clusters
from tests.bench import (
    compare as comparing,
    desk as desking,
    gate as gating,
    latency as timing,
    lists as listing,
    live as living,
    polls,
    report,
    resume,
    scale as scaling,
    stages,
    state as holding,
    turns as turning,
    worst as worsening,
)
from tests.bench.harness import PeerError
from tests.nodes import Broker, BrokerError

app: Final = typer.Typer(
    help=__doc__, add_completion=False, no_args_is_help=False, pretty_exceptions_enable=False
)

Folder = Annotated[Path, typer.Option(help="Where results go.")]
Full = Annotated[bool, typer.Option("--full", help="The long form: steadier, larger, slower.")]

QUICK_EVENTS: Final = 900_000
FULL_EVENTS: Final = 3_000_000


@app.callback(invoke_without_command=True)
def all_of_it(
    context: typer.Context, *, full: Full = False, folder: Folder = Path("bench-results")
) -> None:
    """Without a command: everything, one after the other; half an hour."""
    if context.invoked_subcommand is None:
        compare(events=FULL_EVENTS if full else QUICK_EVENTS, runs=3 if full else 1, folder=folder)
        split(events=1_000_000 if full else 300_000, folder=folder)
        state(full=full, folder=folder)
        live(full=full, folder=folder)
        latency(full=full, folder=folder)
        scale(full=full, folder=folder)
        gate(seconds=60 if full else 20, folder=folder)
        worst(full=full, folder=folder)


@contextmanager
def kafka(**properties: str) -> Iterator[Broker]:
    """Apache Kafka that keeps old records, or an exit code that says it cannot be had."""
    settings = {"log.retention.hours": "-1"} | {
        name.replace("_", "."): value for name, value in properties.items()
    }
    try:
        with clusters.broker("kafka", properties=settings) as started:
            yield started
    except BrokerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(78) from None
    except PeerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


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
    whole_cycle_s: Annotated[
        int, typer.Option(help="Between checkpoints in the whole job; an operator's worker has 60.")
    ] = comparing.WHOLE_CYCLE_S,
    folder: Folder = Path("bench-results"),
) -> None:
    """otpguard beside its peers, on Apache Kafka."""
    folder.mkdir(parents=True, exist_ok=True)
    with kafka() as broker:
        figures = comparing.compare(
            broker, events=events, runs=runs, partitions=partitions, only=only,
            whole_cycle_s=whole_cycle_s, folder=folder,
        )  # fmt: skip
    figures |= {"runs": runs, "machine": report.machine()}
    report.write(folder, "compare", figures, report.cost_table(figures))
    report.cost_picture(figures, folder / "compare.svg")
    if any(peer["failed"] and not peer["missing"] for peer in figures["peers"]):
        raise typer.Exit(1)


@app.command(epilog="Example: python -m tests.bench live --only pathway,otpguard --seconds 5")
def live(
    *,
    full: Full = False,
    rates: Annotated[str, typer.Option(help="Events offered a second, rising.")] = (
        "1000,15000,50000"
    ),
    seconds: Annotated[float, typer.Option(help="Of each rate; 0 for the form's own.")] = 0,
    partitions: Annotated[int, typer.Option(help="Of each topic.")] = 32,
    only: Annotated[
        str, typer.Option(help="Peers whose name or job has one of these, as pathway,whole.")
    ] = "",
    folder: Folder = Path("bench-results"),
) -> None:
    """otpguard beside its peers at fixed rates: CPU per event, and how late each output is."""
    folder.mkdir(parents=True, exist_ok=True)
    with kafka() as broker:
        figures = living.measure(
            broker, rates=sorted(int(rate) for rate in rates.split(",")),
            seconds=seconds or (30 if full else 8), partitions=partitions, only=only,
            whole_cycle_s=comparing.WHOLE_CYCLE_S, folder=folder,
        )  # fmt: skip
    figures["machine"] = report.machine()
    report.write(folder, "live", figures, report.live_table(figures))
    report.live_picture(figures, folder / "live.svg")
    if any(peer["failed"] and not peer["missing"] for peer in figures["peers"]):
        raise typer.Exit(1)


@app.command()
def gate(
    *,
    rate: Annotated[float, typer.Option(help="Questions a second.")] = 3_000,
    seconds: Annotated[float, typer.Option(help="For so long, after a warm-up.")] = 20,
    leases: Annotated[int, typer.Option(help="Recipients under lease.")] = 200_000,
    folder: Folder = Path("bench-results"),
) -> None:
    """A gate's CPU an answer, and how soon it answers, with leases held."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with kafka() as broker:
        found = gating.measure(broker, rate=rate, seconds=seconds, leases=leases, folder=folder)
    figures = {**found, "machine": report.machine()}
    report.write(folder, "gate", figures, report.gate_table(figures))


@app.command()
def desk(
    *,
    cases: Annotated[int, typer.Option(help="In the full store.")] = 1_000_000,
    floods: Annotated[int, typer.Option(help="Whose records the indexer reads; 63 each.")] = 2_000,
    lists: Annotated[int, typer.Option(help="Live lists, of as many agents.")] = 200,
    database: Annotated[
        str, typer.Option(help="URL of an empty case store to fill; default: SQLite.")
    ] = "",
    folder: Folder = Path("bench-results"),
) -> None:
    """The desk: records a second of the indexer, how soon a search answers, and live lists."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        figures: dict[str, Any] = {"machine": report.machine(), "cases": cases}
        made = desking.records(floods)
        with kafka() as broker, desking.opened(f"sqlite:///{place}/followed.db") as store:
            figures["indexer"] = desking.follows(broker, store, made)
        with desking.opened(f"sqlite:///{place}/written.db") as store:
            figures["writer"] = desking.writes(store, made)
        url = database or f"sqlite:///{place}/full.db"
        with desking.opened(url) as store:
            figures["fill_s"] = round(desking.fill(store, cases))
            figures["searches"] = desking.searches(store, cases)
        with kafka() as broker:
            figures["lists"] = listing.measure(broker, url, Path(place), lists)
    report.write(folder, "desk", figures, desking.table(figures))


@app.command("stages")
def split(
    *,
    events: Annotated[int, typer.Option(help="Half of them are warm-up.")] = 200_000,
    folder: Folder = Path("bench-results"),
) -> None:
    """Where the time of an event goes, stage by stage, without Kafka: backlog and live polls."""
    folder.mkdir(parents=True, exist_ok=True)
    profiles = [stages.profile(events, batch) for batch in (TICK_OFFSETS, 1_000)]
    figures = {"profiles": profiles, "polls": polls.live(), "machine": report.machine()}
    table = report.stage_table(figures) + "\n" + report.poll_table(figures)
    report.write(folder, "stages", figures, table)


@app.command(epilog="Example: python -m tests.bench turns --rounds 9")
def turns(
    *,
    events: Annotated[int, typer.Option(help="Of each case; half of them are warm-up.")] = 200_000,
    rounds: Annotated[int, typer.Option(help="Turns of each way.")] = 5,
    batch: Annotated[int, typer.Option(help="Events of a batch.")] = 1_024,
    folder: Folder = Path("bench-results"),
) -> None:
    """What hot platforms, figures and sweeps cost: the chain with and without them, by turns."""
    folder.mkdir(parents=True, exist_ok=True)
    found = turning.measure(events=events, rounds=rounds, batch=batch)
    figures = {"turns": found, "machine": report.machine()}
    report.write(folder, "turns", figures, turning.table(figures))


@app.command()
def state(
    *,
    full: Full = False,
    recipients: Annotated[
        str, typer.Option(help="Sizes, as 100000,1000000; empty for the form's own.")
    ] = "",
    worker_recipients: Annotated[
        int, typer.Option(help="Of the worker that is killed and comes back; 0 for none.")
    ] = -1,
    folder: Folder = Path("bench-results"),
) -> None:
    """Cost by the number of recipients: time, memory, checkpoints, recovery, pauses."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = [int(n) for n in recipients.split(",") if n] or [100_000, 1_000_000, 5_000_000]
    if full and not recipients:
        sizes.append(10_000_000)
    figures: dict[str, Any] = {
        "sizes": holding.sizes(sizes, 640_000 if full else 320_000),
        "pauses": holding.pauses(1 << 20 if full else 1 << 18),
        "machine": report.machine(),
    }
    if worker_recipients < 0:
        worker_recipients = 5_000_000 if full else 500_000
    if worker_recipients:
        with kafka() as broker:
            figures["return"] = resume.come_back(
                broker, recipients=worker_recipients, partitions=32, folder=folder
            )
            figures["checkpoints"] = resume.checkpoints(
                broker, recipients=worker_recipients // 5, partitions=32, folder=folder,
                events=8_000_000 if full else 2_000_000, cycle_s=10, runs=3 if full else 1,
            )  # fmt: skip
    report.write(folder, "state", figures, report.state_table(figures))
    report.state_picture(figures, folder / "state.svg")


@app.command()
def latency(
    *,
    full: Full = False,
    rates: Annotated[str, typer.Option(help="Events offered a second.")] = (
        "1000,10000,15000,50000,100000"
    ),
    partitions: Annotated[int, typer.Option(help="Of the input.")] = 32,
    cycle_s: Annotated[
        int, typer.Option(help="Between checkpoints; an operator's worker has 60.")
    ] = timing.CHECKPOINT_CYCLE_S,
    folder: Folder = Path("bench-results"),
) -> None:
    """From an event's append to its lease on the throttle topic, at fixed rates."""
    folder.mkdir(parents=True, exist_ok=True)
    with kafka() as broker:
        figures = timing.measure(
            broker, rates=[int(rate) for rate in rates.split(",")],
            seconds=60 if full else 15, partitions=partitions, cycle_s=cycle_s, folder=folder,
        )  # fmt: skip
    figures["machine"] = report.machine()
    report.write(folder, "latency", figures, report.latency_table(figures))
    report.latency_picture(figures, folder / "latency.svg")


@app.command()
def scale(
    *,
    full: Full = False,
    events: Annotated[int, typer.Option(help="In each topic; 0 for the form's own.")] = 0,
    folder: Folder = Path("bench-results"),
) -> None:
    """Workers and partitions, and a model of a country and a continent from what was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = [(1, 4), (1, 16), (2, 16), (4, 16), (1, 64)]
    if full:
        runs = [(workers, partitions) for partitions in (4, 16, 64) for workers in (1, 2, 4)]
    # those that start together are one generation of the group: nothing is read twice
    with kafka(group_initial_rebalance_delay_ms="5000") as broker:
        measured = scaling.measure(
            broker, events=events or (4_000_000 if full else 1_500_000), runs=runs, folder=folder
        )
    one = next(run for run in measured if (run["workers"], run["partitions"]) == (1, 16))
    figures = {
        "runs": measured,
        "model": scaling.models(us_per_event=one["client_us"]),
        "machine": report.machine(),
    }
    report.write(folder, "scale", figures, report.scale_table(figures))


@app.command()
def worst(
    *,
    full: Full = False,
    only: Annotated[str, typer.Option(help="Cases whose name has one of these.")] = "",
    cycle_s: Annotated[
        int, typer.Option(help="Between checkpoints; an operator's worker has 60.")
    ] = worsening.CHECKPOINT_CYCLE_S,
    folder: Folder = Path("bench-results"),
) -> None:
    """What an attack or a fault does to throughput and to the event loop."""
    folder.mkdir(parents=True, exist_ok=True)
    with kafka() as broker:
        cases = worsening.measure(
            broker, events=2_000_000 if full else 600_000, only=only, cycle_s=cycle_s, folder=folder
        )
    figures = {"cases": cases, "checkpoint_cycle_s": cycle_s, "machine": report.machine()}
    report.write(folder, "worst", figures, report.worst_table(figures))


if __name__ == "__main__":
    with interruptible():
        app()
