"""Figures as JSON, as a Markdown table and as pictures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot as plt

OPTION = "--enable-optimizations"
DISTRIBUTION = "/usr"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "python_tuned": is_optimised(),
        "commit": commit.stdout.strip(),
    }


def is_optimised(configured: str | None = None, base: str = sys.base_prefix) -> bool:
    """True if Python was built with profile-guided optimization, as far as its configuration shows.

    Distributions build Python this way without showing the option; python.org and its images show
    it. A Python that a version manager built from source mostly lacks it. A worker then uses up to
    a quarter more CPU (`tests/bench/README.md`). The Makefile uses the same rule.
    """
    if configured is None:
        configured = sysconfig.get_config_var("CONFIG_ARGS")
    return base == DISTRIBUTION or OPTION in str(configured)


def write(folder: Path, name: str, figures: dict[str, Any], table: str) -> None:
    """Write NAME.json and NAME.md, and show the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table)
    print(table)
    if not is_optimised():
        print("Measured on a Python that was built without its compiler's profile, which makes")
        print("what is Python dearer. Another one: make clean; make bench PYTHON=/path/to/python3")


def cost_table(figures: dict[str, Any]) -> str:
    """CPU per event and throughput of each peer: median (least to most)."""
    lines = [
        (
            f"{figures['events']:,} events of {figures['bytes_per_event']} bytes, "
            f"{figures['partitions']} partitions; median of {figures['runs']} (least-most); "
            "client on one core, broker on the other."
        ),
        "",
        "| job | peer | version | CPU us/event | broker us/event | events/s | MB | read |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for peer in figures["peers"]:
        start = f"| {peer['job']} | {peer['name']} | {peer['version']} |"
        if "client_us" not in peer:
            lines.append(f"{start} {' '.join(peer['failed'].split()) or 'not run'} | | | | |")
            continue
        lines.append(
            f"{start} {_spread(peer['client_us'], '.2f')} | {_spread(peer['broker_us'], '.2f')} | "
            f"{_spread(peer['events_per_s'], ',.0f')} | {peer['rss_mb']['median']:,.0f} | "
            f"{peer['events_read']:,} |"
        )
    lines += ["", "Settings:", ""]
    lines += [f"- {peer['name']}, {peer['job']}: {peer['settings']}" for peer in figures["peers"]]
    return "\n".join(lines) + "\n"


def _spread(of: dict[str, float], form: str) -> str:
    low, middle, high = (format(of[name], form) for name in ("min", "median", "max"))
    return middle if low == high else f"{middle} ({low}-{high})"


def cost_picture(figures: dict[str, Any], path: Path) -> None:
    """A bar for each peer, on a logarithmic scale, since they lie two orders apart."""
    peers = [peer for peer in figures["peers"] if "client_us" in peer]
    names = [f"{peer['name']} ({peer['job']})" for peer in peers]
    middle = [peer["client_us"]["median"] for peer in peers]
    colours = ["#c0392b" if peer["name"] == "otpguard" else "#7f8c8d" for peer in peers]
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(peers) + 1.2), layout="constrained")
    bars = axes.barh(names, middle, color=colours)
    axes.bar_label(bars, fmt=" %.1f")
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel("CPU per event, us (client only; logarithmic)")
    figure.savefig(path)
    plt.close(figure)


