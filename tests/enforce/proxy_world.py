"""Starts a real Kannel whose SMPP connection goes through the proxy that asks a gate."""

from __future__ import annotations

import itertools
import queue
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3
from smpp.pdu.pdu_types import CommandStatus

from tests.enforce.services import KANNEL_PASSWORD, Server, kannel, need
from tests.enforce.smpp_ends import Smsc
from tests.enforce.smsgate.ends import built
from tests.ports import free_port
from tests.waiting import END_S, wait_until

OK, REFUSED = CommandStatus.ESME_ROK, CommandStatus.ESME_RSUBMITFAIL
SENT, REJECTED = 8, 16  # of Kannel's delivery reports: the SMSC took it, or refused it


def proxy(folder: Path, smsc_port: int, gate_port: int, *words: str) -> Server:
    """The proxy, patient with a gate on a busy machine."""
    jars = built()
    port = free_port()
    return Server(
        "proxy",
        [
            need("java", "openjdk-17-jre-headless"), "-Xmx128m",
            "-cp", f"{next(jars.glob('*.jar'))}:{jars}/lib/*", "otpguard.smsgate.SmppProxy",
            "--smsc", f"127.0.0.1:{smsc_port}", "--listen", f"127.0.0.1:{port}",
            "--gate", f"127.0.0.1:{gate_port}", "--timeout-ms", "2000", *words,
        ],
        folder,
        port,
    )  # fmt: skip


class _Reports(ThreadingHTTPServer):
    """Takes Kannel's delivery reports: `/number?status`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Report)
        self.told: queue.Queue[tuple[int, int]] = queue.Queue()


class _Report(BaseHTTPRequestHandler):
    server: _Reports

    def do_GET(self) -> None:
        url = urllib.parse.urlparse(self.path)
        self.server.told.put((int(url.path.strip("/")), int(url.query)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class KannelSender:
    """Somebody who sends by Kannel's HTTP interface and asks for reports."""

    def __init__(self, sendsms_port: int) -> None:
        self._http = urllib3.PoolManager(retries=False, timeout=END_S)
        self._port = sendsms_port
        self._numbers = itertools.count(1)
        self._reports = _Reports()
        self._thread = threading.Thread(target=self._reports.serve_forever, daemon=True)
        self._thread.start()

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Send one message; what its report says became of it."""
        number = self.offer(recipient, sender, text)
        told, status = self.report()
        assert told == number
        assert status in (SENT, REJECTED), status
        return OK if status == SENT else REFUSED

    def offer(self, recipient: str, sender: str, text: str) -> int:
        """Send one message, which Kannel accepts whatever comes of it; its number."""
        number = next(self._numbers)
        query = urllib.parse.urlencode(
            {
                "username": "tester", "password": "tester", "to": recipient, "from": sender,
                "text": text, "coding": 2, "charset": "UTF-8", "dlr-mask": SENT | REJECTED,
                "dlr-url": f"http://127.0.0.1:{self._reports.server_address[1]}/{number}?%d",
            }
        )  # fmt: skip
        url = f"http://127.0.0.1:{self._port}/cgi-bin/sendsms?{query}"
        answer = self._http.request("GET", url, headers={"Connection": "close"})
        assert answer.data[:1] in (b"0", b"3"), answer.data  # taken, or queued
        return number

    def report(self) -> tuple[int, int]:
        """The next delivery report: number and status."""
        try:
            return self._reports.told.get(timeout=END_S)
        except queue.Empty:
            pytest.fail("no delivery report")

    def wait(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(max(0.0, seconds))

    def close(self) -> None:
        """End."""
        self._reports.shutdown()
        self._reports.server_close()
        self._thread.join()


class ProxyWorld:
    """Kannel, the proxy, and an SMSC that counts."""

    def __init__(self, folder: Path, centre: Smsc, gate_port: int, *words: str) -> None:
        self.proxy = proxy(folder / "proxy", centre.port, gate_port, *words)
        self.bearerbox, self.smsbox = kannel(
            folder / "kannel", self.proxy.port, None, "sms-resend-freq = 1", "reconnect-delay = 1"
        )
        self._http = urllib3.PoolManager(retries=False, timeout=END_S)

    def status(self) -> str:
        """Bearerbox's own word on its SMSC and boxes."""
        url = f"http://127.0.0.1:{self.bearerbox.port}/status.xml?password={KANNEL_PASSWORD}"
        try:
            return self._http.request("GET", url, headers={"Connection": "close"}).data.decode()
        except urllib3.exceptions.HTTPError:
            return ""


@contextmanager
def proxy_world(
    folder: Path, centre: Smsc, gate_port: int, *words: str
) -> Iterator[tuple[ProxyWorld, KannelSender]]:
    """Start all of it, and a sender."""
    world = ProxyWorld(folder, centre, gate_port, *words)
    with ExitStack() as stack:
        for server in (world.proxy, world.bearerbox):
            stack.enter_context(server)
        wait_until(lambda: "online" in world.status(), "Kannel is bound to the SMSC")
        stack.enter_context(world.smsbox)
        wait_until(lambda: "<type>smsbox</type>" in world.status(), "Kannel's boxes have met")
        sender = KannelSender(world.smsbox.port)
        stack.callback(sender.close)
        yield world, sender
