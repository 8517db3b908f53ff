"""Tenants: whatever one asks, it meets nothing of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from contract.storage.conftest import STORES, Store
from lymer.language.parsing import parse
from lymer.language.tree import Attribute
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import FindTerms
from lymer.model.question import SPAN_KINDS, TraceQuestion
from lymer.model.span_table import SpanSample
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import FieldQuestion, SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, span_hex, trace_hex, write_segment_file

T1 = trace_hex(1)
HOUR: Final = 3600 * 10**9

COUNT: Final = parse('{ .secret = "1" } | count_over_time()')
FIELD: Final = FieldQuestion(START - HOUR, START + HOUR, Attribute("secret", "span"))
MINUTES: Final = (START // 60_000_000_000 - 1, START // 60_000_000_000 + 1)
EVERY_QUESTION: Final[dict[str, Callable[[SpanReader], object]]] = {
    "services": lambda reader: reader.get_services(),
    "operations": lambda reader: reader.get_operations("shop", ""),
    "search": lambda reader: reader.find_traces(question()),
    "search by service": lambda reader: reader.find_traces(question(service="shop")),
    "search by tag": lambda reader: reader.find_traces(question(tags=(("secret", "1"),))),
    "traces": lambda reader: rows(reader.get_traces([T1], raw=False, skeleton=False)),
    "raw traces": lambda reader: rows(reader.get_traces([T1], raw=True, skeleton=False)),
    "skeletons": lambda reader: rows(reader.get_traces([T1], raw=False, skeleton=True)),
    "span": lambda reader: rows(reader.get_span(T1, span_hex(1))),
    "summaries": lambda reader: reader.get_summaries([T1]),
    "dependencies": lambda reader: reader.get_dependencies(START - HOUR, START + HOUR),
    "graph": lambda reader: reader.get_graph(START - HOUR, START + HOUR),
    "RED": lambda reader: reader.get_red(START - HOUR, START + HOUR, ""),
    "RED of a service": lambda reader: reader.get_red(START - HOUR, START + HOUR, "shop"),
    "operations by the minute": lambda reader: (
        reader.get_minute_counts(MINUTES, [], of="operations").names
    ),
    "edges by the minute": lambda reader: reader.get_minute_counts(MINUTES, [], of="edges").names,
    "RED by the minute": lambda reader: reader.get_red_slots(
        (START // 60_000_000_000 - 1, START // 60_000_000_000 + 1),
        ["shop", "cart"],
        SPAN_KINDS,
        by_operation=True,
        slot_minutes=1,
    ),
    "OTLP": lambda reader: reader.get_otlp([T1]),
    "found": lambda reader: [T1] * reader.find_in_trace(T1, FindTerms(("e",))).count,
    "arrays": lambda reader: [T1] * len(reader.get_trace_arrays(T1)),
    "size of a sample": lambda reader: reader.get_sample_size(SAMPLE)[0],
    "sample": lambda reader: [T1] * len(reader.get_span_table(SAMPLE).trace),
    "tag keys": lambda reader: reader.get_tag_keys(),
    "tag values": lambda reader: reader.get_tag_values("service.name", ""),
    "archive": lambda reader: reader.archive_trace(T1),
    "series": lambda reader: [
        T1 for one in reader.get_series(SeriesQuestion(COUNT, START - HOUR, START, 0)).series
    ],
    "tag names of the language": lambda reader: [
        one.name for one in reader.get_field_names(FIELD) if one.name == "secret"
    ],
    "tag values of the language": lambda reader: [
        one.value for one in reader.get_field_values(FIELD)
    ],
    "spansets": lambda reader: [
        one.trace_id
        for one in reader.find_spansets(
            SpansetQuestion(parse('{ .secret = "1" }'), START - HOUR, START + HOUR)
        ).traces
    ],
}
"""One of every kind; all find something if it is the asker's, and nothing if it is not."""


