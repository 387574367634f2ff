"""Memory files: what states know about their recipients, exported, learned and imported.

A file is gzip with JSON lines: a header, one line for each recipient, and a last line with the
number of recipients and a checksum of all lines before it. A file is checked as a whole before any
of its recipients is published. It has no signature: who imports it signs each record.

The whole file can be encrypted with age (age-encryption.org). It is encrypted and decrypted in
passing, so the plain text is never in a file.
"""

import gzip
import hashlib
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple

import msgspec
from kafka import KafkaProducer

from detectors.memory_records import list_memories, sign_memory
from detectors.model.event import TOKEN_BIT, KnownPlatform, MemoryRecord
from detectors.partition import Params, Partition
from detectors.recognise.text.fold import NAME_VERSION
from detectors.thresholds import MEMORY_MAX
from streams import wire
from streams.cluster.admin import client_arguments, working
from streams.cluster.read import TopicReader, reading
from streams.common import (
    UnavailableError,
    UsageError,
    now_ms,
    read_bytes,
    replace_file,
    tr,
    unwritten,
)
from streams.common.files import piped, whole_file
from streams.config import Settings
from streams.engine.state.checkpoint import ChangelogReader, rebuilt
from streams.wire import Intake, RejectReason, encode_memory
from streams.wire.version import UNDECODABLE, Integer, ShortText, Word32

# Recipients that are written or published together. Their acknowledgements are awaited before the
# position moves, so a killed import publishes at most so many again, which changes nothing.
TOGETHER: Final = 1000
# Records are published in parts of so many seconds of the rate. Each part is adopted in a few
# milliseconds, so decisions do not wait for a thousand records at once.
PART_S: Final = 0.05
# Beginning of a pseudonym of which only the state's 63 bits are known. Such a recipient keeps its
# partition, because its key is not known.
REDUCED: Final = "h0:"

_AGE: Final = b"age-encryption.org/"
_NO_MAC: Final = "0" * 64

# Partition, recipient, and what is known.
Exported = tuple[int, int, MemoryRecord]
# Returns the canonical form of a recipient.
Name = Callable[[int], str]


class Head(msgspec.Struct, frozen=True):
    """The first line. Another version of the format, or of platform names, cannot be imported."""

    otpguard_memory: Literal[1]
    name_version: int
    partitions: int  # of the topic that the states belong to
    made_ms: int


class End(msgspec.Struct, frozen=True):
    """The last line."""

    recipients: int
    digest: str


class Checked(NamedTuple):
    """What is known of a file that was read as a whole."""

    head: Head
    end: End
    has_reduced: bool  # true if tokens of which only 63 bits are known are among the recipients


class _Row(NamedTuple):
    """One recipient of a file: its canonical form, its integer, and its partition at the export."""

    name: str
    recipient: int
    partition: int
    told: MemoryRecord


# Longest line in bytes. A line of `MEMORY_MAX` platforms has under 3 kB.
_LINE_MAX: Final = 16_384
# The line of one recipient: name, partition, as_of_ms, born_day, platforms. The worker's decoder
# checks the values.
_line: Final = msgspec.json.Decoder(
    tuple[ShortText, Word32, Integer, Integer, tuple[tuple[Integer, Integer, Integer], ...]]
).decode
# How far a file is published: its digest, the topic, and the number of recipients.
_position: Final = msgspec.json.Decoder(tuple[str, str, Word32]).decode


def reduced_name(recipient: int) -> str:
    """Return the text for a recipient: its number, or the 63 bits that are kept of its token."""
    return f"{REDUCED}{recipient:016x}" if recipient & TOKEN_BIT else str(recipient)


def reading_params(settings: Settings) -> Params:
    """Return the parameters with which states are only read, so that no key is needed."""
    detect = settings.detect.model_copy(update={"hot": "partition", "memory_key_file": None})
    return settings.model_copy(update={"detect": detect}).params()


