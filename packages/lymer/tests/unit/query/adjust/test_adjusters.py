"""Each adjuster alone, and all in order."""

from __future__ import annotations

import pytest

from lymer.model.columns import SpanColumns
from lymer.query.adjust.clock_skew import correct_clock_skew
from lymer.query.adjust.duplicates import deduplicate_spans
from lymer.query.adjust.links import remove_empty_span_links
from lymer.query.adjust.order import sort_spans
from lymer.query.adjust.rows import select_rows, split_traces
from lymer.query.adjust.size import limit_trace_size
from lymer.query.adjust.span_ids import deduplicate_client_server_span_ids
from lymer.query.adjust.standard import adjust, standard_adjusters
from make import span_hex, trace_hex
from unit.query.adjust.columns_of import Row, columns_of

SERVER, CLIENT = 2, 3


def ids(columns: SpanColumns) -> list[tuple[int, int]]:
    """Return (span id, parent id) as numbers."""
    return [
        (int(span, 16), int(parent, 16) if parent else 0)
        for span, parent in zip(columns.span_id, columns.parent_span_id, strict=True)
    ]


class TestSharedSpanIds:
    """DeduplicateClientServerSpanIDs."""

    def test_the_server_gets_an_unused_id_below_the_client(self) -> None:
        """Children of the shared id become children of the server."""
        trace = columns_of(
            Row(9, kind=CLIENT), Row(9, kind=SERVER), Row(1, parent=9), Row(3, parent=1)
        )

        deduplicate_client_server_span_ids(trace)

        assert ids(trace) == [(9, 0), (2, 9), (1, 2), (3, 1)]

    def test_two_servers_on_one_id_get_two_ids(self) -> None:
        """Numbers count up past used ones; children go to the last server, as in Jaeger."""
        trace = columns_of(
            Row(9, kind=CLIENT), Row(9, kind=SERVER), Row(9, kind=SERVER), Row(5, parent=9)
        )

        deduplicate_client_server_span_ids(trace)

        assert ids(trace) == [(9, 0), (1, 2), (2, 9), (5, 2)]

    def test_a_server_alone_keeps_its_id(self) -> None:
        """Also when another server has the same one."""
        trace = columns_of(Row(9, kind=SERVER), Row(9, kind=SERVER), Row(8, kind=CLIENT))

        deduplicate_client_server_span_ids(trace)

        assert ids(trace) == [(9, 0), (9, 0), (8, 0)]


class TestDuplicates:
    """DeduplicateSpans."""

    def test_the_first_of_equal_spans_stays(self) -> None:
        """Equal means equal in everything stored, not in the id alone."""
        trace = columns_of(
            Row(1, identity=7), Row(2, identity=8), Row(1, identity=7), Row(1, identity=9)
        )

        deduplicate_spans(trace)

        assert trace.identity == [7, 8, 9]
        assert ids(trace) == [(1, 0), (2, 0), (1, 0)]
        assert len(trace.tags_json) == 3


class TestLinks:
    """RemoveEmptySpanLinks."""

    def test_links_to_trace_zero_are_removed_with_a_warning_each(self) -> None:
        """The others stay in order."""
        zero = ("0" * 32, span_hex(1), False)
        good = (trace_hex(2), span_hex(0), False)
        trace = columns_of(Row(1, links=(zero, good, zero)), Row(2, links=(good,)))

        remove_empty_span_links(trace)

        assert [[good], [good]] == trace.links
        assert trace.warnings == [["Invalid span link removed"] * 2, []]


