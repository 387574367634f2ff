"""Call detail records: every form of time and field, every mistake that once lost rows."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streams.cli.feed import app
from streams.common.errors import Exit, OtpguardError, UsageError
from streams.gateways.feeds import csv as feeds
from streams.gateways.feeds.csv import FileReport, RowRules, Target, publish
from streams.gateways.feeds.file_records import FileLayout, RowRecord
from streams.gateways.feeds.mapping import FieldMap
from streams.telemetry.metrics import Metrics
from streams.wire import Numbers
from tests.nodes import Broker
from tests.streams.gateways.feeds.target import TargetTopic

MAPS = ["recipient=被叫", "sender=主叫", "event_time_ms=时间", "text=内容"]
FIELDS = FieldMap.parse(MAPS, ["gateway_id=smsc-1"], "%Y%m%d%H%M%S", "Asia/Shanghai")
HEAD = "被叫,主叫,时间,内容\n"


def row(n: int, text: str = "【店】码 123456", at: str = "20260302113300") -> str:
    return f"1390000{n:04},1069,{at},{text}\n"


def rules(
    fields: FieldMap = FIELDS, only: dict[str, frozenset[str]] | None = None, **layout: Any
) -> RowRules:
    return RowRules(fields, FileLayout(**layout), Numbers("CN"), 300_000, only or {})


class Topic(TargetTopic):
    """An empty topic, and how a file gets into it."""

    def feed(
        self,
        file: Path,
        by: RowRules | None = None,
        stop: threading.Event | None = None,
        **how: Any,
    ) -> FileReport:
        self.metrics = Metrics("feed")
        opener: Callable[..., Any] = gzip.open if file.suffix == ".gz" else open
        with opener(file, "rb") as stream:
            return publish(
                file,
                stream,
                by or rules(),
                Target(self.producer, self.name),
                self.metrics,
                stop or threading.Event(),
                **how,
            )

    def events(self) -> list[dict[str, Any]]:
        """All that was published, to the end of the topic."""
        found = self.records()
        self.keys = [record.key for record in found]
        return [json.loads(record.value) for record in found]

    def numbers(self) -> list[int]:
        """The last digits of the recipients, in their order."""
        return sorted(int(event["recipient"][-4:]) for event in self.events())


@pytest.fixture
def topic(broker: Broker, unique: str) -> Iterator[Topic]:
    made = Topic(broker, unique)
    with closing(made.producer):
        yield made


class Stopping(threading.Event):
    """Set after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.broker
def test_a_feed_that_was_stopped_goes_on_where_it_was(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "BATCH", 100)
    file = tmp_path / "cdr.csv"
    text = HEAD + "".join(row(n, f'"【店】码, ""{n}"""') for n in range(950))
    file.write_bytes((text + "13900000000,1069,broken,\n13900000001\n").encode("gb18030"))
    by = rules(encoding="gb18030")
    told = [topic.feed(file, by, Stopping(looks)) for looks in (3, 10**9, 10**9)]
    assert [(each.published, each.unreadable, each.from_line) for each in told] == [
        (300, 0, 0),
        (650, 2, 301),
        (0, 0, 953),
    ]
    events = topic.events()
    assert len({event["message_id"] for event in events}) == 950
    assert {event["gateway_id"] for event in events} == {"smsc-1"}
    assert topic.numbers() == list(range(950))
    first = next(event for event in events if event["recipient"].endswith("0007"))
    assert first["text"] == '【店】码, "7"'
    assert b"8613900000007" in topic.keys


