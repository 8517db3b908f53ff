"""Zipkin v1 spans to OTLP: JSON, and the rules that both of v1's encodings share.

A v1 span says with annotations what v2 says with fields: `cs` and `cr` are a client's send and
receive, `sa` is the address of the server. Source: reference jaeger.md 2.7 (OpenTelemetry
Collector contrib, `pkg/translator/zipkin/zipkinv1`). Where that loses or refuses what is sent, it
is kept here: truth values as values (py-zipkin and npm zipkin send `sa` so), the endpoints of `sa`,
`ca` and `ma`, `debug`, and the service of a span that has only annotations of its own.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from lymer.wire import zipkin_fields as fields
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.zipkin_fields import Endpoint, FieldError
from lymer.wire.zipkin_otlp import OtlpRequest, Value, event, json_values, span
from lymer.wire.zipkin_v2 import ABSENT_START, status_of, with_endpoints

__all__ = ["Annotation", "BinaryAnnotation", "SpanV1", "add_span_v1", "request_from_zipkin_v1_json"]

UNKNOWN_SERVICE: Final = "unknown-service"
_KINDS: Final = {"cs": 3, "cr": 3, "ss": 2, "sr": 2, "ms": 4, "mr": 5}
"""Core annotation → OTLP's number of the kind."""
_ADDRESSES: Final = frozenset({"sa", "ca", "ma"})
"""Binary annotations whose endpoint is the other party."""
_STATUS_KEYS: Final = frozenset(
    {"census.status_code", "census.status_description", "status.code", "status.message"}
)
"""OpenCensus' status: it becomes the span's and is no attribute."""
_WHAT: Final = "Zipkin v1 JSON"

Annotation = tuple[int, str, Endpoint | None]
"""Microseconds since the epoch, text, and who said so."""
BinaryAnnotation = tuple[str, Value, Endpoint | None]
"""Key, value, and who said so."""


