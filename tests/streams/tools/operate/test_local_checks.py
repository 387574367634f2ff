"""`otpguard doctor --role …` sees what a role needs beside Kafka."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streams.cases.store.opening import open_store, read_ms
from streams.config import Settings
from streams.tools.operate.local_checks import EXPIRES_DAYS, Check, examine_role
from tests.builders.streams.cases.standing import OPENED
from tests.streams.cases.store.filled import NOW_MS, FilledStore, fill


def found(settings: Settings, role: str, now_ms: int = NOW_MS) -> dict[str, Check]:
    return {each.check: each for each in examine_role(settings, role, now_ms)}


def settings_of(folder: Path, **more: Any) -> Settings:
    return Settings(desk={"store": f"sqlite:///{folder / 'desk.db'}"}, **more)


def certificate(path: Path, ends: datetime) -> Path:
    """A certificate that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "desk.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=90))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    told = found(settings_of(tmp_path), "desk")["store"]
    assert told.state == "bad"
    assert "otpguard desk index" in told.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_named_without_what_opens_it(tmp_path: Path) -> None:
    url = "postgresql+psycopg://desk:s3cret@127.0.0.1:1/otpguard?password=s3cret"
    settings = Settings(desk={"store": url})
    told = found(settings, "desk")["store"]
    assert "127.0.0.1:1/otpguard" in told.says
    assert "s3cret" not in told.says


def test_a_store_says_how_far_it_is_behind(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    open_store(settings).close()
    assert read_ms(settings) is None
    assert found(settings, "signal")["store"].state == "warn"
    store = FilledStore(settings.desk.store)
    fill(store, OPENED)
    store.close()
    at_ms = read_ms(settings)
    assert at_ms
    fresh = found(settings, "desk", at_ms + 5_000)["store"]
    assert (fresh.state, "5 s behind" in fresh.says) == ("ok", True)
    assert found(settings, "desk", at_ms + 61_000)["store"].state == "warn"


def test_the_desk_names_the_ends_of_the_certificates_for_kafka(tmp_path: Path) -> None:
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    far = certificate(tmp_path / "ca.pem", now + timedelta(days=80))
    near = certificate(tmp_path / "client.pem", now + timedelta(days=3))
    kafka = {"security": "ssl", "ca_file": far, "cert_file": near, "key_file": near}
    checks = examine_role(settings_of(tmp_path, kafka=kafka), "desk", NOW_MS)
    told = [(each.state, each.says) for each in checks if each.check == "certificates"]
    assert [state for state, _ in told] == ["warn", "ok"]
    assert "client.pem" in told[0][1]
    assert "80 days" in told[1][1]


def test_a_role_without_its_packages_is_told_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nobody:
        def find_spec(self, name: str, *_: object) -> None:
            if name.partition(".")[0] == "alembic":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [
        each for each in sys.modules if each.startswith(("alembic", "streams.cases.store"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Nobody(), *sys.meta_path])
    told = found(settings_of(tmp_path), "desk")["store"]
    assert told.state == "bad"
    assert "'.[desk]'" in told.says


@pytest.mark.parametrize(
    ("days", "state"), [(EXPIRES_DAYS + 1, "ok"), (EXPIRES_DAYS - 1, "warn"), (-1, "bad")]
)
def test_a_certificate_that_ends_soon_is_told(days: int, state: str, tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    own = certificate(tmp_path / "own.pem", now + timedelta(days=days, hours=1))
    (tmp_path / "clients.toml").write_text("[bank-1]\nscopes = []\n")
    settings = settings_of(
        tmp_path,
        console={"cert_file": own, "key_file": own},
        signal={"cert_file": own, "key_file": own, "clients_file": tmp_path / "clients.toml"},
    )
    now_ms = round(now.timestamp() * 1000)
    assert found(settings, "desk", now_ms)["console"].state == state
    assert found(settings, "signal", now_ms)["signal"].state == state


def test_a_signal_without_banks_and_a_file_that_is_no_certificate_are_bad(tmp_path: Path) -> None:
    assert found(settings_of(tmp_path), "signal")["signal"].state == "bad"
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("nothing")
    settings = settings_of(tmp_path, console={"cert_file": wrong, "key_file": wrong})
    told = found(settings, "desk")["console"]
    assert told.state == "bad"
    assert "wrong.pem" in told.says


def test_notices_say_who_they_are_from(tmp_path: Path) -> None:
    assert found(settings_of(tmp_path), "notifier")["notices"].state == "bad"
    named = {"operator": "中国移动", "sender": "10086", "channel": "smpp"}
    assert found(settings_of(tmp_path, notify=named), "notifier")["notices"].state == "ok"
    filed = settings_of(tmp_path, notify={**named, "channel": "file"})
    assert found(filed, "notifier")["notices"].state == "warn"


def test_other_roles_need_nothing_beside_kafka(tmp_path: Path) -> None:
    assert found(settings_of(tmp_path), "worker") == {}
