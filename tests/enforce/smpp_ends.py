"""Both ends of an SMPP gateway: a client that submits, and an SMSC that counts what reaches it.

Plain sockets and threads; the PDUs are those of smpp.pdu3, the library that Jasmin uses itself.
"""

from __future__ import annotations

import io
import itertools
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from smpp.pdu.operations import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    EnquireLink,
    EnquireLinkResp,
    SubmitSM,
    SubmitSMResp,
    Unbind,
    UnbindResp,
)
from smpp.pdu.pdu_encoding import PDUEncoder
from smpp.pdu.pdu_types import (
    AddrNpi,
    AddrTon,
    CommandStatus,
    DataCoding,
    DataCodingDefault,
    EsmClass,
    EsmClassGsmFeatures,
    EsmClassMode,
    EsmClassType,
    PriorityFlag,
    RegisteredDelivery,
    RegisteredDeliveryReceipt,
    ReplaceIfPresentFlag,
)

from tests.waiting import END_S

_BINDS = {
    BindTransceiver: BindTransceiverResp,
    BindTransmitter: BindTransmitterResp,
    BindReceiver: BindReceiverResp,
}


@dataclass(frozen=True)
class Arrived:
    """One message that reached the SMSC."""

    recipient: str
    sender: str
    text: str
    at_s: float  # time.monotonic()


def send(connection: socket.socket, pdu: Any) -> None:
    """Write one PDU."""
    connection.sendall(PDUEncoder().encode(pdu))


def receive(stream: Any) -> Any:
    """Read one PDU; None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    body = stream.read(struct.unpack("!I", head)[0] - 4)
    return PDUEncoder().decode(io.BytesIO(head + body))


class Smsc(socketserver.ThreadingTCPServer):
    """Accepts every bind and every message."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Session)
        self.arrived: list[Arrived] = []
        self.port: int = self.server_address[1]

    def handle_error(self, *_: object) -> None:
        """End a session that cannot be read, and say nothing."""

    def reached(self, recipient: str) -> list[Arrived]:
        """Messages to one recipient, in order of arrival."""
        return [each for each in self.arrived if each.recipient == recipient]


class _Session(socketserver.StreamRequestHandler):
    server: Smsc

    def handle(self) -> None:
        ids = itertools.count(1)
        while (pdu := receive(self.rfile)) is not None:
            if isinstance(pdu, SubmitSM):
                self.server.arrived.append(
                    Arrived(
                        recipient=pdu.params["destination_addr"].decode(),
                        sender=pdu.params["source_addr"].decode(),
                        text=pdu.params["short_message"].decode("utf-16-be", "replace"),
                        at_s=time.monotonic(),
                    )
                )
                send(self.request, SubmitSMResp(pdu.seqNum, message_id=str(next(ids))))
            elif isinstance(pdu, EnquireLink):
                send(self.request, EnquireLinkResp(pdu.seqNum))
            elif isinstance(pdu, Unbind):
                send(self.request, UnbindResp(pdu.seqNum))
                return
            elif type(pdu) in _BINDS:
                send(self.request, _BINDS[type(pdu)](pdu.seqNum, system_id="smsc"))


@contextmanager
def smsc() -> Iterator[Smsc]:
    """Run an SMSC."""
    with Smsc() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Client:
    """One bound session; submits a message at a time and says how the gateway answered."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=END_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self._numbers = itertools.count(1)
        bind = BindTransceiver(
            next(self._numbers),
            system_id=user,
            password=password,
            system_type="",
            interface_version=0x34,
            addr_ton=AddrTon.UNKNOWN,
            addr_npi=AddrNpi.UNKNOWN,
            address_range="",
        )
        self._ask(bind)

    def submit(self, recipient: str, sender: str, text: str) -> CommandStatus:
        """Submit one message in UCS2, and return the status of the answer."""
        answer = self._ask(submit_sm(next(self._numbers), recipient, sender, text))
        status: CommandStatus = answer.status
        return status

    def submit_part(
        self, recipient: str, sender: str, text: str, part: int, parts: int, reference: int = 0x77
    ) -> CommandStatus:
        """Submit one part of a long message, with a header that says which."""
        pdu = submit_sm(next(self._numbers), recipient, sender, text)
        pdu.params["esm_class"] = pdu.params["esm_class"]._replace(
            gsmFeatures={EsmClassGsmFeatures.UDHI_INDICATOR_SET}
        )
        header = bytes([5, 0, 3, reference, parts, part])
        pdu.params["short_message"] = header + pdu.params["short_message"]
        status: CommandStatus = self._ask(pdu).status
        return status

    def wait(self, seconds: float) -> None:
        """Send nothing for so long but signs of life: a gateway hangs up on the silent."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 10.0))
            self._ask(EnquireLink(next(self._numbers)))

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()

    def _ask(self, pdu: Any) -> Any:
        send(self._socket, pdu)
        while True:
            answer = receive(self._stream)
            assert answer is not None, "the gateway hung up"
            if isinstance(answer, EnquireLink):
                send(self._socket, EnquireLinkResp(answer.seqNum))
            elif answer.seqNum == pdu.seqNum:
                return answer


def submit_sm(number: int, recipient: str, sender: str, text: str) -> SubmitSM:
    """The PDU of one message in UCS2."""
    return SubmitSM(
        number,
        service_type="",
        source_addr_ton=AddrTon.UNKNOWN,
        source_addr_npi=AddrNpi.UNKNOWN,
        source_addr=sender,
        dest_addr_ton=AddrTon.INTERNATIONAL,
        dest_addr_npi=AddrNpi.ISDN,
        destination_addr=recipient,
        esm_class=EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT),
        protocol_id=0,
        priority_flag=PriorityFlag.LEVEL_0,
        registered_delivery=RegisteredDelivery(
            RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED
        ),
        replace_if_present_flag=ReplaceIfPresentFlag.DO_NOT_REPLACE,
        data_coding=DataCoding(schemeData=DataCodingDefault.UCS2),
        sm_default_msg_id=0,
        short_message=text.encode("utf-16-be"),
    )