class SpanV1(NamedTuple):
    """A v1 span, whatever it was encoded in."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    start_micro: int
    """0 is unknown."""
    duration_micro: int
    debug: bool
    annotations: list[Annotation]
    binary_annotations: list[BinaryAnnotation]


def request_from_zipkin_v1_json(body: bytes, now_unix_nano: int) -> CheckedRequest:
    """Translate a JSON list of v1 spans.

    Args:
        body: JSON.
        now_unix_nano: Start of spans that say nothing about it.

    Raises:
        UndecodableError: Not JSON, or a field has the wrong type; the message names its path.
    """
    request = OtlpRequest()
    for index, entry in enumerate(fields.json_spans(body, _WHAT)):
        if entry is None:
            continue
        try:
            add_span_v1(request, _span(entry), now_unix_nano)
        except FieldError as error:
            request.refuse(f"cannot decode {_WHAT}: {error.inside(f'[{index}]')}")
    return request.checked()


def _span(entry: Any) -> SpanV1:
    if type(entry) is not dict:
        raise FieldError("", "is not an object")
    reader = _Reader()
    return SpanV1(
        trace_id=fields.required_identifier(entry, "traceId", 16),
        span_id=fields.required_identifier(entry, "id", 8),
        parent_id=fields.identifier(entry, "parentId", 8),
        name=fields.text(entry, "name"),
        start_micro=fields.micro(entry, "timestamp"),
        duration_micro=fields.micro(entry, "duration"),
        debug=fields.flag(entry, "debug"),
        annotations=fields.each(entry, "annotations", reader.annotation),
        binary_annotations=fields.each(entry, "binaryAnnotations", reader.binary_annotation),
    )


class _Reader:
    """Reads the annotations of one span, most of which name the same endpoint."""

    __slots__ = ("_endpoint", "_source")

    def __init__(self) -> None:
        self._source: object = None
        self._endpoint: Endpoint | None = None

    def _host(self, annotation: dict[str, Any]) -> Endpoint | None:
        source = annotation.get("endpoint")
        if source != self._source:
            self._endpoint = fields.endpoint(annotation, "endpoint")
            self._source = source
        return self._endpoint

    def annotation(self, source: dict[str, Any]) -> Annotation:
        micro, text = fields.micro(source, "timestamp"), fields.text(source, "value")
        return micro, text, self._host(source)

    def binary_annotation(self, source: dict[str, Any]) -> BinaryAnnotation:
        key, value, host = source.get("key"), source.get("value"), source.get("endpoint")
        if type(key) is not str:
            key = fields.text(source, "key")
        if type(value) is not str:
            value = json_values({"": value}).get("", "")
        return key, value, self._endpoint if host == self._source else self._host(source)


def add_span_v1(request: OtlpRequest, source: SpanV1, now_unix_nano: int) -> None:
    """Add one v1 span; `now_unix_nano` is its start if nothing else is known."""
    attributes, remote, component = _attributes(source.binary_annotations)
    kind = _kind(source)
    status = _status(attributes, kind)
    with_endpoints(attributes, None, remote)
    if source.debug:
        attributes["zipkin.debug"] = True
    start, end = source.start_micro * 1000, (source.start_micro + source.duration_micro) * 1000
    if not start:
        instants = [micro * 1000 for micro, text, _ in source.annotations if text and micro]
        start, end = min(instants, default=0), max(instants, default=0)
    if not start:
        start = now_unix_nano
        end = start + min(source.duration_micro * 1000, 2**63)
        attributes[ABSENT_START] = True
    events = [
        event(micro * 1000, text, {}, 0)
        for micro, text, _ in source.annotations
        if text and text not in _KINDS
    ]
    sized = span(
        (
            source.trace_id,
            source.span_id,
            b"" if source.parent_id == source.span_id else source.parent_id,
        ),
        source.name,
        kind,
        (start, end),
        attributes,
        events=events,
        links=[],
        status=status,
    )
    request.add(_resource(_local(source, component)), ("", ""), sized)


def _kind(source: SpanV1) -> int:
    for _, text, _ in source.annotations:
        if text in _KINDS:
            return _KINDS[text]
    return 0


def _attributes(
    annotations: list[BinaryAnnotation],
) -> tuple[dict[str, Value], Endpoint | None, str]:
    """Return attributes, the other party, and the name of the local component."""
    attributes: dict[str, Value] = {}
    remote, component = None, ""
    for key, value, party in annotations:
        if key == "lc":
            component = str(value)
            attributes["component"] = value
            continue
        if key in _ADDRESSES and party is not None:
            remote = party
        attributes[key] = value
    return attributes, remote, component


def _local(source: SpanV1, component: str) -> Endpoint:
    """Return whose span it is: of the first core annotation, of any, or the local component's."""
    for _, text, party in source.annotations:
        if text in _KINDS and party is not None and party.service_name:
            return party
    for key, _, host in reversed(source.binary_annotations):
        if host is not None and host.service_name and key not in _ADDRESSES:
            return host
    if component:
        return Endpoint(component, "", "", 0)
    for _, _, party in source.annotations:
        if party is not None and party.service_name:
            return party
    return Endpoint(UNKNOWN_SERVICE, "", "", 0)


def _resource(local: Endpoint) -> dict[str, Value]:
    resource: dict[str, Value] = {"service.name": local.service_name}
    if local.ipv4:
        resource["ipv4"] = local.ipv4
    if local.ipv6:
        resource["ipv6"] = local.ipv6
    if local.port:
        resource["port"] = str(local.port)
    return resource


def _status(attributes: dict[str, Value], kind: int) -> tuple[int, str]:
    """Return status code and message: of OpenTelemetry, OpenCensus, else `error`, else HTTP."""
    if "otel.status_code" in attributes:
        return status_of(attributes)
    census: dict[str, Value] = {}
    if not _STATUS_KEYS.isdisjoint(attributes):
        census = {key: attributes.pop(key) for key in _STATUS_KEYS if key in attributes}
    message = str(census.get("census.status_description") or census.get("status.message", ""))
    error = attributes.get("error")
    if error is True or error == "true":
        del attributes["error"]
    elif type(error) is str:
        message = message or error
    else:
        error = None
    for key in ("census.status_code", "status.code"):
        code = _whole(census.get(key))
        if code is not None:
            return (2 if code or error is not None else 0), message
    if error is not None:
        return 2, message or str(attributes.get("http.status_message", ""))
    http = _whole(attributes.get("http.status_code"))
    # A client's fault is an error of the client's span only, as OpenTelemetry has it.
    if http is not None and (http >= 500 or (http >= 400 and kind == _KINDS["cs"])):
        return 2, message or str(attributes.get("http.status_message", ""))
    return 0, message


def _whole(value: Value | None) -> int | None:
    if type(value) is int:
        return value
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    return None
