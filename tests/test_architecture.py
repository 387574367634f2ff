"""What may import what, and what the top of the tree may hold.

Data flows one way, so imports do too: `streams` imports `detectors`, never back, and nothing that
is installed imports tests. Each rule is a function over source text, and is shown a text that
breaks it: a check that has never been seen to fail is no check.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

from streams.telemetry import metrics
from tests.builders.architecture import ROOT, imports
from tests.ports import AT_USUAL_PORTS
from tests.syntax import dotted, forget, nodes, parsed

TOP_LEVEL = {
    "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "deploy", "detectors", "pyproject.toml",
    "streams", "tests",
}  # fmt: skip

WORLD = {
    "asyncio", "concurrent", "ctypes", "datetime", "fcntl", "getpass", "glob", "http", "io",
    "locale", "logging", "mmap", "multiprocessing", "os", "pathlib", "platform", "queue", "random",
    "sched", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver",
    "sqlite3", "ssl", "subprocess", "sys", "syslog", "tempfile", "threading", "time", "urllib",
    "uuid", "warnings",
}  # fmt: skip
"""Of the standard library, what has a clock, a file, a socket, a thread, chance, or settings."""

WORLDLY_CALLS = {"open", "print", "input", "breakpoint", "exec", "eval", "__import__"}

SHIPPED_DATA = {"detectors.recognise.text.shipped": {"importlib"}}
"""This module reads the data files of its own package, which are as constant as code."""

PRIVATE_HOME = "streams.engine.transport."
"""The one package that may use what Faust and aiokafka do not promise."""

PUBLIC_PARTS = {
    "aiokafka.abc", "aiokafka.admin", "aiokafka.conn", "aiokafka.errors", "aiokafka.helpers",
    "aiokafka.partitioner", "aiokafka.structs",
}  # fmt: skip
"""Submodules of aiokafka that its documentation names."""

CORE_ORDER = (
    "thresholds", "defaults", "model", "hot", "platforms", "recognise", "recipients", "suspects",
    "episodes", "leases", "campaigns", "partition", "memory_records", "decisions", "shares",
    "upkeep", "judge_pass", "chain",
)  # fmt: skip
"""The way of the data through the core: a package imports those before it, never one behind."""

ORDERS = {
    "detectors": CORE_ORDER,
    "detectors.recognise": (
        "text", "vocabulary", "score", "rules", "platform", "templates", "cache", "weigh",
        "decide", "recogniser", "why",
    ),
}  # fmt: skip
"""The packages whose parts have an order: a part imports those before it, never one behind."""

BASE = ("common", "wire", "config", "telemetry", "cluster")
"""Wings of `streams/` that every process needs."""

WINGS: dict[str, tuple[str, ...]] = {
    "common": (),
    "wire": ("common",),
    "config": ("common", "wire"),
    "telemetry": ("common", "wire", "config"),
    "cluster": ("common", "wire", "config", "telemetry"),
    "engine": BASE,
    "network": BASE,
    "gateways": BASE,
    "cases": (*BASE, "network"),
    "people": (*BASE, "network", "cases"),
    "tools": (*BASE, "engine", "network", "gateways", "cases", "people"),
    "cli": (*BASE, "engine", "network", "gateways", "cases", "people", "tools"),
}
"""The folders of `streams/`, by who runs them, and which others each of them may import."""

LABELS_NEVER = {
    "code", "key", "message_id", "msisdn", "number", "phone", "platform", "recipient", "sender",
    "signature", "text", "token",
}  # fmt: skip
"""Metric labels that would name a person or grow without a bound."""


@pytest.fixture(autouse=True, scope="module")
def trees_are_let_go() -> Iterator[None]:
    yield
    forget()


def module_name(path: Path) -> str:
    """The dotted name of a source file: streams/common/errors.py is streams.common.errors."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(package: str) -> Iterator[tuple[str, str]]:
    """The (dotted name, text) of every module of a package."""
    for path in sorted((ROOT / package).rglob("*.py")):
        yield module_name(path), path.read_text()


