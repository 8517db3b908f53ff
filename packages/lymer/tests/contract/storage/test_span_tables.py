"""Many traces as columns of numbers say what the same spans say one by one."""

from __future__ import annotations

from contract.storage.conftest import READING, Store, Write
from contract.storage.corpus import corpus_requests
from lymer.model.span_table import SpanSample, SpanTable
from make import make_request, make_span

pytestmark = READING

_EVER = SpanSample(start_unix_nano_min=0, start_unix_nano_max=2**62)


def _spans(table: SpanTable) -> set[tuple[object, ...]]:
    """Return what a table says of each span, whatever its numbers."""
    attributes: dict[int, set[tuple[str, str, str]]] = {}
    own = table.attributes
    for row, code in zip(own.row.tolist(), own.code.tolist(), strict=True):
        attributes.setdefault(row, set()).add(own.names[code])
    return {
        (
            table.trace_id(row),
            int(table.span_id[row]),
            int(table.parent_id[row]),
            int(table.start[row]),
            int(table.duration[row]),
            int(table.kind[row]),
            bool(table.is_error[row]),
            table.operations[int(table.operation[row])],
            frozenset(attributes.get(row, ())),
        )
        for row in range(len(table))
    }


def test_a_table_has_every_span_of_the_range(store: Store, write: Write) -> None:
    """By start; resources with their attributes."""
    write(*corpus_requests())
    table = store.get_span_table(_EVER)

    assert len(table) == len(_spans(table)) == store.get_sample_size(_EVER)[0] > 8
    assert table.start.tolist() == sorted(table.start.tolist())
    carts = [one for one in _spans(table) if one[7] == ("cart", "get")]
    assert [one[8] for one in carts] == [frozenset({("resource", "zone", "b")})]
    middle = int(table.start[3])
    first = SpanSample(start_unix_nano_min=0, start_unix_nano_max=middle)
    later = SpanSample(start_unix_nano_min=middle + 1, start_unix_nano_max=2**62)
    halves = [_spans(store.get_span_table(half)) for half in (first, later)]
    assert halves[0] | halves[1] == _spans(table)
    assert not halves[0] & halves[1]


def test_a_table_of_some_traces_of_one_operation(store: Store, write: Write) -> None:
    """Conditions join."""
    write(*corpus_requests())
    every = store.get_span_table(_EVER)
    ids = tuple(sorted({every.trace_id(row) for row in range(len(every))})[:2])
    some = store.get_span_table(
        SpanSample(start_unix_nano_min=0, start_unix_nano_max=2**62, trace_ids=ids, service="shop")
    )

    assert _spans(some) == {one for one in _spans(every) if one[0] in ids and one[7][0] == "shop"}
    named = SpanSample(
        start_unix_nano_min=0, start_unix_nano_max=2**62, service="cart", operation="SELECT"
    )
    assert {one[7] for one in _spans(store.get_span_table(named))} == {("cart", "SELECT")}


def test_a_part_of_the_traces_is_whole_traces_and_the_same_ones(store: Store, write: Write) -> None:
    """Of 200 traces of two spans every fourth, about."""
    write(
        make_request(
            *(make_span(n, 1, kind=2) for n in range(1, 201)),
            *(make_span(n, 2, 1) for n in range(1, 201)),
        )
    )
    quarter = SpanSample(start_unix_nano_min=0, start_unix_nano_max=2**62, one_in=4)
    table = store.get_span_table(quarter)

    assert 20 < len(table) / 2 < 90
    assert len({table.trace_id(row) for row in range(len(table))}) == len(table) / 2
    assert _spans(table) == _spans(store.get_span_table(quarter))
    assert store.get_sample_size(quarter)[0] == len(table)


def test_attributes_that_several_spans_have_are_there(store: Store, write: Write) -> None:
    """Typed values as the text that a search finds them by."""
    write(
        make_request(
            *(
                make_span(n, n, attrs={"half": 0.5, "yes": True, "many": n % 2, "text": "ä"})
                for n in range(1, 21)
            )
        )
    )
    found = _spans(
        store.get_span_table(
            SpanSample(start_unix_nano_min=0, start_unix_nano_max=2**62, has_attributes=True)
        )
    )

    assert {frozenset(pair for pair in one[8] if pair[0] == "span") for one in found} == {
        frozenset(
            {
                ("span", "half", "0.5"),
                ("span", "yes", "true"),
                ("span", "many", many),
                ("span", "text", "ä"),
            }
        )
        for many in ("0", "1")
    }


def test_nothing_is_a_table_of_nothing(store: Store) -> None:
    """An empty store, and a range without spans."""
    table = store.get_span_table(_EVER)

    assert len(table) == 0
    assert store.get_sample_size(_EVER) == (0, 0)
