"""The webhook on a real HTTPS server: signatures, retries, what is final, what is never sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from detectors.leases.gateway_rule import Lease
from detectors.leases.rails import RailParams
from streams.common.errors import ConfigError
from streams.gateways.enforce.gateway import GatewayAwayError, Order
from streams.gateways.enforce.reconcile import Reconciler
from streams.gateways.enforce.webhook import WebhookGateway
from streams.wire.desired_state import DesiredState
from tests.enforce.records import action
from tests.enforce.settling import settle

SECRET = b"shared"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Receiver(ThreadingHTTPServer):
    """Somebody's SMSC: checks signatures, notes orders, answers as told."""

    daemon_threads = True

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.orders: list[dict[str, Any]] = []
        self.ids: list[str] = []  # of all orders that came
        self.standard = Webhook(SECRET)
        self.statuses: list[int] = []  # of the next answers; then 200
        self.busy = 0
        self.busiest = 0
        self.pause_s = 0.0
        self.lock = threading.Lock()
        self.url = f"https://localhost:{self.server_port}/leases"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that trusts another authority hangs up: that is its right."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        at, signature = (
            part.split("=")[1] for part in self.headers["Otpguard-Signature"].split(",")
        )
        expected = hmac.new(SECRET, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        with self.server.lock:
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
            status = self.server.statuses.pop(0) if self.server.statuses else 200
            if not (hmac.compare_digest(signature, expected) and abs(now_ms() - int(at)) < 600_000):
                status = 401
            self.server.ids.append(self.headers["webhook-id"])
            try:
                self.server.standard.verify(body, dict(self.headers))
            except WebhookVerificationError:
                status = 401
            if status == 200:
                self.server.orders.append(json.loads(body))
        time.sleep(self.server.pause_s)
        with self.server.lock:
            self.server.busy -= 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    with Receiver(certificate) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway(receiver: Receiver, certificate: Path) -> Iterator[WebhookGateway]:
    with closing(WebhookGateway(receiver.url, SECRET, ca_file=str(certificate))) as made:
        yield made


ORDER = Order("8613900000001", Lease("1:t:0:1", 1_760_000_000_000, action().scope))


def test_an_order_is_signed_and_says_what_a_gateway_needs(
    receiver: Receiver, gateway: WebhookGateway
) -> None:
    assert gateway.apply([ORDER]) == {}
    gateway.release(["8613900000001"])
    gateway.expire(["8613900000001"])
    first, *others = receiver.orders
    assert first["verb"] == "throttle"
    assert first["recipient"] == "8613900000001"
    assert first["lease"]["action"] == "1:t:0:1"
    assert first["lease"]["until"] == 1_760_000_000_000
    assert [order["verb"] for order in others] == ["release", "expire"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_pass_is_worth_another_try(
    receiver: Receiver, gateway: WebhookGateway, status: int
) -> None:
    receiver.statuses = [status]
    with pytest.raises(GatewayAwayError, match=str(status)):
        gateway.apply([ORDER])


@pytest.mark.parametrize("status", [302, 400, 403, 404, 422])
def test_anything_else_is_final_and_redirects_are_not_followed(
    receiver: Receiver, gateway: WebhookGateway, status: int
) -> None:
    receiver.statuses = [status]
    assert gateway.apply([ORDER]) == {"8613900000001": f"http_{status}"}
    assert receiver.orders == []


def test_a_receiver_that_is_not_there_or_not_who_it_should_be_is_away(
    receiver: Receiver,
) -> None:
    with closing(WebhookGateway(receiver.url, SECRET)) as stranger, pytest.raises(GatewayAwayError):
        stranger.apply([ORDER])  # the system's authorities do not know this certificate
    with (
        closing(WebhookGateway("https://127.0.0.1:9/x", SECRET)) as nobody,
        pytest.raises(GatewayAwayError),
    ):
        nobody.apply([ORDER])
    assert receiver.orders == []


@pytest.mark.parametrize(("url", "secret"), [("http://smsc.example/x", b"s"), ("https://s/x", b"")])
def test_orders_never_leave_the_machine_unencrypted_or_unsigned(url: str, secret: bytes) -> None:
    with pytest.raises(ConfigError):
        WebhookGateway(url, secret)


def test_a_wrong_secret_is_refused_by_the_receiver(receiver: Receiver, certificate: Path) -> None:
    with closing(WebhookGateway(receiver.url, b"other", ca_file=str(certificate))) as gateway:
        assert gateway.apply([ORDER]) == {"8613900000001": "http_401"}


def test_while_keys_change_a_receiver_may_know_the_old_one_or_the_new(
    receiver: Receiver, certificate: Path
) -> None:
    fresh = b"whsec_" + base64.b64encode(b"the key that comes next")
    with closing(
        WebhookGateway(receiver.url, SECRET, old_secret=fresh, ca_file=str(certificate))
    ) as gateway:
        assert gateway.apply([ORDER]) == {}
        receiver.standard = Webhook(fresh.decode())
        assert gateway.apply([ORDER]) == {}
        receiver.standard = Webhook(b"neither of them")
        assert gateway.apply([ORDER]) == {"8613900000001": "http_401"}


@pytest.mark.parametrize("secret", [b"whsec_", b"whsec_\xff", b"whsec_A"])
def test_a_key_that_is_none_is_for_a_person_to_mend(secret: bytes) -> None:
    with pytest.raises(ConfigError, match="secret"):
        WebhookGateway("https://smsc.example/leases", secret)


def test_an_order_keeps_its_id_while_it_is_tried_and_every_other_has_one_of_its_own(
    receiver: Receiver, gateway: WebhookGateway
) -> None:
    receiver.statuses = [503, 401, 429]
    for _ in range(2):
        with suppress(GatewayAwayError):
            gateway.apply([ORDER])
    with pytest.raises(GatewayAwayError):
        gateway.release(["8613900000001"])
    gateway.apply([ORDER])
    gateway.apply([ORDER])
    first, again, release, *others = receiver.ids
    assert first == again
    assert len({first, release, *others}) == 4


def test_a_stumbling_receiver_gets_every_lease_once_and_never_too_many_at_a_time(
    receiver: Receiver, gateway: WebhookGateway
) -> None:
    receiver.statuses = [503, 500, 429] * 4
    receiver.pause_s = 0.01
    reconciler = Reconciler(gateway, DesiredState(RailParams()), "smsc-1")
    for revision in range(100):
        record = action(f"86139{revision:08}", revision, at_ms=now_ms())
        reconciler.action(record, ("t", revision), now_ms())
    report = settle(reconciler)
    reconciler.close()
    assert Counter(ack.state for ack in report.acks) == {"applied": 100}
    assert Counter(order["recipient"] for order in receiver.orders) == {
        f"86139{n:08}": 1 for n in range(100)
    }
    assert 1 < receiver.busiest <= gateway.parallel_max


def test_what_the_receiver_will_not_take_is_dead_and_acknowledged_as_failed(
    receiver: Receiver, gateway: WebhookGateway
) -> None:
    receiver.statuses = [422]
    reconciler = Reconciler(gateway, DesiredState(RailParams()), "smsc-1")
    lease = action(at_ms=now_ms())
    reconciler.action(lease, ("t", 1), now_ms())
    report = settle(reconciler)
    reconciler.close()
    assert [(ack.state, ack.why) for ack in report.acks] == [("failed", "http_422")]
    assert report.dead == [lease]
