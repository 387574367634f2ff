"""How long decoding takes: `pytest -m bench --benchmark-enable tests/streams`."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import numpy as np
import pytest

from streams import wire
from streams.wire import Intake, Numbers

RECORDS = 20_000


def records(form: str, *, escaped: bool) -> tuple[list[bytes], list[bytes]]:
    """Values of 350 bytes with Chinese texts, and their keys."""
    rng = random.Random(1)
    values, keys = [], []
    for n in range(RECORDS):
        digits = f"861700{rng.randrange(10**7):07d}"
        event = {
            "schema_version": 1,
            "recipient": form.format(digits),
            "sender": f"1069{rng.randrange(10**8):08d}",
            "event_time_ms": 1_772_422_380_000 + n,
            "message_id": f"gw1-{n:012d}",
            "event_type": "submit",
            "text": f"【示例商城】您的验证码是{rng.randrange(10**6):06d}，"
            "5分钟内有效，请勿泄露给他人。"
            "如非本人操作请忽略本短信。",
            "gateway_id": "gw1",
            "segment": 1,
            "segments": 1,
            "attempt": 1,
        }
        values.append(json.dumps(event, ensure_ascii=escaped, separators=(",", ":")).encode())
        keys.append(digits.encode())
    return values, keys


@pytest.mark.bench
@pytest.mark.parametrize("form", ["{}", "+{}", "hk1:{}00112233445566"])
@pytest.mark.parametrize("escaped", [False, True], ids=["by layout", "one by one"])
def test_decoding_a_poll(benchmark: Any, form: str, escaped: bool) -> None:
    values, keys = records(form, escaped=escaped)
    intake = Intake(Numbers("CN"))
    offsets, stamps = np.arange(RECORDS), np.full(RECORDS, 1_772_422_480_000)

    def run() -> None:
        wire.decode(intake, "in", 0, values, keys, offsets, stamps, RECORDS)

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    began = time.process_time()
    run()
    benchmark.extra_info["bytes_per_record"] = sum(map(len, values)) / RECORDS
    benchmark.extra_info["cpu_us_per_record"] = (time.process_time() - began) / RECORDS * 1e6
