"""`make enforce`: measures the promises of the throttle with real gateways."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from smpp.pdu.pdu_types import CommandStatus

from streams.tools.demo.stage import interruptible
from streams.tools.scenarios import Role
from tests import clusters
from tests.bench.report import machine, write
from tests.enforce import floods as flooding, speeds
from tests.enforce.gate_loop import gate_loop
from tests.enforce.loop import Loop, now_ms
from tests.enforce.smsgate.ends import LONG, ends
from tests.nodes import Broker

app: Final = typer.Typer(
    help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

Folder = Annotated[Path, typer.Option(help="Where results go.")]
RESULTS: Final = Path("bench-results")


@contextmanager
def _kafka_and_scratch() -> Iterator[tuple[Broker, Path]]:
    with (
        clusters.broker("kafka") as kafka,
        tempfile.TemporaryDirectory(prefix="otpguard-enforce-") as scratch,
    ):
        yield kafka, Path(scratch)


@contextmanager
def _loop() -> Iterator[Loop]:
    """The whole loop as shipped: default lease, default rails."""
    with (
        _kafka_and_scratch() as (kafka, scratch),
        Loop(kafka, scratch, f"loop-{now_ms()}") as loop,
    ):
        yield loop


def _tell(folder: Path, name: str, figures: dict[str, Any], missed: dict[str, bool]) -> None:
    """Write NAME.json and a table of NAME; exit 1 if a goal is missed."""
    lines = [f"| {name} | |", "|---|---|"]
    lines += [f"| {key.replace('_', ' ')} | {value} |" for key, value in figures.items()]
    lines += [f"| **missed** | {goal} |" for goal, miss in missed.items() if miss]
    figures = {**machine(), **figures, "missed": [goal for goal, miss in missed.items() if miss]}
    write(folder, f"enforce-{name}", figures, "\n".join(lines) + "\n")
    raise typer.Exit(any(missed.values()))


@app.command()
def incidents(
    *,
    victims: Annotated[int, typer.Option(help="At a time.")] = 10,
    pace: Annotated[float, typer.Option(help="1: that of the incident, 35 minutes.")] = 1,
    folder: Folder = RESULTS,
) -> None:
    """A1 through real Jasmin to ten victims, amid other traffic: what reaches the phone."""
    with _loop() as loop, flooding.other_traffic(loop.jasmin.client) as others:
        senders = [loop.jasmin.client() for _ in range(victims)]
        runs = flooding.incidents(loop, senders, pace, typer.echo)
        for run in runs:
            flooding.check(run, lambda: len(loop.centre.reached(run.victim)))  # noqa: B023
    _tell_incidents(folder, "incidents", runs, others, {"victims": victims, "pace": pace})


@app.command()
def cmpp_incidents(
    *,
    victims: Annotated[int, typer.Option(help="At a time, each with a bind of its own.")] = 5,
    pace: Annotated[float, typer.Option(help="1: that of the incident, 35 minutes.")] = 1,
    timeout_ms: Annotated[int, typer.Option(help="That SMSGate waits for the gate.")] = 20,
    folder: Folder = RESULTS,
) -> None:
    """A1 over CMPP, through SMSGate and gate, to five victims: what reaches the phone."""
    with (
        _kafka_and_scratch() as (kafka, scratch),
        gate_loop(kafka, scratch) as loop,
        ends("cmpp20", loop.port, scratch, clients=victims + 1, timeout_ms=timeout_ms) as cmpp,
    ):
        *senders, other = cmpp.senders
        with flooding.other_traffic(lambda: other, LONG) as others:
            runs = flooding.incidents(loop, senders, pace, typer.echo)
        for run in runs:
            flooding.check(run, lambda: cmpp.reached_by(run.victim))  # noqa: B023
        told = {
            "victims": victims,
            "pace": pace,
            "timeout_ms": timeout_ms,
            **cmpp.close(),
            "late_at_the_gate": loop.counted("gate_late_answers_total"),
        }
    _tell_incidents(folder, "cmpp-incidents", runs, others, told)


def _tell_incidents(
    folder: Path,
    name: str,
    runs: list[flooding.Run],
    others: list[CommandStatus],
    told: dict[str, Any],
) -> None:
    figures = flooding.figures(runs)
    refused = sum(status is not flooding.OK for status in others)
    _tell(
        folder,
        name,
        {**told, **figures, "others": len(others), "others_refused": refused},
        {
            "every victim played": len(runs) < told["victims"],
            "every flood is stopped": any(r.flood == r.offered[Role.ATTACK] for r in runs),
            "at most 14 in the median": figures["reached_median"] > 14,
            "nobody else is refused": refused > 0,
        },
    )


@app.command()
def floods(
    *,
    number: Annotated[int, typer.Option(help="Floods, one after the other.")] = 200,
    folder: Folder = RESULTS,
) -> None:
    """From the submit that crosses the threshold to the first refusal of real Jasmin."""
    with _loop() as loop:
        delays = sorted(
            flooding.time_to_refusal(loop, 4_000_000 + index, loop.client)
            for index in range(number)
        )
    _tell_delays(folder, "floods", delays)


@app.command()
def cmpp_floods(
    *,
    number: Annotated[int, typer.Option(help="Floods, one after the other.")] = 200,
    folder: Folder = RESULTS,
) -> None:
    """From the submit that crosses the threshold to the first refusal over CMPP."""
    with (
        _kafka_and_scratch() as (kafka, scratch),
        gate_loop(kafka, scratch) as loop,
        ends("cmpp20", loop.port, scratch) as client,
    ):
        delays = sorted(
            flooding.time_to_refusal(loop, 6_000_000 + index, client) for index in range(number)
        )
    _tell_delays(folder, "cmpp-floods", delays)


@app.command()
def sip(
    *,
    number: Annotated[int, typer.Option(help="Messages in each of three runs.")] = 3_000,
    rate: Annotated[int, typer.Option(help="Messages a second.")] = 200,
    folder: Folder = RESULTS,
) -> None:
    """How long Kamailio holds a MESSAGE: a gate that answers, is away, hangs."""
    with _kafka_and_scratch() as (kafka, scratch), gate_loop(kafka, scratch) as loop:
        figures = speeds.sip(
            scratch, loop.port, lambda: int(loop.counted("gate_answers_total")), number, rate
        )
    _tell(
        folder,
        "sip",
        {"rate": rate, **figures},
        {"everything passes": any(each["passed"] < number for each in figures.values())},
    )


def _tell_delays(folder: Path, name: str, delays: list[float]) -> None:
    number = len(delays)
    p50, p99 = delays[number // 2], delays[min(number - 1, number * 99 // 100)]
    _tell(
        folder,
        name,
        {"floods": number, "p50_s": p50, "p99_s": p99, "max_s": delays[-1]},
        {"p50 under 1 s": p50 >= 1.0, "p99 under 3 s": p99 >= 3.0},
    )


@app.command()
def adapter(
    *,
    actions: Annotated[int, typer.Option(help="Leases of as many recipients.")] = 100_000,
    folder: Folder = RESULTS,
) -> None:
    """Actions in the topic, keys in Redis, acknowledgements in their topic; beside bare Redis."""
    with _kafka_and_scratch() as (kafka, scratch):
        figures = speeds.adapter(kafka, scratch, actions)
    _tell(
        folder,
        "adapter",
        figures,
        {
            "5,000 actions/s": figures["actions_per_s"] < 5_000,
            "every action is applied": figures["applied"] < actions,
            "every lease is a key": figures["keys_held"] != actions,
        },
    )


@app.command()
def word(
    *,
    number: Annotated[int, typer.Option(help="Times that each of five words is said.")] = 10,
    folder: Folder = RESULTS,
) -> None:
    """From an operator's word on its topic until two adapters with a Redis each obey it."""
    with _kafka_and_scratch() as (kafka, scratch):
        figures = speeds.word(kafka, scratch, number)
    _tell(folder, "word", figures, {"two seconds": figures["max_s"] >= 2.0})


