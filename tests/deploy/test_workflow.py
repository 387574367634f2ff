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


MAKE: Final = """#!/bin/bash
# Tells what is in its caches, then fills them as tests do.
maven=${MAVEN_OPTS##*-Dmaven.repo.local=}
found=$(find "$XDG_CACHE_HOME" "$maven" -type f 2>/dev/null | wc -l)
echo "make $1: $found files, ${MPLCONFIGDIR:-}"
[ -n "${ELSEWHERE:-}" ] || mkdir -p "$XDG_CACHE_HOME/otpguard" "$maven"
touch "$XDG_CACHE_HOME/otpguard/jar" "$maven/jar" 2>/dev/null || true
"""


def run_ci(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `.ci/run` with a `make` that only looks; programs in `folder/bin` come first."""
    (folder / ".ci").mkdir()
    for path, text in (
        (folder / ".ci/run", (ROOT / ".ci/run").read_text()),
        (folder / ".ci/packages", "#!/bin/sh\n"),
        (folder / "bin/make", MAKE),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    warm = folder / "warm"
    warm.mkdir()
    (warm / "otpguard").mkdir()
    (warm / "otpguard/jar").touch()
    environment = {
        **os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(folder),
        "XDG_CACHE_HOME": str(warm), "MPLCONFIGDIR": str(warm), **more,
    }  # fmt: skip
    return subprocess.run(
        [folder / ".ci/run"], env=environment, capture_output=True, text=True, check=False
    )


def test_ci_begins_with_empty_caches_and_leaves_none(tmp_path: Path) -> None:
    done = run_ci(tmp_path, MAVEN_OPTS="-Dmaven.repo.local=/warm")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["make test: 0 files, ", "make integration: 2 files, "]
    assert {each.name for each in tmp_path.iterdir()} == {".ci", "bin", "warm"}


def test_ci_fails_if_its_cache_did_not_begin_empty(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    mktemp = tmp_path / "bin/mktemp"
    mktemp.write_text(f"#!/bin/sh\necho {tmp_path}/warm\n")
    mktemp.chmod(0o755)
    done = run_ci(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "must begin empty" in done.stderr
    assert (tmp_path / "warm/otpguard/jar").exists()


def test_ci_fails_if_the_tests_used_another_cache(tmp_path: Path) -> None:
    done = run_ci(tmp_path, ELSEWHERE="yes")
    assert done.returncode == 1
    assert "another cache" in done.stderr
    assert "make integration" not in done.stdout


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
