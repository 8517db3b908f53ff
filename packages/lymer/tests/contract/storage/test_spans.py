"""Reading traces: what is in each column."""

from __future__ import annotations

import json

from contract.storage.conftest import READING, Store, Write
from lymer.model.columns import SpanColumns
from make import (
    START,
    Plain,
    make_event,
    make_link,
    make_request,
    make_resource_spans,
    make_span,
    span_hex,
    trace_hex,
)

pytestmark = READING


def read(store: Store, *traces: int, raw: bool = False, skeleton: bool = False) -> SpanColumns:
    """Return the columns of the traces with these numbers."""
    return store.get_traces([trace_hex(trace) for trace in traces], raw=raw, skeleton=skeleton)


def tags(columns: SpanColumns, row: int = 0) -> list[tuple[str, str, object]]:
    """Return (key, type, value) of the tags of a span."""
    return [(tag["key"], tag["type"], tag["value"]) for tag in json.loads(columns.tags_json[row])]


def test_plain_columns_hold_what_was_sent(store: Store, write: Write) -> None:
    """Ids, names, kinds, states and times of a client below a server."""
    write(
        make_request(
            make_span(7, 1, name="serve", kind=2, duration_nano=9_000),
            make_span(7, 2, 1, name="call", kind=3, offset_nano=123, duration_nano=1, status=2),
        )
    )

    columns = read(store, 7)

    assert len(columns) == 2
    assert [trace_hex(7), trace_hex(7)] == columns.trace_id
    assert [span_hex(1), span_hex(2)] == columns.span_id
    assert ["", span_hex(1)] == columns.parent_span_id
    assert columns.service == ["shop", "shop"]
    assert columns.name == ["serve", "call"]
    assert columns.kind == [2, 3]
    assert columns.status_code == [0, 2]
    assert columns.start_unix_nano == [START, START + 123]
    assert columns.duration_nano == [9_000, 1]
    assert columns.warnings == [[], []]
    assert columns.event_unix_nano == [[], []]
    assert columns.links == [[], []]


def test_every_span_kind_is_kept_and_shown(store: Store, write: Write) -> None:
    """Unspecified has no `span.kind` tag."""
    names = ["", "internal", "server", "client", "producer", "consumer"]
    write(make_request(*(make_span(1, kind + 1, kind=kind) for kind in range(6))))

    columns = read(store, 1)

    assert list(range(6)) == columns.kind
    for row, name in enumerate(names):
        assert ([("span.kind", "string", name)] if name else []) == tags(columns, row)


def test_tags_stand_in_jaegers_order(store: Store, write: Write) -> None:
    """Scope, attributes, kind, status, error, description, trace state."""
    write(
        make_request(
            make_span(
                kind=2, status=2, message="no", trace_state="a=1,b=2", attrs={"z": 1, "a": 2}
            ),
            scope="library",
            scope_version="2.0",
            scope_attrs={"not": "shown"},
        )
    )

    assert tags(read(store, 1)) == [
        ("otel.scope.name", "string", "library"),
        ("otel.scope.version", "string", "2.0"),
        ("a", "int64", 2),
        ("z", "int64", 1),
        ("span.kind", "string", "server"),
        ("otel.status_code", "string", "ERROR"),
        ("error", "bool", True),
        ("otel.status_description", "string", "no"),
        ("w3c.tracestate", "string", "a=1,b=2"),
    ]


def test_status_ok_is_shown_without_error(store: Store, write: Write) -> None:
    """Only ERROR adds the `error` tag."""
    write(make_request(make_span(kind=0, status=1)))

    assert tags(read(store, 1)) == [("otel.status_code", "string", "OK")]


def test_events_become_logs_with_their_name_first(store: Store, write: Write) -> None:
    """A field `event` of the sender wins over the name; an event without name has no such field."""
    write(
        make_request(
            make_span(
                events=[
                    make_event("a first", offset_nano=10, attrs={"z": 1, "a": "x"}),
                    make_event("b second", offset_nano=20, attrs={"event": "mine"}),
                    make_event("c third", offset_nano=30),
                ]
            )
        )
    )

    columns = read(store, 1)

    assert columns.event_unix_nano == [[START + 10, START + 20, START + 30]]
    fields = [json.loads(text) for text in columns.event_fields_json[0]]
    assert [[(field["key"], field["value"]) for field in event] for event in fields] == [
        [("event", "a first"), ("a", "x"), ("z", 1)],
        [("event", "mine")],
        [("event", "c third")],
    ]


