"""Builders that test_call_pages.py shares with other tests."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from tests.enforce.records import RECIPIENT
from tests.streams.people.desk.world import World, send


def asked(path: str) -> dict[str, str]:
    """The fields by which a form names its case."""
    parts = urlsplit(path)
    return {
        "episode": unquote(parts.path.removeprefix("/case/")),
        "k": parse_qs(parts.query).get("k", [""])[0],
    }


def found(world: World, client: object, number: str = RECIPIENT) -> str:
    answer = send(client, "/search", at="/", number=number)  # type: ignore[arg-type]
    assert answer.status_code == 303, answer.text
    path: str = answer.headers["location"]
    return path
