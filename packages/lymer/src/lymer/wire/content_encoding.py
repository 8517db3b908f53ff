"""HTTP content codings, with a limit on what comes out."""

from __future__ import annotations

import zlib
from typing import Final

import cramjam
import zstandard

from lymer.errors import TooLargeError, UndecodableError

__all__ = ["CODINGS", "decode_content"]

CODINGS: Final = (
    "identity", "gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4",
)  # fmt: skip
"""What confighttp of the OpenTelemetry Collector accepts. Source: reference jaeger.md 2.3."""

_RATIO_MAX: Final = {"lz4": 255, "x-snappy-framed": 32}
"""How many bytes one byte of input can become, by the formats' definitions."""
_FRAME_BYTES: Final = 64 * 1024
_ZSTD_WINDOW_LOG_BYTES: Final = 2**27


def decode_content(coding: str, body: bytes, bytes_max: int) -> bytes:
    """Undo a `Content-Encoding`.

    Args:
        coding: Value of the header, lower case; empty is identity.
        body: As it came.
        bytes_max: Limit on the result, bytes; memory used stays near it whatever `body` says.

    Raises:
        TooLargeError: The result would be over `bytes_max`.
        UndecodableError: `body` is not what `coding` says, or the coding is not known.
    """
    if coding in {"", "identity"}:
        return body
    try:
        if coding in {"gzip", "x-gzip"}:
            return _inflate(body, 31, bytes_max)
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


def _too_large(bytes_max: int) -> TooLargeError:
    return TooLargeError(f"the decompressed body is over the limit of {bytes_max} bytes")


def _has_zlib_header(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0  # noqa: PLR2004 - RFC 1950, 2.2


def _inflate(body: bytes, window_bits: int, bytes_max: int) -> bytes:
    """Inflate one or, for gzip, several members."""
    parts: list[bytes] = []
    size = 0
    while body:
        decoder = zlib.decompressobj(window_bits)
        part = decoder.decompress(body, bytes_max - size + 1)
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        if not decoder.eof:
            raise zlib.error("the stream ends too early")
        parts.append(part)
        body = decoder.unused_data
        if body and window_bits != 31:  # noqa: PLR2004 - zlib's number for gzip
            raise zlib.error("there are bytes behind the end of the stream")
    return b"".join(parts)


def _unzstd(body: bytes, bytes_max: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_LOG_BYTES)
    with decoder.stream_reader(body, read_across_frames=True) as reader:
        content = reader.read(bytes_max + 1)
        while len(content) <= bytes_max:
            more = reader.read(bytes_max + 1 - len(content))
            if not more:
                break
            content += more
    if len(content) > bytes_max:
        raise _too_large(bytes_max)
    _check_zstd_end(decoder, body)
    return bytes(content)


def _check_zstd_end(decoder: zstandard.ZstdDecompressor, body: bytes) -> None:
    """Refuse a stream that stops inside a frame, which the reader takes for its end."""
    rest = body
    while rest:
        frame = decoder.decompressobj()
        frame.decompress(rest)
        if not frame.eof:
            raise zstandard.ZstdError("the stream ends too early")
        rest = frame.unused_data


def _unsnap(body: bytes, bytes_max: int) -> bytes:
    """Decode the raw block format, whose first bytes say how long the result is."""
    if cramjam.snappy.decompress_raw_len(body) > bytes_max:
        raise _too_large(bytes_max)
    return bytes(cramjam.snappy.decompress_raw(body))


def _into(coding: str, body: bytes, bytes_max: int) -> bytes:
    """Decode a framed format into a buffer that is just large enough to notice what is too large."""
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
