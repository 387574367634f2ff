"""`otpguard shadow-report`: spans and brokers that cannot be; sums are in `operate/test_shadow`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detectors.model.event import Trust
from detectors.recognise.decide import recognise
from streams.cases.rulings import LogMessage
from streams.cli import shadow_report as command
from streams.common.errors import Exit, UnavailableError, UsageError
from streams.config import Settings
from tests.enforce.records import RECIPIENT, START_MS, action
from tests.streams.cli.called import NOWHERE, called, refused, settings_file


def test_a_span_that_is_none_is_refused_before_a_broker_is_asked(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    refused(UsageError, "soon", "shadow-report", "--since", "soon", "--config", config)


def test_a_broker_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    refused(UnavailableError, NOWHERE, "shadow-report", "--config", settings_file(tmp_path))


def record(offset: int, value: dict[str, object], key: str = RECIPIENT) -> Any:
    return SimpleNamespace(
        key=key.encode(), value=json.dumps(value).encode(), partition=0, offset=offset,
        timestamp=START_MS + offset,
    )  # fmt: skip


def event(recipient: str, at: int, text: str, sender: str = "106980095") -> dict[str, object]:
    return {"schema_version": 1, "recipient": recipient, "sender": sender, "text": text,
            "event_time_ms": START_MS + at, "message_id": f"m-{at}"}  # fmt: skip


def test_texts_are_recognised_in_batches_as_they_are_one_by_one() -> None:
    texts = [
        "【淘宝】验证码 583921，5分钟内有效",
        "明天下午三点老地方见",
        "【淘宝】验证码 583922，5分钟内有效",
        "Your Tandem code is 482913",
        "",
        "【工商银行】动态码：194872，切勿泄露！",
    ]
    records = [record(at, event(RECIPIENT, at, text)) for at, text in enumerate(texts)]
    records.append(record(9, event("8613900000009", 9, texts[0]), "8613900000009"))
    records.append(record(10, {"schema_version": 99}))  # a dead letter
    met = list(command._messages(Settings(), [RECIPIENT], [records]))
    registry, _ = Settings().registry()
    alone = [recognise(registry, text, sender="106980095") for text in texts]
    wanted = [
        (each.otp, each.platform, each.trust) if each.otp else (False, "", Trust.NONE)
        for each in alone
    ]
    assert [(each.otp, each.platform, each.trust) for each in met] == wanted


def test_ctrl_c_tells_what_is_known_so_far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lease = action(mode="shadow")

    def read(*_: object) -> Iterator[LogMessage]:
        yield LogMessage(RECIPIENT, START_MS + 9, 2, otp=True, platform="sig:a", trust=Trust.NONE)
        raise KeyboardInterrupt

    monkeypatch.setattr("streams.cluster.admin.client_arguments", lambda _: {})
    monkeypatch.setattr(command, "records_shown", lambda *_: [record(0, {})])
    monkeypatch.setattr("streams.wire.decode_action", lambda _: lease)
    monkeypatch.setattr(command, "_read", read)
    report = json.loads(
        called("shadow-report", "--json", "-c", settings_file(tmp_path), code=Exit.INTERRUPTED)
    )
    assert report["interrupted"] is True
    assert report["messages_refused"] == 1


def test_ctrl_c_while_leases_are_read_tells_the_leases_that_came(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def found(*_: object) -> Iterator[Any]:
        yield record(0, {})
        raise KeyboardInterrupt

    monkeypatch.setattr("streams.cluster.admin.client_arguments", lambda _: {})
    monkeypatch.setattr(command, "records_shown", found)
    monkeypatch.setattr("streams.wire.decode_action", lambda _: action(mode="shadow"))
    report = json.loads(
        called("shadow-report", "--json", "-c", settings_file(tmp_path), code=Exit.INTERRUPTED)
    )
    assert (report["interrupted"], report["leases"]) == (True, 1)


@pytest.mark.parametrize(
    ("counted_type", "counted"),
    [("submit", ["plain", "typed"]), ("deliver", ["delivered"])],
)
def test_only_what_a_worker_counts_meets_leases(counted_type: str, counted: list[str]) -> None:
    shapes: dict[str, dict[str, object]] = {
        "plain": {},
        "typed": {"event_type": "submit", "segment": 1, "attempt": 1, "direction": "mt"},
        "delivered": {"event_type": "deliver"},
        "second part": {"segment": 2},
        "second attempt": {"attempt": 2, "event_type": counted_type},
        "from a phone": {"direction": "mo", "event_type": counted_type},
        "new owner": {"event_type": "recycled"},
    }
    names = list(shapes)

    records = []
    for at, shape in enumerate(shapes.values()):
        value = {
            "schema_version": 1, "recipient": RECIPIENT, "sender": "1069",
            "event_time_ms": START_MS + at, "message_id": "m", **shape,
        }  # fmt: skip
        records.append(record(at, value))
    settings = Settings(input={"counted_type": counted_type})
    met = command._messages(settings, [RECIPIENT], [records[:2], [], records[2:]])
    assert [names[each.at_ms - START_MS] for each in met] == counted
