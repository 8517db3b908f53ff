"""Spans in files: every format is read as it was written, and what is spoilt is told."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.cli.files import FORMATS as FORMATS_OF_THE_COMMAND
from lymer.files.anonymizing import Anonymizer, Kept
from lymer.files.importing import Importer, UnansweredError
from lymer.files.reading import Piece, Problem, read_spans
from lymer.files.writing import FORMATS, SpanFile, compression_of
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.traces_json import traces_to_json_object
from lymer.wire.translations import Format, translate

START = 1_795_365_822_000_000_000
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_VALUES = st.one_of(_TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(0.5, 1e9))


@st.composite
def traces(draw: st.DrawFn) -> TracesData:
    """Draw traces whose times are whole microseconds, as Jaeger keeps them."""
    found = TracesData()
    for number in range(draw(st.integers(1, 3))):
        resource = found.resource_spans.add()
        _put(resource.resource.attributes, "service.name", f"service-{number}")
        _put(resource.resource.attributes, "host.name", draw(_TEXT.filter(bool)))
        scope = resource.scope_spans.add()
        for place in range(draw(st.integers(1, 4))):
            span = scope.spans.add(
                trace_id=bytes([draw(st.integers(1, 3))]) * 16,
                span_id=bytes([number + 1, place + 1]) * 4,
                name=draw(_TEXT.filter(bool)),
                kind=draw(st.integers(1, 5)),
                start_time_unix_nano=START + draw(st.integers(0, 10**6)) * 1_000,
            )
            span.end_time_unix_nano = span.start_time_unix_nano + 1_000 * draw(
                st.integers(0, 10**6)
            )
            for key in draw(st.sets(st.sampled_from(["a", "b", "c.d"]))):
                _put(span.attributes, key, draw(_VALUES))
            if draw(st.booleans()):
                event = span.events.add(name="happened", time_unix_nano=span.start_time_unix_nano)
                _put(event.attributes, "e", draw(_VALUES))
    return found


def _put(attributes: Any, key: str, value: object) -> None:
    pair = attributes.add(key=key)
    if isinstance(value, bool):
        pair.value.bool_value = value
    elif isinstance(value, int):
        pair.value.int_value = value
    elif isinstance(value, float):
        pair.value.double_value = value
    else:
        pair.value.string_value = value


def _spans(*bodies: bytes) -> list[tuple[Any, ...]]:
    """Return spans with what their resource says, in an order of their own."""
    found = []
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            own = tuple(sorted(str(one) for one in resource.resource.attributes))
            for scope in resource.scope_spans:
                for sent in scope.spans:
                    span = Span.FromString(sent.SerializeToString())
                    attributes = sorted(one.SerializeToString() for one in span.attributes)
                    del span.attributes[:]
                    found.append((own, span.SerializeToString(), tuple(attributes)))
    return sorted(found)


def _read(content: bytes) -> tuple[list[bytes], list[Problem]]:
    found = list(read_spans(io.BytesIO(content)))
    return (
        [one.request.body for one in found if isinstance(one, Piece)],
        [one for one in found if isinstance(one, Problem)],
    )


def _written(format_name: Any, compression: Any, *messages: bytes) -> bytes:
    stream = io.BytesIO()
    file = SpanFile(stream, format_name, compression)
    for message in messages:
        file.write(message)
        file.commit()
    file.end()
    return stream.getvalue()


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
@pytest.mark.parametrize("format_name", FORMATS)
@settings(max_examples=10, deadline=None)
@given(first=traces(), second=traces())
def test_what_is_written_is_read(
    format_name: str, compression: str, first: TracesData, second: TracesData
) -> None:
    """Every span with its resource, times, attributes and events; in every format."""
    messages = [first.SerializeToString(), second.SerializeToString()]
    bodies, problems = _read(_written(format_name, compression, *messages))
    assert problems == []
    assert _spans(*bodies) == _spans(*messages)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_without_spans_is_read(format_name: str) -> None:
    """It is a document, and has nothing."""
    assert _read(_written(format_name, "")) == ([], [])


def test_writing_goes_on_where_it_ended() -> None:
    """A file is one document, however often somebody went on writing."""
    one, other = _one(1), _one(2)
    stream = io.BytesIO()
    file = SpanFile(stream, "otlp-json", "gzip")
    file.write(one)
    file.commit()
    again = SpanFile(stream, "otlp-json", "gzip", is_begun=True)
    again.write(other)
    again.end()
    assert len(orjson.loads(gzip.decompress(stream.getvalue()))["resourceSpans"]) == 2
    assert _spans(*_read(stream.getvalue())[0]) == _spans(one, other)


def _one(number: int) -> bytes:
    found = TracesData()
    resource = found.resource_spans.add()
    _put(resource.resource.attributes, "service.name", "shop")
    resource.scope_spans.add().spans.add(
        trace_id=bytes([number]) * 16,
        span_id=bytes([number]) * 8,
        name="GET /",
        kind=2,
        start_time_unix_nano=START,
        end_time_unix_nano=START + 5_000_000,
    )
    return found.SerializeToString()


def test_a_spoilt_line_is_told_and_its_neighbours_are_kept() -> None:
    """With the number of the line."""
    line = orjson.dumps(traces_to_json_object(TracesData.FromString(_one(1))))
    wrong_type = line.replace(b'"GET /"', b"12")
    content = b"\n".join([line, line[:-9], b"", b"nonsense", wrong_type, b'{"a":1}', line])
    bodies, problems = _read(content)
    assert len(bodies) == 2
    assert [one.place for one in problems] == ["line 2", "line 4", "line 5", "line 6"]
    assert "resourceSpans[0].scopeSpans[0].spans[0].name" in problems[2].cause
    assert "keys are: a" in problems[3].cause


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_file_that_ends_too_early_is_told(cut: int) -> None:
    """What stands before the damage is read."""
    for compression in ("", "gzip", "zstd"):
        content = _written("otlp-json", compression, _one(1), _one(2))
        bodies, problems = _read(content[:-cut])
        assert problems or len(bodies) == 2, (compression, cut)
        assert len(bodies) <= 2


@pytest.mark.parametrize("format_name", ["otlp-jsonl", "otlp-proto"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_damaged_archive_is_read_as_far_as_it_goes(format_name: str, compression: str) -> None:
    """What stands before its end, or before what is no part of it, whatever the size of a read."""
    messages = [_one(number) for number in range(1, 60)]
    content = _written(format_name, compression, *messages)
    bodies, problems = _read(content + b"garbage")
    assert len(bodies) == len(messages)
    assert len(problems) == 1
    # zstd has blocks of 128 kB, gzip none: of a small archive that is cut, only gzip gives some.
    bodies, problems = _read(content[: len(content) * 2 // 3])
    assert len(problems) == 1
    assert bodies or compression == "zstd"


def test_documents_of_many_programs_are_read() -> None:
    """As Jaeger's interface, its API v3, Tempo, Elasticsearch and Zipkin write them."""
    trace: dict[str, Any] = {
        "traceID": "ab", "processes": {"p1": {"serviceName": "shop", "tags": []}},
        "spans": [{
            "traceID": "ab", "spanID": "1", "operationName": "GET /", "processID": "p1",
            "startTime": 1_795_365_822_000_000, "duration": 5_000, "references": [],
            "tags": [{"key": "n", "type": "int64", "value": "7"}], "logs": [],
        }],
    }  # fmt: skip
    alone = {**trace["spans"][0], "process": {"serviceName": "shop", "tag": {"a@b": "c"}}}
    otlp = traces_to_json_object(TracesData.FromString(_one(3)))
    in_base64 = orjson.loads(orjson.dumps(otlp))
    span = in_base64["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["traceId"] = base64.b64encode(bytes([3]) * 16).decode()
    span["spanId"] = base64.b64encode(bytes([3]) * 8).decode()
    zipkin = {"traceId": "ab", "id": "1", "name": "get", "localEndpoint": {"serviceName": "shop"}}
    documents = [
        {"data": [trace], "total": 0, "errors": None}, trace, [trace, trace], alone, [alone],
        {"_source": alone}, {"hits": {"hits": [{"_source": alone}]}}, otlp, otlp["resourceSpans"],
        {"result": otlp}, {"batches": in_base64["resourceSpans"]}, {"trace": in_base64}, [zipkin],
        [[zipkin], [zipkin]], zipkin,
    ]  # fmt: skip
    for document in documents:
        for content in (orjson.dumps(document), orjson.dumps(document, option=orjson.OPT_INDENT_2)):
            bodies, problems = _read(content)
            assert problems == [], (document, problems)
            assert bodies, document


@pytest.mark.parametrize("around", [lambda one: one, lambda one: [one], lambda one: [[one]]])
@pytest.mark.parametrize("has_binary", [True, False])
def test_zipkins_first_version_is_read_as_by_its_receiver(
    around: Callable[[Any], Any], *, has_binary: bool
) -> None:
    """Beside its second, too: service, kind and times are those of its annotations."""
    front = {"serviceName": "front"}
    first: dict[str, Any] = {
        "traceId": "ab", "id": "1", "name": "get",
        "annotations": [
            {"timestamp": START // 1_000, "value": "cs", "endpoint": front},
            {"timestamp": START // 1_000 + 5, "value": "cr", "endpoint": front},
        ],
    }  # fmt: skip
    if has_binary:
        first["binaryAnnotations"] = [{"key": "path", "value": "/", "endpoint": front}]
    second = {"traceId": "ab", "id": "2", "timestamp": 7, "localEndpoint": {"serviceName": "cart"}}
    value = around(first)
    for document in [value, *([[first, second], [second, first]] if value is first else [])]:
        bodies, problems = _read(orjson.dumps(document))
        assert problems == []
        expected = translate(orjson.dumps([first]), Format("zipkin-v1-json")).body
        assert expected in bodies
        spans = [Span.FromString(one) for _, one, _ in _spans(*bodies)]
        (span,) = (one for one in spans if one.span_id[-1] == 1)
        assert (span.kind, span.start_time_unix_nano) == (3, START)


def test_the_collectors_protobuf_file_is_read() -> None:
    """Each message behind its length: four bytes, or a varint."""
    for lengths in (lambda n: n.to_bytes(4, "big"), lambda n: bytes([n])):
        content = b"".join(lengths(len(one)) + one for one in (_one(1), _one(2)))
        bodies, problems = _read(content)
        assert problems == []
        assert _spans(*bodies) == _spans(_one(1), _one(2))


def test_a_message_as_long_as_a_bracket_is_no_json() -> None:
    """Field 1 with 123 or 91 bytes begins like an empty line and `{` or `[`."""
    for size in (0x7B, 0x5B):
        message = TracesData.FromString(_one(1))
        span = message.resource_spans[0].scope_spans[0].spans[0]
        span.name += "x" * (size - message.resource_spans[0].ByteSize())
        content = message.SerializeToString()
        assert content[:2] == bytes([0x0A, size])
        bodies, problems = _read(content)
        assert problems == []
        assert _spans(*bodies) == _spans(content)


def test_the_collectors_compressed_file_is_read() -> None:
    """It compresses message by message, and writes lengths before them, of JSON, too."""
    json = orjson.dumps(traces_to_json_object(TracesData.FromString(_one(1))))
    for message in (_one(1), json):
        packed = zstandard.compress(message)
        frame = len(packed).to_bytes(4, "big") + packed
        bodies, problems = _read(frame + frame)
        assert problems == []
        assert _spans(*bodies) == _spans(_one(1), _one(1))
        cut, problems = _read(frame + frame[:-3])
        assert (len(cut), [one.place for one in problems]) == (1, [f"byte {len(frame)}"])


def test_texts_of_all_editors_are_read() -> None:
    """A mark of UTF-8, ends of lines, documents one behind the other, empty lines, no end."""
    line = orjson.dumps(traces_to_json_object(TracesData.FromString(_one(1))))
    for content in (
        b"\xef\xbb\xbf" + line, b"\r\n" * 9 + line, b"\n" * 900 + line, line + b"\r\n" + line,
        line + line, gzip.compress(line) + gzip.compress(line), b"\n{\n " + line[1:] + b"\n\n",
        zstandard.compress(line) + zstandard.compress(line),
    ):  # fmt: skip
        bodies, problems = _read(content)
        assert (problems, len(bodies) > 0) == ([], True), content[:40]
    for content in (b"", b"\n", b" \r\n" * 3, gzip.compress(b""), b"\xef\xbb\xbf"):
        assert _read(content) == ([], []), content
    bodies, problems = _read(line + b"\n" + line[:-7])
    assert (len(bodies), problems[0].place) == (1, "line 2")
    for content, words in (
        (line.decode().encode("utf-16"), "UTF-16"), (b"\x89PNG\r\n\x1a\n" + bytes(9), "byte 0"),
        (b"traceId,spanId\n1,2\n", "neither"), (b"PK\3\4" + bytes(30), "neither"),
    ):  # fmt: skip
        bodies, problems = _read(content)
        assert bodies == []
        assert words in f"{problems[0].place} {problems[0].cause}", content


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b'{"data":[', b"\x0a", b"\x1f\x8b"]))
def test_no_content_breaks_the_reader(content: bytes, head: bytes) -> None:
    """Whatever it is, it is read or told."""
    _read(head + content)


