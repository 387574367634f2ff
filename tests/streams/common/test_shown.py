"""Foreign text and secrets: nothing that people are shown moves a cursor or opens a door."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pytest
from hypothesis import given, strategies as st
from typer.testing import CliRunner

from detectors.model.event import Trust
from detectors.model.records import Sighting
from streams.cases import explanation as explain
from streams.cases.standing import Case, explanation
from streams.cli import shared
from streams.cli.cases import _print, warn
from streams.cli.config import app as config_app
from streams.common.errors import Exit
from streams.common.shown import escape_unprintable, in_json, in_page, mask_url
from tests.builders.streams.cases.standing import OPENED, ack, file_of
from tests.enforce.records import action, override
from tests.waiting import END_S

HOSTILE = "\x1b[2J\x1b]0;x\x07\r\n\x00\x7f\x9b31m\u202eevil\u2066\u200b\ufeff\u2028\ud800"
CONTROL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def harmless(text: str) -> bool:
    return all(each == "\n" or unicodedata.category(each) not in CONTROL for each in text)


@given(st.text())
def test_what_is_shown_is_one_line_without_a_control_character(text: str) -> None:
    told = escape_unprintable(text)
    assert harmless(told)
    assert "\n" not in told
    if text.isprintable():
        assert told == text


@given(st.recursive(st.text() | st.integers(), st.lists, max_leaves=5))
def test_json_is_the_same_document_without_a_control_character(value: Any) -> None:
    document = json.dumps(value, ensure_ascii=False)
    told = in_json(document)
    assert harmless(told)
    assert json.loads(told) == json.loads(document)


def test_a_page_keeps_its_lines_and_its_markup() -> None:
    page = jinja2.Environment(autoescape=True, finalize=in_page).from_string(
        "{{ a }}{{ b | safe }}"
    )
    assert page.render(a="<i>\u202e\nx", b="<svg>\n</svg>") == "&lt;i&gt;\\u202e\nx<svg>\n</svg>"


def hostile_case() -> Case:
    """A case in which everything that somebody else writes is hostile."""
    sightings = tuple(
        Sighting(f"{kind}:{HOSTILE}", 7, 1_772_422_380_000 + n, True, Trust.NONE)
        for n, kind in enumerate(("sig", "from", "host", "id", "port", HOSTILE))
    )
    record = replace(
        OPENED,
        sightings=sightings,
        reason=replace(OPENED.reason, text=HOSTILE),
        config=HOSTILE,
        version=HOSTILE,
    )
    lease = replace(action(), reason=replace(action().reason, text=HOSTILE))
    word = override("allow", reason=HOSTILE, actor=HOSTILE, platform=f"from:{HOSTILE}")
    told = msgspec.structs.replace(ack("ignored", action_id=lease.action_id), why=HOSTILE)
    return Case([record], [lease], {lease.action_id: [told]}, [word])


def test_no_command_lets_a_sender_write_on_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = hostile_case()
    _print(replace(file_of(OPENED), case=case), "", as_json=False)
    warn(override("mode", "*", mode="off", reason=HOSTILE, actor=HOSTILE))
    shared.write_table(["platform"], [[HOSTILE]])
    shared.write_json({"platform": HOSTILE.replace("\ud800", "")})
    written = capsys.readouterr().out
    assert "evil" in written
    assert harmless(written)
    assert "\\x1b[2J" in written
    assert "\\u202eevil" in written


def test_no_explanation_holds_a_control_character_whatever_its_form() -> None:
    case = hostile_case()
    for line in explain.lines(case.last):
        assert harmless(line)
        assert "\n" not in line
    assert all(harmless(row[1]) for row in explain.explain(case.last).sightings)
    assert list(explanation(case, case.last))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:secret@h:6379/0", "redis://*****@h:6379/0"),
        ("rediss://user:secret@h:6380/0?ssl_cert_reqs=none", "rediss://*****@h:6380/0?ssl_cert_reqs=*****"),
        ("redis://h/0?password=secret", "redis://h/0?password=*****"),
        ("unix://secret@/run/redis.sock", "unix://*****@/run/redis.sock"),
        ("redis://u:sec/ret@h:6379/0", "redis://*****"),
        ("redis://u:sec@ret#secret@h:6379", "redis://*****"),
        ("redis://u:sec@ret@h:6379", "redis://*****@h:6379"),
        ("https://h/hook?secret", "https://h/hook?secret=*****"),
        ("https://h/hook?key=sec@ret", "https://*****"),
        ("https://h/hook#secret", "https://h/hook#*****"),
        ("https://h:8443/hook", "https://h:8443/hook"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_what_lets_somebody_in(url: str, told: str) -> None:
    assert mask_url(url) == told


@pytest.mark.slow
def test_no_command_about_settings_shows_a_password_in_a_url(tmp_path: Path) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text(
        'redis = {url = "redis://user:hunter2@redis:6379/0"}\n'
        'webhook = {url = "https://u:hunter2@gw/x?token=hunter2", secret = "hunter2"}\n'
        'kannel = {admin_url = "http://u:hunter2@127.0.0.1:13000", password = "hunter2"}\n'
        'kafka = {username = "u", password = "hunter2", security = "sasl_plaintext"}\n'
    )
    for words in (["show"], ["show", "--json"], ["show", "--reasons"], ["template"], ["check"]):
        done = CliRunner().invoke(config_app, [*words, "--config", str(path)])
        assert done.exit_code == 0, done.output
        assert "hunter2" not in done.output
        if words[0] in ("show", "template"):
            assert "redis://*****@redis:6379/0" in done.output
        if words[0] == "template":  # what is masked is no setting
            assert "\n# url = " in done.output


@pytest.mark.parametrize(
    "section",
    [
        'redis = {url = "redis://user:hun/ter2@redis:6379/0"}',
        'kannel = {admin_url = "http://user:hun/ter2@127.0.0.1:13000"}',
        'webhook = {url = "https://user:hun/ter2@gw/x"}',
    ],
)
@pytest.mark.slow
def test_a_url_that_cannot_be_read_is_refused_without_a_piece_of_it(
    tmp_path: Path, section: str
) -> None:
    path = tmp_path / "otpguard.toml"
    path.write_text(section)
    done = subprocess.run(
        [sys.executable, "-m", "streams", "config", "check", "--config", str(path)],
        capture_output=True, text=True, check=False, timeout=END_S,
    )  # fmt: skip
    assert done.returncode == Exit.CONFIG
    assert "host and port cannot be read" in done.stderr
    assert "hun" not in done.stdout + done.stderr
