"""HTTP content codings, with a limit on what comes out."""

from __future__ import annotations

import zlib
from typing import Final

import cramjam
import zstandard

from lymer.errors import BodyTooLargeError, UndecodableError

__all__ = ["CODINGS", "decode_content"]

CODINGS: Final = (
    "identity", "gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4",
)  # fmt: skip
"""What confighttp of the OpenTelemetry Collector accepts. Source: reference jaeger.md 2.3."""

_RATIO_MAX: Final = {"lz4": 255, "x-snappy-framed": 32}
"""How many bytes one byte of input can become, by the formats' definitions."""
_FRAME_BYTES: Final = 64 * 1024
_ZSTD_WINDOW_BYTES_MAX: Final = 2**27
_ZSTD_HEADER_BYTES_MAX: Final = 18
_ZSTD_SKIPPABLE: Final = 0x184D2A5
"""Magic number of a skippable frame, without its last four bits."""
_GZIP_WINDOW_BITS: Final = 31
"""zlib's number for "a gzip header, and the largest window"."""
_FIRST_PIECE_BYTES: Final = 512


def decode_content(coding: str, body: bytes, bytes_max: int) -> bytes:
    """Undo a `Content-Encoding`.

    Args:
        coding: Value of the header, lower case; empty is identity.
        body: As it came.
        bytes_max: Limit on the result, bytes; memory used stays near it whatever `body` says.

    Raises:
        BodyTooLargeError: The result would be over `bytes_max`.
        UndecodableError: `body` is not what `coding` says, or the coding is not known.
    """
    if coding in {"", "identity"}:
        return body
    try:
        if coding in {"gzip", "x-gzip"}:
            return _inflate(body, _GZIP_WINDOW_BITS, bytes_max)
        if coding in {"deflate", "zlib"}:
            # HTTP's deflate is zlib's format; some senders leave the header out.
            return _inflate(body, 15 if _has_zlib_header(body) else -15, bytes_max)
        if coding == "zstd":
            return _unzstd(body, bytes_max)
        if coding == "snappy":
            return _unsnap(body, bytes_max)
        if coding in {"x-snappy-framed", "lz4"}:
            return _into(coding, body, bytes_max) if body else b""
    except (zlib.error, zstandard.ZstdError, cramjam.DecompressionError, OSError) as error:
        message = f"cannot decode the body as {coding}: {error}"
        raise UndecodableError(message) from error
    known = ", ".join(CODINGS)
    message = f"unsupported Content-Encoding: {coding[:64]!r}, supported: {known}"
    raise UndecodableError(message)


def _too_large(bytes_max: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the decompressed body is over the limit of {bytes_max} bytes")


def _has_zlib_header(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0


def _inflate(body: bytes, window_bits: int, bytes_max: int) -> bytes:
    """Inflate one or, for gzip, several members.

    The body goes in by growing pieces: zlib copies what is behind the end of a member, and a body
    of very many members would be copied as many times.
    """
    parts: list[bytes] = []
    size = offset = 0
    while offset < len(body):
        if offset and window_bits != _GZIP_WINDOW_BITS:
            raise zlib.error("there are bytes behind the end of the stream")
        decoder = zlib.decompressobj(window_bits)
        piece_bytes = _FIRST_PIECE_BYTES
        while not decoder.eof:
            piece = body[offset : offset + piece_bytes]
            if not piece:
                raise zlib.error("the stream ends too early")
            offset += len(piece)
            piece_bytes *= 2
            parts.append(decoder.decompress(piece, bytes_max - size + 1))
            size += len(parts[-1])
            if size > bytes_max:
                raise _too_large(bytes_max)
        offset -= len(decoder.unused_data)
    return b"".join(parts)


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    with decoder.stream_reader(body, read_across_frames=True) as reader:
        content = reader.read(bytes_max + 1)
        while len(content) <= bytes_max:
            more = reader.read(bytes_max + 1 - len(content))
            if not more:
                break
            content += more
    if len(content) > bytes_max:
        raise _too_large(bytes_max)
    _check_zstd_end(body)
    return bytes(content)


def _check_zstd_end(body: bytes) -> None:
    """Refuse a stream that stops inside a frame, which the reader takes for its end.

    Walks over headers only. Source: RFC 8878, sections 3.1.1 and 3.1.2.
    """
    offset = 0
    while offset < len(body):
        if int.from_bytes(body[offset : offset + 4], "little") >> 4 == _ZSTD_SKIPPABLE:
            offset += 8 + int.from_bytes(body[offset + 4 : offset + 8], "little")
            continue
        frame = zstandard.get_frame_parameters(body[offset : offset + _ZSTD_HEADER_BYTES_MAX])
        offset += zstandard.frame_header_size(body[offset : offset + _ZSTD_HEADER_BYTES_MAX])
        is_last = False
        while not is_last and offset < len(body):
            block = int.from_bytes(body[offset : offset + 3], "little")
            is_last, is_repeated = bool(block & 1), block >> 1 & 3 == 1
            offset += 3 + (1 if is_repeated else block >> 3)
        offset += 4 * frame.has_checksum
        if not is_last:
            raise zstandard.ZstdError("the stream ends too early")
    if offset > len(body):
        raise zstandard.ZstdError("the stream ends too early")


def _unsnap(body: bytes, bytes_max: int) -> bytes:
    """Decode the raw block format, whose first bytes say how long the result is."""
    if cramjam.snappy.decompress_raw_len(body) > bytes_max:
        raise _too_large(bytes_max)
    return bytes(cramjam.snappy.decompress_raw(body))


def _into(coding: str, body: bytes, bytes_max: int) -> bytes:
    """Decode a framed format into a buffer just large enough to notice what is too large."""
    ratio_max = _RATIO_MAX[coding]
    buffer = bytearray(min(bytes_max + 1, len(body) * ratio_max + _FRAME_BYTES))
    decode = cramjam.lz4.decompress_into if coding == "lz4" else cramjam.snappy.decompress_into
    try:
        size = decode(body, buffer)
    except (OSError, cramjam.DecompressionError) as error:
        if "write whole buffer" in str(error):
            raise _too_large(bytes_max) from error
        raise
    if size > bytes_max:
        raise _too_large(bytes_max)
    return bytes(memoryview(buffer)[:size])
