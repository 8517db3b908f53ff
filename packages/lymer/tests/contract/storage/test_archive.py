"""The archive: what somebody asked to keep is there when the store has dropped it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from contract.storage.conftest import Store, Write
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, span_hex, trace_hex

KEPT, NOT_KEPT = trace_hex(1), trace_hex(2)


def drop_spans(store: Store) -> None:
    """Drop every span that is not archived, as retention does it."""
    engines = list(engines_of(store.tenants))
    for engine in engines:
        engine.command("lymer", "TRUNCATE TABLE {db}.spans")
    if not engines:
        opened: Any = store.tenants
        opened.for_tenant(DEFAULT_TENANT).drop_spans()


def engines_of(opened: Any) -> Iterator[Any]:
    """Yield what a store writes with, also behind the storage API, of collectors or of shards."""
    if hasattr(opened, "_engine"):
        yield opened._engine  # noqa: SLF001 - nothing but retention drops spans
    inner = [getattr(opened, "_store", None), *getattr(opened, "_stores", ())]
    for store in [*inner, *getattr(opened, "_shards", ())]:
        if store is not None:
            yield from engines_of(store)


def texts(store: Store, *trace_ids: str, raw: bool = True) -> list[tuple[Any, ...]]:
    """Return what is read of traces."""
    read = store.reader.get_traces(trace_ids, raw=raw, skeleton=False)
    return list(
        zip(read.trace_id, read.span_id, read.name, read.service, read.tags_json, strict=True)
    )


@pytest.fixture
def both(store: Store, write: Write) -> Store:
    """Return a store of two traces, the first with a span that came three times."""
    thrice = make_span(1, 3, 1, offset_nano=5, attrs={"k": "v"}, status=2)
    write(make_request(make_span(1, 1), make_span(1, 2, 1), thrice, thrice, thrice, service="shop"))
    write(make_request(make_span(2, 1), service="shop"))
    return store


def test_an_archived_trace_is_read_when_its_spans_are_gone(both: Store) -> None:
    """Whole, by every way of reading by id; another one is gone."""
    stored = texts(both, KEPT)
    assert both.reader.archive_trace(KEPT) is True
    drop_spans(both)

    assert (5, stored) == (len(stored), texts(both, KEPT))
    assert [] == texts(both, NOT_KEPT)
    assert stored == texts(both, NOT_KEPT, KEPT)
    assert len(both.reader.get_span(KEPT, span_hex(3))) == 3
    assert len(both.reader.get_traces([KEPT], raw=False, skeleton=True)) == 5
    assert len(both.reader.get_trace_arrays(KEPT)) == 5
    assert len(both.reader.get_trace_arrays(NOT_KEPT)) == 0
    (resource,) = TracesData.FromString(both.reader.get_otlp([KEPT])).resource_spans
    assert sum(len(scope.spans) for scope in resource.scope_spans) == 5
    assert TracesData.FromString(both.reader.get_otlp([NOT_KEPT])) == TracesData()


def test_a_trace_is_read_once_while_it_is_in_both_places(both: Store) -> None:
    """The store's own comes first; traces keep the order they were asked for in."""
    both.reader.archive_trace(KEPT)

    assert [NOT_KEPT, *[KEPT] * 5] == [one[0] for one in texts(both, NOT_KEPT, KEPT)]


def test_archiving_again_adds_what_came_since_and_nothing_twice(both: Store, write: Write) -> None:
    """So it may be repeated."""
    both.reader.archive_trace(KEPT)
    both.reader.archive_trace(KEPT)
    write(make_request(make_span(1, 9, 1, offset_nano=9), service="late"))
    both.reader.archive_trace(KEPT)
    drop_spans(both)
    assert both.reader.archive_trace(KEPT) is True

    assert ["shop"] * 5 + ["late"] == [one[3] for one in texts(both, KEPT)]


def test_what_nobody_knows_is_not_archived(both: Store) -> None:
    """Nor what is gone."""
    assert both.reader.archive_trace(trace_hex(404)) is False
    drop_spans(both)
    assert both.reader.archive_trace(NOT_KEPT) is False


def test_a_search_does_not_look_into_the_archive(both: Store) -> None:
    """As Jaeger's: it is read by id alone."""
    counted = both.reader.get_dependencies(START, START + 1)
    both.reader.archive_trace(KEPT)
    drop_spans(both)

    assert both.reader.get_summaries([KEPT]) == []
    # What was counted stays counted where it is kept apart from the spans; nothing is added.
    assert both.reader.get_dependencies(START, START + 1) in (counted, [])
