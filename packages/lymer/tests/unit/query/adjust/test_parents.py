"""Where each span's parent stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.query.adjust.parents import find_parent_rows
from unit.query.adjust.columns_of import Row, columns_of


@pytest.mark.parametrize(
    ("rows", "parents"),
    [
        pytest.param([], [], id="no span"),
        pytest.param([Row(1)], [-1], id="root"),
        pytest.param([Row(2, 1), Row(1)], [1, -1], id="parent behind its child"),
        pytest.param([Row(1, 404)], [-1], id="parent not stored"),
        pytest.param([Row(1), Row(1), Row(2, 1)], [-1, -1, 0], id="two spans with one id"),
        pytest.param([Row(1, 1)], [-1], id="its own parent"),
        pytest.param([Row(1, 2), Row(2, 1)], [-1, 0], id="cycle of two"),
        pytest.param(
            [Row(5, 1), Row(1, 3), Row(2, 1), Row(3, 2)], [1, -1, 1, 2], id="tail into a cycle"
        ),
    ],
)
def test_parents(rows: list[Row], parents: list[int]) -> None:
    """Indices into the rows; -1 is no parent."""
    trace = columns_of(*rows)

    assert parents == find_parent_rows(trace)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), max_size=20))
def test_any_parents_make_a_forest(pairs: list[tuple[int, int]]) -> None:
    """From every span a root is reached, and only cycles are cut."""
    trace = columns_of(*(Row(span, parent) for span, parent in pairs))

    parents = find_parent_rows(trace)

    for row, first_parent in enumerate(parents):
        steps, above = 0, first_parent
        while above >= 0:
            above = parents[above]
            steps += 1
            assert steps <= len(parents)
        if first_parent >= 0:
            assert trace.span_id[first_parent] == trace.parent_span_id[row]