def live_table(figures: dict[str, Any]) -> str:
    """CPU per event, share of a core and lateness of each peer at each rate."""
    low, high = figures["load"]
    lines = [
        (
            f"{figures['partitions']} partitions, {figures['seconds']:.0f} s a rate; "
            "client on one core, broker and generator on the other; "
            f"load of the machine {low:.1f} before, {high:.1f} after."
        ),
        "",
        "| job | peer | offered/s | CPU us/event | of a core | output | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for peer in figures["peers"]:
        start = f"| {peer['job']} | {peer['name']} |"
        if peer["failed"]:
            lines.append(f"{start} {' '.join(peer['failed'].split())} | | | | | |")
        for level in peer["levels"]:
            us = level["us_per_event"]
            said = f"{us:,.0f}" if us >= 100 else f"{us:.3g}"
            cost = f"{start} {level['offered_per_s']:,} | {said} | {level['core_used']:.0%}"
            if not level["kept_up"]:
                lines.append(f"{cost} | falls behind: {level['taken_per_s']:,.0f}/s | | |")
            elif "p50_ms" in level:
                times = f"{level['p50_ms']:,.0f} | {level['p99_ms']:,.0f}"
                lines.append(f"{cost} | {peer['writes']} | {times} |")
            else:
                lines.append(f"{cost} | none | | |")
    lines += ["", "Settings:", ""]
    lines += [
        f"- {peer['name']} {peer['version']}, {peer['job']}: {peer['settings']}"
        for peer in figures["peers"]
    ]
    return "\n".join(lines) + "\n"


def live_picture(figures: dict[str, Any], path: Path) -> None:
    """Cost against rate, a line for each peer, named where it ends; a cross where one falls behind.

    Names stand to the right of the lines, pushed apart where two end at the same cost.
    """
    lines = [peer for peer in figures["peers"] if peer["levels"]]
    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    figure.patch.set_facecolor("white")  # legible on a dark page too
    named: list[tuple[float, float, str, str]] = []
    greys = ["#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#ff7f0e", "#17becf", "#7f7f7f"]
    for i, peer in enumerate(lines):
        ours = peer["name"] == "otpguard"
        colour = "#c0392b" if ours else greys[i % len(greys)]
        style = "--" if ours and peer["job"] == "bare" else "-"
        rates = [level["offered_per_s"] for level in peer["levels"]]
        costs = [level["us_per_event"] for level in peer["levels"]]
        axes.plot(rates, costs, style, marker="o", color=colour, linewidth=2.2 if ours else 1.2)
        if not peer["levels"][-1]["kept_up"]:
            axes.plot(rates[-1:], costs[-1:], "x", color=colour, markersize=11, markeredgewidth=2)
        named.append((costs[-1], rates[-1], f"{peer['name']}, {peer['job']}", colour))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(figures["rates"], [f"{rate:,}" for rate in figures["rates"]])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    axes.set_xlabel("events offered a second (logarithmic); x: falls behind")
    axes.set_ylabel("CPU per event, us (client only; logarithmic)")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    right = max(figures["rates"]) * 1.25
    axes.set_xlim(min(figures["rates"]) * 0.8, right * 6)
    at = 0.0
    for cost, rate, name, colour in sorted(named):
        at = max(cost, at * 1.28)
        axes.annotate(
            name, (rate, cost), (right, at), color=colour, fontsize=9, va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.4},
        )  # fmt: skip
    figure.savefig(path)
    plt.close(figure)


def gate_table(figures: dict[str, Any]) -> str:
    """What a gate's run has shown, one line each."""
    rows = (
        ("questions a second", "rate"), ("answered", "answered"), ("CPU an answer, µs", "cpu_us"),
        ("half within, ms", "p50_ms"), ("95 % within, ms", "p95_ms"), ("99 % within, ms", "p99_ms"),
        ("slowest, ms", "max_ms"), ("99 % asked at most so late, ms", "behind_p99_ms"),
        ("later than the time-out", "late"), ("leases held", "leases"),
        ("memory, MB", "rss_mb"), ("grown by, MB", "grown_mb"),
        ("a minute, second half, MB", "second_half_mb_per_minute"),
        ("load of the machine", "load"),
    )  # fmt: skip
    return "| | |\n|---|---|\n" + "".join(f"| {says} | {figures[key]} |\n" for says, key in rows)


def stage_table(figures: dict[str, Any]) -> str:
    """Where the time of an event goes."""
    lines = ["| stage | " + " | ".join(f"batches of {p['batch']:,}" for p in figures["profiles"])]
    lines[0] += " |"
    lines.append("|---|" + "---|" * len(figures["profiles"]))
    stages = figures["profiles"][0]["us_per_event"]
    for stage in stages:
        cells = [f"{profile['us_per_event'].get(stage, 0):.2f}" for profile in figures["profiles"]]
        lines.append(f"| {stage} | " + " | ".join(cells) + " |")
    totals = [f"{profile['total_us']:.2f}" for profile in figures["profiles"]]
    lines.append("| **all, us per event** | " + " | ".join(totals) + " |")
    return "\n".join(lines) + "\n"


