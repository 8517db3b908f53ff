"""What is judged of the traces of a service."""

from __future__ import annotations

from lymer.analysis.quality import EXAMPLES_MAX, Quality, Trace

SERVER, CLIENT, INTERNAL = 2, 3, 1


def trace(trace_id: str, *spans: tuple[str, str, str, int, int], warned: str = "") -> Trace:
    """Return a trace of (id, parent, service, kind, start); equal ones are copies."""
    ids, parents, services, kinds, starts = (list(one) for one in zip(*spans, strict=True))
    return Trace(
        trace_id, ids, parents, services, kinds, starts, [1] * len(spans),
        [spans.index(one) for one in spans], [["bad"] if one == warned else [] for one in ids],
    )  # type: ignore[arg-type]  # fmt: skip


def counts(quality: Quality, key: str) -> tuple[int, int, int]:
    """Return how many passed, failed, were exempt."""
    found = quality.found[key]
    return found["pass"].count, found["fail"].count, found["exempt"].count


def test_a_good_trace_passes_everything() -> None:
    """A call from a client span, on clocks that agree."""
    quality = Quality("cart")
    quality.add(
        trace(
            "t",
            ("1", "", "shop", SERVER, 0),
            ("2", "1", "shop", CLIENT, 1),
            ("3", "2", "cart", SERVER, 2),
            ("4", "3", "cart", INTERNAL, 3),
        )
    )

    passed = {key: counts(quality, key) for key in quality.found}
    assert {
        "parents": (2, 0, 0), "callers": (1, 0, 1), "one_root": (1, 0, 0),
        "unique_ids": (2, 0, 0), "delivered_once": (2, 0, 0), "clocks": (2, 0, 0),
        "as_sent": (2, 0, 0),
    } == passed  # fmt: skip
    assert {"completeness": 100.0, "quality": 100.0} == quality.scores()
    assert {"t": ["3", "4"]} == quality.found["parents"]["pass"].examples


def test_each_fault_is_found_where_it_is() -> None:
    """Lost parent, a caller that is no client, a copy, a stolen id, a late parent, a repair."""
    quality = Quality("cart")
    copied = ("3", "1", "cart", SERVER, 5)
    quality.add(
        trace(
            "t",
            ("1", "", "shop", SERVER, 4),
            ("2", "9", "cart", SERVER, 5),
            copied,
            copied,
            ("4", "1", "cart", INTERNAL, 1),
            ("5", "1", "cart", INTERNAL, 6),
            ("5", "1", "shop", INTERNAL, 7),
            warned="5",
        )
    )

    assert (3, 1, 0) == counts(quality, "parents")
    assert {"t": ["2"]} == quality.found["parents"]["fail"].examples
    assert (0, 2, 2) == counts(quality, "callers")
    assert {"t": ["3"]} == quality.found["delivered_once"]["fail"].examples
    assert {"t": ["5"]} == quality.found["unique_ids"]["fail"].examples
    assert {"t": ["4"]} == quality.found["clocks"]["fail"].examples
    assert {"t": ["5"]} == quality.found["as_sent"]["fail"].examples
    assert (1, 0, 0) == counts(quality, "one_root")
    assert quality.scores()["quality"] < 100


def test_a_server_may_share_the_id_of_its_client() -> None:
    """Zipkin's way: the client is the caller, and the id is not stolen."""
    quality = Quality("cart")
    quality.add(trace("t", ("1", "", "shop", CLIENT, 0), ("1", "", "cart", SERVER, 1)))

    assert (1, 0, 0) == counts(quality, "unique_ids")
    assert (1, 0, 0) == counts(quality, "callers")


def test_examples_are_few_and_a_trace_without_the_service_does_not_count() -> None:
    """Counts go on."""
    quality = Quality("cart")
    for number in range(20):
        quality.add(trace(str(number), ("1", "", "cart", SERVER, 0), ("2", "", "x", SERVER, 0)))
    quality.add(trace("other", ("1", "", "shop", SERVER, 0)))

    assert (0, 20, 0) == counts(quality, "one_root")
    assert EXAMPLES_MAX == len(quality.found["one_root"]["fail"].examples)
    assert quality.traces == 20
