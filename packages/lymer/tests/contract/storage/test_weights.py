"""Spans that were sampled count as many as they stand for: OpenTelemetry's threshold, `ot=th:…`."""

from __future__ import annotations

import pytest

from contract.storage.conftest import Store, Write
from make import START, make_request, make_span

HUNDREDTH = "fd70a3d70a3d71"
"""The threshold of one in a hundred: (1 - 1 / 100) * 2^56 in hex."""


@pytest.mark.parametrize(
    ("trace_state", "weight"),
    [
        ("", 1),
        ("ot=th:0", 1),
        ("ot=th:8", 2),
        ("a=b, ot=rv:aaaaaaaaaaaaaa;th:c ,c=d", 4),
        (f"ot=th:{HUNDREDTH}", 100),
        ("ot=th:", 1),
        ("ot=th:xyz", 1),
        ("ot=p:8;r:62", 1),
        ("other=th:8", 1),
    ],
)
def test_a_span_counts_by_its_weight(
    store: Store, write: Write, trace_state: str, weight: int
) -> None:
    """In RED and in the graph; errors and durations too."""
    write(
        make_request(
            make_span(1, 1, kind=2, status=2, duration_nano=1_000, trace_state=trace_state)
        )
    )
    (red,) = store.get_red(START, START + 1, "shop")
    assert (red.call_count, red.error_count, red.duration_nano_sum) == (
        weight, weight, 1_000 * weight,
    )  # fmt: skip
    (node,) = store.get_graph(START, START + 1)
    assert (node.calls, node.errors) == pytest.approx((weight, weight))
    assert node.span_count == 1


def test_weights_that_are_no_whole_numbers_are_right_on_average(store: Store, write: Write) -> None:
    """Two in five: each span counts two or three, a thousand of them 2,500."""
    write(
        make_request(
            *(
                make_span(one, 1, kind=2, trace_state="ot=th:9999999999999a")
                for one in range(1, 1001)
            )
        )
    )
    (red,) = store.get_red(START, START + 1, "shop")
    if red.call_count != 2_000:  # the oracle in memory rounds
        assert red.call_count == pytest.approx(2_500, rel=0.03)
    (node,) = store.get_graph(START, START + 1)
    assert node.calls == pytest.approx(2_500, rel=1e-6)