def test_compressed_garbage_is_told() -> None:
    """A file of something else, even if it can be unpacked."""
    assert _read(zstandard.compress(b"hello world"))[1][0].cause.startswith("it is neither")
    assert "damaged" in _read(gzip.compress(_one(1))[:-12])[1][-1].cause


def test_names_say_how_a_file_is_compressed() -> None:
    """By their end."""
    names = {"a.json.gz": "gzip", "a.zst": "zstd", "a.json": ""}
    assert {name: compression_of(name) for name in names} == names
    assert FORMATS_OF_THE_COMMAND == FORMATS


def test_an_import_adds_nothing_twice() -> None:
    """Neither what is stored, nor what was sent, nor what stands twice in a file."""
    stored, sent = TracesData.FromString(_one(1)), []

    def read(ids: Any) -> bytes:
        return stored.SerializeToString() if "01" * 16 in ids else b""

    def send(request: CheckedRequest) -> int:
        sent.append(request.body)
        return 0

    importer = Importer(read, send)
    importer.add(CheckedRequest(_one(1) + _one(2) + _one(2), 3))
    first = importer.finish()
    importer.add(CheckedRequest(_one(2), 1))
    second = importer.finish()
    assert (first.added, first.known) == (1, 2)
    assert (second.added, second.known) == (0, 1)
    assert _spans(*sent) == _spans(_one(2))


