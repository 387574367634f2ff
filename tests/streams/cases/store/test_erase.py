"""An erased number is in no byte of the store, and a rebuild does not bring it back."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest
from sqlalchemy import delete, select

from streams.cases.store.engine import writing
from streams.cases.store.erase import erase, search_files
from streams.cases.store.index_tables import words
from streams.cases.store.index_writer import Writer
from streams.cases.store.people_tables import erased
from streams.common.errors import UnavailableError, UsageError
from streams.wire import Override, encode_override
from tests.builders.streams.cases.store.removal import OTHER, one_of_each
from tests.enforce.records import RECIPIENT, START_MS, override
from tests.streams.cases.store.filled import (
    FilledStore,
    audited,
    ended,
    fill,
    flood,
    logged,
    opened,
)

TOKEN = f"hk1:{'5a' * 32}"


def token_of(number: str) -> list[str]:
    return [TOKEN] if number == RECIPIENT else []


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """The files of a store in which a number is everywhere it can be, and the ends of its topics.

    Others are beside it. The files are made once and copied for each test.
    """
    folder = tmp_path_factory.mktemp("filled")
    made = opened(folder, tokens=token_of)
    for n in range(60):  # pages enough that freed ones are of many kinds
        one_of_each(made, n + 2, f"86138{n:08d}")
    one_of_each(made)
    one_of_each(made, 1, TOKEN)
    people = made.papers
    people.add_note("ann", f"{RECIPIENT} called at noon", recipient=RECIPIENT)
    people.add_note("ann", f"same caller as 13900000001, says {OTHER}", recipient=OTHER)
    people.add_call("ann", RECIPIENT, identified_by="from it", same_caller=True)
    people.add_appeal("ann", RECIPIENT, "why", due_ms=START_MS, identified_by="id")
    people.propose("ann", "exempt", RECIPIENT.encode(), f"exempt {RECIPIENT}", "test", "T-1")
    people.lift("ann", people.hold("ann", RECIPIENT, "d", "r").hold_id)
    made.close()
    return folder, made.offsets


@pytest.fixture
def store(filled: tuple[Path, dict[str, int]], tmp_path: Path) -> FilledStore:
    folder, offsets = filled
    copytree(folder, tmp_path, dirs_exist_ok=True)
    made = opened(tmp_path, tokens=token_of)
    made.offsets = dict(offsets)
    return made


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_the_number_is_in_no_byte_of_any_file(store: FilledStore, tmp_path: Path) -> None:
    before = bytes_of(tmp_path)
    assert before.count(RECIPIENT.encode()) > 5
    assert TOKEN.encode() in before
    done = erase(store, RECIPIENT)
    after = bytes_of(tmp_path)
    for form in (RECIPIENT, "13900000001", TOKEN):
        assert form.encode() not in after
    assert after.count(OTHER.encode()) == before.count(OTHER.encode()) > 0
    assert {path for path, _ in done.searched} >= {
        tmp_path / "desk.db",
        tmp_path / "desk-index.db",
    }
    assert done.rows["cases"] == 2
    assert done.newest_ms["episode"] == START_MS
    assert set(done.newest_ms) == {
        "episode", "throttle", "acks", "incident", "override", "notice", "audit",
    }  # fmt: skip


def test_nothing_is_found_of_it_afterwards_and_others_are_whole(store: FilledStore) -> None:
    erase(store, RECIPIENT)
    found = store.find(RECIPIENT)
    assert (found.cases, found.words, found.calls) == ((), (), ())
    assert store.papers.about(RECIPIENT, "").notes == ()
    (note,) = store.papers.about(OTHER, "").notes
    assert note.text == f"same caller as [erased], says {OTHER}"
    assert store.papers.proposals() == ()
    assert store.find("8613800000007").newest is not None
    told = store.audit(subject="[erased]")
    assert {(each.actor, each.verb) for each in told} == {("li.lei", "search")}


def test_a_replay_does_not_bring_it_back(store: FilledStore) -> None:
    record, lease = flood()
    erase(store, RECIPIENT)
    with store.people.connect() as connection:
        gone = list(connection.scalars(select(erased.c.identity)))
    assert not any(RECIPIENT in each or TOKEN in each for each in gone)
    records = [record, lease, ended(record), *audited({"subject": RECIPIENT}, chain="desk/0")]
    Writer(store.index, gone).take(logged(store, records, START_MS), [])
    assert store.find(RECIPIENT).cases == ()
    assert store.audit(subject=RECIPIENT) == ()


def test_a_hold_forbids_it_and_so_does_a_case_that_goes_on(store: FilledStore) -> None:
    hold = store.papers.hold("ann", RECIPIENT, "调证2026-17", "police")
    with pytest.raises(UsageError, match="调证2026-17"):
        erase(store, RECIPIENT)
    store.papers.lift("ann", hold.hold_id)
    record, lease = flood(900)
    fill(store, record, lease)
    with pytest.raises(UsageError, match="open case"):
        erase(store, RECIPIENT)
    erase(store, RECIPIENT, even_open=True)
    assert store.find(RECIPIENT).newest is None


def test_a_number_that_nobody_knows_is_erased_with_nothing_done(store: FilledStore) -> None:
    done = erase(store, "8613700000000")
    assert not done.rows
    assert not done.newest_ms


def test_bytes_that_are_left_are_an_error_that_names_the_file(
    store: FilledStore, tmp_path: Path
) -> None:
    erase(store, RECIPIENT)
    (tmp_path / "desk-index.db-wal").write_bytes(b"..." + RECIPIENT.encode())
    with pytest.raises(UnavailableError, match=r"desk-index\.db-wal"):
        list(search_files(store.url, [RECIPIENT]))


@pytest.mark.parametrize(
    "written",
    ["+86 139 0000 0001", "139-0000-0001", "１３９０００００００１", "①③⑨０0٠० 0०๐¹",
     "１3９-０0０0-０0０1", "一三九〇〇〇〇〇〇〇一", "1\u200b3９ 0000 000壹"],
)  # fmt: skip
def test_a_number_in_groups_is_the_number(store: FilledStore, tmp_path: Path, written: str) -> None:
    store.papers.add_note("ann", f"same caller as {written}.", recipient=OTHER)
    fill(store, *audited({"subject": OTHER, "reason": f"as {written}"}, chain="desk/spoken"))
    assert f"as {written}" in {each.reason for each in store.audit()}
    erase(store, RECIPIENT)
    assert store.papers.about(OTHER, "").notes[0].text.rstrip(".").endswith("[erased]")
    assert written.encode() not in bytes_of(tmp_path)


@pytest.mark.parametrize("written", [RECIPIENT, "+86 139 0000 0001", TOKEN])
@pytest.mark.parametrize("field", ["reason", "ticket"])
def test_a_word_about_another_number_stands_without_what_names_it(
    store: FilledStore, written: str, field: str
) -> None:
    """Words lie packed, where a search of bytes finds nothing."""
    said = override("exempt", OTHER, **{field: f"the son of {written}"})
    kept = override("exempt", "8613800000003", reason="a shared inbox", ticket="T-9")
    logged_before = fill(store, said, kept)
    done = erase(store, RECIPIENT)
    assert done.rows["words"] > 0

    def texts(recipient: str) -> list[tuple[str, str]]:
        return [(each.word.reason, each.word.ticket) for each in store.find(recipient).words]

    assert ("", "") in texts(OTHER)
    assert not any(written in text for pair in texts(OTHER) for text in pair)
    assert ("a shared inbox", "T-9") in texts("8613800000003")
    with store.people.connect() as connection:
        gone = list(connection.scalars(select(erased.c.identity)))
    with writing(store.index).begin() as connection:
        connection.execute(delete(words))
    Writer(store.index, gone).take(logged_before, [])  # as a rebuild reads the topic again
    assert texts(OTHER) == [("", "")]
    assert texts("8613800000003") == [("a shared inbox", "T-9")]


def test_a_proposal_to_exempt_it_goes_by_its_bytes(store: FilledStore, tmp_path: Path) -> None:
    word = Override(
        recipient=RECIPIENT, verb="exempt", actor="ann", reason="why", issued_at_ms=START_MS,
        expires_at_ms=START_MS + 1,
    )  # fmt: skip
    store.papers.propose("ann", "exempt", encode_override(word), "masked", "test", "T-1")
    kept = store.papers.propose("ann", "mode", b"{}", "kill switch", "test", "T-2")
    erase(store, RECIPIENT)
    assert store.papers.proposals() == (kept,)
    assert RECIPIENT.encode() not in bytes_of(tmp_path)
