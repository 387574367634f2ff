"""Evidence as strangers meet it: the verifier's page in a browser without a network, the report."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from playwright.sync_api import Browser, Page

from streams.common import language, pdf
from streams.common.errors import UsageError
from streams.people.notices import month_page
from tests.browser import browser, violations
from tests.builders.deploy.evidence import verdict
from tests.builders.streams.people.evidence.sealed_report import sealed
from tests.builders.streams.people.notices.month import counted
from tests.deploy.verapdf import checked
from tests.enforce.services import CACHE
from tests.streams.cases.store.filled import acked, ended, fill, flood, incident, opened as filled
from tests.streams.cli.called import called, refused, settings_file
from tests.streams.people.evidence.altered import ALTERED
from tests.streams.people.evidence.packs import broken, fingerprint, key
from tests.streams.people.evidence.tsa import whole

pytestmark = pytest.mark.integration

PICTURES: Final = CACHE / "evidence"
"""Screens and pages of the last run, to be looked at."""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def page(opened: Browser) -> Iterator[Page]:
    """The page as a file, offline; whatever it asks of a network is an error."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    context = opened.new_context(offline=True, viewport={"width": 360, "height": 800})
    made = context.new_page()
    asked: list[str] = []
    made.on("request", lambda each: asked.append(each.url))
    made.goto(f"file://{whole()['pack'] / 'verify.html'}")
    yield made
    assert [url for url in asked if not url.startswith("file://")] == []
    context.close()


@pytest.mark.parametrize("kind", ["pack", "extract"])
def test_the_page_verifies_a_pack_offline_from_a_file(page: Page, kind: str) -> None:
    for trusted in (fingerprint(), fingerprint("before"), f" {fingerprint().upper()} "):
        good, told = verdict(page, whole()[kind], trusted)
        assert good, told
        says = str(page.text_content("#verdict"))
        assert ("EXTRACT" in says, "VERIFIED" in says) == (kind == "extract", kind == "pack")
        assert f"{16 if kind == 'pack' else 3} of 16" in told
        assert "verify.py --tsa-ca" in told
    page.screenshot(path=PICTURES / f"verify-{kind}.png", full_page=True)
    good, told = verdict(page, whole()[kind], fingerprint("another"))
    assert (good, "not by the signer" in told) == (False, True)
    good, told = verdict(page, whole()[kind], "1234")
    assert (good, "64 hex digits" in told) == (False, True)


def test_the_page_verifies_a_signed_report_and_finds_a_changed_bit(
    page: Page, tmp_path: Path
) -> None:
    folder = sealed(tmp_path)
    good, told = verdict(page, folder, fingerprint())
    assert good, told
    assert "report of 2026-11" in told
    for path in sorted(folder.iterdir()):
        before = path.read_bytes()
        path.write_bytes(broken(before, len(before) // 2, 1))
        assert not verdict(page, folder, fingerprint())[0], path.name
        path.write_bytes(before)


@pytest.mark.parametrize("how", ALTERED)
def test_the_page_refuses_what_anybody_can_make_of_a_pack(
    page: Page, how: str, tmp_path: Path
) -> None:
    good, told = verdict(page, ALTERED[how](tmp_path), fingerprint())
    assert not good, told


def test_the_page_takes_single_files_too(page: Page) -> None:
    page.reload()
    page.set_input_files("#files", sorted(whole()["pack"].iterdir()))
    page.fill("#fingerprint", fingerprint())
    page.click("#check")
    page.locator("#verdict.good, #verdict.bad").wait_for()
    assert "NOT" not in str(page.text_content("#verdict"))
    page.reload()


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["pack", "extract"])
def test_the_page_finds_every_changed_byte_of_every_file(
    page: Page, kind: str, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(sorted(whole()[kind].iterdir())))
    before = path.read_bytes()
    place, by = data.draw(st.integers(0, 1 << 24)), data.draw(st.integers(1, 255))
    path.write_bytes(broken(before, place, by))
    try:
        good, told = verdict(page, whole()[kind], fingerprint("before"))
        assert not good, told
    finally:
        path.write_bytes(before)


def test_a_file_less_or_more_is_found_by_the_page(page: Page, tmp_path: Path) -> None:
    import shutil

    folder = Path(shutil.copytree(whole()["pack"], tmp_path / "pack"))
    (folder / "more.txt").write_bytes(b"x")
    assert verdict(page, folder, fingerprint()) != (True, "")
    assert "more.txt: not in the manifest" in verdict(page, folder, fingerprint())[1]
    (folder / "more.txt").unlink()
    (folder / "report.en.html").unlink()
    assert "report.en.html: missing" in verdict(page, folder, fingerprint())[1]


def test_the_verifier_s_page_can_be_used_by_everybody(page: Page) -> None:
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("tag", [language.CHINESE, language.ENGLISH])
def test_the_month_fits_a_phone_and_can_be_used_by_everybody(
    opened: Browser, tmp_path: Path, tag: str
) -> None:
    with language.speaking(tag, UTC):
        (tmp_path / "month.html").write_text(month_page.page(counted(), "中国移动"), "utf-8")
    shown = opened.new_page(viewport={"width": 360, "height": 800})
    shown.goto((tmp_path / "month.html").as_uri())
    PICTURES.mkdir(parents=True, exist_ok=True)
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


def test_every_pdf_is_pdf_a_3_by_verapdf_and_one_that_is_none_is_found(tmp_path: Path) -> None:
    files = [whole()["pack"] / f"report.{tag}.pdf" for tag in ("zh", "en")]
    for tag in (language.CHINESE, language.ENGLISH):
        with language.speaking(tag, UTC):
            document = month_page.page(counted(), "中国移动")
        files.append(tmp_path / f"month-{tag}.pdf")
        files[-1].write_bytes(pdf.write(document))
    plain = tmp_path / "plain.pdf"
    pdf.require().HTML(string="<p>68</p>").write_pdf(plain)
    said = checked(*files, plain)
    assert {path.name: said[path].broken for path in files} == {path.name: [] for path in files}
    assert min(said[path].checks for path in files) > 1_000
    assert said[plain].broken


def test_a_pack_of_the_case_store_verifies_in_the_three_ways_and_says_what_it_lacks(
    page: Page, tmp_path: Path
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
    done = subprocess.run([*strangers, "--fingerprint", fingerprint()], check=False)
    good, told = verdict(page, out, fingerprint())
    assert (done.returncode, good) == (0, True), told
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
