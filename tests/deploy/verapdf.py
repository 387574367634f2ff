"""veraPDF, the reference validator of PDF/A, from Maven Central."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from tests.clusters import cached, made_once, run_tool
from tests.enforce.services import need

POM: Final = Path(__file__).with_name("verapdf.pom.xml")
PROGRAM: Final = Path(__file__).with_name("PdfA.java")


class PdfVerdict(NamedTuple):
    """Of one file: how many checks were made, and the rules that it breaks (clause-test)."""

    checks: int
    broken: list[str]


def fetched() -> Path:
    """The folder with its jars, fetched by Maven if it is not there (17 MB, once)."""
    need("mvn", "maven")
    version = re.search(r"validation-model</artifactId>\s*<version>([\d.]+)", POM.read_text())
    assert version

    def fetch(new: Path) -> None:
        words = ["dependency:copy-dependencies", f"-DoutputDirectory={new}"]
        run_tool(["mvn", "-q", "-B", "-f", str(POM), *words])

    return made_once(cached(f"verapdf-{version[1]}"), fetch)


def checked(*files: Path) -> dict[Path, PdfVerdict]:
    """What veraPDF says of files as PDF/A-3u."""
    java = need("java", "openjdk-17-jdk-headless")
    words = [java, "-Xmx512m", "-cp", f"{fetched()}/*", str(PROGRAM), *map(str, files)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = {}
    for line in done.stdout.splitlines():
        path, checks, broken = line.split("\t")
        found[Path(path)] = PdfVerdict(int(checks), broken.split())
    return found
