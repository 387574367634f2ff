"""`make faults`: kills workers and brokers, and compares the result with a recount of the log."""

from __future__ import annotations

import json
import logging
import random
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from streams.tools.demo.stage import interruptible
from tests import clusters
from tests.faults import recovery, soak as soaking
from tests.faults.driver import Fault, Plan, Run
from tests.faults.watch import UndecidedError, rebalances
from tests.nodes import Broker

app: Final = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

Folder = Annotated[Path, typer.Option(help="Where results and logs go.")]


@app.callback()
def quiet() -> None:
    """Real workers, a real broker, faults, figures."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers are away on purpose


@app.command()
def runs(
    *,
    seed: Annotated[int, typer.Option(help="The first run's; the others follow it.")] = 1,
    number: Annotated[int, typer.Option(help="Runs.")] = 1,
    nodes: Annotated[int, typer.Option(help="Brokers: 1 or 3.")] = 1,
    events: Annotated[int, typer.Option(help="At least so many in each run.")] = 300_000,
    per_s: Annotated[int, typer.Option(help="Events a second.")] = 15_000,
    faults: Annotated[int, typer.Option(help="In each run.")] = 10,
    lists: Annotated[
        bool, typer.Option(help="Of the network's hot platforms, good and bad, come in between.")
    ] = False,
    folder: Folder = Path("bench-results"),
) -> None:
    """Seeded fault runs; each adds a line to faults.jsonl. The same seed makes the same plan."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with clusters.broker("kafka", nodes) as kafka:
        for each in range(seed, seed + number):
            plan = Plan(each, events=events, per_s=per_s, faults=faults, nodes=nodes, lists=lists)
            typer.echo(str(plan))
            said = _run(plan, kafka, folder)
            wrong += bool(said["differences"] or said["undecided"])
            with (folder / "faults.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(said) + "\n")
            typer.echo(json.dumps(said))
    raise typer.Exit(bool(wrong))


@app.command()
def soak(
    *,
    seconds: Annotated[float, typer.Option(envvar="OTPGUARD_SOAK_S", help="How long.")] = 1800,
    per_s: Annotated[int, typer.Option(help="Events a second.")] = 50_000,
    seed: Annotated[
        int | None, typer.Option(envvar="OTPGUARD_FAULT_SEED", help="Drawn if not given.")
    ] = None,
    folder: Folder = Path("bench-results"),
) -> None:
    """A steady stream, default settings: memory, event loop, lag and changelog, in soak.json."""
    folder.mkdir(parents=True, exist_ok=True)
    seed = random.randrange(1_000_000) if seed is None else seed
    typer.echo(f"seed {seed}: {seconds:g} s at {per_s:,} events/s")
    with clusters.broker("kafka", properties=soaking.PROPERTIES) as kafka:
        report = soaking.soak(
            kafka, seconds=seconds, per_s=per_s, seed=seed, folder=folder, tell=typer.echo
        )
    typer.echo(soaking.verdict(report))
    for each in (said := soaking.wrong(report)):
        typer.echo(each, err=True)
    raise typer.Exit(bool(said))


@app.command()
def recover(
    *,
    only: Annotated[str, typer.Option(help="restart, takeover or broker.")] = "",
    tries: Annotated[int, typer.Option(help="Of each.")] = 3,
    folder: Folder = Path("bench-results"),
) -> None:
    """Seconds until events are processed again, in recovery.json: after kill -9 of a worker with a
    million recipients, of one worker of two, and after 60 s of SIGSTOP or a kill -9 of the broker.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recovery.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    with clusters.broker("kafka") as kafka:
        if only in {"", "restart"}:
            for instance in ("", "slot"):
                name = "restart, static member" if instance else "restart"
                typer.echo(name)
                found[name] = recovery.restarts(
                    kafka, tries=tries, instance=instance, folder=folder, tell=typer.echo
                )
        if only in {"", "takeover"}:
            typer.echo("takeover")
            found["takeover"] = recovery.takeovers(
                kafka, tries=tries, folder=folder, tell=typer.echo
            )
        if only in {"", "broker"}:
            for kind, lasts_s in (("broker freeze", 60.0), ("broker kill", 15.0)):
                typer.echo(kind)
                found[kind] = _outage(kafka, kind, lasts_s, folder)
                typer.echo(json.dumps(found[kind]))
    path.write_text(json.dumps(found, indent=1) + "\n")


def _outage(kafka: Broker, kind: str, lasts_s: float, folder: Path) -> dict[str, Any]:
    """The broker is away once, in the middle of traffic; the default of `stall_s` holds.

    `still_undisturbed_s` counts from its return to the first commit, the worker's start included.
    """
    script = (Fault(15.0, kind, 0, lasts_s),)
    plan = Plan(1, events=100_000, per_s=5_000, script=script, stall_s=60)
    return _run(plan, kafka, folder)


def _run(plan: Plan, kafka: Broker, folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    run = Run(plan, kafka, f"faults-{plan.seed}-{time.time_ns() // 1_000_000:x}", folder)
    differences, undecided = list[str](), ""
    try:
        differences = run.execute()
    except UndecidedError as error:
        undecided = str(error)
    still, slowest = run.watch.longest, run.watch.slowest
    return {
        "seed": plan.seed,
        "nodes": plan.nodes,
        "events": run.records,
        "outputs": run.outputs,
        "outputs_repeated": run.repeated,
        "faults": Counter(fault.kind for fault in plan.schedule()),
        "plan": [str(fault) for fault in plan.schedule()],
        "exits": {slot.name: slot.exits for slot in run.slots},
        "still_s": round(still.seconds, 1),
        "still_undisturbed_s": round(slowest.seconds, 1),
        "rebalance_most_s": round(
            max(
                (s for slot in run.slots if slot.log.exists() for s in rebalances(slot.log)),
                default=0,
            ),
            1,
        ),
        "still_where": f"partition {still.partition} until {still.ended_s:.1f} s",
        "seconds": round(time.monotonic() - began, 1),
        "differences": differences,
        "undecided": undecided,
    }


if __name__ == "__main__":
    with interruptible():
        app()