@app.command()
def kannel(
    *,
    numbers: Annotated[int, typer.Option(help="On the list.")] = 200_000,
    times: Annotated[int, typer.Option(help="Reloads.")] = 10,
    folder: Folder = RESULTS,
) -> None:
    """A real Kannel reloads its list while messages come in: nobody slips through."""
    with tempfile.TemporaryDirectory(prefix="otpguard-kannel-") as scratch:
        figures = speeds.reload(Path(scratch), numbers, times)
    _tell(
        folder,
        "kannel",
        figures,
        {
            "nothing is let through": figures["let_through"] > 0,
            "nobody else is refused": figures["another_refused"] > 0,
        },
    )


@app.command()
def interceptor(
    *,
    calls: Annotated[int, typer.Option(help="With Redis up.")] = 20_000,
    fuzz: Annotated[int, typer.Option(help="Hostile messages, with Redis and without.")] = 10_000,
    folder: Folder = RESULTS,
) -> None:
    """What the interceptor adds to a submission, with Redis up, frozen and dead; and fuzzed."""
    with tempfile.TemporaryDirectory(prefix="otpguard-redis-") as scratch:
        figures = speeds.interceptor(Path(scratch), calls, fuzz)
    _tell(
        folder,
        "interceptor",
        figures,
        {
            "p99 under 1 ms with Redis up": figures["up"]["interceptor"]["p99_ms"] >= 1,
            "under 20 ms frozen": figures["frozen"]["interceptor"]["max_ms"] >= 20,
            "under 20 ms dead": figures["dead"]["interceptor"]["max_ms"] >= 20,
            "nothing is raised": bool(figures["raised"]),
        },
    )


