"""Rows as Jaeger's JSON: what is remembered across answers is shown as if it were not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from fakes.span_row import SPAN_ROW
from lymer.wire import span_rows
from lymer.wire.span_rows import COLUMNS, WARNINGS_KEY, Origins, Pair, SpanRows, to_columns
from make import trace_hex

_BAD = b"\x0a\x02G\xff"
"""A text that is not UTF-8, which is stored as it was sent."""


def _origins(*pairs: Pair) -> Origins:
    return Origins({1: pairs}, {2: (b"", b"", ())})


def _shown(
    origins: Origins, *attributes: Sequence[Pair], raw: bool = False
) -> tuple[list[dict[str, Any]], list[list[str]], list[Any]]:
    """Return tags, warnings and process of a span for each of `attributes`."""
    rows = [
        {**SPAN_ROW, "span_id": number.to_bytes(8, "big"), "attrs": tuple(pairs)}
        for number, pairs in enumerate(attributes, 1)
    ]
    columns = to_columns(
        SpanRows([[row[name] for row in rows] for name in COLUMNS]),
        origins,
        [trace_hex(1)],
        raw=raw,
        skeleton=False,
    )
    tags = [
        {tag["key"]: tag["value"] for tag in json.loads(text) if tag["key"] != "span.kind"}
        for text in columns.tags_json
    ]
    processes = [json.loads(columns.process_json[place]) for place in columns.process]
    return tags, columns.warnings, processes


@pytest.mark.parametrize("key", [b"ip", b"peer.ipv4", WARNINGS_KEY.encode(), b"plain"])
def test_a_text_that_is_not_utf_8_is_shown_as_bytes(key: bytes) -> None:
    """The rest of the trace is shown."""
    tags, warnings, _ = _shown(_origins(), [(key, _BAD)])
    assert tags == [{key.decode(): "R/8="}]
    assert warnings == [[]]


def test_an_address_is_a_number_in_a_raw_answer_whatever_was_shown_before() -> None:
    """What is shown otherwise than it was sent is not remembered."""
    pair = (b"ip", b"\x18\x07")
    assert _shown(_origins(), [pair])[0] == [{"ip": "0.0.0.7"}]
    assert _shown(_origins(), [pair], raw=True)[0] == [{"ip": 7}]
    assert _shown(_origins(), [pair])[0] == [{"ip": "0.0.0.7"}]


def test_what_spans_move_to_their_process_stays_in_their_answer() -> None:
    """A process is shared by all answers."""
    origins = _origins((b"zone", b"\x0a\x01a"))
    moved = (b"telemetry.sdk.name", b"\x0a\x02go")
    _, _, processes = _shown(origins, [moved], [])
    assert [{tag["key"] for tag in one["tags"]} for one in processes] == [
        {"zone", "telemetry.sdk.name"},
        {"zone"},
    ]
    _, _, (process,) = _shown(origins, [])
    assert [tag["key"] for tag in process["tags"]] == ["zone"]


def test_a_resource_is_raw_or_adjusted_as_each_answer_wants_it() -> None:
    """One is sorted and one is not."""
    origins = _origins((b"z", b"\x0a\x01a"), (b"a", b"\x0a\x01b"))
    for raw, keys in ((False, ["a", "z"]), (True, ["z", "a"]), (False, ["a", "z"])):
        _, _, (process,) = _shown(origins, [], raw=raw)
        assert [tag["key"] for tag in process["tags"]] == keys


def test_few_attributes_are_remembered_and_none_that_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory is bounded by their number and their size."""
    monkeypatch.setattr(span_rows, "RENDERED_MAX", 3)
    span_rows.RENDERED.clear()
    long = b"\x0a\xac\x02" + b"x" * 300
    pairs = [(b"long", long), *((b"k%d" % number, b"\x18\x01") for number in range(8))]
    ((tags,), _, _) = _shown(_origins(), pairs)
    assert len(tags) == 9
    assert 0 < len(span_rows.RENDERED) <= 3
    assert (b"long", long) not in span_rows.RENDERED


def test_spans_are_sorted_by_start_and_then_id() -> None:
    """However the engine hands them over."""
    rows = [
        {**SPAN_ROW, "span_id": number.to_bytes(8, "big"), "start": start}
        for number, start in ((3, 5), (2, 9), (1, 5), (4, 1))
    ]
    columns = to_columns(
        SpanRows([[row[name] for row in rows] for name in COLUMNS]),
        _origins(),
        [trace_hex(1)],
        raw=False,
        skeleton=False,
    )
    assert [int(one, 16) for one in columns.span_id] == [4, 1, 3, 2]
    assert columns.start_unix_nano == [1, 5, 5, 9]
