"""The evidence button: a pack that verifies, audited before and after, for one role alone."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from streams.cases.store.roles import DeskRole
from streams.people.desk.handing import zip_folder
from streams.people.evidence import standalone
from streams.people.evidence.pack_files import MANIFEST, RECORDS
from streams.people.evidence.pack_keys import PackKey
from streams.people.evidence.verify import verify
from tests.builders.streams.people.desk.call_pages import asked, found
from tests.enforce.records import RECIPIENT
from tests.streams.people.desk.world import World, send
from tests.streams.people.evidence.packs import fingerprint, key

ASKS = {"authority": "某市公安局", "document": "调证字〔2026〕17号", "received": "2026-03-05"}


@pytest.fixture
def signed(world: World, tmp_path: Path) -> World:
    """The console with a pack key."""
    pem = tmp_path / "pack.pem"
    pem.write_text(key().to_pem(), "ascii")
    pem.chmod(0o600)
    own = world.settings.evidence.model_copy(update={"key_file": pem, "unit": "某公司"})
    world.desk.settings = world.settings.model_copy(update={"evidence": own})
    return world


def test_an_officer_downloads_a_pack_that_anybody_can_verify(signed: World, tmp_path: Path) -> None:
    signed.flood()
    client = signed.inside(DeskRole.EVIDENCE)
    path = found(signed, client)
    assert 'action="/evidence"' in client.get(path).text
    answer = send(client, "/evidence", at=path, **asked(path), **ASKS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    named = answer.headers["content-disposition"]
    assert named.startswith('attachment; filename="evidence-1-sms')
    assert RECIPIENT[-8:] not in named
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / "out")
    (folder,) = (tmp_path / "out").iterdir()
    told = verify(folder, fingerprint())
    assert (told.wrong, told.records > 30) == ([], True)
    assert standalone.verify(folder, fingerprint()) == []
    assert {each["gap"] for each in told.manifest["gaps"]} >= {"store", "no_text"}
    assert RECIPIENT.encode() in (folder / RECORDS).read_bytes()
    page = (folder / "report.zh.html").read_text("utf-8")
    assert "调证字〔2026〕17号" in page
    assert "系统 otpguard 的事件库" in page  # it does not say that topics were read
    first, last = signed.ledger.of("export")
    assert (first["outcome"], last["outcome"]) == ("asked", "done")
    assert (last["subject"], last["reason"], last["ticket"]) == (
        RECIPIENT, ASKS["authority"], ASKS["document"])  # fmt: skip
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert last["detail"] == f"manifest sha256 {digest}"


def test_without_a_request_or_a_key_there_is_no_pack(world: World) -> None:
    world.flood()
    client = world.inside(DeskRole.EVIDENCE)
    path = found(world, client)
    answer = send(client, "/evidence", at=path, **asked(path), **{**ASKS, "document": " "})
    assert answer.status_code == 400
    assert not world.ledger.of("export")
    answer = send(client, "/evidence", at=path, **asked(path), **ASKS)
    assert answer.status_code == 503
    assert "OTPGUARD_EVIDENCE_KEY" in answer.text
    assert [line["outcome"] for line in world.ledger.of("export")] == ["asked", "failed"]


def test_nobody_else_has_the_button_and_no_case_is_taken_without_its_search(
    signed: World,
) -> None:
    episode = signed.flood()
    agent = signed.inside(DeskRole.AGENT, name="han.mei")
    path = found(signed, agent)
    assert 'action="/evidence"' not in agent.get(path).text
    assert send(agent, "/evidence", at=path, **asked(path), **ASKS).status_code == 403
    officer = signed.inside(DeskRole.EVIDENCE)
    answer = send(officer, "/evidence", at="/", episode=episode, k="guessed", **ASKS)
    assert answer.status_code == 403
    assert not signed.ledger.of("export")


def test_without_an_audit_there_is_no_pack(signed: World) -> None:
    signed.flood()
    client = signed.inside(DeskRole.EVIDENCE)
    path = found(signed, client)
    answer = send(client, "/language", at=path, lang="en")
    token_page = client.get(path)
    assert token_page.status_code == 200
    fields = asked(path)
    from tests.streams.people.desk.world import token_of

    csrf = token_of(client, path)
    signed.ledger.away = True
    answer = client.post("/evidence", data={"csrf": csrf, **fields, **ASKS})
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")


def test_packs_are_made_one_at_a_time_and_a_bounded_number_an_hour(signed: World) -> None:
    signed.flood()
    client = signed.inside(DeskRole.EVIDENCE)
    path = found(signed, client)
    limit = signed.settings.console.unmasks_per_h
    for _ in range(limit):
        signed.desk.limits["unmasks"].take("li.lei", signed.desk.now_s())
    answer = send(client, "/evidence", at=path, **asked(path), **ASKS)
    assert answer.status_code == 429
    assert not signed.ledger.of("export")


def test_a_pack_that_does_not_verify_is_not_given_out(
    signed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.flood()
    client = signed.inside(DeskRole.EVIDENCE)
    path = found(signed, client)
    good = PackKey.signatures
    monkeypatch.setattr(
        PackKey, "signatures", lambda own, message: {**good(own, message), "p256": bytes(64)}
    )
    answer = send(client, "/evidence", at=path, **asked(path), **ASKS)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (503, "text/html")
    assert [line["outcome"] for line in signed.ledger.of("export")] == ["asked", "failed"]
    assert (
        signed.desk.metrics.registry.get_sample_value(
            "otpguard_desk_packs_total", {"outcome": "bad"}
        )
        == 1
    )


def test_a_hand_over_that_meets_something_is_audited_and_keeps_no_other(
    signed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed.flood()
    client = signed.inside(DeskRole.EVIDENCE)
    path = found(signed, client)
    errors = [ValueError("whatever a library may raise")]
    good = PackKey.signatures

    def sign(own: PackKey, message: bytes) -> dict[str, bytes]:
        if errors:
            raise errors.pop()
        return good(own, message)

    monkeypatch.setattr(PackKey, "signatures", sign)
    assert send(client, "/evidence", at=path, **asked(path), **ASKS).status_code == 500
    assert [line["outcome"] for line in signed.ledger.of("export")] == ["asked", "failed"]
    assert send(client, "/evidence", at=path, **asked(path), **ASKS).status_code == 200
    assert [line["outcome"] for line in signed.ledger.of("export")][2:] == ["asked", "done"]


def test_a_zip_of_the_same_files_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    for name in ("b", "a"):
        (tmp_path / "pack" / name).write_text(name)
    first = zip_folder(tmp_path / "pack")
    (tmp_path / "pack" / "a").touch()
    assert zip_folder(tmp_path / "pack") == first
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["pack/a", "pack/b"]