@app.command()
def feed(
    *,
    events: Annotated[int, typer.Option(help="In each source; a quarter is warm-up.")] = 2_000_000,
    only: Annotated[str, typer.Option(help="Of ceiling, kept, mapped, avro.")] = "",
    folder: Folder = RESULTS,
) -> None:
    """`feed kafka` over values kept, mapped and in Avro, beside librdkafka alone; one core."""
    costs = {}
    with _kafka_and_scratch() as (kafka, scratch):
        for kind in only.split(",") if only else speeds.FEED_KINDS:
            cost = speeds.feed(kafka, scratch, kind, events)
            costs[kind] = {
                "events_per_s": round(cost.events_per_s),
                "events_per_cpu_s": round(1e6 / cost.client_us),
                "us_cpu_per_event": round(cost.client_us, 2),
                "broker_us_cpu_per_event": round(cost.broker_us, 2),
                "memory_peak_mb": round(cost.rss / 1e6),
            }
            typer.echo(f"{kind}: {costs[kind]}")
    # By CPU: the wall shows who else was at work.
    slow = {f"100,000 {kind} events per CPU second": cost["events_per_cpu_s"] < 100_000
            for kind, cost in costs.items()}  # fmt: skip
    _tell(folder, "feed", {"events": events, **costs}, slow)


@app.command()
def report(
    *,
    messages: Annotated[int, typer.Option(help="In the input topic.")] = 1_000_000,
    leases: Annotated[int, typer.Option(help="Of as many recipients.")] = 5_000,
    folder: Folder = RESULTS,
) -> None:
    """`shadow-report` over many messages and leases, beside librdkafka that only reads."""
    with _kafka_and_scratch() as (kafka, scratch):
        figures = speeds.report(kafka, scratch, messages, leases)
    _tell(folder, "report", figures, {"every lease is read": figures["leases"] != leases})


if __name__ == "__main__":
    with interruptible():
        app()
