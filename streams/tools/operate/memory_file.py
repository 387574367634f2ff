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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, Literal

import msgspec
from kafka import KafkaProducer

from detectors.memory_records import list_memories, sign_memory
from detectors.model.event import TOKEN_BIT, KnownPlatform, MemoryRecord
from detectors.partition import Params, Partition
from detectors.recognise.text.fold import NAME_VERSION
from streams.cluster.admin import client_arguments, working
from streams.cluster.read import TopicReader, reading
from streams.common import UnavailableError, UsageError, now_ms, read_bytes, replace_file, tr
from streams.common.files import piped, whole_file
from streams.config import Settings
from streams.engine.state.checkpoint import ChangelogReader, rebuilt
from streams.wire import encode_memory
from streams.wire.version import UNDECODABLE

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


# The line of one recipient: name, partition, as_of_ms, born_day, platforms.
_line: Final = msgspec.json.Decoder(tuple[str, int, int, int, tuple[KnownPlatform, ...]]).decode
# How far a file is published: its digest, the topic, and the number of recipients.
_position: Final = msgspec.json.Decoder(tuple[str, str, int]).decode


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


@contextmanager
def opened(path: Path, key_file: Path | None) -> Iterator[gzip.GzipFile]:
    """Yield the lines of a file. `key_file`: age identities, needed if the file is encrypted.

    Raises UsageError if the key is missing, or another one.
    """
    with path.open("rb") as packed:
        if not packed.peek().startswith(_AGE):
            with gzip.open(packed) as lines:
                yield lines
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
            with (
                piped(lambda plain: pyrage.decrypt_io(packed, plain, keys), "rb") as plain,
                gzip.open(plain) as lines,
            ):
                yield lines
        except (pyrage.IdentityError, pyrage.DecryptError) as error:
            raise UsageError(
                tr("{path} cannot be decrypted with {key}: {error}").format(
                    path=path, key=key_file, error=error
                )
            ) from None


def check(path: Path, key_file: Path | None = None) -> tuple[Head, End]:
    """Read a whole file; return its first and last line.

    Raises UsageError if it is damaged, and what `opened` raises.
    """
    digest, last, number = hashlib.blake2b(digest_size=16), b"", -1
    try:
        with opened(path, key_file) as lines:
            head = msgspec.json.decode(last := next(lines, b""), type=Head)
            for line in lines:
                digest.update(last)
                number, last = number + 1, line
        end = msgspec.json.decode(last, type=End)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{path}: {why}") from None
    except (EOFError, zlib.error, *UNDECODABLE):
        raise _damaged(path) from None
    if end != End(number, digest.hexdigest()):
        raise _damaged(path)
    if head.name_version != NAME_VERSION:
        raise UsageError(
            tr("{path}: its platform names are of version {found}, not {known}").format(
                path=path, found=head.name_version, known=NAME_VERSION
            )
        )
    return head, end


def _damaged(path: Path) -> UsageError:
    return UsageError(tr("{path}: no whole memory file of version 1").format(path=path))


def publish(
    path: Path,
    producer: KafkaProducer,
    topic: str,
    key: bytes,
    numbers: Callable[[str], int],
    rate: float,
    stop: threading.Event,
    show: Callable[[int], None],
    key_file: Path | None = None,
) -> tuple[int, int]:
    """Publish the recipients of a file, signed with `key`, and remember how far in a file beside.

    `numbers`: returns a recipient's integer. `rate`: recipients per second. Returns how many are
    published, earlier runs included, and how many there are. Raises UsageError for a file with
    reduced tokens if the topic has another number of partitions.
    """
    head, end = check(path, key_file)
    place = path.with_name(f"{path.name}.progress")
    done = 0
    with suppress(OSError, *UNDECODABLE):
        *of, published = _position(place.read_bytes())
        if of == [end.digest, topic]:
            done = published
    show(done)
    send = sender(producer, topic, key, head.partitions)
    with opened(path, key_file) as lines, working(tr("cannot publish")):
        rows = map(_line, islice(lines, 1 + done, 1 + end.recipients))
        sent = (
            send(name, numbers(name), partition, MemoryRecord(at, NAME_VERSION, born, known, ""))
            for name, partition, at, born, known in rows
        )
        for some in in_pace(sent, producer, rate, stop):
            done += some
            replace_file(place, msgspec.json.encode((end.digest, topic, done)))
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
            raise UsageError(
                tr(
                    "tokens of a checkpoint can only go to a topic of {n} partitions; "
                    "those of `memory learn` can go to any"
                ).format(n=partitions)
            )
        value = encode_memory(name, sign_memory(key, recipient, told))
        return producer.send(
            topic, value, key=name.encode(), partition=None if whole else partition
        )

    return send


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
