"""Evidence as strangers meet it: the report in a browser and in print, and the verifier."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from streams.common import language
from streams.common.errors import UsageError
from streams.people.notices import month_page
from tests.browser import browser, violations
from tests.builders.streams.people.notices.month import counted
from tests.enforce.services import CACHE
from tests.streams.cases.store.filled import acked, ended, fill, flood, incident, opened as filled
from tests.streams.cli.called import called, refused, settings_file
from tests.streams.people.evidence.packs import fingerprint, key
from tests.streams.people.evidence.tsa import whole

pytestmark = pytest.mark.integration

PICTURES: Final = CACHE / "evidence"
"""Screens and pages of the last run, to be looked at."""


@pytest.fixture(scope="module", autouse=True)
def _pictures() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.mark.parametrize("tag", [language.CHINESE, language.ENGLISH])
def test_the_month_fits_a_phone_and_can_be_used_by_everybody(
    opened: Browser, tmp_path: Path, tag: str
) -> None:
    with language.speaking(tag, UTC):
        (tmp_path / "month.html").write_text(month_page.page(counted(), "中国移动"), "utf-8")
    shown = opened.new_page(viewport={"width": 360, "height": 800})
    shown.goto((tmp_path / "month.html").as_uri())
    shown.screenshot(path=PICTURES / f"month-{tag}-360.png", full_page=True)
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(shown) == []
    shown.close()


@pytest.mark.parametrize("tag", ["zh", "en"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_report_fits_its_screen_and_can_be_used_by_everybody(
    opened: Browser, tag: str, width: int
) -> None:
    shown = opened.new_page(viewport={"width": width, "height": 800})
    shown.goto(f"file://{whole()['pack']}/report.{tag}.html")
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(shown) == []
    shown.screenshot(path=PICTURES / f"report-{tag}-{width}.png", full_page=True)
    shown.close()


@pytest.mark.parametrize("tag", ["zh", "en"])
def test_the_cover_with_its_seal_is_one_page_of_the_pdf(tag: str) -> None:
    made = whole()["pack"] / f"report.{tag}.pdf"
    words = ["pdftotext", "-f", "1", "-l", "1", "-layout", str(made), "-"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    for each in {"zh": ("电子证明文件", "单位电子公章", "SM3"),
                 "en": ("Certificate", "Electronic seal", "SM3")}[tag]:  # fmt: skip
        assert each in told
    words = ["pdftoppm", "-r", "70", "-png", str(made), str(PICTURES / f"report-{tag}")]
    subprocess.run(words, check=True)


def test_a_pack_of_the_case_store_verifies_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path)
    record, lease = flood(1)
    fill(store, record, ended(record), lease, acked(lease), incident(record, 3))
    store.close()
    signer = tmp_path / "pack.pem"
    signer.write_text(key().to_pem(), "ascii")
    signer.chmod(0o600)
    own = f'store = "{store.url}"'
    config = settings_file(tmp_path, "[desk]", own, "[evidence]", f'key_file = "{signer}"')
    out = tmp_path / "of-the-store"
    said = called("evidence", "make", record.recipient, "--store", "-c", config, "-o", str(out))
    assert "are unknown, because they are from the desk's store" in said
    assert "min behind the topics when the pack was made" in said  # it was filled long ago
    assert "there is no count of refused messages" in said
    called("evidence", "verify", str(out), "--fingerprint", fingerprint())
    strangers = [sys.executable, "-I", "-S", str(out / "verify.py"), str(out)]
    subprocess.run([*strangers, "--fingerprint", fingerprint()], check=True)
    none = tmp_path / "none"
    refused(UsageError, "name one", "evidence", "make", record.recipient, "--store", "--from", "-",
            "-c", config, "-o", str(none))  # fmt: skip
    refused(UsageError, "in the case store", "evidence", "make", "8613900000099", "--store",
            "-c", config, "-o", str(none))  # fmt: skip
    (tmp_path / "other").mkdir()
    away = f'store = "sqlite:///{tmp_path}/none.db"'
    nowhere = settings_file(
        tmp_path / "other", "[desk]", away, "[evidence]", f'key_file = "{signer}"'
    )
    refused(UsageError, "no case store", "evidence", "make", record.recipient, "--store",
            "-c", nowhere, "-o", str(none))  # fmt: skip
    assert not none.exists()
