"""Files that nobody described: understood as they are meant, or a question."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.cluster.admin import Cluster, client_arguments
from streams.cluster.read import records
from streams.common.errors import UsageError
from streams.config import Kafka
from tests.nodes import Broker
from tests.streams.cli.called import called, refused, settings_file

TEXT = "【淘宝】验证码 482913，5分钟内有效"
AT_MS = 1_772_422_380_000  # 2026-03-02 11:33:00 in Shanghai
NUMBERS = [f"+86139000000{n:02}" for n in range(12)]
DAYS = range(12)  # 2 to 13 March: the last alone shows which figure is the day


def events(**more: Any) -> list[dict[str, Any]]:
    return [
        {"recipient": NUMBERS[n], "sender": f"1069{n:04}", "event_time_ms": AT_MS + n * 86_400_000,
         "text": TEXT, **{name: made(n) for name, made in more.items()}}
        for n in DAYS
    ]  # fmt: skip


def rows(head: str, row: str, mark: str = ",", **more: Any) -> str:
    """A file of these events, each by a form of its row."""
    written = [row.format(n=n, at_s=AT_MS // 1000 + n * 86_400, at_ms=AT_MS + n * 86_400_000,
                          to=NUMBERS[n], by=f"1069{n:04}", day=2 + n, text=TEXT, **more)
               for n in DAYS]  # fmt: skip
    return "\n".join([*([head] if head else []), *written, ""]).replace("~", mark)


LOCAL = "2026-03-{day:02} 11:33:00"
UNDERSTOOD = {
    "semicolons": rows("被叫;主叫;提交时间;内容", "{to};{by};" + LOCAL + ";{text}").encode(),
    "tabs": rows("To\tFrom\tSent At\tMessage", "{to}\t{by}\t{at_ms}\t{text}").encode(),
    "mark": b"\xef\xbb\xbf" + rows("to,from,time,text", "{to},{by},{at_s},{text}").encode(),
    "gb18030": rows("手机号码,端口号,时间,短信内容", "{to},{by}," + LOCAL + ",{text}").encode(
        "gb18030"
    ),
    "utf-16": rows("to\tfrom\ttime\ttext", "{to}\t{by}\t{at_s}\t{text}").encode("utf-16"),
    "no header": rows("", "{at_s},{by},{to},{text}").encode(),
    "epoch seconds": rows("destination|source|ts|body", "{to}|{by}|{at_s}.0|{text}").encode(),
    "zone": rows("dst,src,submit_date,msg", "{to},{by},2026-03-{day:02}T03:33:00Z,{text}").encode(),
    "compact": rows("called,calling,date,sms", "{to},{by},202603{day:02}113300,{text}").encode(),
    "days first": rows("to,from,sent,text", "{to},{by},{day:02}/03/2026 11:33,{text}").encode(),
    "months first": rows("to,from,sent,text", "{to},{by},03/{day:02}/2026 11:33,{text}").encode(),
    "unknown names": rows("x1,x2,x3,x4", "{to},{by},{at_ms},{text}").encode(),
    "utf-16 without a mark": rows("to|from|time|text", "{to}|{by}|{at_s}|{text}").encode(
        "utf-16-be"
    ),
    "quotes and blanks": rows(
        '"Mobile Number", "Sender ID", "Sent Time"; "SMS Text"'.replace(";", ","),
        '"{to}", "{by}", "' + LOCAL + '", "{text}"',
    ).encode(),
    "delimiter at the end": rows("to,from,time,text,", "{to},{by},{at_s},{text},").encode(),
    "empty rows": rows("to,from,time,text", "{to},{by},{at_s},{text}\n\n,,,").encode(),
    "microseconds": rows("to;from;ts;text", "{to};{by};{at_ms}000;{text}").encode(),
    "12 hours": rows("to,from,at,text", "{to},{by},{day:02}/03/2026 11:33:00 AM,{text}").encode(),
    "fractions after a comma": rows(
        "to;from;sent;text", "{to};{by};2026-03-{day:02} 11:33:00,000;{text}"
    ).encode(),
    "names that are not so": rows("to,text,time,from", "{to},{by},{at_s},{text}").encode(),
    "packed": gzip.compress(rows("to,from,time,text", "{to},{by},{at_s},{text}").encode()),
    "hexadecimal texts": rows("to,from,time,text", "{to},{by},{at_s},{text}").replace(
        TEXT, TEXT.encode("utf-16-be").hex()
    ).encode(),
    "base64 texts": rows("to,from,time,text", "{to},{by},{at_s},{text}").replace(
        TEXT, base64.b64encode(TEXT.encode()).decode()
    ).encode(),
    "two times": rows("done,to,from,submit_time,text", "{at_s},{to},{by},{at_ms},{text}").encode(),
}  # fmt: skip


def sample(tmp_path: Path, content: bytes, *words: str) -> list[dict[str, Any]]:
    """The events that the command makes of a file, and nothing else of them."""
    file = tmp_path / "cdr.csv"
    file.write_bytes(content)
    config = settings_file(tmp_path)
    said = called("feed", "csv", str(file), *words, "--sample", "99", "-c", config)
    found = [json.loads(line) for line in said.splitlines()]
    assert all(each.pop("schema_version") == 1 for each in found)
    return [{k: v for k, v in each.items() if k != "message_id"} for each in found]


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_an_odd_file_is_understood_without_an_option(tmp_path: Path, name: str) -> None:
    assert sample(tmp_path, UNDERSTOOD[name]) == events()


def test_a_text_with_line_ends_and_delimiters_in_quotes_is_one_field(tmp_path: Path) -> None:
    content = rows("from;to;at;content", '{by};{to};{at_s};"{text};\n\n""{n}"",\n"')
    assert sample(tmp_path, content.encode()) == events(text=lambda n: f'{TEXT};\n\n"{n}",\n')


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_without_a_terminal_the_command_line_is_said_that_reads_the_file_so(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, config = tmp_path / "cdr.csv", settings_file(tmp_path)
    file.write_bytes(UNDERSTOOD[name])
    words = ["feed", "csv", str(file), "-c", config]
    monkeypatch.setattr(sys, "argv", ["otpguard", *words])
    with pytest.raises(UsageError, match="otpguard feed csv") as found:
        called(*words)
    command = shlex.split(str(found.value).partition("otpguard ")[2])
    assert command[: len(words)] == words
    assert sample(tmp_path, UNDERSTOOD[name], *command[len(words) :]) == events()
    assert not list(tmp_path.glob("cdr.csv.*"))


ASKED = {
    "which number": (
        rows("a,b,c,d", "{to},{to},{at_s},{text}"),
        "a, b may each be recipient: --map recipient=… says which: a or b",
    ),
    "which time": (
        rows("x,y,to,from,text", "{at_s},{at_ms},{to},{by},{text}"),
        "x, y may each be event_time_ms",
    ),
    "which sender": (
        rows("", "{to},{by},{n},{at_s},{text}"),
        "column2, column3 may each be sender",
    ),
    "day or month": (
        "to,from,sent,text\n+8613900000001,1069,03/02/2026 11:33,x\n",
        "--time says which: '%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M'",
    ),
    "korean": (
        rows("to,from,time,text", "{to},{by},{at_s},인증번호는 비밀입니다"),
        "it could be gb18030 or euc_kr",
    ),
    "a day without a time": (
        rows("to,from,date,time,text", "{to},{by},2026-03-{day:02},11:33:00,{text}"),
        "no column gives event_time_ms",
    ),
    "two digits of a year": (
        rows("to,from,time,text", "{to},{by},02/03/26 11:33,{text}"),
        "no column gives event_time_ms",
    ),
    "rounded numbers": (
        rows("to,from,time,text", "8.61390E+12,{by},{at_s},{text}"),
        "8.61390E+12 was rounded by a spreadsheet",
    ),
    "swapped columns": (
        rows("to,from,time,text", "{by},{to},{at_s},{text}"),
        "no column gives recipient",
    ),
    "the same name twice": (
        rows("number,number,time,text", "{to},{by},{at_s},{text}"),
        "names 'number' twice",
    ),
    "a title": ("report,,,\n" + rows("to,from,time,text", "{to},{by},{at_s},{text}"),
                "the first line names no columns"),
    "a line for excel": ("sep=;\n" + rows("to;from;time;text", "{to};{by};{at_s};{text}"),
                         "the first line names no columns"),
    "a head line alone": ("to,from,time,text\n", "a single line does not show"),
    "old line ends": (
        rows("to,from,time,text", "{to},{by},{at_s},{text}").replace("\n", "\r"),
        "mends CR alone",
    ),
    "a workbook": ("PK\3\4" + "x" * 99, "save a workbook as CSV"),
    "json": (json.dumps(events()), "`otpguard feed jsonl` reads it"),
    "no number": (rows("to,from,time,text", "x,{by},{at_s},{text}"), "no column gives recipient"),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_what_can_be_read_in_two_ways_is_asked_for(tmp_path: Path, name: str) -> None:
    content, question = ASKED[name]
    file, config = tmp_path / "cdr.csv", settings_file(tmp_path)
    file.write_bytes(content.encode("euc_kr" if name == "korean" else "utf-8"))
    for more in ((), ("--yes",), ("--dry-run",)):
        refused(UsageError, question, "feed", "csv", str(file), "-c", config, *more)


def test_a_local_time_of_a_country_with_several_clocks_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "cdr.csv"
    text = rows("to,from,time,text", "{to},{by}," + LOCAL + ",{text}")
    file.write_text(text, encoding="utf-8")
    config = settings_file(tmp_path, 'input.country = "BR"')
    words = ("feed", "csv", str(file), "-c", config)
    refused(UsageError, "names no time zone: --zone says which", *words, "--yes")


def test_an_answer_for_a_file_without_a_header_names_a_column_by_its_place(tmp_path: Path) -> None:
    content = rows("", "{to},{by},{n},{at_s},{text}").encode()
    assert sample(tmp_path, content, "--map", "sender=column2") == events()


def test_files_that_differ_are_not_read_alike(tmp_path: Path) -> None:
    config = settings_file(tmp_path)
    for name in ("semicolons", "tabs"):
        (tmp_path / f"{name}.csv").write_bytes(UNDERSTOOD[name])
    files = [str(tmp_path / f"{name}.csv") for name in ("semicolons", "tabs")]
    refused(UsageError, "have different layouts", "feed", "csv", *files, "--yes", "-c", config)


def json_line(n: int, at: Any) -> dict[str, Any]:
    """A carrier's own JSON, with keys within others."""
    party = {"to": {"number": NUMBERS[n]}, "from": f"1069{n:04}"}
    return {"party": party, "submit": {"time": at}, "sms": {"body": TEXT}, "size": [1, 2]}


