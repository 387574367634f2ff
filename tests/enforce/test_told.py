"""A flood from end to end: victim, bank, platform and police are each told, by real parts.

Client, Jasmin, Redis, Kafka, worker, adapter, notifier, indexer, signal, and the commands that make
reports and packs; the phone is a stand-in of the SMSC. Times are printed, not asserted.
"""

from __future__ import annotations

import itertools
import json
import mailbox
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3

from streams.cluster.admin import client_arguments
from streams.cluster.read import records
from streams.people.evidence.pack_files import RECORDS
from streams.tools.scenarios import generate
from streams.wire import decode_incident
from tests.builders.enforce.notices import actions, notices_at, sent_at_ms
from tests.enforce.loop import Loop, now_ms, ready
from tests.enforce.services import ours
from tests.nodes import Broker
from tests.ports import free_port
from tests.streams.cli.called import called
from tests.streams.people.evidence.packs import broken, fingerprint, key
from tests.streams.people.signal.parts import AUDIENCE, ISSUER, jwks, token
from tests.waiting import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.integration]

VICTIM: Final = "8617007000077"
SCHOOL: Final = "听潮课堂"
SITES: Final = (SCHOOL, *(f"还没见过第{n}家" for n in range(24)))
LEASE_S: Final = 20
FILLER: Final = 6_000
"""Messages of others that bring every one of four partitions to its next round of upkeep."""

SETTINGS: Final = """
[notify]
operator = "中国移动"
sender = "10086"
channel = "smpp"
[smpp]
port = {smpp}
system_id = "esme"
password = "secret"
[desk]
store = "sqlite:///{folder}/desk.db"
[signal]
port = {signal}
clients_file = "{folder}/clients.toml"
jwks_file = "{folder}/jwks.json"
issuer = "{issuer}"
audience = "{audience}"
[reports]
contacts_file = "{folder}/contacts.toml"
org = "中国移动"
mail_from = "abuse@carrier.example"
maildir = "{folder}/mail"
messages_min = 1
[evidence]
unit = "某公司"
key_file = "{folder}/pack.pem"
"""


