"""Figures as JSON, as a Markdown table and as pictures."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot as plt


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
        "commit": commit.stdout.strip(),
    }


def write(folder: Path, name: str, figures: dict[str, Any], table: str) -> None:
    """Write NAME.json and NAME.md, and show the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table)
    print(table)


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
