"""The month as a page and a PDF, in both languages; nobody's number in either."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from streams.common import language, pdf
from streams.people.notices.month_page import page
from tests.builders.streams.people.notices.month import counted
from tests.enforce.services import need


@pytest.fixture(params=[language.ENGLISH, language.CHINESE])
def spoken(request: pytest.FixtureRequest) -> str:
    tag: str = request.param
    language.use(tag)
    return tag


def test_the_page_says_everything_in_the_language_that_is_spoken(spoken: str) -> None:
    document = page(counted(), "中国移动")
    assert f'<html lang="{spoken}">' in document
    assert document.count("<svg") == 4
    assert "86139" not in document
    assert "<script" not in document
    assert "http" not in document.replace("http://www.w3.org", "")
    english = (
        "What was done",
        "What people took back",
        "What this report cannot see",
        "Does telling",
        "arrived when they were requested again",
    )
    assert all((each in document) == (spoken == language.ENGLISH) for each in english)


def test_the_pdf_can_be_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "month.pdf"
    path.write_bytes(pdf.write(page(counted(), "中国移动")))
    assert path.read_bytes()[:5] == b"%PDF-"
    read = need("pdftotext", "poppler-utils")
    done = subprocess.run([read, path, "-"], capture_output=True, text=True, check=True)
    assert "Verification-code floods in 2024-10" in done.stdout
    assert "<5" in done.stdout
    assert "中国移动" in done.stdout
    assert "86139" not in done.stdout