@pytest.mark.broker
def test_a_row_that_is_no_event_is_named_by_line_byte_and_reason(
    topic: Topic, tmp_path: Path
) -> None:
    file = tmp_path / "cdr.csv"
    bad = "13900000002,1069,broken,x\n"
    file.write_text(HEAD + row(1) + bad + "no number,1069,20260302113300,x\n" + "1,2\n" + row(3))
    told = topic.feed(file)
    assert (told.published, told.unreadable) == (2, 3)
    rejects = [json.loads(line) for line in (tmp_path / "cdr.csv.rejects").read_text().splitlines()]
    assert [(each["line"], each["reason"]) for each in rejects] == [
        (3, "时间 is no event_time_ms in the form that --time names"),
        (4, "recipient is neither a number nor a token"),
        (5, "2 fields, not 4"),
    ]
    assert file.read_bytes()[rejects[0]["start"] : rejects[0]["end"]].decode() == bad
    assert "139" not in (tmp_path / "cdr.csv.rejects").read_text()  # where, and nothing of what


@pytest.mark.broker
def test_tomorrows_file_of_the_same_name_and_head_is_another_file(
    topic: Topic, tmp_path: Path
) -> None:
    file = tmp_path / "cdr.csv"
    file.write_text(HEAD + "".join(row(n) for n in range(81)))
    assert topic.feed(file).published == 81
    file.unlink()
    file.write_text(HEAD + "".join(row(n) for n in range(100, 181)))
    assert topic.feed(file).published == 81
    file.write_text(HEAD + "".join(row(n) for n in range(200, 300)))  # over it, in the same inode
    assert topic.feed(file).published == 100
    assert topic.numbers() == [*range(81), *range(100, 181), *range(200, 300)]
    assert len({event["message_id"] for event in topic.events()}) == 262


@pytest.mark.broker
def test_half_a_row_waits_for_its_other_half(topic: Topic, tmp_path: Path) -> None:
    file = tmp_path / "cdr.csv"
    whole = (HEAD + row(1) + row(2) + row(3)).encode()
    published = []
    for cut in (4, len(HEAD.encode()), -60, -1, len(whole)):  # as a writer's buffer flushes
        file.write_bytes(whole[:cut])
        told = topic.feed(file)
        published.append(told.published)
        assert bool(told.waiting) == (whole[:cut][-1:] != b"\n")
    assert sum(published) == 3
    texts = Counter((event["recipient"], event["text"]) for event in topic.events())
    assert texts == {(f"1390000{n:04}", "【店】码 123456"): 1 for n in (1, 2, 3)}


@pytest.mark.broker
def test_a_finished_file_needs_no_end_of_its_last_line(topic: Topic, tmp_path: Path) -> None:
    file = tmp_path / "cdr.csv"
    file.write_text((HEAD + row(1) + row(2)).rstrip("\n"))
    assert topic.feed(file).published == 1
    assert topic.feed(file, finished=True).published == 1
    assert topic.numbers() == [1, 2]


@pytest.mark.broker
@pytest.mark.parametrize(
    ("broken", "lost"),
    [
        (['13900000002,1069,20260302113300,"a stray quote\n'], [2]),
        (['13900000002,1069,20260302113300,"a\n', '13900000003,1069,20260302113300,"b\n'], [2, 3]),
        (['13900000002,1069,20260302113300,"a"b\n'], [2]),
        (["13900000002,1069,2026\r0302113300,b\n"], [2]),
        (["13900000002,1069,20260302113300," + "x" * 140_000 + "\n"], [2]),  # csv's own bound
        (["13900000002,1069,20260302113300," + "x" * 3_000_000 + "\n"], [2]),
        (["\n", "\r\n"], []),
        (['13900000002,1069,20260302113300,"two\n', 'lines"\n'], []),
        (['13900000002,1069,20260302113300,"two\r\n', 'with ""quotes"", too"\r\n'], []),
    ],
)
def test_a_bad_row_costs_itself_and_none_of_its_neighbours(
    topic: Topic, tmp_path: Path, broken: list[str], lost: list[int]
) -> None:
    file = tmp_path / "cdr.csv"
    before, after = row(1), "".join(row(n) for n in range(4, 60))
    file.write_bytes((HEAD + before + "".join(broken) + after).encode())
    told = topic.feed(file)
    assert told.unreadable == len(lost)
    mine = [2] if "13900000002" in "".join(broken) and not lost else []
    assert topic.numbers() == [1, *mine, *range(4, 60)]
    assert topic.feed(file).published == 0  # and the next start is none the worse


