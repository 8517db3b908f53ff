"""Tenants: whatever one asks, it meets nothing of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from contract.storage.conftest import Store
from lymer.language.parsing import parse
from lymer.language.tree import Attribute
from lymer.model.columns import SpanColumns
from lymer.model.question import SPAN_KINDS, TraceQuestion
from lymer.model.span_table import SpanSample
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import FieldQuestion, SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT, TENANT_BYTES_MAX, is_tenant
from make import START, make_request, make_span, span_hex, trace_hex, write_segment_file

T1, T2 = trace_hex(1), trace_hex(2)
HOUR: Final = 3600 * 10**9
CRAFTED: Final = [
    DEFAULT_TENANT,
    "lymer",
    "Lymer",
    "lymer_t_",
    "../lymer",
    "..",
    ".",
    "/",
    "a",
    "A",
    "a b",
    "'; DROP DATABASE lymer; --",
    '"',
    "`",
    "\\",
    "{db}",
    "%00",
    "61",
    "~" * TENANT_BYTES_MAX,
    "~" * (TENANT_BYTES_MAX - 1),
]
"""Names that want to be another's, a path, or SQL."""

COUNT: Final = parse('{ .secret = "1" } | count_over_time()')
FIELD: Final = FieldQuestion(START - HOUR, START + HOUR, Attribute("secret", "span"))
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
    "RED by the minute": lambda reader: reader.get_red_slots(
        (START // 60_000_000_000 - 1, START // 60_000_000_000 + 1),
        ["shop", "cart"],
        SPAN_KINDS,
        by_operation=True,
        slot_minutes=1,
    ),
    "OTLP": lambda reader: reader.get_otlp([T1]),
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


@pytest.fixture
def put(store: Store, tmp_path: Path) -> Callable[..., None]:
    """Return a function that stores a call from shop to cart of a tenant, one segment each."""
    made = iter(range(1_795_365_821_000_000, 1_795_365_822_000_000))

    def write(tenant: str, trace: int = 1, *, value: str = "1") -> None:
        parent = make_span(trace, 1, attrs={"secret": value})
        child = make_span(trace, 2, 1, attrs={"secret": value})
        requests = (make_request(parent), make_request(child, service="cart"))
        store.write_segment(
            write_segment_file(tmp_path, *requests, segment_id=next(made), tenant=tenant)
        )

    return write


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
def test_nothing_of_another_tenant_is_met(
    store: Store, put: Callable[..., None], kind: str
) -> None:
    """One has spans; another, one nobody heard of and the default tenant have none of them."""
    put("a")
    put("b", 2, value="2")
    ask = EVERY_QUESTION[kind]

    assert ask(store.tenants.for_tenant("a"))
    for stranger in ("b", "c", DEFAULT_TENANT):
        found = ask(store.tenants.for_tenant(stranger))
        if kind in {"services", "operations", "search", "search by service"} | {
            one for one in EVERY_QUESTION if one.startswith(("dep", "RED", "tag ", "graph"))
        }:
            assert bool(found) == (stranger == "b"), stranger
            assert T1 not in str(found)
        else:
            assert not found, stranger


@pytest.mark.parametrize("kind", EVERY_QUESTION)
def test_the_same_trace_id_in_two_tenants_is_two_traces(
    store: Store, put: Callable[..., None], kind: str
) -> None:
    """What one has is as if the other did not exist."""
    put("a", value="1")
    alone = EVERY_QUESTION[kind](store.tenants.for_tenant("a"))
    put("b", value="2")
    put(DEFAULT_TENANT, value="3")

    assert alone == EVERY_QUESTION[kind](store.tenants.for_tenant("a"))
    found = [store.tenants.for_tenant(one).get_otlp([T1]) for one in ("a", "b", DEFAULT_TENANT)]
    assert len({*found}) == 3


def test_crafted_names_are_names(store: Store, put: Callable[..., None]) -> None:
    """Neither path nor SQL nor each other: every tenant has its own trace and no other."""
    assert all(map(is_tenant, CRAFTED[1:]))
    for number, tenant in enumerate(CRAFTED, start=1):
        put(tenant, number, value=str(number))

    every = [trace_hex(number) for number in range(1, len(CRAFTED) + 1)]
    for number, tenant in enumerate(CRAFTED, start=1):
        reader = store.tenants.for_tenant(tenant)
        found = reader.get_traces(every, raw=True, skeleton=False)
        assert {trace_hex(number)} == {*found.trace_id}, tenant
        assert [link.call_count for link in reader.get_dependencies(0, 2**62)] == [1]
        assert sum(one.call_count for one in reader.get_red(0, 2**62, "")) == 2


def test_a_segment_is_recovered_for_its_tenant(store: Store, tmp_path: Path) -> None:
    """Once, however often; its number may be known of another tenant."""
    mine = write_segment_file(tmp_path, make_request(make_span(1, 1)), tenant="a")
    store.write_segment(write_segment_file(tmp_path, make_request(make_span(2, 2)), tenant="b"))
    mine.path.write_bytes(
        write_segment_file(tmp_path, make_request(make_span(1, 1)), tenant="a").path.read_bytes()
    )

    store.recover_segment(mine)
    store.recover_segment(mine)

    reader = store.tenants.for_tenant("a")
    assert reader.get_traces([T1, T2], raw=True, skeleton=True).span_id == [span_hex(1)]
    assert reader.get_summaries([T1])[0].span_count == 1
