"""Which events are written, and as what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from certwright.engine.events import EventCorrelator
from certwright.reconcile.contract import Emit

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WEB = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Certificate",
    "metadata": {"name": "web", "namespace": "one", "uid": "u1", "resourceVersion": "7"},
}


def issuing(message: str) -> Emit:
    """Return an event about WEB."""
    return Emit(WEB, "Normal", "Issuing", message)


def test_an_event_has_the_originals_fields() -> None:
    """Name and instant, reference, source, count."""
    event = EventCorrelator().decide(issuing("hello"), "cert-manager-certificates-trigger", NOW)

    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"web.{1767268800 * 10**9:x}", "namespace": "one"},
        "involvedObject": {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "name": "web",
            "namespace": "one",
            "uid": "u1",
            "resourceVersion": "7",
        },
        "reason": "Issuing",
        "message": "hello",
        "type": "Normal",
        "source": {"component": "cert-manager-certificates-trigger"},
        "firstTimestamp": "2026-01-01T12:00:00Z",
        "lastTimestamp": "2026-01-01T12:00:00Z",
        "count": 1,
    }


def test_the_same_event_again_is_counted_under_its_name() -> None:
    """The first time stays."""
    correlator = EventCorrelator()
    first = correlator.decide(issuing("hello"), "c", NOW)
    again = correlator.decide(issuing("hello"), "c", NOW + timedelta(seconds=5))

    assert first is not None
    assert again is not None
    assert again["metadata"] == first["metadata"]
    assert again["count"] == 2
    assert again["firstTimestamp"] == "2026-01-01T12:00:00Z"
    assert again["lastTimestamp"] == "2026-01-01T12:00:05Z"


def test_events_of_a_cluster_wide_object_are_in_default() -> None:
    """Such an object has no namespace."""
    obj = {"apiVersion": "x/v1", "kind": "ClusterIssuer", "metadata": {"name": "ca"}}
    event = EventCorrelator().decide(Emit(obj, "Warning", "R", "m"), "c", NOW)

    assert event is not None
    assert event["metadata"]["namespace"] == "default"
    assert event["involvedObject"] == {
        "apiVersion": "x/v1",
        "kind": "ClusterIssuer",
        "name": "ca",
    }


def test_a_flood_is_cut_after_twenty_five_and_then_one_in_five_minutes() -> None:
    """For each object and source."""
    correlator = EventCorrelator()
    written = [correlator.decide(issuing("hello"), "c", NOW) is not None for _ in range(30)]

    assert written == [True] * 25 + [False] * 5
    assert correlator.decide(issuing("hello"), "other", NOW) is not None
    assert correlator.decide(issuing("hello"), "c", NOW + timedelta(seconds=299)) is None
    assert correlator.decide(issuing("hello"), "c", NOW + timedelta(seconds=301)) is not None


def test_similar_events_are_combined_after_ten() -> None:
    """The eleventh message of a sort stands for all that follow, under one name."""
    correlator = EventCorrelator()
    events = [correlator.decide(issuing(f"try {i}"), "c", NOW) for i in range(13)]

    messages = [event["message"] for event in events if event is not None]
    assert messages[9:] == [
        "try 9",
        "(combined from similar events): try 10",
        "(combined from similar events): try 11",
        "(combined from similar events): try 12",
    ]
    assert [event["count"] for event in events if event is not None][9:] == [1, 1, 2, 3]
    later = correlator.decide(issuing("try 99"), "c", NOW + timedelta(seconds=601))
    assert later is not None
    assert later["message"] == "try 99"