@pytest.fixture(scope="module")
def loop(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    folder = tmp_path_factory.mktemp("told")
    made = Loop(broker, folder, f"told-{now_ms()}", {"lease_s": LEASE_S, "quiet_s": 60})
    with made:
        port = free_port()
        with made.config.open("a") as file:
            file.write(SETTINGS.format(smpp=made.jasmin.smpp_port, folder=folder, signal=port,
                                       issuer=ISSUER, audience=AUDIENCE))  # fmt: skip
        (folder / "clients.toml").write_text("[bank-1]\nper_minute = 60000\n"
                                             "number_per_hour = 60000\n")  # fmt: skip
        (folder / "jwks.json").write_bytes(jwks())
        (folder / "contacts.toml").write_text(
            f'[[contact]]\nplatforms = ["sig:{SCHOOL}"]\nowner = "abuse desk"\n'
            'mail = "security@school.example"\nexpires = 2099-01-01\n', "utf-8"
        )  # fmt: skip
        (folder / "pack.pem").touch(0o600)
        (folder / "pack.pem").write_text(key().to_pem(), "ascii")
        program = partial(ours, made.config, folder)
        parts = [program("notifier", "notify", "run"), program("index", "desk", "index"),
                 program("signal", "signal", "serve")]  # fmt: skip
        with parts[0], parts[1], parts[2]:
            for part in parts:
                wait_until(lambda: ready(part.port), f"{part.name} is ready")  # noqa: B023
            made.bank_port = port  # type: ignore[attr-defined]
            yield made


class Flood(threading.Thread):
    """Codes of sites that she never used, until it is told to stop."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop, self.over = loop, threading.Event()
        self.sent = 0

    def run(self) -> None:
        for n in itertools.count():
            if self.over.wait(0.2):
                return
            text = f"【{SITES[n % len(SITES)]}】验证码{100_000 + n}，五分钟内有效"
            self._loop.client.submit(VICTIM, f"1069{n % len(SITES):08}", text)
            self.sent = n + 1


def asked(loop: Loop, **more: Any) -> bool | None:
    """The answer that a bank gets; None if the signal cannot give one now."""
    url = f"http://127.0.0.1:{loop.bank_port}/verification-flood-signal/v0/check"  # type: ignore[attr-defined]
    with urllib3.PoolManager(retries=False) as pool:
        answer = pool.request("POST", url, json={"phoneNumber": f"+{VICTIM}", **more},
                              headers={"Authorization": f"Bearer {token()}"})  # fmt: skip
    if answer.status == 503:
        return None
    assert answer.status == 200, answer.data
    flooded: bool = answer.json()["flooded"]
    return flooded


def listed(loop: Loop) -> bool:
    clients = client_arguments(loop.settings.kafka)
    found = (decode_incident(r.value) for r in records(clients, loop.settings.topics.incident))
    return any(m.platform == f"sig:{SCHOOL}" for each in found for m in each.messages)


def others(loop: Loop, of_s: float) -> None:
    """Bring messages of others in, so that partitions do what they do from time to time."""
    at = now_ms()
    loop.remember(
        {"schema_version": 1, "recipient": f"+86138{n:08}", "sender": "10690000001",
         "event_time_ms": at, "message_id": f"other-{of_s}-{n}", "text": "您的快递到了"}
        for n in range(4 * FILLER)
    )  # fmt: skip


def test_everybody_is_told_once_with_proof(loop: Loop, tmp_path: Path) -> None:
    past = generate("A1", 1, recipient=int(VICTIM[4:]), start_ms=now_ms(), memory=8)
    loop.remember(each.value for each in past if each.truth.scenario == "history")
    wait_until(lambda: asked(loop) is False, "the bank hears of no flood", pause_s=0.2)
    flood = Flood(loop)
    flood.start()
    try:
        wait_until(lambda: asked(loop), "the bank's check turns true", pause_s=0.02)
        true_ms = now_ms()
        (lease_ms, *_) = actions(loop, VICTIM)
        wait_until(lambda: notices_at(loop, VICTIM), "the victim is told", pause_s=0.02)
        told_ms = sent_at_ms(loop, VICTIM)
        print(f"from the first lease: the bank {(true_ms - lease_ms) / 1000:.2f} s, "
              f"the victim {(told_ms - lease_ms) / 1000:.2f} s")  # fmt: skip
        wait_until(lambda: listed(loop), "messages of the platform are recorded")
    finally:
        flood.over.set()
        flood.join()
    quiet_ms = now_ms()
    check_report(loop)
    check_pack(loop, tmp_path)
    of_s = itertools.count()

    def over() -> bool:
        if now_ms() < quiet_ms + 60_000:
            return False
        others(loop, next(of_s))
        return asked(loop, maxAge=0) is False

    wait_until(over, "the bank's check turns false", pause_s=2)
    print(f"false {(now_ms() - quiet_ms) / 1000:.0f} s after the last message, {flood.sent} in all")
    assert asked(loop) is True  # within a day, as is said by default
    assert len(notices_at(loop, VICTIM)) == 1


def check_report(loop: Loop) -> None:
    """The platform's report has its table, and no number."""
    today = datetime.fromtimestamp(now_ms() / 1000, UTC).strftime("%Y-%m-%d")
    words = ("notify", "platforms", "-c", str(loop.config), "--day", today, "--json")
    rows = {row["platform"]: row for row in json.loads(called(*words))}
    assert rows[f"sig:{SCHOOL}"]["outcome"].startswith("sent")
    (letter,) = mailbox.Maildir(loop.folder / "mail")
    attached = [part.get_payload(decode=True) for part in letter.walk()]
    assert not any(VICTIM[2:].encode() in part for part in attached if isinstance(part, bytes))
    (table,) = [part for part in attached if isinstance(part, bytes) and b"minute_utc," in part]
    assert table.count(b"\n") > 1


def check_pack(loop: Loop, folder: Path) -> None:
    """The pack verifies here and by its own verifier, and both find one changed bit."""
    pack = folder / "pack"
    called("evidence", "make", VICTIM, "-c", str(loop.config), "-o", str(pack), "--document", "17")
    program = ("evidence", "verify", str(pack), "--fingerprint", fingerprint())
    script = [sys.executable, "-I", "-S", str(pack / "verify.py"), str(pack), "--fingerprint",
              fingerprint()]  # fmt: skip
    good = (pack / RECORDS).read_bytes()
    for code, data in ((0, good), (1, broken(good, len(good) // 3, 4))):
        (pack / RECORDS).write_bytes(data)
        called(*program, code=code)
        done = subprocess.run(script, check=False, capture_output=True)
        assert done.returncode == code, done.stdout
    assert VICTIM.encode() in good