def test_links_keep_their_ids_and_kind(store: Store, write: Write) -> None:
    """`opentracing.ref_type` = child_of makes a CHILD_OF reference of a link."""
    write(
        make_request(
            make_span(
                links=[
                    make_link(8, 1),
                    make_link(8, 2, attrs={"opentracing.ref_type": "child_of"}),
                    make_link(9, 3, attrs={"opentracing.ref_type": "follows_from"}),
                ]
            )
        )
    )

    expected = [
        (trace_hex(8), span_hex(1), False),
        (trace_hex(8), span_hex(2), True),
        (trace_hex(9), span_hex(3), False),
    ]
    assert [expected] == read(store, 1, raw=True).links
    assert [expected] == read(store, 1, raw=False).links


def test_raw_keeps_the_order_of_events_and_links(store: Store, write: Write) -> None:
    """Raw answers are as sent."""
    write(
        make_request(
            make_span(
                events=[make_event("b", offset_nano=2), make_event("a", offset_nano=1)],
                links=[make_link(9, 2), make_link(9, 1)],
            )
        )
    )

    raw, adjusted = read(store, 1, raw=True), read(store, 1)

    assert raw.event_unix_nano == [[START + 2, START + 1]]
    assert adjusted.event_unix_nano == [[START + 1, START + 2]]
    assert [span_hex(2), span_hex(1)] == [link[1] for link in raw.links[0]]
    assert [span_hex(1), span_hex(2)] == [link[1] for link in adjusted.links[0]]


def test_spans_come_by_start_then_span_id_and_traces_as_asked(store: Store, write: Write) -> None:
    """The order of arrival and of segments does not matter."""
    write(make_request(make_span(1, 3, offset_nano=5), make_span(2, 1), make_span(1, 2)))
    write(make_request(make_span(1, 1, offset_nano=5), make_span(1, 9, offset_nano=-5)))

    columns = read(store, 2, 404, 1)

    assert [trace_hex(2)] + [trace_hex(1)] * 4 == columns.trace_id
    assert [int(span, 16) for span in columns.span_id] == [1, 9, 2, 1, 3]


def test_unknown_traces_are_absent(store: Store, write: Write) -> None:
    """No span, no row, no error."""
    write(make_request(make_span(1, 1)))

    assert len(read(store, 404)) == 0
    assert len(store.get_traces([], raw=False, skeleton=False)) == 0
    assert len(store.get_span(trace_hex(1), span_hex(404))) == 0


def test_a_skeleton_has_no_texts(store: Store, write: Write) -> None:
    """Instants and links stay, tags and fields are left out."""
    write(
        make_request(make_span(attrs={"a": 1}, events=[make_event("e")], links=[make_link(2, 2)]))
    )

    columns = read(store, 1, skeleton=True)

    assert columns.tags_json == [""]
    assert columns.event_fields_json == [[]]
    assert columns.event_unix_nano == [[START]]
    assert [[(trace_hex(2), span_hex(2), False)]] == columns.links


def test_equal_processes_are_one_and_different_ones_are_apart(store: Store, write: Write) -> None:
    """`process` points into `process_json`; `service.name` is its name and no tag."""
    request = make_request(make_span(1, 1), make_span(1, 2), resource={"zone": "a"})
    request.resource_spans.append(
        make_resource_spans([make_span(1, 3, offset_nano=9)], resource={"zone": "b"})
    )
    write(request)

    columns = read(store, 1)

    shown = [json.loads(columns.process_json[process]) for process in columns.process]
    zone_a, zone_b = (
        {"serviceName": "shop", "tags": [{"key": "zone", "type": "string", "value": zone}]}
        for zone in "ab"
    )
    assert [zone_a, zone_a, zone_b] == shown
    assert columns.process[0] == columns.process[1]