def top(name: str) -> str:
    return name.partition(".")[0]


# --- the rules: each gives what is wrong with one module, in words -----------------------------


OURS: Final = {"detectors", "numpy", "ahocorasick_rs"}
"""What the core may import besides the pure part of the standard library."""


def impurities(module: str, text: str) -> list[str]:
    """How a module of the core reaches into the world."""
    allowed = (sys.stdlib_module_names - WORLD - {"importlib"}) | OURS
    allowed |= SHIPPED_DATA.get(module, set())
    wrong = [f"imports {name}" for name in sorted(imports(text)) if top(name) not in allowed]
    for node in nodes(text):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in WORLDLY_CALLS:
                wrong.append(f"line {node.lineno} calls {name}()")
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
                wrong.append(f"line {node.lineno} draws numbers by chance")
    return wrong


def wrong_ways(module: str, text: str) -> list[str]:
    """Imports against the stream."""
    names = sorted(imports(text))
    wrong = [f"imports {name}" for name in names if top(name) == "tests"]
    if module.startswith("streams.gateways.enforce"):
        # release and kill switch must work where no worker, and none of its engine, is alive
        wrong += [f"imports {name}" for name in names if top(name) in {"faust", "mode"}]
    # Tools may play scenarios; what works in the pipeline may not.
    if not {"cli", "tools", "__main__"}.intersection(module.split(".")[1:2]):
        plays = ("streams.tools.demo", "streams.tools.scenarios", "streams.cli")
        wrong += [f"imports {name}" for name in names if name.startswith(plays)]
    return wrong


def against_the_order(module: str, text: str) -> list[str]:
    """Imports of a part that comes later in the order of its package."""
    return [wrong for package in ORDERS for wrong in against_order_of(package, module, text)]


def against_order_of(package: str, module: str, text: str) -> list[str]:
    place = {name: i for i, name in enumerate(ORDERS[package])}
    if not module.startswith(f"{package}."):
        return []
    here = part_of(package, module)
    if here not in place:
        return [f"stands at no place in the order of {package}"]
    inner = {part_of(package, name) for name in imports(text) if name.startswith(f"{package}.")}
    return [f"imports {name}" for name in sorted(inner) if place.get(name, 0) > place[here]]


def part_of(package: str, name: str) -> str:
    return name.removeprefix(f"{package}.").partition(".")[0]


def across_wings(module: str, text: str) -> list[str]:
    """Imports, also of types alone, from a wing that this module's wing may not use."""
    here = module.split(".")[1:2]
    if not here or here == ["__main__"]:
        return []
    if here[0] not in WINGS:
        return ["stands in no wing"]
    names = [name for name in sorted(imports(text)) if name.startswith("streams.")]
    allowed = {here[0], *WINGS[here[0]]}
    return [f"imports {name}" for name in names if name.split(".")[1] not in allowed]


def by_locale(module: str, text: str) -> list[str]:
    """Files that are read or written in the encoding of the machine's locale, whatever that is."""
    found = []
    for node in nodes(text):
        if not isinstance(node, ast.Call) or any(k.arg == "encoding" for k in node.keywords):
            continue
        if ast.unparse(node.func).startswith("super()."):  # a help's formatter: no file
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
        modes = [each.value for each in node.args[1:] if isinstance(each, ast.Constant)]
        named = [k.arg for k in node.keywords]
        if (
            (called == "read_text" and not node.args)
            or (called == "write_text" and len(node.args) < 2)
            or (called == "fdopen" and not any("b" in str(mode) for mode in modes))
            or (called in ("run", "Popen", "check_output") and "text" in named)
        ):
            found.append(f"line {node.lineno}: {called} names no encoding")
    return found


def classes(package: str) -> dict[str, list[str]]:
    """Public class name -> the modules that define one of that name."""
    found: dict[str, list[str]] = {}
    for module, text in sources(package):
        for node in parsed(text).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(module)
    return found


