"""The requests of one connection: what the parser finds in them, and what is refused at once."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from streams.gateways.gate.http_requests import HEAD_BYTES_MAX, Limits, Requests

OFFER = b"POST /a HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nhi"
EXPECTS = b"POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nyes"
OLD = b"GET /c?x=1 HTTP/1.0\r\nAuthorization: Bearer t\r\n\r\n"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\n\r\n"


class Collected:
    """Answers nothing, and keeps what it is given."""

    def __init__(self, token: bytes = b"") -> None:
        self.closing = False
        self.found: list[tuple[object, ...]] = []
        self.requests = Requests(Limits(1, 10, token, b"failed"), self)

    def take_request(self, method: bytes, *, keep: bool, old: bool) -> None:
        url, body, known = self.requests.url, self.requests.body, self.requests.authorised
        self.found.append((method, url, body, known, keep, old))
        self.closing = not keep

    def take_expectation(self) -> None:
        self.found.append(("continue",))

    def refuse(self, status: HTTPStatus) -> None:
        self.closing = True
        self.found.append((status,))


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_requests_are_found_whatever_the_size_of_the_pieces(size: int) -> None:
    made, octets = Collected(b"t"), OFFER + EXPECTS + OLD
    for at in range(0, len(octets), size):
        made.requests.feed(octets[at : at + size])
    assert made.found == [
        (b"POST", b"/a", b"hi", False, True, False),
        ("continue",),
        (b"POST", b"/b", b"yes", False, True, False),
        (b"GET", b"/c?x=1", b"", True, False, True),
    ]
    assert not made.requests.began


def test_a_request_for_another_protocol_ends_the_connection() -> None:
    made = Collected()
    made.requests.feed(CONNECT)
    assert made.found == [(b"CONNECT", b"a:1", b"", True, False, False)]


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"POST /" + b"a" * HEAD_BYTES_MAX, HTTPStatus.REQUEST_URI_TOO_LONG),
        (
            b"POST / HTTP/1.1\r\nA: " + b"a" * (HEAD_BYTES_MAX + 200),
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n" + b"a" * 11,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        ),
    ],
)
def test_a_request_that_is_too_large_is_refused_once(octets: bytes, status: HTTPStatus) -> None:
    made = Collected()
    for at in range(0, len(octets), 100):
        made.requests.feed(octets[at : at + 100])
    assert made.found[0] == (status,)
    assert [each for each in made.found if each == (status,)] == [(status,)]
