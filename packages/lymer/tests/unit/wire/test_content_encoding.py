"""Content codings: what they say comes out, within its limit, in linear time."""

from __future__ import annotations

import contextlib
import gzip
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Final

import cramjam
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import RejectedError, TooLargeError, UndecodableError
from lymer.wire.content_encoding import CODINGS, decode_content

_LIMIT: Final = 2**20


def _raw_deflate(content: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(content) + deflate.flush()


def _zstd_stream(content: bytes) -> bytes:
    """Without the size of the content in front, and with a checksum behind."""
    stream = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return stream.compress(content) + stream.flush()


ENCODERS: Final[dict[str, tuple[str, Callable[[bytes], bytes]]]] = {
    "no coding": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "gzip, old name": ("x-gzip", gzip.compress),
    "zlib": ("zlib", zlib.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without header": ("deflate", _raw_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd stream": ("zstd", _zstd_stream),
    "snappy": ("snappy", lambda content: bytes(cramjam.snappy.compress_raw(content))),
    "framed snappy": ("x-snappy-framed", lambda content: bytes(cramjam.snappy.compress(content))),
    "lz4": ("lz4", lambda content: bytes(cramjam.lz4.compress(content))),
}
ENDS_CLEARLY: Final = [name for name in ENCODERS if name not in ("no coding", "identity")]


def test_every_coding_is_tested() -> None:
    """The list that senders are told, and the list above, are one."""
    assert {coding for coding, _ in ENCODERS.values()} - {"", "x-gzip"} == set(CODINGS)


@pytest.mark.parametrize("name", ENCODERS)
@given(content=st.one_of(st.binary(max_size=3_000), st.binary(max_size=9).map(lambda b: b * 5_000)))
def test_what_goes_in_comes_out(name: str, content: bytes) -> None:
    """Also what compresses well, and nothing at all."""
    coding, encode = ENCODERS[name]

    assert decode_content(coding, encode(content), _LIMIT) == content


@pytest.mark.parametrize(
    "name", [name for name in ENCODERS if name not in ("no coding", "identity")]
)
@pytest.mark.parametrize("over", [0, 1])
def test_the_limit_is_exact(name: str, over: int) -> None:
    """A result of the limit's size is taken, one byte more is not."""
    coding, encode = ENCODERS[name]
    content = random.Random(1).randbytes(5_000) + bytes(60_000)

    if over:
        with pytest.raises(TooLargeError, match=f"over the limit of {len(content) - 1} bytes"):
            decode_content(coding, encode(content), len(content) - 1)
    else:
        assert decode_content(coding, encode(content), len(content)) == content


@pytest.mark.parametrize("name", ENDS_CLEARLY)
def test_a_stream_that_is_cut_off_is_refused(name: str) -> None:
    """At whatever byte; framed snappy has no end, so a whole number of its chunks is one."""
    coding, encode = ENCODERS[name]
    content = random.Random(2).randbytes(700)
    body = encode(content)

    for size in range(1, len(body)):
        try:
            found = decode_content(coding, body[:size], _LIMIT)
        except UndecodableError:
            continue
        assert coding == "x-snappy-framed", f"taken although cut at {size} of {len(body)}"
        assert found == b""


def test_several_gzip_members_are_one_body() -> None:
    """As RFC 1952 has it, and Go reads it."""
    body = b"".join(gzip.compress(part) for part in (b"one ", b"", b"two ", b"x" * 100_000))

    assert decode_content("gzip", body, _LIMIT) == b"one two " + b"x" * 100_000


def test_several_zstd_frames_are_one_body() -> None:
    """Skippable ones among them. Source: RFC 8878, 3.1."""
    compress = zstandard.ZstdCompressor().compress
    skippable = b"\x53\x2a\x4d\x18" + (7).to_bytes(4, "little") + b"skip me"
    body = compress(b"one ") + skippable + compress(b"") + _zstd_stream(b"two") + skippable

    assert decode_content("zstd", body, _LIMIT) == b"one two"
    for size in range(len(body) - 14, len(body)):
        with pytest.raises(UndecodableError):
            decode_content("zstd", body[:size], _LIMIT)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("coding", "member"),
    [
        pytest.param("gzip", gzip.compress(b""), id="gzip members"),
        pytest.param("zstd", zstandard.ZstdCompressor().compress(b""), id="zstd frames"),
        pytest.param("zstd", b"\x50\x2a\x4d\x18\0\0\0\0", id="skippable zstd frames"),
    ],
)
def test_very_many_members_cost_no_more_than_their_bytes(coding: str, member: bytes) -> None:
    """3 MiB of empty members take a moment: no member copies those behind it."""
    body = member * (3 * 2**20 // len(member))

    assert decode_content(coding, body, _LIMIT) == b""


@pytest.mark.parametrize("name", ["gzip", "zlib", "deflate without header"])
def test_bytes_behind_the_end_are_refused(name: str) -> None:
    """They are no part of the body, so the body is not what it says."""
    coding, encode = ENCODERS[name]

    with pytest.raises(UndecodableError):
        decode_content(coding, encode(b"content") + b"rest", _LIMIT)


@pytest.mark.parametrize("coding", [coding for coding in CODINGS if coding != "identity"])
@given(body=st.binary(min_size=1, max_size=300))
def test_random_bytes_are_refused_or_decoded(coding: str, body: bytes) -> None:
    """Nothing but our own errors comes out."""
    with contextlib.suppress(RejectedError):
        assert len(decode_content(coding, body, _LIMIT)) <= _LIMIT


@pytest.mark.parametrize("name", ENDS_CLEARLY)
def test_damaged_streams_are_refused_or_decoded(name: str) -> None:
    """Likewise for what begins as it should."""
    coding, encode = ENCODERS[name]
    chance = random.Random(3)
    body = encode(chance.randbytes(200) + b"again and " * 50)
    for _ in range(400):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            assert len(decode_content(coding, bytes(damaged), _LIMIT)) <= _LIMIT
        except RejectedError:
            continue


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "gzip;q=1", "GZIP", "x" * 10_000])
def test_an_unknown_coding_is_refused_with_the_known_ones(coding: str) -> None:
    """The header is lower case when it gets here; a list of codings is none we know."""
    with pytest.raises(UndecodableError) as refused:
        decode_content(coding, b"body", _LIMIT)

    assert str(refused.value) == (
        f"unsupported Content-Encoding: {coding[:64]!r}, supported: identity, gzip, zstd, zlib, "
        "deflate, snappy, x-snappy-framed, lz4"
    )


