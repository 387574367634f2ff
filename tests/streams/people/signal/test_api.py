"""The interface: answers and errors in CAMARA's shapes, by the file that describes it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import pytest
import urllib3
import yaml
from jsonschema import validate
from openapi_spec_validator import validate as validate_openapi

from detectors.model.event import Trust
from detectors.model.records import Level
from streams.cases.store.answers import Freshness
from streams.people.signal import api as interface
from streams.people.signal.api import PATH, STATUS
from streams.people.signal.clients import CHECK
from tests.enforce.records import RECIPIENT, override
from tests.streams.cases.store.filled import FilledStore, fill, flood, opened
from tests.streams.people.signal.parts import FreshLookup, Memory, exhausted, served, signal, token

SPEC = yaml.safe_load(files("streams.people.signal").joinpath("openapi.yaml").read_text("utf-8"))
NUMBER = f"+{RECIPIENT}"
HOUR_MS = 3_600_000


class Bank:
    """Asks, and holds every answer to the description."""

    def __init__(self, store: FilledStore, **client: Any) -> None:
        self.store, self.memory = store, Memory()
        self.signal = signal(store, self.memory, **client)
        self.port = 0

    @contextmanager
    def open(self) -> Iterator[Self]:
        with served(self.signal) as self.port:
            yield self

    def send(
        self, path: str, headers: Mapping[str, str], body: Any = None, method: str = "POST"
    ) -> Any:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib3.PoolManager(retries=False) as pool:
            return pool.request(method, url, json=body, headers=headers)

    def ask(self, path: str, body: Any, *, status: int = 200, **headers: str) -> dict[str, Any]:
        given = {"Authorization": f"Bearer {token()}", **{k.replace("_", "-"): v
                 for k, v in headers.items()}}  # fmt: skip
        answer = self.send(f"{PATH}/{path}", given, body)
        assert answer.status == status, answer.data
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json()
        described = SPEC["paths"][f"/{path}"]["post"]["responses"][str(status)]
        if status != 200:
            described = SPEC["components"]["responses"]["Error"]
            assert (told["status"], STATUS[told["code"]]) == (status, status)
        name = described["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        schema = SPEC["components"]["schemas"][name]
        validate(told, _nullable(schema))
        return told

    def check(self, **more: Any) -> bool:
        return self.ask("check", {"phoneNumber": NUMBER, **more})["flooded"]


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's nullable as JSON Schema has it."""
    made = dict(schema)
    made["properties"] = {
        name: {**each, "type": [each["type"], "null"]} if each.get("nullable") else each
        for name, each in schema["properties"].items()
    }
    return made


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    store = opened(tmp_path)
    made = Bank(store)
    with made.open():
        yield made
    store.close()


def test_the_description_is_valid() -> None:
    validate_openapi(SPEC)
    codes = set(SPEC["components"]["schemas"]["ErrorInfo"]["properties"]["code"]["enum"])
    assert codes == set(STATUS)