SAMPLE = SpanSample(
    start_unix_nano_min=START - HOUR, start_unix_nano_max=START + HOUR, trace_ids=(T1,)
)
"""One trace."""


def question(service: str = "", tags: tuple[tuple[str, str], ...] = ()) -> TraceQuestion:
    """Return a search of everything, or of a part."""
    return TraceQuestion(START - HOUR, START + HOUR, service=service, tags=tags)


def rows(columns: SpanColumns) -> list[str]:
    """Return what could give somebody away."""
    return [*columns.span_id, *columns.tags_json, *columns.process_json]


class Neighbours:
    """A store in which some tenants have the same call from shop to cart, and others have not."""

    def __init__(self, store: Store, folder: Path) -> None:
        """Ask everything of `a` and of strangers; then give two strangers the trace of `a`."""
        self.store = store
        self._folder = folder
        self._ids = iter(range(1_795_365_821_000_000, 1_795_365_822_000_000))
        self._put("a", 1, "1")
        self._put("b", 2, "2")
        readers = {one: store.tenants.for_tenant(one) for one in ("a", "b", "c", DEFAULT_TENANT)}
        self.first = {
            (tenant, kind): ask(reader)
            for tenant, reader in readers.items()
            for kind, ask in EVERY_QUESTION.items()
        }
        self._put("d", 1, "2")
        self._put(DEFAULT_TENANT, 1, "3")
        self.readers = {one: store.tenants.for_tenant(one) for one in ("a", "d", DEFAULT_TENANT)}

    def _put(self, tenant: str, trace: int, value: str) -> None:
        parent = make_span(trace, 1, attrs={"secret": value})
        child = make_span(trace, 2, 1, attrs={"secret": value})
        requests = (make_request(parent), make_request(child, service="cart"))
        self.store.write_segment(
            write_segment_file(self._folder, *requests, segment_id=next(self._ids), tenant=tenant)
        )


@pytest.fixture(scope="module")
def neighbours(store_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """Yield them; nothing more is written."""
    folder = tmp_path_factory.mktemp("neighbours")
    opened = Store(STORES[store_name](folder))
    try:
        yield Neighbours(opened, folder)
    finally:
        opened.close()


def test_every_reader_method_is_asked_here() -> None:
    """A new one must be added to `EVERY_QUESTION`."""
    asked: set[str] = set()

    class Listening:
        def __getattr__(self, name: str) -> object:
            asked.add(name)
            raise LookupError

    for ask in EVERY_QUESTION.values():
        with pytest.raises(LookupError):
            ask(Listening())  # type: ignore[arg-type]

    assert {name for name in vars(SpanReader) if not name.startswith("_")} == asked


@pytest.mark.parametrize("kind", EVERY_QUESTION)
def test_nothing_of_another_tenant_is_met(neighbours: Neighbours, kind: str) -> None:
    """One has spans; another, one nobody heard of and the default tenant have none of them."""
    assert neighbours.first["a", kind]
    for stranger in ("b", "c", DEFAULT_TENANT):
        found = neighbours.first[stranger, kind]
        if kind in {"services", "operations", "search", "search by service"} | {
            one
            for one in EVERY_QUESTION
            if one.startswith(("dep", "RED", "tag ", "graph")) or "by the minute" in one
        }:
            assert bool(found) == (stranger == "b"), stranger
            assert T1 not in str(found)
        else:
            assert not found, stranger


@pytest.mark.parametrize("kind", EVERY_QUESTION)
def test_what_one_has_is_as_if_the_other_did_not_exist(neighbours: Neighbours, kind: str) -> None:
    """Though another has a trace of the same id meanwhile."""
    assert neighbours.first["a", kind] == EVERY_QUESTION[kind](neighbours.readers["a"])


def test_the_same_trace_id_in_three_tenants_is_three_traces(neighbours: Neighbours) -> None:
    """Each of them gets its own."""
    assert len({reader.get_otlp([T1]) for reader in neighbours.readers.values()}) == 3