class TestClockSkew:
    """CorrectClockSkew."""

    @pytest.mark.parametrize(
        ("child_start", "child_duration", "expected"),
        [
            pytest.param(1_010, 50, 1_010, id="inside: stays"),
            pytest.param(1_000, 100, 1_000, id="exactly inside: stays"),
            pytest.param(900, 50, 1_025, id="too early: centred"),
            pytest.param(1_060, 50, 1_025, id="ends too late: centred"),
            pytest.param(0, 51, 1_024, id="odd rest: cut"),
            pytest.param(900, 200, 1_000, id="longer and earlier: starts aligned"),
            pytest.param(1_050, 200, 1_050, id="longer and later: stays"),
        ],
    )
    def test_where_a_child_goes(self, child_start: int, child_duration: int, expected: int) -> None:
        """The parent runs from 1000 to 1100 on another host; events move along."""
        trace = columns_of(
            Row(1, start=1_000, duration=100, host="a"),
            Row(
                2,
                parent=1,
                start=child_start,
                duration=child_duration,
                host="b",
                events=(child_start + 1,),
            ),
        )

        correct_clock_skew(10**9)(trace)

        assert [1_000, expected] == trace.start_unix_nano
        assert [[], [expected + 1]] == trace.event_unix_nano
        moved = [f"This span's timestamps were adjusted by {expected - child_start}ns"]
        if expected - child_start >= 1_000:
            moved = [f"This span's timestamps were adjusted by {(expected - child_start) / 1000}µs"]
        assert [[], moved if expected != child_start else []] == trace.warnings

    def test_spans_of_the_same_host_move_along(self) -> None:
        """A grandchild on the child's host inherits its correction; one without host does not."""
        trace = columns_of(
            Row(1, start=1_000, host="a"),
            Row(2, parent=1, start=500, duration=100, host="b"),
            Row(3, parent=2, start=400, duration=500, host="b"),
            Row(4, parent=2, start=1_000, duration=100),
        )

        correct_clock_skew(10**9)(trace)

        assert trace.start_unix_nano == [1_000, 1_000, 900, 1_000]

    def test_same_host_as_the_parent_is_never_corrected(self) -> None:
        """One clock cannot disagree with itself."""
        trace = columns_of(Row(1, start=1_000, host="a"), Row(2, parent=1, start=0, host="a"))

        correct_clock_skew(10**9)(trace)

        assert trace.start_unix_nano == [1_000, 0]
        assert trace.warnings == [[], []]

    @pytest.mark.parametrize(
        ("max_nano", "warning"),
        [
            pytest.param(
                0,
                "clock skew adjustment disabled; not applying calculated delta of 1.5ms",
                id="disabled",
            ),
            pytest.param(
                1_000_000,
                "max clock skew adjustment delta of 1ms exceeded; "
                "not applying calculated delta of 1.5ms",
                id="too much",
            ),
        ],
    )
    def test_a_correction_over_the_limit_is_only_told(self, max_nano: int, warning: str) -> None:
        """Nothing moves."""
        trace = columns_of(
            Row(1, start=1_500_000, host="a"), Row(2, parent=1, start=0, host="b", events=(1,))
        )

        correct_clock_skew(max_nano)(trace)

        assert trace.start_unix_nano == [1_500_000, 0]
        assert trace.event_unix_nano == [[], [1]]
        assert [[], [warning]] == trace.warnings

    def test_missing_parents_and_duplicate_ids_are_told(self) -> None:
        """Such spans are left where they are; children follow the first span with an id."""
        trace = columns_of(
            Row(1, parent=404, start=1_000, host="a"),
            Row(1, parent=404, start=9_000, host="a"),
            Row(2, parent=1, start=0, duration=100, host="b"),
        )

        correct_clock_skew(10**9)(trace)

        assert trace.start_unix_nano == [1_000, 9_000, 1_000]
        assert trace.warnings[0] == [
            "parent span ID=0000000000000194 is not in the trace; skipping clock skew adjustment"
        ]
        assert trace.warnings[1] == ["duplicate span IDs; skipping clock skew adjustment"]

    def test_deep_traces_and_cycles_end(self) -> None:
        """A chain of 50,000 spans and a cycle below it: no recursion, no endless loop."""
        chain = [Row(number, parent=number - 1, start=number) for number in range(1, 50_001)]
        cycle = [Row(60_001, parent=60_003), Row(60_002, parent=60_001), Row(60_003, parent=60_002)]
        trace = columns_of(*chain, *cycle, Row(60_004, parent=60_004))

        adjust(trace, standard_adjusters(max_clock_skew_adjust_nano=10**9))

        assert len(trace) == 50_004


class TestOrder:
    """sort_spans."""

    def test_spans_are_sorted_by_start_alone(self) -> None:
        """Every column moves along; spans that start together stay as they stand."""
        trace = columns_of(
            Row(4, start=9, identity=40), Row(3, start=5, identity=30), Row(2, start=5, identity=20)
        )

        sort_spans(trace)

        assert [(3, 0), (2, 0), (4, 0)] == ids(trace)
        assert trace.start_unix_nano == [5, 5, 9]
        assert trace.identity == [30, 20, 40]

    def test_a_corrected_trace_is_in_order_again(self) -> None:
        """A child that seemed to start first stands behind its parent."""
        trace = columns_of(
            Row(2, parent=1, start=0, duration=50, host="b"), Row(1, start=1_000, host="a")
        )

        adjust(trace, standard_adjusters(max_clock_skew_adjust_nano=10**9))

        assert [(1, 0), (2, 1)] == ids(trace)
        assert trace.start_unix_nano == [1_000, 1_025]


class TestRows:
    """Splitting, selecting, limiting."""

    def test_traces_are_split_where_the_id_changes(self) -> None:
        """Order is kept and every column is cut."""
        columns = columns_of(Row(1, trace=2), Row(2, trace=2), Row(3, trace=1))

        two, one = split_traces(columns)

        assert (ids(two), ids(one)) == ([(1, 0), (2, 0)], [(3, 0)])
        assert len(one.tags_json) == 1
        assert columns.process_json == one.process_json

    def test_selected_rows_are_a_copy(self) -> None:
        """The original stays whole."""
        columns = columns_of(Row(1), Row(2))

        chosen = select_rows(columns, [1])

        assert ids(chosen) == [(2, 0)]
        assert len(columns) == 2

    def test_a_large_trace_is_cut_with_a_word_about_it(self) -> None:
        """Zero means no limit; a trace at the limit is whole."""
        trace, whole, unlimited = (columns_of(*map(Row, range(1, 5))) for _ in range(3))

        limit_trace_size(trace, 3)
        limit_trace_size(whole, 4)
        limit_trace_size(unlimited, 0)

        assert [span for span, _ in ids(trace)] == [1, 2, 3]
        assert trace.warnings[0][0] == "trace has more than 3 spans, showing first 3 spans only"
        assert (len(whole), len(unlimited)) == (4, 4)
        assert whole.warnings == [[]] * 4


def test_the_standard_order_gives_ids_before_it_corrects_clocks() -> None:
    """A server that shares its client's id is corrected against the client."""
    trace = columns_of(
        Row(9, kind=CLIENT, start=1_000, host="a"),
        Row(9, kind=SERVER, start=0, duration=50, host="b"),
    )

    adjust(trace, standard_adjusters(max_clock_skew_adjust_nano=10**9))

    assert trace.start_unix_nano == [1_000, 1_025]
    assert ids(trace) == [(9, 0), (1, 9)]
