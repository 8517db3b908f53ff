"""OTLP bodies to start from: recorded ones where the fixtures are, made ones everywhere."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path
from typing import Final

from make import make_event, make_link, make_request, make_span

__all__ = ["mutated", "otlp_bodies"]

_RECORDED: Final = Path("otel-demo") / "spans.bin"
_BODY_BYTES_MAX: Final = 6_000
"""Larger recordings are left out: mutations of them are slow and say nothing more."""


def _fixtures() -> Path:
    given = os.environ.get("LYMER_FIXTURES")
    root = Path(__file__).resolve().parents[4]
    return Path(given) if given else root.parent / "shared" / "fixtures"


def otlp_bodies() -> list[bytes]:
    """Return bodies of `ExportTraceServiceRequest`; every kind of value is in one of them."""
    span = make_span(
        7,
        8,
        9,
        name="all there is",
        kind=2,
        attrs={
            "text": "x" * 200,
            "yes": True,
            "many": 2**62,
            "half": 0.5,
            "raw": bytes(range(40)),
            "list": ["a", 1, ["b"]],
            "map": {"c": {"d": "e"}},
            "none": None,
        },
        events=[make_event("exception", attrs={"exception.message": "no"}, dropped=2)],
        links=[make_link(attrs={"why": "retry"})],
        status=2,
        message="failed",
        trace_state="a=b",
        flags=257,
    )
    made = make_request(
        span,
        span,
        resource={"host.name": "h"},
        scope="lib",
        scope_version="1",
        scope_attrs={"s": 1},
    )
    two = make_request(make_span(1, 1), service="other")
    made.resource_spans[0].schema_url = "https://example.com/schema"
    two.MergeFrom(made)
    bodies = [made.SerializeToString(), two.SerializeToString()]
    recorded = _fixtures() / _RECORDED
    if recorded.exists():
        content, offset = recorded.read_bytes(), 0
        while offset < len(content):
            (size,) = struct.unpack_from("<I", content, offset)
            if size <= _BODY_BYTES_MAX:
                bodies.append(content[offset + 4 : offset + 4 + size])
            offset += 4 + size
    return bodies


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Return `body` with one to four small changes, as broken or hostile senders make them."""
    out = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out)) if out else 0
        match chance.randrange(8):
            case 0:
                out[at : at + 1] = bytes([out[at] ^ 1 << chance.randrange(8)]) if out else b""
            case 1:
                out[at : at + 1] = chance.randbytes(1)
            case 2:
                del out[at : at + chance.randint(1, 8)]
            case 3:
                out[at:at] = chance.randbytes(chance.randint(1, 8))
            case 4:  # a wire type that is not the schema's, the length left as it is
                out[at : at + 1] = bytes([out[at] & 0xF8 | chance.randrange(6)]) if out else b""
            case 5:  # a varint that does not end soon
                out[at:at] = b"\xff" * chance.randint(1, 10)
            case 6:
                other = chance.randrange(len(out)) if out else 0
                out[at:at] = out[other : other + chance.randint(1, 40)]
            case _:  # an unknown field, a group among them, at the end
                out += chance.choice([b"\xa3\x06\xa4\x06", b"\xfa\x3e\x01x", b"\xa0\x06\xff\x01"])
    return bytes(out)