def unpromised(module: str, text: str) -> list[str]:
    """Use of Faust's and aiokafka's insides where it does not belong."""
    if module.startswith(PRIVATE_HOME):
        return []
    wrong = []
    for node in nodes(text):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if top(node.module) in {"aiokafka", "faust", "mode"}:
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                wrong += [f"imports {node.module}.{name}" for name in private]
        inner = {"aiokafka", "faust"}
        wrong += [
            f"imports {name}"
            for name in names
            if top(name) in inner and "." in name and name not in PUBLIC_PARTS
        ]
    return wrong


ENDS = {"communicate", "flush", "get_watermark_offsets", "join", "result", "settimeout", "wait_for",
        "wait_until"}  # fmt: skip
"""Calls of which a number says how long they wait."""

SHORT_S = 60.0
HANGS_S = 900.0


def seconds(node: ast.expr) -> float:
    """A number that is written where it is used; infinite for a name or anything else."""
    number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return float(ast.literal_eval(node)) if number else float("inf")


def hurried(text: str) -> list[str]:
    """Waits of a test that a busy machine does not keep, and times that it is held to.

    Whoever means a short time (a silence that is no answer, a look at what stays as it is) gives
    it a name, which says so.
    """
    wrong = []
    for node in nodes(text):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="timeout")):
                if 0 < seconds(node.args[0]) < HANGS_S:
                    wrong.append(f"line {node.lineno} is ended too soon")
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                named = [
                    e.value for e in node.keywords if e.arg in ("timeout", "timeout_s", "end_s")
                ]
                ends = [*named, *(node.args if name in ENDS else ())]
                if any(0 < seconds(end) < SHORT_S for end in ends):
                    wrong.append(f"line {node.lineno} waits too short for {name}")
            case ast.BinOp(left=ast.Call(func=ast.Attribute(attr="monotonic")), op=ast.Add()):
                if seconds(node.right) < SHORT_S:
                    wrong.append(f"line {node.lineno} waits too short")
            case ast.Compare(left=ast.BinOp(left=ast.Call(func=ended)), ops=[ast.Lt() | ast.LtE()]):
                if dotted(ended) == "time.monotonic":
                    wrong.append(f"line {node.lineno} holds the machine to a time")
    return wrong


# --- the tree keeps them -----------------------------------------------------------------------


def complaints(rule: object, package: str) -> list[str]:
    assert callable(rule)
    return [f"{name}: {wrong}" for name, text in sources(package) for wrong in rule(name, text)]


def test_the_core_knows_only_the_standard_library_numpy_and_its_matcher_of_words() -> None:
    assert complaints(impurities, "detectors") == []


def test_imports_go_one_way() -> None:
    assert complaints(wrong_ways, "detectors") + complaints(wrong_ways, "streams") == []


def test_the_core_is_built_in_the_order_of_the_data() -> None:
    assert complaints(against_the_order, "detectors") == []


def test_a_wing_imports_only_the_wings_below_it() -> None:
    assert complaints(across_wings, "streams") == []


def test_no_file_is_read_by_the_locale() -> None:
    assert complaints(by_locale, "detectors") + complaints(by_locale, "streams") == []


def test_every_temporary_folder_goes_with_whoever_made_it() -> None:
    """`mkdtemp` and its like leave the removal to a line that an error may never reach."""
    left = re.compile(r"\bmk[ds]temp\(|\bdelete\s*=\s*False")
    found = [
        str(path.relative_to(ROOT))
        for top in ("deploy", "detectors", "streams", "tests")
        for path in sorted((ROOT / top).rglob("*.py"))
        if left.search(path.read_text())
    ]
    assert found == []


def test_no_two_public_classes_share_a_name() -> None:
    found = classes("detectors")
    for name, modules in classes("streams").items():
        found.setdefault(name, []).extend(modules)
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}


