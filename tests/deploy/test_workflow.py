"""The hosted workflows: actions cannot change, rights are few, no check passes unseen."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.tools import ROOT

WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
JOBS: Final = ("fast", "test", "integration", "guides", "package", "vulnerabilities")


def workflow(name: str) -> dict[Any, Any]:
    (path,) = (each for each in WORKFLOWS if each.stem == name)
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def jobs() -> dict[str, Any]:
    """Name -> job, of the workflow of each change."""
    found: dict[str, Any] = workflow("ci")["jobs"]
    return found


def commands(job: str) -> list[str]:
    return [step["run"] for step in jobs()[job]["steps"] if "run" in step]


def test_every_action_is_named_by_its_commit_and_its_version() -> None:
    lines = [
        line for path in WORKFLOWS for line in path.read_text().splitlines() if "uses:" in line
    ]
    assert lines
    pinned = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    assert [line for line in lines if not pinned.search(line)] == []


def test_a_job_may_read_the_source_and_nothing_else() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "release"]
    assert tuple(jobs()) == JOBS
    assert all(job["permissions"] == {"contents": "read"} for job in jobs().values())
    for name in ("ci", "release"):
        assert workflow(name)["permissions"] == {}
        for job in workflow(name)["jobs"].values():
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False


def test_fast_tests_run_on_the_oldest_python_and_on_a_newer_one() -> None:
    assert jobs()["fast"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert commands("fast") == ["make lint fast"]


@pytest.mark.parametrize("job", ["test", "integration", "guides"])
def test_a_job_runs_the_target_of_its_name_and_skips_nothing(job: str) -> None:
    assert commands(job)[-1].endswith(f" make {job}")
    assert jobs()[job]["env"]["CI"] == "true"


def test_guides_run_each_night() -> None:
    assert jobs()["guides"]["if"] == "github.event_name == 'schedule'"
    triggers = workflow("ci")[True]  # YAML 1.1 reads the key "on" as true
    assert triggers["schedule"]


def test_a_release_is_a_draft_and_what_may_write_runs_nothing_of_the_source() -> None:
    release = workflow("release")
    assert release[True] == {"push": {"tags": ["v*"]}}
    build, draft = release["jobs"]["build"], release["jobs"]["draft"]
    assert build["permissions"] == {"contents": "read"}
    assert [step for step in draft["steps"] if "uses" in step] == []
    said = [step["run"] for step in draft["steps"]]
    assert "sha256sum --check" in said[-2]
    assert "--draft" in said[-1]
    assert "${{" not in "".join(said)  # the shell gets names as variables, never as text


@pytest.mark.parametrize(
    ("version", "day", "tag", "passes"),
    [
        ("0.1.0", "2026-12-01", "v0.1.0", True),
        ("0.1.0", "unreleased", "v0.1.0", False),
        ("0.1.0", "2026-12-01", "v0.1.1", False),
        ("0.1.1", "2026-12-01", "v0.1.1", False),  # the changelog has only 0.1.0
    ],
)
def test_a_tag_that_is_not_the_version_or_has_no_day_is_not_released(
    version: str, day: str, tag: str, passes: bool, tmp_path: Path
) -> None:
    (check,) = (
        step["run"]
        for step in workflow("release")["jobs"]["build"]["steps"]
        if step.get("name", "").startswith("The tag is the version")
    )
    otpguard = tmp_path / ".venv/bin/otpguard"
    otpguard.parent.mkdir(parents=True)
    otpguard.write_text(f"#!/bin/sh\necho otpguard {version}\n")
    otpguard.chmod(0o755)
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n## 0.1.0, {day}\n")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", check],
        cwd=tmp_path, env={**os.environ, "GITHUB_REF_NAME": tag}, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is passes


def test_a_known_vulnerability_fails_the_workflow_each_time() -> None:
    """Also a database that cannot be reached: pip-audit exits with 1, and nothing hides that."""
    job = jobs()["vulnerabilities"]
    assert "if" not in job
    assert not [each for each in (job, *job["steps"]) if "continue-on-error" in each]
    *_, check = commands("vulnerabilities")
    assert check.startswith("pip-audit --strict ")
    assert check.endswith(" --requirement deploy/locks/runtime.txt")
    assert not re.search(r"\|\||;|&|--ignore-vuln|--dry-run", check)


def test_updates_of_actions_packages_and_images_are_proposed() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"github-actions", "pip", "docker"}
    for each in updates:
        assert (ROOT / each["directory"].lstrip("/")).is_dir()
