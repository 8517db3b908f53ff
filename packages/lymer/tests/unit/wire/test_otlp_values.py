"""Values that are no AnyValue do not spoil an answer."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.wire.otlp_values import with_readable_values
from make import make_event, make_link, make_request, make_span

GOOD = make_request(make_span(1, 1, attrs={"a": 1}), resource={"r": "x"}).SerializeToString()


def test_readable_traces_are_the_same_bytes() -> None:
    """Nothing is written anew."""
    assert with_readable_values(GOOD) is GOOD


@pytest.mark.parametrize("place", ["resource", "scope", "span", "event", "link"])
def test_an_unreadable_value_is_left_out_and_nothing_else(place: str) -> None:
    """Wherever it stands; its key and its neighbours stay."""
    attrs = {"bad": "MARK", "good": "kept"}
    request = make_request(
        make_span(
            1,
            1,
            attrs=attrs if place == "span" else (),
            events=[make_event(attrs=attrs if place == "event" else ())],
            links=[make_link(attrs=attrs if place == "link" else ())],
        ),
        resource=attrs if place == "resource" else (),
        scope="s",
        scope_attrs=attrs if place == "scope" else (),
    ).SerializeToString()
    # Field 0 does not exist: what was the tag of a text is no tag any more.
    broken = request.replace(b"\n\x04MARK", b"\x05\x04MARK")
    with pytest.raises(DecodeError):
        TracesData.FromString(broken)

    repaired = TracesData.FromString(with_readable_values(broken))

    text = str(repaired)
    assert "MARK" not in text
    assert "kept" in text
    assert text.count("key:") == str(TracesData.FromString(request)).count("key:")


def test_what_is_no_message_is_still_refused() -> None:
    """Only values are forgiven."""
    with pytest.raises(DecodeError):
        with_readable_values(b"\xff\xff")


def test_texts_that_are_no_text_are_made_readable() -> None:
    """Wherever they stand: names, keys, states, messages, addresses of schemas."""
    sent = make_request(
        make_span(
            1,
            2,
            name="damaged!",
            attrs={"damaged!": 1},
            events=[make_event("damaged!")],
            trace_state="damaged!",
            message="damaged!",
        ),
        scope="damaged!",
    )
    sent.resource_spans[0].schema_url = "damaged!"
    whole = sent.SerializeToString()
    readable = TracesData.FromString(
        with_readable_values(whole.replace(b"damaged!", b"\x00X\xfav\xb3k\xea\x18"))
    )

    text = b"\x00X\xfav\xb3k\xea\x18".decode(errors="replace")
    expected = TracesData.FromString(whole)
    assert str(readable) == str(expected).replace("damaged!", _escaped(text))


def _escaped(text: str) -> str:
    """Write a text as protobuf prints it."""
    return str(Span(name=text)).removeprefix('name: "').removesuffix('"\n')