def export(
    clients: Mapping[str, Any], changelog: str, params: Params, epoch: int
) -> Iterator[Exported]:
    """Yield what the newest checkpoint of each partition knows; one partition is in memory.

    No worker is stopped or asked. Raises what `read_state` and `reading` raise.
    """
    with reading(clients, changelog) as reader:
        spans = reader.spans()
        for partition in reader.partitions:
            state = read_state(reader, partition, spans[partition], params, epoch)
            if state is not None:
                yield from ((partition, *each) for each in list_memories(state))


def read_state(
    reader: TopicReader, partition: int, span: tuple[int, int], params: Params, epoch: int
) -> Partition | None:
    """Return the state of a partition's newest checkpoint in a changelog, or None without one.

    Raises CheckpointError if the checkpoint is damaged.
    """
    held = ChangelogReader()
    for record in reader.records({partition: span}):
        held.put(record.key, record.value)
    restored = held.restore(partition, epoch)
    return None if restored is None else rebuilt(params, partition, restored)


def write(
    path: Path,
    partitions: int,
    found: Iterable[Exported],
    name: Name,
    show: Callable[[int], None],
    encrypt_to: Sequence[Any] = (),
) -> int:
    """Write a file, which takes its name when it is complete; return the number of recipients.

    `encrypt_to`: age recipients who can decrypt the file; none: it is not encrypted.
    """
    digest, encoder, number = hashlib.blake2b(digest_size=16), msgspec.json.Encoder(), 0
    head = Head(1, NAME_VERSION, partitions, now_ms())
    # Level 1: the fastest. Only its owner may read the file, because it has numbers.
    with (
        whole_file(path, path.name, mode=0o600) as out,
        _encrypting(out, encrypt_to) as plain,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=plain) as packed,
    ):

        def put(part: bytes) -> None:
            digest.update(part)
            packed.write(part)

        put(encoder.encode(head) + b"\n")
        # Encoded one by one: a collection of so many objects would take as long as all the rest.
        lines = (
            encoder.encode(
                (name(recipient), partition, told.as_of_ms, told.born_day, told.platforms)
            )
            for partition, recipient, told in found
        )
        while some := list(islice(lines, TOGETHER)):
            put(b"\n".join([*some, b""]))
            number += len(some)
            show(len(some))
        packed.write(encoder.encode(End(number, digest.hexdigest())) + b"\n")
    return number


def age_recipients(words: Sequence[str]) -> list[Any]:
    """Return age recipients (`age1...`) for `write`. Raises UsageError for another word."""
    if not words:
        return []
    import pyrage  # noqa: PLC0415 - an extra

    try:
        return [pyrage.x25519.Recipient.from_str(each) for each in words]
    except pyrage.RecipientError as error:
        raise UsageError(f"--encrypt-to: {error}") from None


@contextmanager
def _encrypting(out: IO[bytes], encrypt_to: Sequence[Any]) -> Iterator[IO[bytes]]:
    if not encrypt_to:
        yield out
        return
    import pyrage  # noqa: PLC0415 - an extra

    try:
        with piped(lambda plain: pyrage.encrypt_io(plain, out, encrypt_to), "wb") as plain:
            yield plain
    except pyrage.EncryptError as error:  # a full disk
        raise UnavailableError(str(error)) from None


def _read_lines(path: Path, key_file: Path | None) -> Generator[bytes]:
    """Yield the lines of a file. `key_file`: age identities, needed if the file is encrypted.

    Raises UsageError if the file is damaged or cannot be read, or if the key is missing or wrong. A
    line that is too long comes in pieces, so a file cannot fill the memory.
    """
    try:
        with _open_plain(path, key_file) as plain, gzip.open(plain) as lines:
            while line := lines.readline(_LINE_MAX):
                yield line
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise _damaged(path) from None