def test_a_token_of_odd_types_is_answered_and_counted_as_any_bad_one(bank: Bank) -> None:
    headers = {"Authorization": "Bearer eyJhbGciOiJFUzI1NiIsImNyaXQiOjF9.e30.eA"}
    answer = bank.send(f"{PATH}/check", headers, {"phoneNumber": NUMBER})
    assert (answer.status, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    registry, labels = bank.signal.parts.metrics.registry, {"outcome": "unauthenticated"}
    assert registry.get_sample_value("otpguard_signal_answers_total", labels) == 1


def test_where_every_connection_is_taken_it_is_unavailable_and_audited(bank: Bank) -> None:
    with exhausted(bank.store):
        told = bank.ask("check", {"phoneNumber": NUMBER}, status=503)
    assert told["code"] == "UNAVAILABLE"
    (record,) = bank.memory.records
    assert (record.outcome, record.reason) == ("failed", "UNAVAILABLE")


def test_a_flood_is_told_from_its_first_lease_until_so_long_after_its_end(bank: Bank) -> None:
    assert bank.check() is False
    record, lease = flood(1)
    fill(bank.store, record, lease)
    assert bank.check() is True
    assert bank.check(maxAge=0) is True
    told = bank.ask("retrieve-date", {"phoneNumber": NUMBER})
    assert told["latestFlood"].endswith("Z")
    assert (told["ended"], told["monitoredPeriod"]) == (None, 180)
    ended = replace(record, change="ended", level=Level.CLEAR, revision=record.revision + 9,
                    at_ms=record.evidence.last_ms + 1_800_000)  # fmt: skip
    fill(bank.store, ended)
    assert bank.check(maxAge=0) is False
    assert bank.check(maxAge=1) is True
    bank.store.at_ms = record.evidence.last_ms + 2 * HOUR_MS
    assert bank.check(maxAge=1) is False
    assert bank.check() is True
    assert bank.ask("retrieve-date", {"phoneNumber": NUMBER})["ended"] is not None
    assert bank.ask("check", {"phoneNumber": "+8613900000555"}) == {"flooded": False}


@pytest.mark.parametrize("mode", ["shadow", "enforce"])
@pytest.mark.parametrize("words", [[], ["exempt"], ["release"]])
def test_a_flood_is_told_whatever_is_done_about_it(bank: Bank, mode: Any, words: list) -> None:
    """In shadow (which is how a number of short memory is judged, too), exempt, released."""
    fill(bank.store, *flood(1, mode=mode), *(override(word) for word in words))
    assert bank.check() is True


@pytest.mark.parametrize(
    "age", [Freshness(60_001, 0, 0), Freshness(0, 0, 5), Freshness(0, 0, None)],
)  # fmt: skip
def test_an_index_that_is_not_new_never_says_no(
    bank: Bank, age: Freshness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FreshLookup, "aged", age)
    for path in ("check", "retrieve-date", "own-codes"):
        body = {"phoneNumber": NUMBER}
        assert bank.ask(path, body, status=503)["code"] == "UNAVAILABLE"
    monkeypatch.setattr(FreshLookup, "aged", Freshness(0, 0, 0))
    monkeypatch.setattr(interface, "AGE_KEPT_S", 0)
    assert bank.check() is False


def test_a_trusted_bank_learns_of_its_own_codes_alone(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for trust, platforms, expected in (
        (Trust.BANK, ("sig:示例银行",), "PASSED"),
        (Trust.NONE, ("sig:示例支付",), "HELD"),
    ):
        own = Bank(store, trust=trust, platforms=platforms)
        with own.open():
            if expected == "PASSED":
                fill(store, *flood(1))
            told = own.ask("own-codes", {"phoneNumber": NUMBER})
        assert told == {"ownCodes": expected, "held": 0}
    other = Bank(store)
    with other.open():
        told = other.ask("own-codes", {"phoneNumber": NUMBER}, status=422)
    assert told["code"] == "SERVICE_NOT_APPLICABLE"
    store.close()


def test_the_correlator_is_echoed_or_refused(bank: Bank) -> None:
    headers = {"Authorization": f"Bearer {token()}", "x-correlator": "a-1/b"}
    answer = bank.send(f"{PATH}/check", headers, {"phoneNumber": NUMBER})
    assert answer.headers["x-correlator"] == "a-1/b"
    told = bank.ask("check", {"phoneNumber": NUMBER}, status=400, x_correlator="a b")
    assert told["code"] == "INVALID_ARGUMENT"
    assert bank.memory.records[0].ticket == "a-1/b"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "MISSING_IDENTIFIER"),
        ({"phoneNumber": "8613900000001"}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": 7}, 400, "INVALID_ARGUMENT"),
        ([], 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER, "x": "y" * 5_000}, 400, "INVALID_ARGUMENT"),
        ({"phoneNumber": NUMBER, "maxAge": -1}, 400, "OUT_OF_RANGE"),
        ({"phoneNumber": NUMBER, "maxAge": 2401}, 400, "OUT_OF_RANGE"),
        ({"phoneNumber": NUMBER, "maxAge": "1"}, 400, "INVALID_ARGUMENT"),
    ],
)
def test_a_question_of_another_form_is_refused(
    bank: Bank, body: Any, status: int, code: str
) -> None:
    assert bank.ask("check", body, status=status)["code"] == code


