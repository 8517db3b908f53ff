"""What is done of a segment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lymer.journal.marks import Marks

_PLACES = st.tuples(st.integers(0, 300), st.integers(1, 63))


@given(done=st.lists(_PLACES, max_size=30), asked=_PLACES)
def test_a_part_is_done_if_it_or_one_it_is_of_is(
    done: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    """As a plain set of pairs says it, also after being written down."""
    marks = Marks()
    for index, part in done:
        marks.add(index, part)
    index, part = asked
    ancestors = [part >> shift for shift in range(part.bit_length())]
    expected = any((index, one) in done for one in ancestors)

    assert expected == marks.has(index, part)
    assert expected == Marks(marks.whole, marks.parts).has(index, part)


def test_memory_is_a_bit_for_each_record() -> None:
    """Up to the highest one."""
    marks = Marks()
    marks.add(8_000)

    assert marks.byte_count == 1_001
    assert not marks.has(7_999)
    assert not marks.has(8_001)