@pytest.mark.broker
def test_a_quote_that_is_open_at_the_end_waits_until_the_file_is_finished(
    topic: Topic, tmp_path: Path
) -> None:
    file = tmp_path / "cdr.csv"
    file.write_text(HEAD + row(1) + '13900000002,1069,20260302113300,"open\n')
    told = topic.feed(file)
    assert (told.published, told.unreadable, bool(told.waiting)) == (1, 0, True)
    told = topic.feed(file, finished=True)
    assert (told.published, told.unreadable, told.waiting) == (0, 1, 0)


@pytest.mark.broker
def test_a_wrong_form_of_time_that_is_corrected_loses_nothing(topic: Topic, tmp_path: Path) -> None:
    file = tmp_path / "cdr.csv"
    file.write_text(HEAD + "".join(row(n) for n in range(81)))
    wrong = rules(FieldMap.parse(MAPS, [], "%d.%m.%Y", "Asia/Shanghai"))
    with pytest.raises(UsageError, match=r"no row of the first 81 is an event: line 2: 时间"):
        topic.feed(file, wrong)
    assert topic.feed(file).published == 81
    # some rows could be read: the others are tried again, and only they
    mixed = tmp_path / "mixed.csv"
    mixed.write_text(HEAD + row(100) + row(101, at="2026-03-02T11:33:00") + row(102))
    told = topic.feed(mixed)
    assert (told.published, told.unreadable, told.left) == (2, 1, 1)
    assert topic.feed(mixed).published == 0
    told = topic.feed(mixed, rules(FieldMap.parse(MAPS, [], "iso", "Asia/Shanghai")))
    assert (told.published, told.corrected, told.left) == (1, 1, 0)
    assert topic.numbers() == [*range(81), 100, 101, 102]
    assert not (tmp_path / "mixed.csv.rejects").exists()


@pytest.mark.broker
def test_a_row_of_another_kind_is_not_published_when_it_is_tried_again_either(
    topic: Topic, tmp_path: Path
) -> None:
    file = tmp_path / "cdr.csv"
    iso = "2026-03-02T11:33:00"
    receipt = row(2, "receipt", iso)
    file.write_text(HEAD + row(1) + receipt + row(3, "message", iso) + row(4, "message", "never"))
    told = topic.feed(file)  # nobody said yet that receipts are none of ours
    assert (told.published, told.unreadable) == (1, 3)
    form = FieldMap.parse(MAPS, [], "iso", "Asia/Shanghai")
    told = topic.feed(file, rules(form, {"内容": frozenset({"message"})}))
    assert (told.published, told.corrected, told.others, told.left) == (1, 1, 1, 1)
    assert topic.numbers() == [1, 3]
    sample = topic.metrics.registry.get_sample_value
    assert sample("otpguard_feed_events_total", {"outcome": "published"}) == 1


@pytest.mark.broker
def test_times_that_lie_ahead_or_in_another_unit_are_refused_here(
    topic: Topic, tmp_path: Path
) -> None:
    file = tmp_path / "cdr.csv"
    local = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))
    file.write_text(HEAD + row(1, at=local))
    forgotten = rules(FieldMap.parse(MAPS, [], "%Y%m%d%H%M%S", "UTC"))
    with pytest.raises(UsageError, match=r"event_time_ms is 8\.0 h ahead: another zone or unit\?"):
        topic.feed(file, forgotten)
    file.write_text(HEAD + row(1, at=str(int(time.time()))))  # seconds, read as milliseconds
    with pytest.raises(UsageError, match=r"event_time_ms is of 1970-01-\d\d: another unit\?"):
        topic.feed(file, rules(FieldMap.parse(MAPS, [], "ms", None)))
    assert topic.events() == []


