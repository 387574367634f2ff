"""Rules, alerts, runbooks and the example configurations: whole, current, and about what exists."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import promql_parser
import pytest
import yaml
from prometheus_client import generate_latest
from typer.main import get_command

from deploy.grafana.__main__ import files
from deploy.prometheus.queries import BOARD, QUERIES, RULES
from deploy.prometheus.rules import ALERTS, CAUSES, RECORDS, RUNBOOKS
from streams.__main__ import app
from streams.config.sections.enforcement import CANARY_PERIOD_MAX_S
from streams.telemetry.metrics import PREFIX, TABLE, Metrics, Role
from tests.builders.deploy.rules import filled, metrics_in
from tests.deploy import tools
from tests.deploy.tools import PROMETHEUS, check, ran

NAMES = sorted({alert.name for alert in ALERTS})
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_what_is_written_is_what_the_builders_say() -> None:
    stale = [path.name for path, text in files(RUNBOOKS) if path.read_text("utf-8") != text]
    assert not stale, "run `make observe`"


def test_prometheus_takes_the_rules_and_the_example() -> None:
    check("promtool", "check", "rules", "--lint=all", "--lint-fatal",
          *sorted(PROMETHEUS.glob("*.rules.yaml")))  # fmt: skip
    check("promtool", "check", "config", PROMETHEUS / "prometheus.yaml")


@pytest.mark.parametrize("role", get_args(Role))
def test_promtool_has_nothing_to_say_of_the_metrics(role: Role) -> None:
    shown = generate_latest(Metrics(role).registry).decode()
    assert check("promtool", "check", "metrics", said=shown) == ""
    broken = shown.replace(f"{PREFIX}build_info", f"{PREFIX}buildInfo")
    code, said = ran("promtool", "check", "metrics", said=broken)
    assert code
    assert "camelCase" in said


def test_alertmanager_takes_the_example() -> None:
    check("amtool", "check-config", PROMETHEUS / "alertmanager.yaml")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [("severity=critical", "pager"), ("severity=warning", "chat"), ("alertname=Other", "chat")],
)
def test_critical_alerts_go_to_the_pager(labels: str, receiver: str) -> None:
    config = f"--config.file={PROMETHEUS / 'alertmanager.yaml'}"
    assert check("amtool", "config", "routes", "test", config, labels).split()[0] == receiver


def test_what_a_missing_broker_causes_is_inhibited_by_it() -> None:
    example = yaml.safe_load((PROMETHEUS / "alertmanager.yaml").read_text())
    rules = [
        (rule["source_matchers"], rule["target_matchers"]) for rule in example["inhibit_rules"]
    ]
    for alert, needs in CAUSES.items():
        assert ([f'alertname="{alert}"'], [f'needs="{needs}"']) in rules
        assert any(each.needs == needs for each in ALERTS)
        assert not any(each.needs for each in ALERTS if each.name == alert)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("promtool", "groups: [{name: a, rules: [{alert: A, expr: 'rate(x'}]}]"),
        ("amtool", "route: {receiver: nobody}"),
    ],
)
def test_a_broken_file_is_seen(name: str, broken: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(broken)
    words = ["check", "rules"] if name == "promtool" else ["check-config"]
    code, _ = ran(name, *words, path)
    assert code


def test_every_query_is_promql_about_metrics_that_exist() -> None:
    known = {PREFIX + metric.name for metric in TABLE}
    for query in QUERIES.values():
        for scope in (RULES, BOARD):
            expr = query.at(scope)
            promql_parser.parse(filled(expr))
            assert metrics_in(expr) <= known, query.name
        assert query.says, query.name


def test_recorded_series_are_named_by_level_metric_and_operation() -> None:
    names = [record.name for record in RECORDS]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"job:otpguard_[a-z_]+:rate(5m|30m|1h|2h|6h|1d|3d)", name)
    used = set(re.findall(r"job:otpguard_\w+:\w+", " ".join(alert.expr for alert in ALERTS)))
    assert used <= set(names)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.window}")
def test_an_alert_says_what_to_do(alert: Any) -> None:
    rule = alert.rule()
    assert re.fullmatch("Otpguard[A-Z][A-Za-z]+", alert.name)
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {"for", "keep_firing_for"} <= rule.keys()
    assert rule["annotations"]["summary"].endswith(".")
    assert "{{" in rule["annotations"]["description"]
    assert (tools.ROOT / rule["annotations"]["runbook_url"]).exists()
    elsewhere = alert.rule("https://wiki.example")["annotations"]["runbook_url"]
    assert elsewhere == f"https://wiki.example/{alert.name}.md"
    assert alert.shown, "a dashboard has to show what it is about"


# --- runbooks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_runbook_with_its_four_parts(name: str) -> None:
    text = (tools.RUNBOOKS / f"{name}.md").read_text("utf-8")
    assert text.startswith(f"# {name}\n")
    assert re.findall("^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(part.strip() for part in re.split("^## .+$", text, flags=re.MULTILINE)[1:])
    assert "```sh" in text, "a diagnosis has commands"


def test_no_canary_comes_so_seldom_that_its_alert_rings_while_every_flood_is_stopped() -> None:
    (alert,) = [each for each in ALERTS if each.name == "OtpguardCanaryFailing"]
    assert int(alert.expr.rpartition(" > ")[2]) > 3 * CANARY_PERIOD_MAX_S


def test_there_is_no_runbook_of_no_alert_and_the_index_has_them_all() -> None:
    books = {path.stem for path in tools.RUNBOOKS.glob("*.md")} - {"README", "README.zh"}
    assert books == set(NAMES)
    index = (tools.RUNBOOKS / "README.md").read_text("utf-8")
    assert re.findall(r"\((Otpguard\w+)\.md\)", index) == list(
        dict.fromkeys(alert.name for alert in ALERTS)
    )


def test_links_between_runbooks_lead_somewhere() -> None:
    for path in tools.RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_runbooks_name_metrics_that_exist() -> None:
    known = {PREFIX + metric.name for metric in TABLE}
    for path in tools.RUNBOOKS.glob("*.md"):
        text = re.sub(r"(otpguard_[a-z_]*)\(([^)]+)\)", alternatives, path.read_text("utf-8"))
        for name in metrics_in(text):
            assert any(each.startswith(name) for each in known), f"{path.name}: {name}"


def alternatives(pattern: re.Match[str]) -> str:
    """`otpguard_(a|b)` of a grep, written out."""
    return " ".join(pattern[1] + each for each in pattern[2].split("|"))


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `otpguard …` in a text, in blocks and in lines."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(otpguard [^`]+)`", text)
    for line in lines:
        words = shlex.split(line.replace("…", "x"), comments=True)
        if words[:1] == ["otpguard"]:
            yield words[1:]


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_a_runbook_exist_as_written(name: str) -> None:
    for words in commands((tools.RUNBOOKS / f"{name}.md").read_text("utf-8")):
        assert_exists(words)


def assert_exists(words: list[str]) -> None:
    """Raises where the command line has no such command or option; runs nothing."""
    command: Any = get_command(app)
    context = command.context_class(command, info_name="otpguard")
    while words and hasattr(command, "get_command") and not words[0].startswith("-"):
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, f"no command {name}"
        context = command.context_class(command, info_name=name, parent=context)
    if words and not {"--help", "--version"} & set(words):
        # settings are read as their option is parsed, and this machine has no such file
        words = [os.devnull if word.endswith("otpguard.toml") else word for word in words]
        command.make_context("otpguard", words)


def units(text: str) -> list[str]:
    """Units that a page names in commands of systemd."""
    lines = re.findall(r"^\s*(?:sudo )?(systemctl|journalctl)\b(.*)$", text, re.MULTILINE)
    words = [word for _, rest in lines for word in shlex.split(rest, comments=True)]
    return [word for word in words if word.startswith("otpguard")]


def is_unit(name: str) -> bool:
    """Whether a name, or a pattern of names, is of a unit that is shipped."""
    shipped = [path.name for path in (tools.ROOT / "deploy/systemd").iterdir()]
    started = [each.replace("@.service", "@1") for each in shipped]
    return any(fnmatch.fnmatch(each.removesuffix(".service"), name) for each in started) or any(
        name.partition("@")[0] + "@.service" == each and "@" in name for each in shipped
    )


def test_units_of_runbooks_are_those_that_are_shipped() -> None:
    named = {
        unit for path in tools.RUNBOOKS.glob("*.md") for unit in units(path.read_text("utf-8"))
    }
    assert len(named) > 3
    assert [name for name in sorted(named) if not is_unit(name)] == []
    assert not is_unit("otpguard-worker")


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert_exists(["topics", "check"])
    with pytest.raises(AssertionError, match="no command"):
        assert_exists(["topics", "burn"])
    with pytest.raises(Exception, match="--twice"):
        assert_exists(["canary", "--twice"])
