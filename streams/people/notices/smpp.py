"""Notices over SMPP 3.4: one session bound as a transmitter, and one message in flight at a time.

With one message in flight, a failure concerns exactly one known message. The client sends only when
it is asked to: no library retries on its own.
"""

import logging
import select
import socket
import time
import warnings
from contextlib import suppress
from typing import Any, Final

from smpplib import consts, exceptions, smpp
from smpplib.client import Client

from streams.common.tls import authorities
from streams.config.sections.notices import Smpp
from streams.people.notices.channels import UCS2, Channel, Delivered, Delivery, SmsNotice

log = logging.getLogger(__name__)

ALIVE_S: Final = 20.0
"""With nothing to send, the session sends `enquire_link` at this interval.

Most SMSCs close a connection after 30 s of silence.
"""
_TAKEN_LATER: Final = frozenset(
    {
        consts.SMPP_ESME_RTHROTTLED,
        consts.SMPP_ESME_RMSGQFUL,
    }
)
"""Statuses that mean: not accepted now, try again later."""
_ERRORS: Final = (exceptions.ConnectionError, exceptions.PDUError, OSError, ValueError)

# At DEBUG the library logs every PDU in hex, with number and text.
_library = logging.getLogger(f"{__name__}.session")
_library.setLevel(logging.ERROR)


class _Session(Client):
    """Client that also supports IPv6 and checks the host name of a certificate.

    The library's client does neither.
    """

    def _create_socket(self) -> socket.socket:
        family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(self.timeout)
        if self._ssl_context is None:
            return made
        return self._ssl_context.wrap_socket(made, server_hostname=self.host)


class SmppChannel(Channel):
    """An SMPP session. It is bound when the first message is sent, and then stays open."""

    name = "smpp"

    def __init__(self, place: Smpp, answer_s: float) -> None:
        """`answer_s`: longest wait for a response. Raise ConfigError for an unusable CA file."""
        self._place = place
        self._answer_s = answer_s
        self._context = authorities("smpp.ca_file", place.ca_file) if place.tls else None
        self._client: Client | None = None
        self._used_at = 0.0  # monotonic

    def send(self, message: SmsNotice) -> Delivery:
        try:
            client = self._bind()
        except _ERRORS as error:
            self._drop()
            log.warning("the SMSC does not let us in: %s", type(error).__name__)
            return Delivery(Delivered.AWAY, _why(error))
        pdu = self._pdu(client, message)
        try:
            client.send_pdu(pdu)
            answer = self._answer(client, pdu.sequence)
        except _ERRORS as error:
            self._drop()
            return Delivery(Delivered.UNKNOWN, _why(error))
        self._used_at = time.monotonic()
        status = int(answer.status)
        if answer.command == "generic_nack" or status:
            state = Delivered.AWAY if status in _TAKEN_LATER else Delivered.REFUSED
            return Delivery(state, f"smpp_{status:#x}")
        return Delivery(Delivered.SENT)

    def rest(self) -> None:
        """Answer the SMSC's requests and send `enquire_link`. Drop a broken session."""
        client = self._client
        if client is None:
            return
        try:
            while select.select([client._socket], [], [], 0)[0]:  # noqa: SLF001 - no public access
                self._handle_request(client, client.read_pdu())
            if time.monotonic() - self._used_at > ALIVE_S:
                client.send_pdu(smpp.make_pdu("enquire_link", client=client))
                self._used_at = time.monotonic()
        except _ERRORS as error:
            log.info("the session has ended: %s", type(error).__name__)
            self._drop()

    def close(self) -> None:
        """Unbind if the connection still works, and close the session."""
        if self._client is not None:
            with suppress(*_ERRORS):
                self._client.send_pdu(smpp.make_pdu("unbind", client=self._client))
        self._drop()

    def _bind(self) -> Client:
        self.rest()  # detects a closed connection before a message is sent on it
        if self._client is None:
            place = self._place
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self._client = _Session(
                    place.host,
                    place.port,
                    timeout=self._answer_s,
                    ssl_context=self._context,
                    logger_name=_library.name,
                    allow_unknown_opt_params=True,
                )
            self._client.connect()
            self._client.bind_transmitter(
                system_id=place.system_id,
                password=place.password.get_secret_value(),
                system_type=place.system_type,
            )
            self._used_at = time.monotonic()
        return self._client

    def _pdu(self, client: Client, message: SmsNotice) -> Any:
        fields: dict[str, Any] = {
            "source_addr_ton": self._place.source_ton,
            "source_addr_npi": self._place.source_npi,
            "source_addr": message.sender,
            "dest_addr_ton": consts.SMPP_TON_INTL,
            "dest_addr_npi": consts.SMPP_NPI_ISDN,
            "destination_addr": message.recipient,
            "data_coding": 0 if message.plain else UCS2,
            "short_message": message.text.encode("ascii" if message.plain else "utf-16-be"),
        }
        if self._place.validity_s:
            fields["validity_period"] = validity(self._place.validity_s)
        return smpp.make_pdu("submit_sm", client=client, **fields)

    def _answer(self, client: Client, sequence: int) -> Any:
        """Read until the response to this PDU. Raise OSError if it does not arrive in time."""
        end = time.monotonic() + self._answer_s
        while time.monotonic() < end:
            pdu = client.read_pdu()
            if pdu.command in ("submit_sm_resp", "generic_nack") and pdu.sequence == sequence:
                return pdu
            self._handle_request(client, pdu)
        raise TimeoutError

    def _handle_request(self, client: Client, pdu: Any) -> None:
        """Handle a request of the SMSC. Raise ConnectionError if the SMSC unbinds."""
        if pdu.command == "enquire_link":
            answer = smpp.make_pdu("enquire_link_resp", client=client)
            answer.sequence = pdu.sequence
            client.send_pdu(answer)
        elif pdu.command == "unbind":
            raise exceptions.ConnectionError

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.state = consts.SMPP_CLIENT_STATE_OPEN  # otherwise the library logs a warning
            with suppress(*_ERRORS):
                client.disconnect()


def validity(seconds: int) -> str:
    """Format a duration as an SMPP relative time.

    >>> validity(3600)
    '000000010000000R'
    """
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    return f"0000{days:02}{h:02}{m:02}{s:02}000R"


def _why(error: Exception) -> str:
    """Return a short code for a failure. The library's message may contain the sent data."""
    if isinstance(error, exceptions.PDUError) and len(error.args) > 1:
        return f"smpp_{int(error.args[1]):#x}"
    return "timeout" if isinstance(error, TimeoutError) else "no_connection"
