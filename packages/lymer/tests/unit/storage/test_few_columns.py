"""One trace is read as few columns, and as all of them where that would hide something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fakes.span_row import SPAN_ROW
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import Parameter, Settings
from lymer.storage.clickhouse.nothing import NoEngine
from lymer.storage.clickhouse.reader import TenantReader
from make import trace_hex


class _Spans(NoEngine):
    """Holds a few spans, and counts which columns it is asked for."""

    def __init__(self, *spans: dict[str, Any]) -> None:
        self.spans = [{**SPAN_ROW, **span} for span in spans]
        self.asked: list[int] = []

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Answer from the spans; resources and scopes say nothing."""
        if "origin_hash" in statement:
            return [[], []]
        if "FROM {db}.spans PREWHERE trace_id" not in statement:
            return [[] for _ in range(width)]
        names = statement.removeprefix("SELECT {mark}, ").partition(" FROM ")[0].split(", ")
        names = ",".join(names).replace("bitAnd(rare,7)", "rare").split(",")
        names = [name.removeprefix("cityHash64(").removesuffix(")") for name in names]
        self.asked.append(width)
        for span in self.spans:
            span["rare"] = int(bool(span["links"] or span["trace_state"] or span["warnings"]))
        return [[span[name] for span in self.spans] for name in names]


def _reader(engine: _Spans) -> TenantReader:
    return TenantReader(
        engine,
        "lymer",
        Catalog(engine, "lymer", retention_seconds=60),
        None,
        lambda: 0,
        timeout_seconds=30,
        memory_bytes_max=2**20,
    )


def _span(number: int, **parts: Any) -> dict[str, Any]:
    return {"span_id": number.to_bytes(8, "big"), **parts}


@pytest.mark.parametrize(
    ("spans", "widths"),
    [
        ([_span(1), _span(2)], [15]),
        ([_span(1), _span(2, warnings=(b"odd",))], [15, 19]),
        ([_span(1, trace_state=b"a=b")], [15, 19]),
        ([_span(1), _span(1, flags=2)], [15, 19]),
    ],
)
def test_all_columns_are_read_only_if_they_tell_something(
    spans: list[dict[str, Any]], widths: list[int]
) -> None:
    """And what is rare is shown."""
    engine = _Spans(*spans)

    shown = _reader(engine).get_traces([trace_hex(1)], raw=False, skeleton=False)

    assert engine.asked == widths
    assert any(shown.warnings) == any(span.get("warnings") for span in spans)
    assert any("w3c.tracestate" in tags for tags in shown.tags_json) == any(
        span.get("trace_state") for span in spans
    )
    assert len(set(shown.identity)) == len(spans)


def test_where_few_are_never_enough_all_are_asked_for_at_once() -> None:
    """And few again once they are."""
    engine = _Spans(_span(1, trace_state=b"a=b"))
    reader = _reader(engine)

    for _ in range(10):
        reader.get_traces([trace_hex(1)], raw=False, skeleton=False)
    assert engine.asked[-3:] == [19, 19, 19]

    engine.spans = [{**SPAN_ROW, **_span(1)}]
    for _ in range(20):
        reader.get_traces([trace_hex(1)], raw=False, skeleton=False)
    assert engine.asked[-3:] == [15, 15, 15]