@pytest.mark.broker
def test_a_file_that_is_rotated_away_goes_on_under_its_new_name(
    topic: Topic, tmp_path: Path
) -> None:
    file, rotated = tmp_path / "cdr.csv", tmp_path / "cdr.csv.1"
    file.write_text(HEAD + row(1) + row(2))
    assert topic.feed(file).published == 2
    with file.open("a") as out:
        out.write(row(3))
    file.rename(rotated)
    file.write_text(HEAD + row(4))
    assert topic.feed(file).published == 1
    told = topic.feed(rotated)
    assert (told.published, told.from_line) == (1, 3)
    assert topic.numbers() == [1, 2, 3, 4]


@pytest.mark.broker
def test_a_copy_of_a_file_that_has_grown_goes_on_where_the_first_was(
    topic: Topic, tmp_path: Path
) -> None:
    file = tmp_path / "cdr.csv"
    file.write_text(HEAD + row(1))
    assert topic.feed(file).published == 1
    fresh = tmp_path / "cdr.csv.tmp"
    fresh.write_text(HEAD + row(1) + row(2))  # as rsync does it: another inode
    fresh.rename(file)
    assert topic.feed(file).published == 1
    assert topic.numbers() == [1, 2]


@pytest.mark.broker
def test_a_packed_file_is_read_to_where_it_is_whole(topic: Topic, tmp_path: Path) -> None:
    file = tmp_path / "cdr.csv.gz"
    packed = gzip.compress((HEAD + "".join(row(n) for n in range(300)).rstrip("\n")).encode())
    file.write_bytes(packed[: len(packed) - 300])
    told = topic.feed(file, finished=True)
    assert told.unreadable == 0
    file.write_bytes(packed)
    more = topic.feed(file, finished=True)
    assert told.published + more.published == 300
    assert topic.numbers() == list(range(300))
    file.write_bytes(packed[:-8] + b"\0" * 8)
    with pytest.raises(UsageError, match="the file is damaged behind byte"):
        topic.feed(file, finished=True)


@pytest.mark.broker
def test_a_folder_that_cannot_be_written_is_one_sentence(topic: Topic, tmp_path: Path) -> None:
    # As root no mode would hold us back: the file's name leaves no room for that of another one.
    file = tmp_path / f"{'c' * 236}.csv"
    file.write_text(HEAD + row(1))
    with pytest.raises(UsageError, match="stores its position in a file beside the input"):
        topic.feed(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,c\n1,2,3\n", "no column gives event_time_ms, recipient, sender; there are a, b, c"),
        ("\n1,2,3\n", "no head line"),
        ("被叫x,主叫,时间\n1,2,3\n", "Did you mean 被叫x?"),
        ("被叫,被叫,时间\n", "names '被叫' twice"),
        ("被叫,主叫,时间,被叫 \n", "names '被叫' twice"),
    ],
)
def test_a_head_line_that_gives_no_event_is_said(tmp_path: Path, text: str, said: str) -> None:
    code, output = command(tmp_path, text.encode(), "--dry-run", *mapped())
    assert code == Exit.USAGE
    assert said in output


def test_the_columns_that_may_be_meant_are_named(tmp_path: Path) -> None:
    head = "被叫,主叫,时间,kind\n".encode()
    code, output = command(tmp_path, head, "--dry-run", *mapped(), "--only", "knd=1")
    assert (code, "Did you mean kind?" in output) == (Exit.USAGE, True)


def command(folder: Path, content: bytes, *words: str) -> tuple[int, str]:
    """Exit code and what `otpguard feed csv` says of a file; no broker is there."""
    file = folder / "cdr.csv"
    file.write_bytes(content)
    done = CliRunner().invoke(app, ["csv", str(file), *words])
    if isinstance(done.exception, OtpguardError):
        return done.exception.exit_code, f"{done.output}\n{done.exception}"
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def mapped() -> Iterator[str]:
    for each in MAPS:
        yield from ("--map", each)