def test_a_unit_of_time_has_one_home() -> None:
    units = re.compile(r"^(DAY|HOUR|MINUTE)S?_(S|MS)\b.* = ", re.MULTILINE)
    home = "detectors.model.times"
    assert len(units.findall(dict(sources("detectors"))[home])) == 6
    elsewhere = [
        f"{module}: {found.group()}"
        for package in ("detectors", "streams")
        for module, text in sources(package)
        if module != home
        for found in units.finditer(text)
    ]
    assert elsewhere == []


def computes(text: str) -> bool:
    """Tell if a module has a function; tables, declarations and re-exports have none to test."""
    return any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) for n in nodes(text))


def file_of_tests(module: str) -> str:
    """The file of a module's own tests: streams.cli.init -> tests/streams/cli/test_init.py.

    A package's `__init__` counts as a module of the package's name inside it.
    """
    path = ROOT.joinpath(*module.split("."))
    folder, name = (path, path.name) if path.is_dir() else (path.parent, path.name.strip("_"))
    return f"tests/{folder.relative_to(ROOT).as_posix()}/test_{name}.py"


def test_every_module_that_computes_has_a_test_file_of_its_name() -> None:
    """A theme may have files beside them; who changes a module knows where its tests begin."""
    expected = {
        module: file_of_tests(module)
        for package in ("detectors", "streams")
        for module, text in sources(package)
        if computes(text)
    }
    assert {m: f for m, f in expected.items() if not (ROOT / f).is_file()} == {}


RERUN: Final = {"tests/streams/test_fuzz.py", "tests/streams/cases/store/test_postgres.py"}
"""Test files that run the tests of other files again, in another setting."""


def test_no_test_takes_a_builder_from_a_test_file() -> None:
    """Builders that several tests use live in `tests/builders/`."""
    taken = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "tests").rglob("*.py")
        if path.relative_to(ROOT).as_posix() not in RERUN
        for name in imports(path.read_text())
        if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
    }
    assert taken == set()


def test_only_the_transport_uses_what_faust_and_aiokafka_do_not_promise() -> None:
    assert complaints(unpromised, "streams") == []


@pytest.mark.parametrize("package", ["detectors", "streams"])
def test_no_module_imports_itself_by_a_detour(package: str) -> None:
    modules = dict(sources(package))
    graph = {
        name: imports(text, run=True) & (modules.keys() - {name}) for name, text in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_top_of_the_tree_holds_what_it_should() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert {name for name in names if not name.startswith(".")} - TOP_LEVEL == set()


def test_tests_wait_for_events_and_hold_no_machine_to_a_time() -> None:
    """`tests/bench` measures; everything else has to pass where four others share each core."""
    wrong = {
        path.relative_to(ROOT).as_posix(): found
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if ROOT / "tests" / "bench" not in path.parents and (found := hurried(path.read_text()))
    }
    assert wrong == {}


def test_one_process_has_all_that_is_at_the_usual_ports() -> None:
    holding = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^from tests.ports import .*\busual_ports\b", path.read_text(), re.MULTILINE)
    }
    assert holding == set(AT_USUAL_PORTS)


def test_no_metric_label_names_a_person() -> None:
    labels = {(metric.name, label) for metric in metrics.TABLE for label in metric.labels}
    assert labels, "the table of metrics has moved"
    assert {pair for pair in labels if pair[1] in LABELS_NEVER} == set()


# --- and each rule can fail ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "import time", "from time import monotonic", "import os.path", "import logging",
        "def f():\n    import socket", "from streams.wire import decode", "import faust",
        "import importlib.resources", "import numpy as np\nnp.random.default_rng()",
        "open('registry.csv')", "print(1)",
    ],
)  # fmt: skip
def test_an_impure_core_is_noticed(text: str) -> None:
    assert impurities("detectors.recipients.sieve", text)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("streams.engine.worker.app", "from tests.brokers import broker"),
        ("streams.engine.worker.app", "from streams.tools.demo.play import play"),
        ("streams.wire.events", "import streams.cli"),
        ("streams.gateways.enforce.redis", "import faust"),
    ],
)
def test_an_import_against_the_stream_is_noticed(module: str, text: str) -> None:
    assert wrong_ways(module, text)