@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        ({"exp": 1}, 401, "UNAUTHENTICATED"),
        ({"scope": "openid"}, 403, "PERMISSION_DENIED"),
        ({"client_id": "stranger"}, 403, "PERMISSION_DENIED"),
        ({"phone_number": NUMBER}, 422, "UNNECESSARY_IDENTIFIER"),
    ],
)
def test_who_may_not_ask_is_refused(bank: Bank, claims: dict, status: int, code: str) -> None:
    authorization = f"Bearer {token(**claims)}"
    told = bank.ask("check", {"phoneNumber": NUMBER}, status=status, Authorization=authorization)
    assert told["code"] == code


def test_without_a_token_or_certificate_nobody_asks(bank: Bank) -> None:
    for given in ("", "Basic abc", "Bearer"):
        told = bank.ask("check", {"phoneNumber": NUMBER}, status=401, Authorization=given)
        assert told["code"] == "UNAUTHENTICATED"


def test_a_three_legged_token_names_the_number_itself(bank: Bank) -> None:
    fill(bank.store, *flood(1))
    authorization = f"Bearer {token(phone_number=NUMBER)}"
    assert bank.ask("check", {}, Authorization=authorization) == {"flooded": True}


def test_a_client_s_own_list_bounds_what_its_tokens_allow(tmp_path: Path) -> None:
    store = opened(tmp_path)
    bank = Bank(store, scopes=frozenset({CHECK}), number_per_hour=2, per_minute=5)
    with bank.open():
        told = bank.ask("retrieve-date", {"phoneNumber": NUMBER}, status=403)
        assert told["code"] == "PERMISSION_DENIED"
        assert [bank.check(), bank.check()] == [False, False]
        told = bank.ask("check", {"phoneNumber": NUMBER}, status=429)
        assert told["code"] == "QUOTA_EXCEEDED"
        for n in range(2):
            bank.ask("check", {"phoneNumber": f"+861390000010{n}"})
        told = bank.ask("check", {"phoneNumber": "+8613900000109"}, status=429)
        assert told["code"] == "TOO_MANY_REQUESTS"
    outcomes = [(each.verb, each.outcome, each.reason) for each in bank.memory.records]
    assert outcomes[0] == ("retrieve_date", "refused", "PERMISSION_DENIED")
    assert outcomes.count(("check", "done", "")) == 4
    store.close()


def test_every_answer_is_audited_first_and_without_audit_there_is_none(bank: Bank) -> None:
    fill(bank.store, *flood(1))
    bank.check()
    (record,) = bank.memory.records
    assert (record.actor, record.channel, record.auth) == ("bank-1", "api", "jwt")
    assert (record.subject, record.detail) == (RECIPIENT, "flooded")
    bank.memory.broken = True
    assert bank.ask("check", {"phoneNumber": NUMBER}, status=503)["code"] == "UNAVAILABLE"


def test_other_paths_and_methods_answer_in_the_same_form(bank: Bank) -> None:
    assert bank.send("/", {}, method="GET").json()["code"] == "NOT_FOUND"
    assert bank.send(f"{PATH}/check", {}, method="GET").json()["code"] == "METHOD_NOT_ALLOWED"


def test_no_answer_names_a_platform(bank: Bank) -> None:
    fill(bank.store, *flood(1))
    for path in ("check", "retrieve-date"):
        assert "sig:" not in str(bank.ask(path, {"phoneNumber": NUMBER}))


def test_all_of_the_first_questions_at_once_are_answered(bank: Bank) -> None:
    """Those that came while the index was asked for its age were told that it was stale."""

    def slow(self: FreshLookup) -> Freshness:
        time.sleep(0.2)
        return Freshness(0, 0, 0)

    with pytest.MonkeyPatch.context() as patched, ThreadPoolExecutor(8) as pool:
        patched.setattr(FreshLookup, "age", slow)
        assert not any(pool.map(lambda _: bank.check(), range(8)))