JSON: dict[str, Callable[[int], Any]] = {
    "epoch": lambda n: AT_MS // 1000 + n * 86_400,
    "iso": lambda n: f"2026-03-{2 + n:02}T11:33:00+08:00",
    "local": lambda n: f"2026-03-{2 + n:02} 11:33:00",
}


@pytest.mark.broker
@pytest.mark.parametrize("name", JSON)
def test_keys_of_json_lines_are_understood_also_within_others(
    tmp_path: Path, name: str, broker: Broker, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(unique, 1, 1, {})
    names = f'topics.input = "{unique}"'
    config = tmp_path / "otpguard.toml"
    config.write_text(f'kafka.bootstrap = "{broker.bootstrap}"\n{names}\n')
    given = "".join(json.dumps(json_line(n, JSON[name](n))) + "\n" for n in DAYS)
    words = ["feed", "jsonl", "-", "-c", str(config)]
    monkeypatch.setattr(sys, "argv", ["otpguard", *words])
    with pytest.raises(UsageError, match="otpguard feed jsonl") as found:
        called(*words, given=given)
    clients = client_arguments(Kafka(bootstrap=broker.bootstrap))
    assert not list(records(clients, unique))
    called(*words, "--yes", given=given)
    called(*shlex.split(str(found.value).partition("otpguard ")[2]), given=given)
    sent = [json.loads(record.value) for record in records(clients, unique)]
    own = [{k: each[k] for k in events()[0]} for each in sent]
    assert own == [*events(), *events()]


def test_an_id_that_comes_twice_is_none(tmp_path: Path) -> None:
    once = rows("to,from,time,text,id", "{to},{by},{at_s},{text},x{n}")
    twice = rows("to,from,time,text,id", "{to},{by},{at_s},{text},x")
    for content, mapped in ((once, True), (twice, False)):
        file = tmp_path / "cdr.csv"
        file.write_text(content, encoding="utf-8")
        with pytest.raises(UsageError) as found:
            called("feed", "csv", str(file), "-c", settings_file(tmp_path))
        assert ("message_id=id" in str(found.value)) is mapped


LINES = "".join(json.dumps(json_line(n, AT_MS)) + "\n" for n in DAYS)
NO_LINES = {
    "an array": (json.dumps([json_line(0, AT_MS)]).encode(), "`jq -c '.[]'` makes lines"),
    "an indented array": (json.dumps([json_line(0, AT_MS)], indent=2).encode(), "`jq -c '.[]'`"),
    "csv": (UNDERSTOOD["tabs"], "`otpguard feed csv` reads CSV"),
    "another encoding": (LINES.replace("{", "{验").encode("gb18030"), "no line is a JSON object"),
    "rounded numbers": (b'{"to": "8.6139E+12", "from": "1069", "ts": 1772422380}\n', "rounded"),
}


@pytest.mark.parametrize("name", NO_LINES)
def test_a_file_that_has_no_events_in_lines_is_refused_with_what_makes_lines(
    tmp_path: Path, name: str
) -> None:
    content, said = NO_LINES[name]
    (tmp_path / "cdr.json").write_bytes(content)
    words = ("feed", "jsonl", str(tmp_path / "cdr.json"), "--yes")
    refused(UsageError, said, *words, "-c", settings_file(tmp_path))


@pytest.mark.broker
@pytest.mark.parametrize("name", ["packed", "utf-16", "utf-16-le", "utf-8-sig"])
def test_json_lines_in_another_form_are_published(
    tmp_path: Path, name: str, broker: Broker, unique: str
) -> None:
    with Cluster(Kafka(bootstrap=broker.bootstrap)) as cluster:
        cluster.create(unique, 1, 1, {})
    config, file = tmp_path / "otpguard.toml", tmp_path / "cdr.json"
    kafka = Kafka(bootstrap=broker.bootstrap)
    config.write_text(f'kafka.bootstrap = "{kafka.bootstrap}"\ntopics.input = "{unique}"\n')
    file.write_bytes(gzip.compress(LINES.encode()) if name == "packed" else LINES.encode(name))
    called("feed", "jsonl", str(file), "--yes", "-c", str(config))
    sent = [json.loads(each.value) for each in records(client_arguments(kafka), unique)]
    assert [each["recipient"] for each in sent] == NUMBERS
    assert {(each["event_time_ms"], each["text"]) for each in sent} == {(AT_MS, TEXT)}
