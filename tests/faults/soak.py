"""Runs a worker under a steady stream for a given time, and measures growth and standstills.

All its recipients are in the changelog before it starts. Settings are the defaults, 32 partitions
and checkpoints every 60 s among them. Retention of the input is by size, so that the disk holds a
soak of any length; the changelog's settings are those that `otpguard topics create` gives it.
Nothing is pinned to a core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from confluent_kafka.admin import AdminClient, NewTopic

from streams.config import Settings
from tests.bench import worker
from tests.bench.harness import PeerError, cpu_s, started
from tests.bench.resume import seed as seed_rows
from tests.bench.traffic import Traffic
from tests.faults.steady import HABITS, SUBSCRIBERS
from tests.nodes import Broker
from tests.waiting import END_S

LOOK_S: Final = 0.25
KEEP_S: Final = 5.0
"""A row of the report, made of the looks since the last one."""
WARM_SHARE: Final = 1 / 5
WARM_MAX_S: Final = 360.0
"""Until all partitions have some checkpoints of this worker; of a short run, a fifth."""
PARTITION_BYTES: Final = 64 << 20
SEGMENT_BYTES: Final = 16 << 20
PROPERTIES: Final = {"log.retention.check.interval.ms": "15000"}

Row = dict[str, float]


def soak(
    broker: Broker,
    *,
    seconds: float,
    per_s: int,
    seed: int,
    folder: Path,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Return the report; raise PeerError if worker or generator end, or the worker never reads."""
    name = f"soak-{time.time_ns() // 1_000_000_000}"
    topic = f"{name}.input"
    partitions = Settings().topics.partitions
    retention = {
        "retention.bytes": str(PARTITION_BYTES),
        "segment.bytes": str(SEGMENT_BYTES),
        "file.delete.delay.ms": "1000",
    }
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1, config=retention)])[topic].result(END_S)
    log = folder / f"{name}.log"
    offering = [sys.executable, "-m", "tests.faults.steady", broker.bootstrap, topic]
    offering += [str(per_s), str(seed)]
    with worker.configured(broker, Traffic(topic, partitions, 0, 0, 0, 0), name) as one:
        seed_rows(broker, worker.settings_of(one.env), SUBSCRIBERS, HABITS)
        with started(one.command, log, cpu=None, env=one.env) as working:
            one.await_assigned(partitions, working)
            with started(offering, log.with_suffix(".steady.log"), cpu=None) as generator:
                rows = _watch(broker, name, one, working, generator, seconds, tell)
    report = {
        "seed": seed,
        "seconds": seconds,
        "offered_per_s": per_s,
        "partitions": partitions,
        **figures(rows),
        "load": os.getloadavg(),
        "rows": rows,
    }
    (folder / "soak.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def _watch(
    broker: Broker,
    name: str,
    one: worker.Worker,
    working: subprocess.Popen[bytes],
    generator: subprocess.Popen[bytes],
    seconds: float,
    tell: Callable[[str], None],
) -> list[Row]:
    process = psutil.Process(working.pid)
    data = [node.log.parent / "data" for node in broker.nodes]
    began = kept = time.monotonic()
    silent, rows = 0.0, list[Row]()
    while (now := time.monotonic()) - began < seconds:
        for what, ran in (("worker", working), ("generator", generator)):
            if ran.poll() is not None:
                raise PeerError(f"the {what} ended (exit code {ran.returncode})")
        taken = one.progress()
        silent = max(silent, one.series["otpguard_loop_silence_seconds"])
        if now - kept >= KEEP_S:
            kept = now
            rows.append(
                {
                    "at_s": round(now - began, 1),
                    "events": taken,
                    "rss": process.memory_info().rss,
                    "worker_cpu_s": round(cpu_s(process), 2),
                    "silent_s": round(silent, 3),
                    "behind": one.series["otpguard_records_behind"],
                    "lag_s": round(one.series["otpguard_event_lag_seconds"], 3),
                    "recipients": one.series["otpguard_recipients_tracked"],
                    "suspects": one.series["otpguard_suspects"],
                    "checkpoints": one.series["otpguard_checkpoints_total"],
                    "changelog": size_of(data, f"{name}-recipients-changelog-"),
                    "input": size_of(data, f"{name}.input-"),
                    "load": os.getloadavg()[0],
                }
            )
            silent = 0.0
            if len(rows) % 12 == 0:
                tell(one_line(rows[-1]))
        time.sleep(LOOK_S)
    return rows