@pytest.mark.parametrize("was_taken", [[0], [1], [0, 1], []], ids=str)
def test_a_request_that_nobody_answered_is_stored_once(was_taken: list[int]) -> None:
    """Whatever of it was taken: the store is asked again when it has what was taken."""
    parts = [_one(1), _one(2)]
    arrived: list[bytes] = []
    stored: list[bytes] = []
    answers = iter([False, True])

    def send(request: CheckedRequest) -> int:
        if next(answers):
            arrived.append(request.body)
            return 0
        arrived.extend(parts[one] for one in was_taken)
        raise UnansweredError

    importer = Importer(lambda _ids: b"".join(stored), send, lambda: stored.extend(arrived))
    importer.add(CheckedRequest(b"".join(parts), 2))
    outcome = importer.finish()
    assert (outcome.added, outcome.known, outcome.refused) == (2, 0, 0)
    assert sorted(_spans(*arrived)) == sorted(_spans(*parts))


def test_codes_hide_texts_and_keep_structure() -> None:
    """The same text has the same code; a well-known word, times and relations stay."""
    message = TracesData.FromString(_one(1))
    scope = message.resource_spans[0].scope_spans[0]
    child = scope.spans.add(
        trace_id=scope.spans[0].trace_id, span_id=b"\2" * 8, name="shop",
        parent_span_id=scope.spans[0].span_id, start_time_unix_nano=START + 1_000,
    )  # fmt: skip
    for key, value in {"http.request.method": "GET", "customer": "Ada", "peer.service": "shop",
                       "account": 77, "http.route": "/ada"}.items():  # fmt: skip
        _put(child.attributes, key, value)
    made = Anonymizer(b"key").anonymized(message.SerializeToString())
    assert made == Anonymizer(b"key").anonymized(message.SerializeToString())
    assert made != Anonymizer(b"other").anonymized(message.SerializeToString())
    assert not any(text in made for text in (b"shop", b"Ada", b"ada", b"customer", b"GET /"))
    found = TracesData.FromString(made).resource_spans[0]
    root, below = found.scope_spans[0].spans
    service = found.resource.attributes[0]
    values = {one.key: one.value for one in below.attributes}
    assert below.parent_span_id == root.span_id != bytes([1]) * 8
    assert below.trace_id == root.trace_id
    assert (root.start_time_unix_nano, root.kind) == (START, 2)
    assert service.key == "service.name"
    assert service.value.string_value == below.name == values["peer.service"].string_value
    assert values["http.request.method"].string_value == "GET"
    assert 77 not in {one.int_value for one in values.values()}
    kept = Kept(services=True, names=True, keys=True, numbers=True, ids=True, values=("*",))
    unchanged = Anonymizer(b"key", kept).anonymized(message.SerializeToString())
    assert _spans(unchanged) == _spans(message.SerializeToString())