@pytest.mark.parametrize(
    "text",
    [
        "Path(x).read_text()", "Path(x).read_text(errors='replace')", "Path(x).write_text(y)",
        "os.fdopen(n, 'w')", "subprocess.run(['x'], text=True)",
    ],
)  # fmt: skip
def test_what_is_read_by_the_locale_is_noticed(text: str) -> None:
    assert by_locale("streams.x", text)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("streams.wire.events", "from streams.config import Settings"),
        ("streams.cases.explain", "from streams.people.desk import app"),
        ("streams.people.notices.book", "from streams.gateways.enforce import adapter"),
        ("streams.novel.thing", "import numpy"),
    ],
)
def test_an_import_across_wings_is_noticed(module: str, text: str) -> None:
    assert across_wings(module, text)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("detectors.model.event", "from detectors.recipients.row import RING"),
        ("detectors.suspects.judge", "from detectors import chain"),
        ("detectors.novel", "import numpy"),
        ("detectors.recognise.text.fold", "from detectors.recognise.rules import glance"),
        ("detectors.recognise.novel", "import numpy"),
    ],
)
def test_an_import_of_a_later_package_is_noticed(module: str, text: str) -> None:
    assert against_the_order(module, text)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("streams.common.errors", "tests/streams/common/test_errors.py"),
        ("streams.__main__", "tests/streams/test_main.py"),
        ("detectors.model.event", "tests/detectors/model/test_event.py"),
        ("streams.cli", "tests/streams/cli/test_cli.py"),
    ],
)
def test_a_module_s_test_file_is_told_by_its_name(module: str, expected: str) -> None:
    assert file_of_tests(module) == expected


@pytest.mark.parametrize(
    ("text", "has_one"),
    [
        ("X = 1", False),
        ("from a.b import c\n__all__ = ['c']", False),
        ("class A(NamedTuple):\n    b: int", False),
        ("def f():\n    return 1", True),
        ("class A:\n    def f(self):\n        return 1", True),
    ],
)
def test_a_module_computes_if_it_has_a_function(text: str, has_one: bool) -> None:
    assert computes(text) is has_one


@pytest.mark.parametrize(
    "text",
    [
        "from faust.transport.drivers import TRANSPORTS", "import aiokafka.consumer.fetcher",
        "from aiokafka import _private", "from faust.types import TP",
    ],
)  # fmt: skip
def test_inner_parts_of_faust_are_noticed(text: str) -> None:
    assert unpromised("streams.engine.worker.agents", text)
    assert not unpromised("streams.engine.transport.driver", text)


@pytest.mark.parametrize(
    "text",
    [
        "process.communicate(timeout=20)", "wait_until(lambda: ready(port), 'it is ready', 30)",
        "thread.join(5)", "end = time.monotonic() + 20", "assert time.monotonic() - began < 2.0",
        "pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]", "connect(timeout_s=.5)",
        "consumer.get_watermark_offsets(place, 10, cached=False)",
    ],
)  # fmt: skip
def test_a_short_wait_is_noticed(text: str) -> None:
    assert hurried(text)


@pytest.mark.parametrize(
    "text",
    [
        "process.communicate(timeout=END_S)", "wait_until(lambda: ready(port), 'it is ready')",
        "thread.join()", "','.join('ab')", "pytest.mark.timeout(1_800)", "pytest.mark.timeout(0)",
        "assert time.monotonic() - began >= 1", "consumer.poll(timeout_ms=200)",
    ],
)  # fmt: skip
def test_a_generous_wait_is_not_complained_of(text: str) -> None:
    assert not hurried(text)