@contextmanager
def _open_plain(path: Path, key_file: Path | None) -> Iterator[IO[bytes]]:
    with path.open("rb") as packed:
        if not packed.peek().startswith(_AGE):
            yield packed
            return
        import pyrage  # noqa: PLC0415 - an extra

        if key_file is None:
            raise UsageError(
                tr("{path} is encrypted; name its key with --key-file").format(path=path)
            )
        try:
            lines_of_key = read_bytes(key_file, UsageError).decode("ascii", "replace").split()
            keys = [
                pyrage.x25519.Identity.from_str(each)
                for each in lines_of_key
                if each.startswith("AGE-")
            ]
            with piped(lambda plain: pyrage.decrypt_io(packed, plain, keys), "rb") as plain:
                yield plain
        except (pyrage.IdentityError, pyrage.DecryptError) as error:
            raise UsageError(
                tr("{path} cannot be decrypted with {key}: {error}").format(
                    path=path, key=key_file, error=error
                )
            ) from None


def _read_rows(
    path: Path, lines: Iterator[bytes], at: int, head: Head, intake: Intake
) -> Iterator[_Row]:
    """Decode lines as a worker decodes their records. `at`: number of the line before the first.

    Raises UsageError for the first line that a worker would refuse. It names no content.
    """
    while some := list(islice(lines, TOGETHER)):
        partitions: list[int] = []
        values: list[bytes] = []
        try:
            for line in some:
                name, partition, as_of_ms, born_day, known = _line(line)
                if partition >= max(1, head.partitions) or len(known) > MEMORY_MAX:
                    raise _damaged(path, at + 1 + len(values), RejectReason.OUT_OF_RANGE)
                platforms = tuple(map(KnownPlatform._make, known))
                told = MemoryRecord(as_of_ms, NAME_VERSION, born_day, platforms, _NO_MAC)
                values.append(encode_memory(name, told))
                partitions.append(partition)
        except UNDECODABLE:
            raise _damaged(path, at + 1 + len(values), RejectReason.WRONG_TYPE) from None
        n = len(values)
        decoded = wire.decode(intake, "", 0, values, [None] * n, range(n), None, n)
        for reject in decoded.rejects:
            raise _damaged(path, at + 1 + reject.offset, reject.reason)
        batch = decoded.batch
        assert batch.memory is not None, "these are memory records"
        recipients = batch.recipient.tolist()
        for i, (recipient, partition) in enumerate(zip(recipients, partitions, strict=True)):
            if (adopted := batch.memory(i)) is None:
                raise _damaged(path, at + 1 + i, RejectReason.OUT_OF_RANGE)
            name = batch.tokens.get(recipient) or str(recipient)
            yield _Row(name, recipient, partition, adopted)
        at += n


def check(path: Path, intake: Intake, key_file: Path | None = None) -> Checked:
    """Read a whole file and decode each line by the rules of a worker (`intake`).

    Raises UsageError if the file is damaged, and what `_read_lines` raises.
    """
    digest, number, has_reduced = hashlib.blake2b(digest_size=16), 0, False
    with closing(_read_lines(path, key_file)) as lines:
        last = next(lines, b"")
        try:
            head = msgspec.json.decode(last, type=Head)
        except UNDECODABLE:
            raise _damaged(path) from None
        if head.name_version != NAME_VERSION:
            raise UsageError(
                tr("{path}: its platform names are of version {found}, not {known}").format(
                    path=path, found=head.name_version, known=NAME_VERSION
                )
            )

        def all_but_last() -> Iterator[bytes]:
            nonlocal last
            digest.update(last)
            last = next(lines, b"")
            for line in lines:
                digest.update(last)
                yield last
                last = line

        for row in _read_rows(path, all_but_last(), 1, head, intake):
            number += 1
            has_reduced |= row.name.startswith(REDUCED)
    try:
        end = msgspec.json.decode(last, type=End)
    except UNDECODABLE:
        raise _damaged(path) from None
    if end != End(number, digest.hexdigest()):
        raise _damaged(path)
    return Checked(head, end, has_reduced)


