"""Time stamps by an authority that `openssl ts` plays: fetched, brought by hand, checked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from streams.common.errors import UnavailableError, UsageError
from streams.people.evidence.canonical import PackError
from streams.people.evidence.pack_files import MANIFEST, STAMP, TOKEN
from streams.people.evidence.signed_envelope import sign_value
from streams.people.evidence.stamp import attach, check_token, fetch_token, query, stamp_value
from streams.people.evidence.standalone import TIMESTAMP
from streams.people.evidence.verify import verify
from tests.builders.architecture import ROOT
from tests.streams.people.evidence.packs import fingerprint, key, pack
from tests.streams.people.evidence.tsa import answered, authority, stamped


@contextmanager
def served(folder: Path, status: int = 200) -> Iterator[str]:
    class Authority(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            body = answered(folder, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Authority)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return authority(tmp_path_factory.mktemp("tsa") / "authority")


def test_a_token_is_fetched_attached_and_checked(own: Path, tmp_path: Path) -> None:
    folder = pack(tmp_path)
    manifest = (folder / MANIFEST).read_bytes()
    with served(own) as url:
        token = fetch_token(url, manifest)
    attach(folder, key(), token)
    told = verify(folder, fingerprint())
    assert (told.wrong, told.stamp_checked) == ([], False)
    assert told.stamped.endswith("+00:00")
    told = verify(folder, fingerprint(), authority=own / "ca.pem")
    assert (told.wrong, told.stamp_checked) == ([], True)
    assert check_token(token, manifest, own / "ca.pem") == check_token(token, manifest)
    assert stamp_value(manifest, token)["token"]["path"] == TOKEN


def test_a_token_of_another_authority_is_not_checked_by_these_certificates(
    own: Path, tmp_path: Path
) -> None:
    folder = pack(tmp_path)
    stamped(tmp_path, folder)
    (wrong,) = verify(folder, fingerprint(), authority=own / "ca.pem").wrong
    assert "signature is not good" in wrong
    with pytest.raises(UsageError):
        check_token((folder / TOKEN).read_bytes(), (folder / MANIFEST).read_bytes(), tmp_path / "x")


def test_a_token_of_something_else_is_refused(own: Path, tmp_path: Path) -> None:
    folder = pack(tmp_path)
    for token in (answered(own, query(b"something else")), b"no token"):
        with pytest.raises(PackError):
            attach(folder, key(), token)
    assert not (folder / TOKEN).exists()


def test_token_and_record_belong_together_and_to_the_signer(own: Path, tmp_path: Path) -> None:
    folder = pack(tmp_path)
    token = answered(own, query((folder / MANIFEST).read_bytes()))
    with pytest.raises(PackError, match="another key"):
        attach(folder, key("another"), token)
    attach(folder, key(), token)
    value = stamp_value((folder / MANIFEST).read_bytes(), token)
    (folder / STAMP).write_bytes(sign_value(key("another"), TIMESTAMP, value))
    assert verify(folder, fingerprint()).wrong == [
        f"{STAMP}: not signed by the signer of the manifest"
    ]
    (folder / STAMP).unlink()
    assert "belong together" in verify(folder, fingerprint()).wrong[0]


def test_an_authority_that_is_away_or_refuses_is_said(own: Path) -> None:
    with pytest.raises(UnavailableError, match="does not answer"):
        fetch_token("http://127.0.0.1:9/", b"x")
    with served(own, 500) as url, pytest.raises(UnavailableError, match="500"):
        fetch_token(url, b"x")


def test_packs_that_tests_share_go_with_their_process(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from tests.streams.people.evidence import packs, tsa\n"
        "assert packs.pack(Path('copy')).is_dir()\n"
        "assert all(path.exists() for path in tsa.whole().values())\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)
    assert list(scratch.iterdir()) == []