def local(ago_s: float = 0) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600 - ago_s))


TIME = ("--time", "%Y%m%d%H%M%S")


def test_a_sample_shows_events_codes_ages_encoding_and_zone(tmp_path: Path) -> None:
    code = "【店】您的验证码是 123456"
    text = HEAD + "".join(row(n, code, local(7200)) for n in range(7))
    text += row(8, "hello", local(3600))
    exit_code, output = command(tmp_path, text.encode(), "--sample", "2", *TIME, *mapped())
    assert exit_code == Exit.DONE
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [event["recipient"] for event in events] == ["13900000000", "13900000001"]
    assert "8 events in 8 rows, 7 of them codes" in output
    assert "read as Asia/Shanghai (input.country CN)" in output
    assert "1.0 h ago" in output
    assert not list(tmp_path.glob("cdr.csv.*"))


def test_a_dry_run_names_what_is_no_event_and_fails(tmp_path: Path) -> None:
    text = HEAD + row(1, at=local()) + "13900000002,1069,broken,x\n"
    code, output = command(tmp_path, text.encode(), "--dry-run", *TIME, *mapped())
    assert code == Exit.USAGE
    assert "line 3: 时间 is no event_time_ms" in output
    assert "nothing was published" in output


def test_another_encoding_than_utf_8_is_not_guessed_in_silence(tmp_path: Path) -> None:
    text = (HEAD + row(1, "【店】您的验证码是 123456", local())).encode("gb18030")
    code, output = command(tmp_path, text, *TIME, *mapped())
    assert code == Exit.USAGE
    assert "--encoding gb18030" in output
    code, output = command(tmp_path, text, "--dry-run", "--encoding", "gb18030", *TIME, *mapped())
    assert code == Exit.DONE
    assert "1 event in 1 row, 1 of them codes" in output


def test_a_column_without_codes_is_remarked_upon(tmp_path: Path) -> None:
    text = (HEAD + row(1, "【店】您的包裹已到驿站", local())).encode()
    words = ("--dry-run", "--encoding", "utf-8", "--columns", "被叫,主叫,时间,内容")
    code, output = command(tmp_path, text.split(b"\n", 1)[1], *words, *TIME, *mapped())
    assert code == Exit.DONE
    assert "no text reads as a code" in output


def test_the_zone_of_a_country_with_several_clocks_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (HEAD + row(1, at=local())).encode()
    monkeypatch.setenv("OTPGUARD_INPUT_COUNTRY", "BR")
    code, output = command(tmp_path, text, "--dry-run", *TIME, *mapped())
    assert code == Exit.USAGE
    assert "names no time zone: --zone says which" in output
    told = ("--zone", "America/Manaus")
    code, output = command(tmp_path, text, "--dry-run", *told, *TIME, *mapped())
    assert "event_time_ms is 12.0 h ahead" in output  # the row is of China


DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("preset", "event"),
    [
        (
            "restcomm",
            {
                "recipient": "8613900000001", "sender": "10690000", "status": "success",
                "event_time_ms": 1_772_422_380_123, "message_id": "4711", "account_id": "esme1",
                "text_prefix": "【店】码 123456",
            },
        ),
        (
            "jasmin",
            {
                "recipient": "+8613900000001", "sender": "ACME", "status": "ESME_ROK",
                "event_time_ms": 1_772_422_380_000, "message_id": "0f89", "account_id": "u1",
                "route_id": "smsc-1", "text": "【店】码 123456",
            },
        ),
        (
            "kannel",
            {
                "recipient": "13900000001", "sender": "10690000", "text": "【店】码 123456",
                "event_time_ms": 1_772_422_380_000, "message_id": "17", "account_id": "a1",
                "route_id": "smsc-1",
            },
        ),
    ],
)  # fmt: skip
def test_a_preset_reads_what_its_gateway_writes(
    tmp_path: Path, preset: str, event: dict[str, Any]
) -> None:
    text = (DATA / f"{preset}.csv").read_bytes()
    code, output = command(tmp_path, text, "--preset", preset, "--sample", "5")
    assert code == Exit.DONE, output
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert found == [{"schema_version": 1, **event}]


