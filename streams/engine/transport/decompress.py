"""Decompresses record batches, with a limit on the decompressed size.

Brokers limit only the compressed size: a batch of 6 kB may contain 200 MB of zeros. So this module
counts the output bytes while it decompresses.
"""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import cramjam

_GZIP: Final = 16 + zlib.MAX_WBITS  # zlib.h: with gzip's header
_PIECE: Final = 64  # bytes given to a gzip member at first
# framing of the Java client: this magic, two versions, then blocks with lengths
_XERIAL: Final = b"\x82SNAPPY\0"
_XERIAL_HEAD: Final = len(_XERIAL) + 8
_LENGTH: Final = struct.Struct(">i")
# texts are compressed to a third or a fifth, so one attempt with this factor is enough
_USUAL: Final = 8
_MORE: Final = 4
_LEAST: Final = 1 << 16


class UnreadableBatchError(Exception):
    """The batch is larger than the limit, or its compressed data is invalid."""


def decompress(codec: int, data: bytes, bytes_max: int) -> bytes:
    """Return the decompressed data, at most `bytes_max` bytes.

    `codec` is Kafka's number: 1 gzip, 2 snappy, 3 lz4, 4 zstd. Raise UnreadableBatchError.
    """
    if codec not in _CODECS:
        raise UnreadableBatchError
    try:
        return _CODECS[codec](data, bytes_max)
    except (cramjam.DecompressionError, zlib.error, struct.error, ValueError) as error:
        raise UnreadableBatchError from error


def _gzip(data: bytes, bytes_max: int) -> bytes:
    made, at = bytearray(), 0
    while at < len(data):
        # The input grows step by step, because zlib copies the input that a member does not use.
        # With all input at once, many small members would copy the whole rest each time.
        member, size = zlib.decompressobj(_GZIP), _PIECE
        while not member.eof:
            piece = data[at : at + size]
            made += member.decompress(piece, bytes_max + 1 - len(made))
            if len(made) > bytes_max or not piece:
                raise UnreadableBatchError
            at, size = at + len(piece), 2 * size
        at -= len(member.unused_data)
    return bytes(made)


def _snappy(data: bytes, bytes_max: int) -> bytes:
    if not data.startswith(_XERIAL):
        blocks = [data]
    else:
        blocks, at = [], _XERIAL_HEAD
        while at < len(data):
            (size,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            if not 0 <= size <= len(data) - at:
                raise UnreadableBatchError
            blocks.append(data[at : at + size])
            at += size
    if sum(map(cramjam.snappy.decompress_raw_len, blocks)) > bytes_max:
        raise UnreadableBatchError
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _into(codec: object) -> Callable[[bytes, int], bytes]:
    """Return a function for a codec that fills a buffer; larger buffers are tried in turn."""
    fill: Callable[[bytes, bytearray], int] = codec.decompress_into  # type: ignore[attr-defined]

    def make(data: bytes, bytes_max: int) -> bytes:
        size = min(bytes_max, max(_LEAST, _USUAL * len(data)))
        while True:
            made = bytearray(size)
            try:
                length = fill(data, made)
            except cramjam.DecompressionError:
                if size == bytes_max:
                    raise
                size = min(bytes_max, _MORE * size)
            else:
                return bytes(memoryview(made)[:length])

    return make


_CODECS: Final[Mapping[int, Callable[[bytes, int], bytes]]] = {
    1: _gzip,
    2: _snappy,
    3: _into(cramjam.lz4),
    4: _into(cramjam.zstd),
}
