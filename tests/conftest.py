"""Common fixtures of all tests, the order of tests, and the summary of a run."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import settings

from streams.common import language
from streams.common.heap import collect_rarely
from streams.telemetry.metrics import Metrics
from tests import clusters
from tests.brokers import broker, kafka, own_kafka, started, unique
from tests.ports import AT_USUAL_PORTS

HERE = Path(__file__).parent

__all__ = ["broker", "kafka", "own_kafka", "unique"]

# A property that fails prints the blob that repeats it; on a busy machine time is no evidence.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.register_profile("fast", parent=settings.get_profile("default"), max_examples=10)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# Programs that tests start answer in English and in UTC, wherever the tests run.
os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="en", TZ="UTC")

# A service bears a defect of its metrics; a test of this process fails by it.
Metrics.strict = True

# Brokers live for seconds here: the second compiler and G1 would cost more than they save.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")


@pytest.fixture(autouse=True, scope="module")
def own_words(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Words said in tests join no chain of whoever runs them, nor one of another file's tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def voice_as_before() -> Iterator[None]:
    """A command that a test runs in this process may choose language and zone: for itself alone."""
    yield
    language.use()
    os.environ["LANGUAGE"] = "en"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Nothing is collected from what tests merely import (some of it runs in another Python).

    `make fast`, which leaves slow places out, does not even import them.
    """
    helper = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    fast = settings.get_current_profile_name() == "fast"
    return True if helper or (fast and is_slow(collection_path)) else None


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Tests hold no examples: to look for some takes longer than to find the tests."""
    found = yield
    return [each for each in found if not isinstance(each, DoctestModule)]


SLOW = (
    "adversary", "bench", "deploy", "detectors/recognise/test_recognise_texts.py",
    "detectors/test_chain_properties.py", "detectors/test_hot_properties.py", "enforce", "faults",
    "scenarios", "streams/tools/calibrate", "streams/cli", "streams/config/test_restart.py",
    "streams/tools/demo", "streams/people/desk", "streams/gateways/enforce/test_kannel.py",
    "streams/gateways/enforce/test_redis.py", "streams/gateways/enforce/test_webhook.py",
    "streams/people/evidence", "streams/gateways/gate/test_gate_events.py",
    "streams/gateways/gate/test_http_server.py", "streams/gateways/gate/test_sender.py",
    "streams/gateways/gate/test_spool.py", "streams/common/test_connections.py",
    "streams/telemetry/test_metrics_server.py", "streams/people/notices/test_channels.py",
    "streams/people/notices/test_tell.py",
    "streams/people/notices/test_month_page.py", "streams/people/notices/test_smpp.py",
    "streams/tools/scenarios/test_ordinary.py",
    "streams/people/signal", "streams/common/test_extras.py", "streams/common/test_foreign.py",
    "streams/common/test_logs.py",
    "streams/test_main.py",
)  # fmt: skip
"""Folders and files of this folder whose tests start processes or servers, open databases, or draw
for seconds."""


LONG = tuple(HERE / name for name in (
    "deploy/test_commands.py", "deploy/test_guide.py", "deploy/test_quickstart.py",
    "detectors/test_chain_properties.py", "deploy/test_image.py", "deploy/test_observed.py",
    "deploy/test_desk_pages.py", "deploy/test_pages.py", "faults/test_zombies.py",
    "streams/cli/test_calibrate.py", "faults/test_faults.py",
    "faults/test_simulation.py", "streams/network/test_network.py",
))  # fmt: skip
"""Files that take minutes by themselves, the longest first: begun at the end of a run, one would
keep a process at work after the others have ended."""


SLOW_PATHS = frozenset(str(HERE / slow) for slow in SLOW)


@cache
def is_slow(path: Path) -> bool:
    """Is a file or folder in a slow place?"""
    return str(path) in SLOW_PATHS or any(str(above) in SLOW_PATHS for above in path.parents)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Turn the garbage collector off while tests are found, and run it as rarely as workers do.

    Thousands of modules and tests live until the end of the process. With Python's thresholds,
    visiting them takes a tenth of the time in which tests are found, and a third of that of tests
    that make many objects, for example syntax trees.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        collect_rarely()
        gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever lies in a slow place is slow, and of a test's seeds all but the first two."""
    drawn = item.callspec.params.get("seed", 0) if hasattr(item, "callspec") else 0
    if is_slow(item.path) or drawn > 1:
        item.add_marker(pytest.mark.slow)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files come first, then those with broker tests, then slow ones, and those of most tests.

    Three processes have them dealt out, and should end together: what is quick and small comes
    last. What computes for minutes begins beside what waits for brokers.
    """
    rank: dict[Path, tuple[int, bool, bool, int]] = {}
    long = {path: len(LONG) - at for at, path in enumerate(LONG)}
    for item in items:
        waits = any(item.iter_markers("kafka")) or any(item.iter_markers("broker"))
        slow = any(item.iter_markers("slow"))
        _, waited, dragged, number = rank.get(item.path, (0, False, False, 0))
        rank[item.path] = long.get(item.path, 0), waited or waits, dragged or slow, number + 1
    items.sort(key=lambda item: rank[item.path], reverse=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests stay together, as `--dist=loadfile` has it, and so do files of one group.

    Of `make fast` a fifth is the recogniser's, which compiles the words of each alphabet when it
    meets them: two processes would each do so.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    fast = settings.get_current_profile_name() == "fast"

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            if file in AT_USUAL_PORTS:
                return "the usual ports"
            return "words" if fast and file.startswith("tests/detectors/recognise/") else file

    return Together(config, log)


def pytest_report_header() -> str:
    """Which broker the tests will get, and why it is not Apache Kafka if it is not."""
    missing = clusters.why_no_kafka()
    return f"broker: {clusters.choose()}" + (f" ({missing})" if missing else "")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes tells the first, at its end, which brokers it started."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["brokers"] = started


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The first of several processes hears it; one that crashed says nothing."""
    started.extend(getattr(node, "workeroutput", {}).get("brokers", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which brokers ran."""
    for line in dict.fromkeys(started):
        terminalreporter.write_line(f"broker tests ran on {line}")
