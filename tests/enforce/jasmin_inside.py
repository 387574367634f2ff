"""Runs in Jasmin's own interpreter: the interceptor on messages of every kind, counted and timed.

`jasmin_inside.py fuzz N SEED` feeds N hostile submissions, `time N PAUSE_MS` N plain ones,
`vectors` asks what others are tested with, `lookups N` has a silent name server, `full` fills
Redis, `octets` and `parts` say a code in other alphabets and in two parts, `drip` has Redis answer
in pieces; all print JSON. OTPGUARD_REDIS_URL names the Redis.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from jasmin.routing.jasminApi import Group, User
from jasmin.routing.Routables import RoutableSubmitSm
from otpguard_jasmin import Interceptor, from_environment, read
from smpp.pdu.operations import SubmitSM
from smpp.pdu.pdu_types import (
    DataCoding,
    DataCodingDefault,
    DataCodingGsmMsg,
    DataCodingGsmMsgClass,
    DataCodingGsmMsgCoding,
    DataCodingScheme,
    EsmClass,
    EsmClassGsmFeatures,
    EsmClassMode,
    EsmClassType,
)

PATIENCE_S = 60.0  # for what must come; within that of who waits for this program
USER = User("esme", Group("all"), "esme", "secret")
TEXT = "【淘宝】验证码123456，5分钟内有效，请勿泄露给他人"


def routable(**params: Any) -> RoutableSubmitSm:
    """A submission as Jasmin hands it to a script."""
    return RoutableSubmitSm(SubmitSM(**params), USER)


def plain(recipient: str, text: str = TEXT) -> RoutableSubmitSm:
    """A message in UCS2, as from SMPP."""
    return routable(
        source_addr=b"10690000123",
        destination_addr=recipient.encode(),
        short_message=text.encode("utf-16-be"),
        data_coding=DataCoding(schemeData=DataCodingDefault.UCS2),
        esm_class=EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT),
    )


def ready() -> Interceptor:
    """The interceptor that the environment describes; one that is patient has its Redis."""
    made = from_environment()
    if "OTPGUARD_REDIS_ANSWER_S" in os.environ:
        made.connect(PATIENCE_S)
    return made


def hostile(chance: random.Random) -> Any:
    """A submission that no sane client sends, or one cut off from all sense."""
    texts = [
        b"",
        bytes([255]),
        bytes(chance.randrange(256) for _ in range(chance.randrange(255))),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-be")[:-1],
        b"\x05\x00\x03\x07\x02\x01" + TEXT.encode("utf-16-be"),
        b"\x06\x08\x04\x00\x07\x02\x02" + b"rest",
        b"\x05\x00\x03\x07\x00\x00",
        "Your code is 123456".encode("ascii"),
        None,
        TEXT,
        b"\xd8\x00\xdc",
    ]
    codings = [
        0, 3, 8, 255, -1, 10**9, None, "8",
        DataCoding(schemeData=DataCodingDefault.UCS2),
        DataCoding(schemeData=DataCodingDefault.OCTET_UNSPECIFIED),
        DataCoding(DataCodingScheme.RAW, 0xFE),
        DataCoding(
            DataCodingScheme.GSM_MESSAGE_CLASS,
            DataCodingGsmMsg(
                DataCodingGsmMsgCoding.DEFAULT_ALPHABET, DataCodingGsmMsgClass.CLASS_1
            ),
        ),
    ]  # fmt: skip
    classes = [
        None, 0, 0x40, 0xC3, object(),
        EsmClass(EsmClassMode.DEFAULT, EsmClassType.DEFAULT),
        EsmClass(
            EsmClassMode.DEFAULT,
            EsmClassType.DEFAULT,
            [EsmClassGsmFeatures.UDHI_INDICATOR_SET],
        ),
    ]  # fmt: skip
    addresses = [b"8613900000001", b"+8613900000001", b"", b"\xff\xfe", None, "13900000001", 7,
                 b"9" * 40, b"h1:00ffee0011223344", b"a\x00b", b"*"]  # fmt: skip
    made = routable(
        source_addr=chance.choice([*addresses, b"95588", "淘宝".encode(), b"Taobao"]),
        destination_addr=chance.choice(addresses),
        short_message=chance.choice(texts),
        data_coding=chance.choice(codings),
        esm_class=chance.choice(classes),
    )
    if chance.random() < 0.2:
        made.pdu.params["sar_total_segments"] = chance.choice([0, 1, 3, 255, None, "x"])
        made.pdu.params["sar_segment_seqnum"] = chance.choice([0, 1, 2, 256, None])
        made.pdu.params["sar_msg_ref_num"] = chance.choice([0, 65_535, None])
    if chance.random() < 0.2:
        made.pdu.params["message_payload"] = chance.choice(texts)
    if chance.random() < 0.2:
        made.pdu.nextPdu = getattr(hostile(chance), "pdu", made.pdu)  # or a ring
    match chance.randrange(40):
        case 0:
            made.pdu.params.clear()
        case 1:
            del made.pdu.params
        case 2:
            return chance.choice([None, object(), 7])
    return made


def fuzz(count: int, seed: int) -> dict[str, Any]:
    """Whether anything was raised, what was refused, how many could be read at all."""
    chance = random.Random(seed)
    refuses = ready().refuses
    raised, refused, readable = [], 0, 0
    for _ in range(count):
        submission = hostile(chance)
        try:
            read(submission)
            readable += 1
        except Exception:  # noqa: BLE001 - counted by what is missing
            pass
        try:
            refused += refuses(submission)
        except BaseException as error:  # noqa: BLE001 - that is the question
            raised.append(repr(error))
    return {"raised": raised[:5], "refused": refused, "readable": readable}


def timed(count: int, pause_ms: int) -> dict[str, Any]:
    """Milliseconds of each call, and of a bare question to the same Redis beside it.

    The first call is left out: it connects. A question to a Redis that is away is not asked; pauses
    make the calls last longer than a cool-down, so that some of them try Redis again.
    """
    interceptor = ready()
    bare = redis.Redis.from_url(os.environ["OTPGUARD_REDIS_URL"])
    submissions = [plain(f"86138{number:08}") for number in range(200)]
    up = not interceptor.refuses(submissions[0]) and not interceptor._away_until
    took, asked = [], []
    tried = 0  # calls that found no cool-down, and so asked Redis or knocked in vain
    for number in range(count):
        time.sleep(pause_ms / 1000)
        tried += interceptor._away_until <= time.monotonic()
        started = time.perf_counter()
        interceptor.refuses(submissions[number % 200])
        took.append((time.perf_counter() - started) * 1000)
        if up:
            started = time.perf_counter()
            bare.get("otpguard:adapter")
            asked.append((time.perf_counter() - started) * 1000)
    figures: dict[str, Any] = {"interceptor": quantiles(took), "tried": tried}
    return {**figures, "bare_get": quantiles(asked)} if up else figures


def quantiles(took: list[float]) -> dict[str, float]:
    """Milliseconds."""
    took.sort()
    count = len(took)
    return {
        "p50_ms": round(took[count // 2], 3),
        "p99_ms": round(took[count * 99 // 100], 3),
        "max_ms": round(took[-1], 3),
    }


def moved(window: dict[str, Any], now_ms: int, by_ms: int) -> dict[str, Any]:
    """A window at another time; what opens within a second is not to open before it is asked."""
    soon_ms = 60_000 if now_ms < window["from"] < now_ms + 1_000 else 0
    return {
        **window,
        "from": window["from"] + by_ms + soon_ms,
        "until": window["until"] + by_ms + soon_ms,
    }


def vectors() -> dict[str, Any]:
    """Whether the messages of `deploy/gateways/vectors.json` pass; leases moved to the present."""
    interceptor = ready()
    keys = redis.Redis.from_url(os.environ["OTPGUARD_REDIS_URL"])
    found = json.loads(Path("deploy/gateways/vectors.json").read_text("utf-8"))
    answers = {}
    for number, vector in enumerate(found["messages"]):
        recipient = f"86139000{number:05}"
        if vector["lease"] is not None:
            lasts_ms = vector["lease"]["until"] - vector["now_ms"]
            moved_ms = round(time.time() * 1000) - vector["now_ms"]
            lease = {**vector["lease"], "until": vector["lease"]["until"] + moved_ms}
            if "again" in lease:
                lease["again"] = [
                    moved(each, vector["now_ms"], moved_ms) for each in lease["again"]
                ]
            if 0 < lasts_ms < 1_000:
                lease["until"] += 60_000  # the last millisecond of a lease is gone too soon here
            keys.set(f"otpguard:throttle:{recipient}", json.dumps(lease))
        submission = plain(recipient, vector["text"])
        submission.pdu.params["source_addr"] = vector["sender"].encode()
        answers[vector["name"]] = not interceptor.refuses(submission)
    return answers


def lookups(count: int) -> dict[str, Any]:
    """So many submissions while a name server is silent, and then until a lease is seen.

    `early`: one was refused meanwhile; `waited`: a look-up was given up before all were answered,
    so they waited for it; `refused`: the lease of 8613900000001 is seen in the end.
    """
    asked = socket.getaddrinfo
    answers = threading.Event()
    waited = False

    def slow(*arguments: Any, **more: Any) -> Any:
        nonlocal waited
        if not answers.is_set():
            waited |= not answers.wait(PATIENCE_S)
            raise socket.gaierror("no answer")
        return asked("127.0.0.1", *arguments[1:], **more)

    socket.getaddrinfo = slow
    os.environ["OTPGUARD_REDIS_URL"] = os.environ["OTPGUARD_REDIS_URL"].replace(
        "127.0.0.1", "redis.internal"
    )
    interceptor = from_environment()
    early = False
    for _ in range(count):
        early |= interceptor.refuses(plain("8613900000001"))
        time.sleep(0.01)
    answers.set()
    end = time.monotonic() + PATIENCE_S
    while not (refused := interceptor.refuses(plain("8613900000001"))) and time.monotonic() < end:
        time.sleep(0.01)
    return {"early": early, "waited": waited, "refused": refused}


def full() -> dict[str, Any]:
    """Answers in a full Redis: for 8613900000002 and, under lease, 8613900000001, in turn."""
    interceptor = ready()
    keys = redis.Redis.from_url(os.environ["OTPGUARD_REDIS_URL"])
    interceptor.refuses(plain("8613900000002"))
    keys.config_set("maxmemory", "1")
    answers = []
    for _ in range(5):
        answers.append(interceptor.refuses(plain("8613900000002")))
        answers.append(interceptor.refuses(plain("8613900000001")))
    keys.config_set("maxmemory", "0")
    return {"answers": answers}


def octets() -> dict[str, Any]:
    """Codes under the lease of 8613900000001, in octets that the default alphabet does not have.

    Of each whether it is refused, and how many reports it made.
    """
    interceptor = ready()
    keys = redis.Redis.from_url(os.environ["OTPGUARD_REDIS_URL"])
    french = "Votre code de vérification est 123456, ne le partagez pas"
    found = {}
    for name, body in {
        "plain": b"Your verification code is 123456, do not share it",
        "latin-1": french.encode("latin-1"),
        "utf-8": TEXT.encode(),
        "gb18030": TEXT.encode("gb18030"),
        "behind an escape": b"Your verification code is 123456\x1b\xff",
        "nothing else": bytes(range(128, 256)),
    }.items():
        submission = plain("8613900000001")
        submission.pdu.params["short_message"] = body
        submission.pdu.params["data_coding"] = DataCoding(
            schemeData=DataCodingDefault.SMSC_DEFAULT_ALPHABET
        )
        before = keys.xlen("otpguard:submissions")
        refused = interceptor.refuses(submission)
        found[name] = [refused, keys.xlen("otpguard:submissions") - before]
    return found


def parts(late: int = 0) -> dict[str, Any]:
    """Whether each part of a code is refused whose words stand in the second, by its platform.

    The second comes twice; the first before the lease, where `late` is said.
    """
    interceptor = ready()
    keys = redis.Redis.from_url(os.environ["OTPGUARD_REDIS_URL"])
    lease, aside = "otpguard:throttle:8613900000001", "aside"
    found = {}
    for reference, name in enumerate(("招商银行", "从未见过"), 1):
        head = f"【{name}】尊敬的客户，您正在办理业务，如非本人操作请立即致电，"
        tail = "请勿向任何人泄露。您的验证码是583921，5分钟内有效"
        refused = []
        for number, text in ((1, head), (2, tail), (2, tail)):
            if late and number == 1:
                keys.rename(lease, aside)
            submission = plain("8613900000001", text)
            submission.pdu.params["source_addr"] = b"10690095555"
            submission.pdu.params["sar_msg_ref_num"] = reference
            submission.pdu.params["sar_total_segments"] = 2
            submission.pdu.params["sar_segment_seqnum"] = number
            refused.append(interceptor.refuses(submission))
            if late and number == 1:
                keys.rename(aside, lease)
        found[name] = refused
    return found


def drip() -> dict[str, Any]:
    """How many of 20 submissions ask a Redis that takes longer than it may, and never pauses."""
    interceptor = ready()
    asked = interceptor._look
    number = 0

    def look(**arguments: Any) -> Any:
        nonlocal number
        number += 1
        time.sleep(interceptor._answer_s + 0.1)  # in pieces, each of which comes in time
        return asked(**arguments)

    interceptor._look = look
    first, *others = [interceptor.refuses(plain("8613900000001")) for _ in range(20)]
    return {"first": first, "others": sum(others), "asked": number}


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    tasks: dict[str, Callable[..., object]] = {
        "fuzz": fuzz,
        "time": timed,
        "vectors": vectors,
        "lookups": lookups,
        "full": full,
        "octets": octets,
        "parts": parts,
        "drip": drip,
    }
    print(json.dumps(tasks[what](*map(int, numbers))))