def poll_table(figures: dict[str, Any]) -> str:
    """Where the time of an event goes when a poll brings a few of every partition."""
    runs = figures["polls"]
    heads = [f"{run['partitions']} partitions x {run['each']}" for run in runs]
    lines = ["| us per event, live | " + " | ".join(heads) + " |", "|---|" + "---|" * len(runs)]
    for part in runs[0]["parts_us_per_event"]:
        cells = [f"{run['parts_us_per_event'].get(part, 0):.2f}" for run in runs]
        lines.append(f"| {part} | " + " | ".join(cells) + " |")
    for name, key in (("**all**", "us_per_event"), ("**all, us per poll**", "us_per_poll")):
        lines.append(f"| {name} | " + " | ".join(f"{run[key]:,.1f}" for run in runs) + " |")
    return "\n".join(lines) + "\n"


def state_table(figures: dict[str, Any]) -> str:
    """Time and memory by the number of recipients; a worker's checkpoints and return; pauses."""
    sizes = figures["sizes"]
    lines = [
        "| recipients | spread | batch | sieve us/event | decode to publish us/event |",
        "|---|---|---|---|---|",
    ]
    for size in sizes:
        lines += [
            f"| {size['recipients']:,} | {cost['spread']} | {cost['batch']:,} | "
            f"{cost['sieve_us']:.2f} | {cost['all_us']:.2f} |"
            for cost in size["costs"]
        ]
    lines += [
        "",
        "| recipients | sieve B/recipient | process B/recipient | MB | copy of 1 M rows ms |",
        "|---|---|---|---|---|",
    ]
    for size in sizes:
        held = size["checkpoint"]
        lines.append(
            f"| {size['recipients']:,} | {size['sieve_bytes_per_recipient']:.0f} | "
            f"{size['process_bytes_per_recipient']:.0f} | {size['rss_mb']:,.0f} | "
            f"{held['copy_s'] / held['rows'] * 1e9:.0f} |"
        )
    pauses = figures["pauses"]
    lines += [
        "",
        (
            f"Longest pause for eviction, a full table of {pauses['rows']:,} rows: "
            f"{pauses['eviction_ms']:.0f} ms a tick. "
            f"{pauses['let_go']:,} of {pauses['suspects']:,} "
            f"suspects let go: {pauses['expiry_ms']:.0f} ms."
        ),
    ]
    if back := figures.get("return"):
        lines += ["", *_return_lines(back), "", *_checkpoint_lines(figures["checkpoints"])]
    return "\n".join(lines) + "\n"


def _return_lines(back: dict[str, Any]) -> list[str]:
    return [
        (
            f"A worker with {back['recipients']:,} recipients on {back['partitions']} partitions: "
            f"{back['rss_mb']:,.0f} MB, at most {back['peak_rss_mb']:,.0f}; its checkpoints "
            f"{back['checkpoint_bytes'] / 1e6:,.0f} MB."
        ),
        "",
        "| start | restored s | at work s | CPU s |",
        "|---|---|---|---|",
        *(
            f"| {called} | {one['restored_s']:.1f} | {one['at_work_s']:.1f} | {one['cpu_s']:.1f} |"
            for called, one in (("first", back["new"]), ("after kill -9", back["back"]))
        ),
        "",
        f"The group gives a dead worker up after {back['session_timeout_s']:.0f} s, included here.",
    ]


def _checkpoint_lines(held: dict[str, Any]) -> list[str]:
    return [
        f"{held['recipients']:,} recipients, each as busy as the next, read from one topic:",
        "",
        "| checkpoints of all partitions | us/event | events/s | in the measured stretch |",
        "|---|---|---|---|",
        *(
            f"| {called} | {one['us_per_event']:.2f} | {one['events_per_s']:,.0f} | "
            f"{one['rounds']:.1f} in {one['seconds']:.0f} s |"
            for called, key in (("none", "without"), (f"every {held['cycle_s']} s", "with"))
            for one in held[key]
        ),
        "",
        f"CPU of checkpoints: {held['share']:.1%} of the rest.",
    ]


