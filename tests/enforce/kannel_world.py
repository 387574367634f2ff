"""Starts a real Kannel with its SMSC, for tests and measurements of its adapter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import urllib3

from detectors.leases.gateway_rule import Lease
from streams.gateways.enforce.gateway import Order
from streams.gateways.enforce.kannel import KannelGateway
from tests.enforce.loop import now_ms
from tests.enforce.records import action
from tests.enforce.services import KANNEL_PASSWORD, kannel
from tests.enforce.smpp_ends import Smsc, smsc
from tests.ports import free_port
from tests.waiting import END_S, wait_until

VICTIM: Final = "8613900000001"
OTHER: Final = "8613900000002"


class KannelWorld:
    """Kannel, its SMSC, and the adapter's side of it."""

    def __init__(self, folder: Path, centre: Smsc) -> None:
        self.list_file = folder / "kannel.list"
        self.list_port = free_port()
        self.centre = centre
        url = f"http://127.0.0.1:{self.list_port}/list.txt"
        self.bearerbox, self.smsbox = kannel(folder / "kannel", centre.port, url)
        self.http = urllib3.PoolManager(retries=False, timeout=END_S)

    def gateway(self, password: str = KANNEL_PASSWORD) -> KannelGateway:
        return KannelGateway(
            self.list_file, self.list_port, f"http://127.0.0.1:{self.bearerbox.port}", password
        )

    def send(self, recipient: str, text: str = "hello") -> str:
        """What Kannel says of a message."""
        query = f"username=tester&password=tester&to={recipient}&from=1069&text={text}"
        url = f"http://127.0.0.1:{self.smsbox.port}/cgi-bin/sendsms?{query}"
        return self.http.request("GET", url, headers={"Connection": "close"}).data.decode()

    def status(self) -> str:
        """Bearerbox's own word on its SMSC and boxes; its port answers before it has the list."""
        url = f"http://127.0.0.1:{self.bearerbox.port}/status.xml?password={KANNEL_PASSWORD}"
        try:
            return self.http.request("GET", url, headers={"Connection": "close"}).data.decode()
        except urllib3.exceptions.HTTPError:
            return ""

    def accepts(self, recipient: str) -> bool:
        """Whether it takes a message; a smsbox that still starts breaks off, or never answers."""
        try:
            return "Accepted" in self.send(recipient)
        except urllib3.exceptions.HTTPError:
            return False

    def passes(self, recipient: str) -> bool:
        return "Not routable" not in self.send(recipient)


@contextmanager
def kannel_world(folder: Path) -> Iterator[KannelWorld]:
    """Start all of it."""
    with smsc() as centre, ExitStack() as stack:
        made = KannelWorld(folder, centre)
        with closing(made.gateway()):  # bearerbox does not start without the list
            stack.enter_context(made.bearerbox)
            wait_until(lambda: "online" in made.status(), "Kannel is bound to the SMSC")
        stack.enter_context(made.smsbox)
        # A message that reaches smsbox before smsbox has reached bearerbox ends smsbox.
        wait_until(lambda: "<type>smsbox</type>" in made.status(), "Kannel's boxes have met")
        wait_until(lambda: made.accepts("8613900000009"), "Kannel takes messages")
        yield made


def order(recipient: str) -> Order:
    """A lease of a minute."""
    return Order(recipient, Lease("1:t:0:1", now_ms() + 60_000, action().scope))