def _damaged(path: Path, line: int = 0, reason: str = "") -> UsageError:
    sentence = tr("{path}: no whole memory file of version 1; copy or export it again").format(
        path=path
    )
    if line:
        sentence += tr(" (line {line}: {reason})").format(line=line, reason=reason)
    return UsageError(sentence)


def publish(
    path: Path,
    checked: Checked,
    producer: KafkaProducer,
    topic: str,
    key: bytes,
    intake: Intake,
    rate: float,
    stop: threading.Event,
    show: Callable[[int], None],
    key_file: Path | None = None,
) -> tuple[int, int]:
    """Publish the recipients of a file, signed with `key`, and remember how far in a file beside.

    `checked`: what `check` returned for the file. `rate`: recipients per second. Returns how many
    are published, earlier runs included, and how many there are. Raises UsageError, before the
    first is published, for a file with reduced tokens if the topic has another number of
    partitions, and if the position cannot be written.
    """
    head, end, has_reduced = checked
    if has_reduced and len(producer.partitions_for(topic)) != head.partitions:
        raise _tokens_elsewhere(head.partitions)
    place = path.with_name(f"{path.name}.progress")
    done = 0
    with suppress(OSError, *UNDECODABLE):
        *of, published = _position(place.read_bytes())
        if of == [end.digest, topic]:
            done = min(published, end.recipients)

    def remember() -> None:
        try:
            replace_file(place, msgspec.json.encode((end.digest, topic, done)))
        except OSError as error:
            raise unwritten(place, error) from None

    remember()
    show(done)
    send = sender(producer, topic, key, head.partitions)
    with closing(_read_lines(path, key_file)) as lines, working(tr("cannot publish")):
        rest = islice(lines, 1 + done, 1 + end.recipients)
        rows = _read_rows(path, rest, 1 + done, head, intake)
        for some in in_pace((send(*row) for row in rows), producer, rate, stop):
            done += some
            remember()
            show(some)
    return done, end.recipients


def memory_producer(settings: Settings) -> KafkaProducer:
    """Return a producer for the records of an import or an agent; the caller closes it."""
    return KafkaProducer(
        **client_arguments(settings.kafka), client_id=f"{settings.app_id}-memory", acks="all",
        linger_ms=5, compression_type="gzip",
    )  # fmt: skip


def sender(
    producer: KafkaProducer, topic: str, key: bytes, partitions: int
) -> Callable[[str, int, int, MemoryRecord], Any]:
    """Return a function that signs a record and sends it, and returns its future.

    Its arguments: the recipient's canonical form and integer, its partition in a topic of
    `partitions` partitions, and the record. It raises UsageError for a reduced token if `topic` has
    another number of partitions.
    """
    same = len(producer.partitions_for(topic)) == partitions

    def send(name: str, recipient: int, partition: int, told: MemoryRecord) -> Any:
        whole = not name.startswith(REDUCED)
        if not (whole or same):
            raise _tokens_elsewhere(partitions)
        value = encode_memory(name, sign_memory(key, recipient, told))
        return producer.send(
            topic, value, key=name.encode(), partition=None if whole else partition
        )

    return send


def _tokens_elsewhere(partitions: int) -> UsageError:
    return UsageError(
        tr(
            "tokens of a checkpoint can only go to a topic of {n} partitions; "
            "those of `memory learn` can go to any"
        ).format(n=partitions)
    )


def in_pace(
    sent: Iterator[Any], producer: KafkaProducer, rate: float, stop: threading.Event
) -> Iterator[int]:
    """Take the futures of records, and yield the number of each part that Kafka has acknowledged.

    At most `rate` records per second are taken, in parts of `PART_S` seconds and at most `TOGETHER`
    records, until `stop` is set.
    """
    began, done, part = time.monotonic(), 0, max(1, min(TOGETHER, int(rate * PART_S)))
    while some := list(islice(sent, part)):
        producer.flush(timeout=60)
        for future in some:
            future.get(timeout=1)
        done += len(some)
        yield len(some)
        if stop.wait(max(0.0, began + done / rate - time.monotonic())):
            break
