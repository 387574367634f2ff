"""A wheel and a source archive, installed where no checkout has been seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.builders.deploy.manifests import pins
from tests.deploy.tools import ROOT

BUILD = "from setuptools import build_meta as b; import sys; b.build_sdist(sys.argv[1])"
WHEEL = "from setuptools import build_meta as b; import sys; b.build_wheel(sys.argv[1])"


def run(*command: str | Path, cwd: Path, stdin: str = "") -> str:
    """Run a command with nothing of this checkout around it; its standard output."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=environment, input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source archive of what git tracks, and the wheel that is made of that archive."""
    folder = tmp_path_factory.mktemp("dist")
    checkout = folder / "checkout"
    listed = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    for name in filter(None, listed):
        if (source := ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes(source.read_bytes())
    run(sys.executable, "-c", BUILD, folder, cwd=checkout)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        # Python knows filters from 3.11.4 on, Debian's is 3.11.2; the archive is of our own making.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder / "source")
    (source,) = (folder / "source").iterdir()
    run(sys.executable, "-c", WHEEL, folder, cwd=source)
    return folder


def installed(folder: Path, built: Path, lock: str) -> Path:
    """Install the wheel into a new environment, at the versions of a lock; return the command."""
    venv.create(folder, with_pip=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    run(*pip, "--require-hashes", "-r", ROOT / "deploy/locks" / lock, cwd=folder)
    (wheel,) = built.glob("*.whl")
    run(*pip, "--no-deps", wheel, cwd=folder)
    return folder / "bin" / "otpguard"


@pytest.mark.integration
def test_the_wheel_holds_every_data_file_of_the_packages(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "detectors", "streams", cwd=ROOT).splitlines()
    kept_out = {".md"}  # pages for those who read the source
    wanted = {name for name in tracked if Path(name).suffix not in kept_out}
    assert wanted - packed == set()
    assert not [name for name in packed if name.startswith(("tests/", "deploy/"))]


@pytest.mark.integration
def test_a_flood_is_seen_with_the_packages_of_a_worker_alone(built: Path, tmp_path: Path) -> None:
    otpguard = installed(tmp_path / "installed", built, "worker.txt")
    flood = run(otpguard, "scenario", "A1", "--seed", "3", cwd=tmp_path)
    leases = run(otpguard, "replay", "-", "--quiet", cwd=tmp_path, stdin=flood)
    assert {json.loads(line)["verb"] for line in leases.splitlines()} == {"throttle"}
    text = json.dumps({"text": "【淘宝】验证码 583921，5分钟内有效"}, ensure_ascii=False)
    verdict = json.loads(run(otpguard, "recognise", "-", cwd=tmp_path, stdin=text))
    assert verdict["otp"]


@pytest.mark.integration
def test_a_bill_of_materials_lists_what_the_lock_of_each_image_has(tmp_path: Path) -> None:
    run(ROOT / "deploy/docker/sbom", tmp_path, cwd=ROOT)
    locks = {"worker": "worker", "tools": "tools", "console": "runtime"}
    for image, lock in locks.items():
        bill = json.loads((tmp_path / f"otpguard-{image}.cdx.json").read_text())
        assert bill["bomFormat"] == "CycloneDX"
        assert bill["metadata"]["component"]["name"] == "otpguard"
        listed = {part["name"]: part["version"] for part in bill["components"]}
        assert listed == pins(lock)
        assert all(part["externalReferences"] for part in bill["components"])


@pytest.mark.integration
def test_checksums_name_every_file_of_a_release_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "dist/site").mkdir(parents=True)
    (tmp_path / "dist/site/index.html").touch()
    for name in ("otpguard-0.1.0-py3-none-any.whl", "otpguard-worker.cdx.json", "SHA256SUMS"):
        (tmp_path / "dist" / name).write_text(name)
    line = "\t@$(SUMS)\n"
    (tmp_path / "Makefile").write_text(f"include {ROOT / 'Makefile'}\nsums:\n{line}")
    run("make", "sums", cwd=tmp_path)
    said = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=tmp_path / "dist")
    assert [each.partition(":")[0] for each in said.splitlines()] == [
        "otpguard-0.1.0-py3-none-any.whl", "otpguard-worker.cdx.json",
    ]  # fmt: skip


@pytest.mark.guides
def test_the_demo_runs_from_the_wheel_without_a_checkout(built: Path, tmp_path: Path) -> None:
    otpguard = installed(tmp_path / "installed", built, "demo.txt")
    # Not the usual port: the guide's worker may start on it at the same moment.
    said = run(otpguard, "demo", "--metrics-port", "0", cwd=tmp_path)
    assert said.count("✓") == 7, said
    assert (tmp_path / "report.html").stat().st_size > 10_000
