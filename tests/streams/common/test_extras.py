"""Installations without an extra: each command that needs it names it, and ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from streams.cli import COMMANDS
from streams.common.errors import Exit
from streams.common.extras import (
    CONSOLE_EXTRAS,
    CONSOLE_IMAGE,
    MODULES,
    TOOLS_EXTRAS,
    TOOLS_IMAGE,
    USED_BY,
)
from tests.deploy.tools import ROOT

WITHOUT = """
import sys
blocked, sys.argv[:] = set(sys.argv[1].split(",")), ["otpguard", *sys.argv[2:]]
class Nobody:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nobody())
from streams.__main__ import main
main()
"""


def answered(
    folder: Path, blocked: str, *words: str, language: str = "en"
) -> subprocess.CompletedProcess[str]:
    """A command where these modules are not installed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTPGUARD_")}
    environment |= {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, blocked, "--lang", language, *words], cwd=folder,
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("desk", "desk serve"),
        ("desk", "desk index"),
        ("desk", "desk user ls"),
        ("desk", "signal serve"),
        ("evidence", "evidence key new --out pack.pem"),
        ("evidence", "evidence verify nowhere --fingerprint 00"),
        ("notices", "notify run"),
    ],
    ids=str,
)
def test_a_command_names_the_extra_and_the_image_that_it_lacks(
    extra: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "otpguard.toml").write_text(
        '[notify]\noperator = "中国移动"\nsender = "10086"\nchannel = "smpp"\n'
        '[smpp]\nhost = "127.0.0.1"\nsystem_id = "otpguard"\n'
    )
    # As in the tools image: its own extras are there.
    blocked = MODULES[extra].difference(*(MODULES[each] for each in TOOLS_EXTRAS))
    language = "zh" if words == "desk serve" else "en"
    done = answered(tmp_path, ",".join(blocked), *words.split(), language=language)
    assert done.returncode == Exit.CONFIG, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"otpguard: otpguard {words.split(maxsplit=1)[0]} ")
    assert f"'.[{extra}]'" in last
    assert f"-py3-none-any.whl[{extra}]'" in last
    assert CONSOLE_IMAGE in last
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert ("需要" in last) == (language == "zh")


@pytest.mark.parametrize("words", ["cases ls", "phone 13900000001", "explain 13900000001"])
def test_a_question_about_a_number_needs_the_extra_of_cases_alone(
    words: str, tmp_path: Path
) -> None:
    (tmp_path / "otpguard.toml").write_text('kafka.bootstrap = "127.0.0.1:9"\n')
    blocked = frozenset().union(*MODULES.values()) - MODULES["cases"]
    done = answered(tmp_path, ",".join(blocked), *words.split())
    assert done.returncode == Exit.TRY_AGAIN, done.stderr
    assert "127.0.0.1:9" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [("httptools", "gate serve", "gate"), ("sqlalchemy", "cases ls", "cases")],
)
def test_a_command_of_the_tools_image_names_that_image(
    module: str, words: str, extra: str, tmp_path: Path
) -> None:
    done = answered(tmp_path, module, *words.split())
    assert done.returncode == Exit.CONFIG, done.stderr
    assert f"pip install '.[{extra}]' in a checkout" in done.stderr
    assert f"the image {TOOLS_IMAGE} in place" in done.stderr


@pytest.mark.parametrize(
    ("module", "words", "extra"),
    [
        ("pyrage", "memory export --out m.age --encrypt-to age1x", "age"),
        ("pyrage", "memory learn h.jsonl --out m.age --encrypt-to age1x", "age"),
        ("pyrage", "memory import m.age --key-file age.key", "age"),
        ("pyarrow", "memory learn h.parquet --out m.gz", "parquet"),
    ],
)
def test_what_a_memory_file_needs_is_named(
    module: str, words: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "m.age").write_bytes(b"age-encryption.org/v1\n")
    (tmp_path / "memory.key").write_text("a key of sixteen, and more")
    (tmp_path / "otpguard.toml").write_text(
        'input.country = "CN"\ndetect.memory_key_file = "memory.key"\n'
        'kafka.bootstrap = "127.0.0.1:9"\n'
    )
    done = answered(tmp_path, module, *words.split())
    assert done.returncode == Exit.CONFIG, done.stderr
    assert f"otpguard memory needs packages that are not installed here ({module})" in done.stderr
    assert f"'.[{extra}]'" in done.stderr
    assert not (tmp_path / "m.gz").exists()


def test_nothing_installs_a_name_that_is_not_registered() -> None:
    """Whoever registered it would own each machine on which somebody follows the sentence."""
    named = re.compile(r"pip3? install[^\n]*?[ '\"]otpguard(\[|[ '\"`]|$)", re.MULTILINE)
    folders = ("streams", "deploy", "tests", ".github")
    wrong = [
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".txt", ".sh", ".yaml", ".toml", ".po", ".html"}
        and path != Path(__file__)
        and named.search(path.read_text("utf-8", "replace"))
    ]
    assert wrong == []
    assert named.search("pip install 'otpguard[desk]'")


def test_a_module_that_no_extra_brings_is_a_defect_and_says_so(tmp_path: Path) -> None:
    done = answered(tmp_path, "msgspec", "replay", "-")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "pip install" not in done.stderr


def test_every_package_of_an_extra_brings_a_module_that_is_known_by_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought: dict[str, set[str]] = {}
    for module, packages in packages_distributions().items():
        for package in packages:
            brought.setdefault(package.lower().replace("_", "-"), set()).add(module)
    for extra, modules in MODULES.items():
        for wanted in project["optional-dependencies"][extra]:
            name = re.split(r"[<>=\[; ]", wanted)[0].lower()
            if name == "otpguard":  # another extra
                others = re.findall(r"\w+", wanted)[1:]
                assert all(modules >= MODULES[each] for each in others), extra
                continue
            assert brought[name] & modules, f"{extra}: {name}"
    assert set(USED_BY) <= set(COMMANDS)
    assert {*USED_BY.values(), *CONSOLE_EXTRAS, *TOOLS_EXTRAS} <= set(MODULES)