def test_host_tells_clocks_apart(store: Store, write: Write) -> None:
    """`host.id`, else `host.ip`, else `host.name`. Source: Jaeger's clock skew adjuster."""
    resources: list[tuple[dict[str, Plain], str]] = [
        ({"host.name": "n", "host.ip": "1.2.3.4", "host.id": "i"}, "i"),
        ({"host.name": "n", "host.ip": "1.2.3.4"}, "1.2.3.4"),
        ({"host.name": "n", "host.ip": ["1.2.3.4", "::1"]}, "1.2.3.4"),
        ({"host.name": "n"}, "n"),
        ({}, ""),
    ]
    write(
        *(
            make_request(make_span(1, number), resource=resource)
            for number, (resource, _) in enumerate(resources, start=1)
        )
    )

    assert [host for _, host in resources] == read(store, 1, skeleton=True).host


def test_identity_is_equal_for_equal_spans_only(store: Store, write: Write) -> None:
    """A span sent twice has one identity; any difference, also in resource or scope, makes two."""
    same = make_span(1, 1, attrs={"a": 1})
    write(make_request(same), make_request(same))
    write(make_request(make_span(1, 1, attrs={"a": 2})))
    write(make_request(same, resource={"zone": "b"}), make_request(same, scope="other"))

    columns = read(store, 1)

    assert len(columns) == 5
    assert len(set(columns.identity)) == 4
    assert _groups(columns.identity) == _groups(read(store, 1, skeleton=True).identity)


def _groups(identity: list[int]) -> list[int]:
    """Return, per span, the first span that is equal to it."""
    return [identity.index(one) for one in identity]


def test_library_attributes_move_to_the_process(store: Store, write: Write) -> None:
    """A conflict stays on the span, with a warning; raw moves nothing."""
    sdk = {"telemetry.sdk.name": "opentelemetry", "telemetry.sdk.language": "go", "a": 1}
    write(make_request(make_span(kind=0, attrs=sdk), resource={"telemetry.sdk.language": "python"}))

    columns, raw = read(store, 1), read(store, 1, raw=True)

    process = json.loads(columns.process_json[columns.process[0]])
    assert tags(columns) == [("a", "int64", 1), ("telemetry.sdk.language", "string", "go")]
    assert {tag["key"]: tag["value"] for tag in process["tags"]} == {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    warning = "conflicting values between Span and Resource for attribute telemetry.sdk.language"
    assert [[warning]] == columns.warnings
    assert len(tags(raw)) == 3
    assert raw.warnings == [[]]


def test_numeric_addresses_become_text(store: Store, write: Write) -> None:
    """`ip` and `peer.ipv4` of old clients, as integer or double; raw leaves them."""
    attrs = {"ip": 16_909_060, "peer.ipv4": -1.0, "other": 16_909_060}
    write(make_request(make_span(kind=0, attrs=attrs), resource={"ip": 1}))

    columns, raw = read(store, 1), read(store, 1, raw=True)

    assert tags(columns) == [
        ("ip", "string", "1.2.3.4"),
        ("other", "int64", 16_909_060),
        ("peer.ipv4", "string", "255.255.255.255"),
    ]
    assert json.loads(columns.process_json[0])["tags"][0]["value"] == "0.0.0.1"
    assert tags(raw)[0] == ("ip", "int64", 16_909_060)


def test_one_span_is_read_by_its_id(store: Store, write: Write) -> None:
    """Only spans of this trace with this id, with tags; two if client and server share it."""
    write(
        make_request(
            make_span(1, 1, attrs={"a": 1}, kind=3),
            make_span(1, 2),
            make_span(2, 1),
            make_span(1, 1, kind=2, offset_nano=1),
        )
    )

    columns = store.get_span(trace_hex(1), span_hex(1))

    assert [trace_hex(1)] * 2 == columns.trace_id
    assert columns.kind == [3, 2]
    assert tags(columns) == [("a", "int64", 1), ("span.kind", "string", "client")]
