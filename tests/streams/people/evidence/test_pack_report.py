"""The report: cover, both clocks, both languages, hostile names harmless, records attached."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detectors.model.records import Level
from streams.common.language import CHINESE, ENGLISH, speaking
from streams.people.evidence.gaps import gaps
from streams.people.evidence.pack_report import Cover, Seal, html
from tests.builders.streams.cases.standing import LEASE, OPENED, ack
from tests.streams.people.evidence.packs import COVER, INCIDENT, SAID, chosen, pack

SHADOW = replace(OPENED, mode="shadow")
LEASED = [("lease", replace(LEASE, mode="shadow"))]
SEAL = Seal("f" * 64, "c" * 64, "7" * 64, "2" * 64, "3" * 64, 100, 9, "otpguard 0", "")


def page(tag: str, cover: Cover = COVER, said: list = SAID) -> str:
    found = chosen(said)
    with speaking(tag, ZoneInfo("Asia/Shanghai")):
        return html(found, cover, SEAL, list(gaps(found, "")))


def test_the_cover_has_the_fields_that_the_police_ask_for() -> None:
    told = page(CHINESE)
    for each in (
        "电子证明文件", "调证法律文书编号", "调证字〔2026〕17号", "调取机关", "某市公安局",
        "单位电子公章", "示例通信公司某省分公司", "完整性校验", "校验方法说明", "缺口",
        SEAL.sha256, SEAL.sm3, SEAL.signer,
    ):  # fmt: skip
        assert each in told, each


def test_both_clocks_and_whole_sender_numbers_are_told() -> None:
    told = page(ENGLISH)
    assert "2025-10-09 16:53:23+08:00" in told
    assert "2025-10-09T08:53:23.000Z" in told
    assert "10690000000212" in told
    assert "m-11" in told
    assert "would be refused" in told
    assert "4 of 4" in told


def test_a_case_that_is_over_is_not_told_as_if_nothing_had_been_refused() -> None:
    assert "nothing is refused" not in page(ENGLISH)
    assert "observed: nothing is refused" in page(ENGLISH, said=[("episode", SHADOW), *LEASED])


def test_a_limit_on_single_platforms_is_told_with_what_is_refused_and_why() -> None:
    limit = replace(OPENED, kind="limit", level=Level.WATCH)
    lease = replace(LEASE, verb="throttle_platforms", refused_ids=(11,))
    told = page(ENGLISH, said=[("episode", limit), ("lease", lease), ("ack", ack("applied"))])
    assert "throttled: codes of 1 platform are refused, and no others" in told
    assert limit.reason.text in told
    assert "throttle_platforms" in told


def test_an_empty_field_is_a_line_to_be_filled_in() -> None:
    assert page(CHINESE, Cover()).count("____________________") >= 6


def test_hostile_names_stay_text() -> None:
    evil = '<script>alert(1)</script>"};*{'
    message = INCIDENT.messages[0]._replace(sender=evil, platform=f"sig:{evil}", message_id=evil)
    said = [*SAID, ("incident", replace(INCIDENT, first=4, revision=200, messages=(message,)))]
    told = page(ENGLISH, replace(COVER, unit=evil, document_no=evil), said)
    assert "<script>" not in told
    assert "&lt;script&gt;" in told


@pytest.mark.parametrize("tag", ["zh", "en"])
def test_the_pdf_is_of_its_kind_and_carries_the_records(tag: str, tmp_path: Path) -> None:
    folder = pack(tmp_path)
    made = folder / f"report.{tag}.pdf"
    words = ["pdfinfo", "-meta", str(made)]
    meta = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert 'pdfaid:part="3" pdfaid:conformance="U"' in meta
    words = ["pdfdetach", "-save", "1", "-o", str(tmp_path / "attached"), str(made)]
    subprocess.run(words, check=True, capture_output=True)
    assert (tmp_path / "attached").read_bytes() == (folder / "records.jsonl").read_bytes()
    text = subprocess.run(["pdftotext", made, "-"], capture_output=True, text=True, check=True)
    told = " ".join(text.stdout.split())
    assert ("调证法律文书编号" if tag == "zh" else "Number of the legal request") in told
    assert "10690000000212" in text.stdout
