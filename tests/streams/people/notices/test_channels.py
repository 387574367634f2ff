"""Ways to phones: what is sent, and what is known after each answer."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from textwrap import dedent
from urllib.parse import parse_qs

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from streams.common.errors import ConfigError, UnavailableError
from streams.people.notices.channels import (
    Delivered,
    Delivery,
    FileChannel,
    JasminChannel,
    SmsNotice,
    WebhookChannel,
)
from tests.builders.streams.people.notices.channels import EN, ZH
from tests.enforce.services import need
from tests.full_disk import no_room
from tests.ports import free_port
from tests.waiting import END_S

SILENCE_S = 0.3
SECRET = b"whsec_" + b"c2VjcmV0LXNlY3JldC1zZWNyZXQ="


class Receiver(HTTPServer):
    """Keeps what is posted, and answers with what it is told; None: never."""

    def __init__(self, status: int | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.ended = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        if self.server.status is None:
            self.server.ended.wait(END_S)
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver(status: int | None = 200) -> Iterator[Receiver]:
    with Receiver(status) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def test_a_file_gets_a_line_for_each_and_is_its_owner_s(tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    channel = FileChannel(path)
    assert [channel.send(each).state for each in (ZH, EN)] == [Delivered.SENT] * 2
    channel.close()
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "schema_version": 1, "notice_id": ZH.notice_id, "kind": "victim_start",
        "category": "notice", "recipient": ZH.recipient, "sender": "10086", "text": ZH.text,
        "language": "zh-Hans",
    }  # fmt: skip
    assert second["category"] == "notice"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="No such file"):
        FileChannel(tmp_path / "none" / "x")


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_at_the_start_may_have_room_at_the_next(
    full: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> int:
        raise OSError(full, os.strerror(full))

    monkeypatch.setattr(os, "open", none_left)
    with pytest.raises(UnavailableError, match=r"notify\.file .*/notices\.jsonl: "):
        FileChannel(tmp_path / "notices.jsonl")


def test_after_half_a_line_on_a_full_disk_the_next_is_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    channel = FileChannel(path)
    with no_room(100):
        assert channel.send(ZH).state is Delivered.UNKNOWN
        assert channel.send(ZH).state is Delivered.UNKNOWN
    assert [channel.send(each).state for each in (ZH, EN)] == [Delivered.SENT] * 2
    channel.close()
    half, *lines = path.read_text().splitlines()
    assert len(half) < 101
    assert [json.loads(line)["notice_id"] for line in lines] == [ZH.notice_id, EN.notice_id]


def test_a_file_that_was_rotated_away_is_made_anew_for_its_owner_alone(tmp_path: Path) -> None:
    path, away = tmp_path / "notices.jsonl", tmp_path / "notices.jsonl.1"
    channel = FileChannel(path)
    assert channel.send(ZH).state is Delivered.SENT
    path.rename(away)
    assert [channel.send(each).state for each in (EN, EN)] == [Delivered.SENT] * 2
    assert len(away.read_text().splitlines()) == 1
    assert len(path.read_text().splitlines()) == 2
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(away)
    path.write_text("half of a li")  # made anew by somebody else
    assert channel.send(ZH).state is Delivered.SENT
    assert json.loads(path.read_text().splitlines()[1])["notice_id"] == ZH.notice_id
    channel.close()


@pytest.mark.parametrize("guide", ["notices.md", "notices.zh.md"])
def test_the_guides_own_lines_rotate_it(tmp_path: Path, guide: str) -> None:
    rotate = need("logrotate", "logrotate")
    conf = Path("deploy", guide).read_text("utf-8").split("```conf\n")[1].split("```")[0]
    rules, path = tmp_path / "rules", tmp_path / "notices.jsonl"
    rules.write_text(dedent(conf).replace("/var/lib/otpguard/notifier", str(tmp_path)))
    rules.chmod(0o644)
    tmp_path.chmod(0o700)
    channel = FileChannel(path)
    for message in (ZH, EN):
        assert channel.send(message).state is Delivered.SENT
        subprocess.run([rotate, "--force", "--state", tmp_path / "state", rules], check=True)
        assert not path.exists()
    channel.close()
    for kept, message in (("notices.jsonl.2", ZH), ("notices.jsonl.1", EN)):
        (line,) = (tmp_path / kept).read_text().splitlines()
        assert json.loads(line)["notice_id"] == message.notice_id


def test_where_no_file_can_be_made_a_notice_is_not_taken_and_goes_later(tmp_path: Path) -> None:
    folder, away = tmp_path / "of", tmp_path / "away"
    folder.mkdir()
    channel = FileChannel(folder / "notices.jsonl")
    folder.rename(away)
    assert [channel.send(ZH) for _ in range(2)] == [Delivery(Delivered.AWAY, "errno_2")] * 2
    assert (away / "notices.jsonl").read_text() == ""
    folder.mkdir()
    assert channel.send(ZH).state is Delivered.SENT
    channel.close()
    assert len((folder / "notices.jsonl").read_text().splitlines()) == 1


def test_after_half_a_line_of_a_process_before_the_next_is_a_line_of_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "notices.jsonl"
    channel = FileChannel(path)
    with no_room(100):
        assert channel.send(ZH).state is Delivered.UNKNOWN
    channel.close()
    for message in (ZH, EN):
        channel = FileChannel(path)
        assert channel.send(message).state is Delivered.SENT
        channel.close()
    _, *lines = path.read_text().splitlines()
    assert [json.loads(line)["notice_id"] for line in lines] == [ZH.notice_id, EN.notice_id]


def test_a_webhook_is_signed_and_its_id_is_the_notice_s() -> None:
    with receiver() as server:
        channel = WebhookChannel(f"http://127.0.0.1:{server.server_port}/", SECRET, timeout_s=60)
        assert channel.send(ZH).state is Delivered.SENT
        channel.close()
    ((headers, body),) = server.got
    assert headers["webhook-id"] == ZH.notice_id
    assert Webhook(SECRET.decode()).verify(body, headers)["text"] == ZH.text
    with pytest.raises(WebhookVerificationError, match="signature"):
        Webhook(SECRET.decode()).verify(body.replace(b"10086", b"10010"), headers)


@pytest.mark.parametrize("message", [ZH, EN])
def test_jasmin_gets_text_and_password_in_the_body(message: SmsNotice) -> None:
    with receiver() as server:
        url = f"http://127.0.0.1:{server.server_port}/send"
        channel = JasminChannel(url, "esme", "s&cret", timeout_s=60)
        assert channel.send(message).state is Delivered.SENT
        channel.close()
    ((_, body),) = server.got
    fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    assert (fields["to"], fields["from"], fields["password"]) == (message.recipient, "10086",
                                                                  "s&cret")  # fmt: skip
    if message.plain:
        assert (fields["coding"], fields["content"]) == ("0", message.text)
    else:
        assert bytes.fromhex(fields["hex-content"]).decode("utf-16-be") == message.text
        assert fields["coding"] == "8"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, Delivered.SENT), (202, Delivered.SENT), (302, Delivered.REFUSED),
        (400, Delivered.REFUSED), (403, Delivered.REFUSED), (429, Delivered.AWAY),
        (503, Delivered.AWAY), (408, Delivered.AWAY), (500, Delivered.UNKNOWN),
        (504, Delivered.UNKNOWN),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_an_answer_says_whether_a_second_try_could_be_a_second_message(
    status: int, state: Delivered
) -> None:
    with receiver(status) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        channel = WebhookChannel(url, SECRET, timeout_s=60)
        delivery = channel.send(ZH)
        channel.close()
    assert delivery.state is state
    assert len(server.got) == 1  # nothing is followed, nothing tried again
    assert "139" not in delivery.why


def test_silence_is_unknown_and_nobody_there_is_away() -> None:
    with receiver(None) as server:
        channel = WebhookChannel(
            f"http://127.0.0.1:{server.server_port}/", SECRET, timeout_s=SILENCE_S
        )
        assert channel.send(ZH).state is Delivered.UNKNOWN
        channel.close()
    assert len(server.got) == 1
    channel = WebhookChannel(f"http://127.0.0.1:{free_port()}/", SECRET, timeout_s=60)
    assert channel.send(ZH).state is Delivered.AWAY
    channel.rest()
    channel.close()


@pytest.mark.parametrize("url", ["http://smsc.example/send", "", "smsc"])
def test_what_could_be_overheard_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"notify\.url"):
        WebhookChannel(url, SECRET, timeout_s=60)
    with pytest.raises(ConfigError, match=r"notify\.url"):
        JasminChannel(url, "u", "p", timeout_s=60)


def test_a_webhook_without_a_secret_is_refused() -> None:
    with pytest.raises(ConfigError, match="secret"):
        WebhookChannel("https://smsc.example/", b"", timeout_s=60)