_BOMBS: Final = """
import gzip, resource, sys, zlib
import cramjam, zstandard
from lymer.errors import TooLargeError
from lymer.wire.content_encoding import decode_content
size = 300 * 2**20
def pieces():
    for _ in range(size // 2**20):
        yield bytes(2**20)
def stream(one):
    return b"".join([one.compress(piece) for piece in pieces()] + [one.flush()])
bombs = {
    "gzip": stream(zlib.compressobj(1, wbits=31)),
    "deflate": stream(zlib.compressobj(1, wbits=-15)),
    "zstd": stream(zstandard.ZstdCompressor().compressobj()),
    "zlib": stream(zlib.compressobj(1)),
    "x-snappy-framed": b"".join(bytes(cramjam.snappy.compress(piece)) for piece in pieces()),
    "lz4": b"".join(bytes(cramjam.lz4.compress(piece)) for piece in pieces()),
    "snappy": bytes([0x80, 0x80, 0x80, 0x80, 0x0F]) + bytes(100),
}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for coding, bomb in bombs.items():
    try:
        decode_content(coding, bomb, 20 * 2**20)
    except TooLargeError:
        continue
    sys.exit(coding + " was taken")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_bomb_takes_little_more_memory_than_the_limit() -> None:
    """300 MiB of zeros, 3.75 GiB announced: refused within some 20 MiB, in every coding."""
    done = subprocess.run(
        [sys.executable, "-c", _BOMBS], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    kibibytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kibibytes < 70 * 1024
