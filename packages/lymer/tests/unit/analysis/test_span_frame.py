"""What follows from spans: worked out by hand, and against the rules of one trace."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lymer.analysis import forest
from lymer.analysis.span_frame import SpanFrame
from unit.analysis.tables import SpanLine, frame_of, table_of


def test_children_of_a_shared_id_belong_to_the_server() -> None:
    """B3: client and server have one id; the server hangs below the client."""
    frame = frame_of(
        SpanLine(1, 0, 0, 100, kind=3, service="a"),
        SpanLine(1, 0, 10, 80, kind=2, service="b"),
        SpanLine(2, 1, 20, 10, kind=3, service="b"),
    )
    assert frame.parent.tolist() == [-1, 0, 1]
    assert frame.self_time.tolist() == [20, 70, 10]
    assert frame.network.tolist() == [-1, 20, -1]


def test_ids_of_other_traces_are_nobodys_parents() -> None:
    """Equal ids in two traces; a parent that is not there makes an orphan."""
    frame = frame_of(SpanLine(1), SpanLine(2, 1, trace=1), SpanLine(3, 1))
    assert frame.parent.tolist() == [-1, -1, 0]
    assert frame.is_orphan.tolist() == [False, True, False]


def test_a_circle_is_cut() -> None:
    """Each is the other's parent, and one hangs on them."""
    frame = frame_of(SpanLine(1, 2), SpanLine(2, 1), SpanLine(3, 1), SpanLine(4, 4))
    assert (frame.parent < 0).any()
    assert frame.roots().tolist() == [int(frame.roots()[row]) for row in range(4)]


def test_overlapping_children_count_once_and_only_inside() -> None:
    """10-40 and 30-60 of 0-100 leave 50; what sticks out counts to the edge."""
    frame = frame_of(
        SpanLine(1, 0, 0, 100),
        SpanLine(2, 1, 10, 30),
        SpanLine(3, 1, 30, 30),
        SpanLine(4, 1, 95, 50),
        SpanLine(5, 1, 200, 10),
    )
    assert frame.self_time[0] == 45


def test_a_consumer_waits_and_nobody_waits_for_it() -> None:
    """From the end of the producer to the start of the consumer."""
    frame = frame_of(SpanLine(1, 0, 0, 10, kind=4), SpanLine(2, 1, 35, 5, kind=5))
    assert frame.queued.tolist() == [-1, 25]
    assert frame.self_time.tolist() == [10, 5]


def test_an_error_begins_at_the_deepest_failing_span() -> None:
    """What failed above it only passes it on."""
    frame = frame_of(
        SpanLine(1, is_error=True), SpanLine(2, 1, is_error=True), SpanLine(3, 2), SpanLine(4, 1)
    )
    assert frame.throws.tolist() == [False, True, False, False]


_FORESTS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 100), st.integers(0, 60)), min_size=1, max_size=12
)


@given(_FORESTS)
def test_self_times_are_those_of_one_trace(drawn: list[tuple[int, int, int]]) -> None:
    """For every forest; and they add up to no more than all durations."""
    lines = [
        SpanLine(row + 1, min(parent, row), start, duration, kind=1)
        for row, (parent, start, duration) in enumerate(drawn)
    ]
    frame = frame_of(*lines)
    wanted = forest.self_times(frame.parent, frame.table.start, frame.table.duration)
    assert frame.self_time.tolist() == wanted.tolist()
    assert (frame.self_time >= 0).all()


@given(_FORESTS, st.randoms(use_true_random=False))
def test_the_order_of_spans_says_nothing(drawn: list[tuple[int, int, int]], chance: object) -> None:
    """A batch that is split or shuffled is the same traces."""
    lines = [
        SpanLine(row + 1, min(parent, row), start, duration, name=str(row))
        for row, (parent, start, duration) in enumerate(drawn)
    ]
    shuffled = list(lines)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    def told(frame: SpanFrame) -> dict[int, tuple[int, int]]:
        table = frame.table
        return {
            int(table.span_id[row]): (
                int(frame.self_time[row]),
                int(table.span_id[frame.parent[row]]) if frame.parent[row] >= 0 else 0,
            )
            for row in range(len(frame))
        }

    assert told(SpanFrame.of(table_of(lines))) == told(SpanFrame.of(table_of(shuffled)))


def test_no_spans_are_a_frame_of_nothing() -> None:
    """Nothing to divide by."""
    frame = frame_of()
    assert len(frame) == 0
    assert frame.roots().tolist() == []
    assert isinstance(frame.self_time, np.ndarray)