def state_picture(figures: dict[str, Any], path: Path) -> None:
    """Cost of the sieve, and of everything, by the number of recipients."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    sizes = figures["sizes"]
    numbers = [size["recipients"] for size in sizes]
    for spread, style in (("uniform", "o-"), ("zipf", "s--")):
        for batch in dict.fromkeys(cost["batch"] for cost in sizes[0]["costs"]):
            costs = [
                next(c for c in size["costs"] if (c["spread"], c["batch"]) == (spread, batch))
                for size in sizes
            ]
            label = f"{spread}, batches of {batch:,}"
            left.plot(numbers, [cost["sieve_us"] for cost in costs], style, label=label)
    left.set_ylabel("sieve, CPU us per event")
    left.legend(fontsize="x-small")
    right.plot(numbers, [size["sieve_bytes_per_recipient"] for size in sizes], "o-", label="sieve")
    process = [size["process_bytes_per_recipient"] for size in sizes]
    right.plot(numbers, process, "s--", label="whole process")
    right.set_yscale("log")
    right.set_ylabel("bytes per recipient")
    right.legend(fontsize="x-small")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel("recipients")
    left.set_ylim(bottom=0)
    figure.savefig(path)
    plt.close(figure)


def latency_table(figures: dict[str, Any]) -> str:
    """Percentiles and costs by the rate that was offered."""
    lines = [
        (
            f"{figures['partitions']} partitions, {figures['seconds']:.0f} s each, checkpoints of "
            f"all every {figures['checkpoint_cycle_s']} s; from append to reading."
        ),
        "",
        (
            "| offered/s | taken/s | leases | p50 ms | p95 ms | p99 ms | max ms | us/event | "
            "core | broker's core | checkpoints |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {level['offered_per_s']:,} | {level['taken_per_s']:,.0f} | {level['leases']:,} | "
        f"{level['p50_ms']:.0f} | {level['p95_ms']:.0f} | {level['p99_ms']:.0f} | "
        f"{level['max_ms']:.0f} | {level['us_per_event']:.1f} | {level['core_used']:.0%} | "
        f"{level['broker_core']:.0%} | {level['checkpoints']:.0f} |"
        for level in figures["levels"]
    ]
    return "\n".join(lines) + "\n"


def latency_picture(figures: dict[str, Any], path: Path) -> None:
    """The share of leases that were read within a time, a line for each rate."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for level in figures["levels"]:
        delays = level["delays_ms"]
        share = [(i + 1) / len(delays) for i in range(len(delays))]
        axes.step(delays, share, where="post", label=f"{level['offered_per_s']:,} events/s")
    axes.axhline(0.5, color="#bbbbbb", linewidth=0.8)
    axes.axhline(0.99, color="#bbbbbb", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("from the event's append to the reading of its lease, ms (logarithmic)")
    axes.set_ylabel("share of leases")
    axes.legend(fontsize="small")
    figure.savefig(path)
    plt.close(figure)


def scale_table(figures: dict[str, Any]) -> str:
    """Throughput by workers and partitions, and the model."""
    lines = [
        "| partitions | workers | events/s | of one worker | CPU us/event | broker us/event |",
        "|---|---|---|---|---|---|",
    ]
    alone = {r["partitions"]: r["events_per_s"] for r in figures["runs"] if r["workers"] == 1}
    for run in figures["runs"]:
        times = run["events_per_s"] / alone[run["partitions"]]
        lines.append(
            f"| {run['partitions']} | {run['workers']} | {run['events_per_s']:,.0f} | "
            f"{times:.2f} | {run['client_us']:.2f} | {run['broker_us']:.2f} |"
        )
    lines += ["", "| model | " + " | ".join(figures["model"]) + " |"]
    lines.append("|---|" + "---|" * len(figures["model"]))
    for name in next(iter(figures["model"].values())):
        cells = [f"{place[name]:,.4g}" for place in figures["model"].values()]
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def worst_table(figures: dict[str, Any]) -> str:
    """Each case beside ordinary traffic."""
    lines = [
        "| case | bytes/event | us/event | events/s | of ordinary | MB/s | loop silent s | MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {case['name']}: {case['what']} | {case['bytes_per_event']:,.0f} | "
        f"{case['us_per_event']:.2f} | {case['events_per_s']:,.0f} | {case['relative']:.0%} | "
        f"{case['mb_per_s']:,.0f} | {case['silent_s']:.2f} | {case['rss_mb']:,.0f} |"
        for case in figures["cases"]
    ]
    return "\n".join(lines) + "\n"