def test_a_preset_that_nobody_knows_is_said_with_those_there_are(tmp_path: Path) -> None:
    code, output = command(tmp_path, b"", "--preset", "nokia")
    assert code == Exit.USAGE
    assert "cdr.log of the RestComm SMSC gateway" in output


@pytest.mark.broker
def test_files_are_fed_from_the_command_line_and_what_was_lost_is_an_exit_code(
    broker: Broker, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTPGUARD_KAFKA_BOOTSTRAP", broker.bootstrap)
    monkeypatch.setenv("OTPGUARD_TOPICS_INPUT", unique)
    monkeypatch.setenv("OTPGUARD_HTTP_PORT", "0")
    topic = Topic(broker, unique)
    now = local()
    content = (HEAD + row(1, at=now)).encode()
    assert command(tmp_path, content, *TIME, *mapped())[0] == Exit.DONE
    content += row(2, at="x").encode()
    code, output = command(tmp_path, content, *TIME, *mapped())
    assert code == Exit.USAGE
    assert "1 row is no event: line 3: 时间 is no event_time_ms in the form" in output
    assert "; all are in" in output
    content += row(3, at=now).encode()[:-1]
    code, output = command(tmp_path, content, *TIME, *mapped())
    assert code == Exit.TRY_AGAIN
    assert "the last line has no end yet" in output
    assert command(tmp_path, content, "--whole", *TIME, *mapped())[0] == Exit.DONE
    assert topic.numbers() == [1, 3]
    topic.producer.close()


def test_a_row_that_becomes_too_large_for_kafka_is_no_event() -> None:
    """A hole in a file that a crash left is of zeros, of which each is six characters in JSON."""
    both = FieldMap.parse([*MAPS, "text_prefix=内容"], [], "%Y%m%d%H%M%S", "Asia/Shanghai")
    names = tuple(HEAD.strip().split(","))
    for zeros, said in ((80_000, []), (100_000, ["it is too long"])):
        record = RowRecord(2, 50, 50 + zeros, row(1, "\0" * zeros).strip().split(","))
        events, bad, _ = rules(both).events(names, [record], "f", 1_772_422_380_000)
        assert (len(events), [reason for _, reason in bad]) == (1 - len(said), said)


@pytest.mark.parametrize(
    ("written", "form"),
    [("9" * 400, "ms"), ("9" * 310, "ms"), ("1e300", "us"), ("8613900000001", "ms")],
)
def test_a_time_that_no_clock_has_costs_its_own_row_and_is_told_without_a_figure(
    written: str, form: str
) -> None:
    """It may be another column's: a number of 13 digits is the year 2242 in milliseconds."""
    by = rules(FieldMap.parse(MAPS, [], form, None))
    names, now_ms = tuple(HEAD.strip().split(",")), 1_772_422_380_000
    now = str(now_ms) if form == "ms" else f"{now_ms}000"
    batch = [
        RowRecord(n, 50 * n, 50 * n + 49, row(n, at=at).strip().split(","))
        for n, at in ((1, now), (2, written), (3, now))
    ]
    events, bad, _ = by.events(names, batch, "f", now_ms)
    assert [value["recipient"] for _, value in events] == ["13900000001", "13900000003"]
    assert [reason for _, reason in bad] == [
        "event_time_ms is far ahead: another zone or unit? --zone and --time name them"
    ]
