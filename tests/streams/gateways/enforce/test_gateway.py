"""The protocol that every adapter keeps; `test_contract` runs its promises against each of them."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import streams.gateways.enforce
from streams.gateways.enforce.gateway import Gateway, GatewayAwayError
from streams.gateways.enforce.kannel import KannelGateway
from streams.gateways.enforce.log import LogGateway
from streams.gateways.enforce.redis import RedisGateway
from streams.gateways.enforce.webhook import WebhookGateway

ADAPTERS = (KannelGateway, LogGateway, RedisGateway, WebhookGateway)
METHODS = [name for name, _ in inspect.getmembers(Gateway, inspect.isfunction)]


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("name", METHODS)
def test_an_adapter_takes_what_the_protocol_says(adapter: type, name: str) -> None:
    wanted = inspect.signature(getattr(Gateway, name)).parameters
    taken = inspect.signature(getattr(adapter, name)).parameters
    assert list(taken)[: len(wanted)] == list(wanted)
    assert all(p.default is not p.empty for p in list(taken.values())[len(wanted) :])


def test_every_adapter_of_the_package_is_among_them() -> None:
    """One that is added without a place in the suites would be noticed here."""
    folder = Path(next(iter(streams.gateways.enforce.__path__)))
    named = {
        node.name
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Gateway")
    }
    assert named - {"Gateway"} == {adapter.__name__ for adapter in ADAPTERS}


def test_a_gateway_that_is_away_says_why_in_a_word() -> None:
    assert str(GatewayAwayError("http_503")) == "http_503"