def size_of(folders: list[Path], prefix: str) -> int:
    """Bytes of the partitions whose names begin so, as their files have them."""
    total = 0
    for folder in folders:
        for file in folder.glob(f"{prefix}*/*"):
            try:
                if not file.name.endswith((".index", ".timeindex")):  # sparse, 10 MB by name
                    total += file.stat().st_size
            except FileNotFoundError:
                continue
    return total


def figures(rows: list[Row]) -> dict[str, float]:
    """What the rows after the warm-up say; growth is from their first quarter to their last."""
    warm_s = min(WARM_MAX_S, rows[-1]["at_s"] * WARM_SHARE)
    late = [row for row in rows if row["at_s"] >= warm_s]
    quarter = max(1, len(late) // 4)

    def means(name: str) -> tuple[float, float]:
        values = [row[name] for row in late]
        return float(np.mean(values[:quarter])), float(np.mean(values[-quarter:]))

    def most(name: str) -> float:
        return max(row[name] for row in late)

    events = late[-1]["events"] - late[0]["events"]
    wall_s = late[-1]["at_s"] - late[0]["at_s"]
    rss, changelog, behind = means("rss"), means("changelog"), means("behind")
    return {
        "warm_s": warm_s,
        "events_after_warm_up": events,
        "taken_per_s": round(events / wall_s, 1),
        "us_per_event": round(
            (late[-1]["worker_cpu_s"] - late[0]["worker_cpu_s"]) / events * 1e6, 2
        ),
        "rss_first_mb": round(rss[0] / 1e6, 1),
        "rss_last_mb": round(rss[1] / 1e6, 1),
        "rss_most_mb": round(most("rss") / 1e6, 1),
        "rss_growth": round(rss[1] / rss[0] - 1, 4),
        "silent_most_s": most("silent_s"),
        "silent_most_warm_up_s": max(row["silent_s"] for row in rows),
        "behind_first": round(behind[0]),
        "behind_last": round(behind[1]),
        "lag_most_s": most("lag_s"),
        "changelog_first_mb": round(changelog[0] / 1e6, 1),
        "changelog_last_mb": round(changelog[1] / 1e6, 1),
        "changelog_most_mb": round(most("changelog") / 1e6, 1),
        "input_most_mb": round(most("input") / 1e6, 1),
        "recipients": late[-1]["recipients"],
        "checkpoints": late[-1]["checkpoints"] - late[0]["checkpoints"],
    }


def one_line(row: Row) -> str:
    """A row for people."""
    return (
        f"{row['at_s']:6.0f} s: {row['events']:,} events, {row['rss'] / 1e6:.0f} MB, "
        f"{row['behind']:,.0f} behind, silent {row['silent_s']:.2f} s, "
        f"changelog {row['changelog'] / 1e6:.0f} MB, load {row['load']:.1f}"
    )


def verdict(report: dict[str, Any]) -> str:
    """The report in one line."""
    return (
        f"seed {report['seed']}: {report['seconds']:.0f} s at {report['offered_per_s']:,}/s, "
        f"{report['taken_per_s']:,.0f}/s taken; memory {report['rss_first_mb']:.0f} to "
        f"{report['rss_last_mb']:.0f} MB ({report['rss_growth']:+.1%}); loop silent for "
        f"{report['silent_most_s']:.2f} s at most; {report['behind_first']:,} to "
        f"{report['behind_last']:,} records behind; changelog {report['changelog_first_mb']:.0f} "
        f"to {report['changelog_last_mb']:.0f} MB, {report['changelog_most_mb']:.0f} at most"
    )


def wrong(report: dict[str, Any]) -> list[str]:
    """Sentences about what a soak should not have shown."""
    said = []
    if abs(report["rss_growth"]) > 0.05:
        said.append(f"memory changed by {report['rss_growth']:+.1%} after the warm-up")
    if report["silent_most_s"] > 1:
        said.append(f"the event loop was silent for {report['silent_most_s']} s")
    if report["taken_per_s"] < 0.98 * report["offered_per_s"]:
        said.append(f"only {report['taken_per_s']} events/s were taken")
    if report["behind_last"] > report["offered_per_s"]:
        said.append(f"{report['behind_last']} records behind at the end: over a second's")
    if report["changelog_last_mb"] > 1.5 * report["changelog_first_mb"] + 50:
        said.append("the changelog grows")
    return said
