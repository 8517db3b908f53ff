"""What spans share counts for each of them: known at the door, refused where it is too much."""

from __future__ import annotations

import random
from typing import Final

import pytest

from fakes.heavy_requests import HEAVY, field, request_of
from fakes.recorded_otlp import mutated, otlp_bodies
from lymer.errors import TooLargeError, UndecodableError
from lymer.wire.otlp_classes import LenientRequest
from lymer.wire.otlp_cost import ELEMENT_BYTES, SHARED_BYTES_MAX, shared_bytes
from lymer.wire.otlp_proto import check_as_sent, check_request
from lymer.wire.translations import Format, translate
from make import make_request, make_span

_OTLP: Final = Format("otlp-proto")
_EMPTY: Final = b"\x12\x00"


@pytest.mark.parametrize("shape", HEAVY)
def test_what_stopped_a_release_is_not_refused(shape: str) -> None:
    """All shapes of the issue, as large as they were."""
    body, spans = HEAVY[shape](1_000_000)

    assert translate(body, _OTLP).span_count == spans


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a large resource", request_of(_EMPTY * 200_000, resource="r" * 50_000)),
        ("a large scope", request_of(_EMPTY * 200_000, scope=field(0x0A, b"s" * 50_000))),
        ("a resource of small attributes", request_of(_EMPTY * 60_000, scope=b"\x1a\x00" * 5_000)),
        (
            "resources that merge",
            field(
                0x0A, field(0x0A, b"\x0a\x02\x0a\x00" * 4_000) * 4 + field(0x12, _EMPTY * 20_000)
            ),
        ),
    ],
)
def test_what_costs_terabytes_is_refused_with_both_numbers(name: str, body: bytes) -> None:
    """By whichever way it goes, large or small."""
    assert len(body) < 600_000, name
    with pytest.raises(TooLargeError, match=rf"have \d+ bytes.*the limit is {SHARED_BYTES_MAX}"):
        translate(body, _OTLP)


def test_a_small_request_is_judged_on_the_loop_too() -> None:
    """256 KiB can cost as much."""
    body = request_of(_EMPTY * 60_000, scope=b"\x1a\x00" * 30_000)

    assert len(body) < 256 * 1024
    with pytest.raises(TooLargeError):
        check_as_sent(body)


def test_it_is_what_a_parser_would_say() -> None:
    """Over requests of real clients, and changed ones."""
    chance = random.Random(4)
    bodies = [make_request(*(make_span(1, n) for n in range(9)), scope="s").SerializeToString()]
    bodies += [mutated(chance.choice([*otlp_bodies(), *bodies]), chance) for _ in range(400)]
    judged = 0
    for body in bodies:
        try:
            checked = check_request(body)
        except UndecodableError:
            continue
        made = checked.body
        found = _shared(made, checked.span_count)
        assert found <= _parsed(made) * 2 + 1
        judged += 1
    assert judged > 50


def _shared(body: bytes, span_count: int) -> int:
    return shared_bytes(body, span_count, enough=2**62)


def _parsed(body: bytes) -> int:
    """Return the bytes alone, without what elements count."""
    total = 0
    for resource in LenientRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            shared = resource.resource.ByteSize() + scope.scope.ByteSize()
            total += len(scope.spans) * shared * (1 + ELEMENT_BYTES)
    return total
