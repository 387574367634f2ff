"""Numbers that behave like a bank's: proposed, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from streams.config import Settings
from streams.tools.calibrate.senders import RECIPIENTS_LEAST, BankLike
from streams.tools.scenarios import DEFAULT_START_MS
from tests.builders.streams.tools.calibrate.survey import DAY_MS, SETTINGS, surveyed

PEOPLE = 60
TEXTS = ("您尾号{n}的卡支出{n}.00元", "验证码48{n}，请勿泄露", "您的账户收入{n}.50元")


def bank(sender: str = "96123", name: str = "示例银行", **more: Any) -> list[dict[str, object]]:
    """Notices and codes on three days, to the same people."""
    days, people = more.get("days", 3), more.get("people", PEOPLE)
    texts = more.get("texts", TEXTS)
    names = more.get("names", [name])
    return [
        {
            "schema_version": 1, "recipient": f"86139{person:08d}", "sender": sender,
            "event_time_ms": DEFAULT_START_MS + day * DAY_MS + person * 1000,
            "message_id": f"{sender}-{day}-{person}", "event_type": "submit",
            "text": f"【{names[person % len(names)]}】"
            + texts[day % len(texts)].format(n=1000 + person),
        }
        for day in range(days)
        for person in range(people)
    ]  # fmt: skip


def found(values: list[dict[str, object]], settings: Settings = SETTINGS) -> list[BankLike]:
    return list(surveyed(values, settings).numbers.bank_like())


def test_an_unlisted_number_that_behaves_like_a_bank_s_is_proposed() -> None:
    (number,) = found(bank())
    assert (number.sender, number.name, number.recipients) == ("96123", "示例银行", PEOPLE)
    assert number.again == 1
    assert number.money == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "values",
    [
        bank("95588"),  # listed
        bank("13912345678"),  # a person's
        bank("MyBank"),  # anybody can write letters
        bank(days=1),
        bank(people=RECIPIENTS_LEAST - 1),
        bank(texts=("验证码48{n}，请勿泄露",)),
        bank("106900001234", names=["示例银行", "某校", "某店"]),  # several customers rent it
    ],
    ids=["listed", "person", "letters", "one day", "few people", "no money", "rented by several"],
)
def test_whoever_does_not_behave_so_is_not(values: list[dict[str, object]]) -> None:
    assert found(values) == []


def test_a_number_that_was_added_to_the_registry_is_not_proposed_again(tmp_path: Any) -> None:
    path = tmp_path / "registry.toml"
    path.write_text('[bank]\n"示例银行" = {ports = ["96123"]}\n', "utf-8")
    assert found(bank(), Settings(recognise={"registry_file": path})) == []
