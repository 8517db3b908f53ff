"""Zipkin v2 spans to OTLP: JSON, and the rules that both of v2's encodings share.

Source: reference jaeger.md 2.7 (OpenTelemetry Collector contrib, `pkg/translator/zipkin/zipkinv2`).
Where that loses what was sent, it is kept here: resource tags of every span and not of the first
of its service, `debug` and `shared`, a second address, annotations with a `|` in them, and
`otel.status_code` as OpenTelemetry's own exporters write it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from lymer.wire import zipkin_fields as fields
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.zipkin_fields import Endpoint, FieldError
from lymer.wire.zipkin_otlp import OtlpRequest, Value, event, json_values, link, span
from lymer.wire.zipkin_resource import RESOURCE_KEYS

__all__ = ["add_span", "request_from_zipkin_v2_json", "status_of", "with_endpoints"]

ABSENT_START: Final = "otel.zipkin.absentField.startTime"
LINKS_MAX: Final = 128
"""`otlp.link.N` with a larger N stays a tag."""

_KINDS: Final = {"CLIENT": 3, "SERVER": 2, "PRODUCER": 4, "CONSUMER": 5}
_KIND_TAGS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
STATUS_CODES: Final = {
    "STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2,
    "UNSET": 0, "OK": 1, "ERROR": 2,
}  # fmt: skip
_DROPPED: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_WHAT: Final = "Zipkin v2 JSON"


def request_from_zipkin_v2_json(body: bytes) -> CheckedRequest:
    """Translate a JSON list of v2 spans.

    Raises:
        UndecodableError: Not JSON, or a field has the wrong type; the message names its path.
    """
    request = OtlpRequest()
    for index, entry in enumerate(fields.json_spans(body, _WHAT)):
        if entry is None:
            continue
        try:
            _add_json(request, entry)
        except FieldError as error:
            request.refuse(f"cannot decode {_WHAT}: {error.inside(f'[{index}]')}")
    return request.checked()


def _add_json(request: OtlpRequest, entry: Any) -> None:
    if type(entry) is not dict:
        raise FieldError("", "is not an object")
    tags = fields.mapping(entry, "tags")
    if any(type(value) is not str for value in tags.values()):
        # No sender should; those that do get their numbers and truth values back.
        tags = json_values(tags)
    kind = fields.text(entry, "kind")
    add_span(
        request,
        (
            fields.required_identifier(entry, "traceId", 16),
            fields.required_identifier(entry, "id", 8),
            fields.identifier(entry, "parentId", 8),
        ),
        fields.text(entry, "name"),
        _KINDS.get(kind) or _KINDS.get(kind.upper(), 0),
        (fields.micro(entry, "timestamp"), fields.micro(entry, "duration")),
        (fields.endpoint(entry, "localEndpoint"), fields.endpoint(entry, "remoteEndpoint")),
        fields.each(entry, "annotations", _annotation),
        tags,
        debug=fields.flag(entry, "debug"),
        shared=fields.flag(entry, "shared"),
    )


def _annotation(source: dict[str, Any]) -> tuple[int, str]:
    return fields.micro(source, "timestamp"), fields.text(source, "value")


def add_span(  # noqa: PLR0913 - a span has so many fields, and an object for them costs a tenth
    request: OtlpRequest,
    ids: tuple[bytes, bytes, bytes],
    name: str,
    kind: int,
    times_micro: tuple[int, int],
    endpoints: tuple[Endpoint | None, Endpoint | None],
    annotations: list[tuple[int, str]],
    tags: dict[str, Value],
    *,
    debug: bool,
    shared: bool,
) -> None:
    """Add one v2 span.

    Args:
        request: To add it to.
        ids: Of trace, span and parent; none or the span's own is no parent.
        name: Its name.
        kind: OTLP's number of the kind; 0 is unknown.
        times_micro: Start since the epoch, 0 if unknown, and duration, microseconds.
        endpoints: Local and remote.
        annotations: Microseconds since the epoch, and text.
        tags: Not changed.
        debug: Sampled by decree.
        shared: The span's id is also the caller's.
    """
    attributes = dict(tags)
    local, remote = endpoints
    service = local.service_name if local is not None else ""
    resource = _resource(attributes, service)
    scope = _scope(attributes)
    links = _links(attributes) if "otlp.link.0" in attributes else []
    trace_state = attributes.pop("w3c.tracestate", "")
    if not kind and "span.kind" in attributes:
        kind = _KIND_TAGS.get(str(attributes.pop("span.kind")), 0)
    status = status_of(attributes)
    with_endpoints(attributes, local, remote)
    if shared:
        attributes["zipkin.shared"] = True
    if debug:
        attributes["zipkin.debug"] = True
    start, duration = times_micro
    if not start:
        attributes[ABSENT_START] = True
    trace_id, span_id, parent_id = ids
    sized = span(
        (trace_id, span_id, b"" if parent_id == span_id else parent_id),
        name,
        kind,
        (start * 1000, (start + duration) * 1000),
        attributes,
        events=[_event(micro, text) for micro, text in annotations],
        links=links,
        status=status,
        trace_state=str(trace_state),
    )
    request.add(resource, scope, sized)


def _resource(attributes: dict[str, Value], service: str) -> dict[str, Value]:
    """Take the resource's attributes out of a span's."""
    resource: dict[str, Value] = {}
    source = attributes.pop("otlp.service.name.source", "") or "service.name"
    if service:
        resource[str(source)] = service
    if RESOURCE_KEYS.isdisjoint(attributes):
        return resource
    for key in attributes.keys() & RESOURCE_KEYS:
        resource[key] = attributes.pop(key)
    return dict(sorted(resource.items()))


def _scope(attributes: dict[str, Value]) -> tuple[str, str]:
    name = version = ""
    for prefix in ("otel.library.", "otel.scope."):
        if prefix + "name" in attributes:
            name = str(attributes.pop(prefix + "name"))
            version = str(attributes.pop(prefix + "version", version))
    return name, version


def status_of(attributes: dict[str, Value]) -> tuple[int, str]:
    """Take status code and message out of attributes, as OpenTelemetry's exporters write them."""
    code, message = 0, ""
    if "otel.status_code" in attributes:
        code = STATUS_CODES.get(str(attributes["otel.status_code"]).upper(), -1)
        if code < 0:
            code = 0  # what nobody knows stays a tag
        else:
            del attributes["otel.status_code"]
        message = str(attributes.pop("otel.status_description", ""))
    if "error" in attributes:
        error = attributes["error"]
        if error is True or error == "true":
            del attributes["error"]
            code = 2
        elif type(error) is str:
            # To Zipkin the tag is the error, whatever its text, "false" too; so do OpenTelemetry's
            # exporters. Source: zipkin-api, `zipkin2-api.yaml`, "error"; zipkin, DependencyLinker.
            code = 2
            message = message or error
    return code, message


def with_endpoints(
    attributes: dict[str, Value], local: Endpoint | None, remote: Endpoint | None
) -> None:
    """Add what is known of both ends.

    The names are the Collector's of today; `peer.service`, which Jaeger's users search for, is
    added to them. Of two addresses the second has the name of before.
    """
    if local is not None:
        _address(attributes, local, "network.local.address", "net.host.ip", "net.host.port")
    if remote is not None:
        if remote.service_name:
            attributes.setdefault("peer.service", remote.service_name)
            attributes["service.peer.name"] = remote.service_name
        _address(attributes, remote, "network.peer.address", "net.peer.ip", "net.peer.port")


def _address(
    attributes: dict[str, Value], party: Endpoint, address: str, second: str, port: str
) -> None:
    if party.ipv6:
        attributes[address] = party.ipv6
        if party.ipv4:
            attributes.setdefault(second, party.ipv4)
    elif party.ipv4:
        attributes[address] = party.ipv4
    if party.port:
        attributes[port] = party.port


def _packed(text: str) -> tuple[dict[str, Value], int] | None:
    """Return attributes and dropped count of `JSON|count`, or nothing if it is not that."""
    document, bar, dropped = text.rpartition("|")
    if not bar or not _DROPPED.fullmatch(dropped):
        return None
    try:
        attributes = orjson.loads(document)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return (json_values(attributes), int(dropped)) if isinstance(attributes, dict) else None


def _event(micro: int, text: str) -> bytes:
    """Return an annotation as an event; `name|JSON|count` is how an exporter packs one."""
    name, bar, rest = text.partition("|")
    packed = _packed(rest) if bar else None
    if packed is None:
        return event(micro * 1000, text, {}, 0)
    return event(micro * 1000, name, *packed)


def _links(attributes: dict[str, Value]) -> list[bytes]:
    """Take links out of tags: `traceid|spanid|tracestate|JSON|count`; others stay tags."""
    links = []
    for number in range(LINKS_MAX):
        key = f"otlp.link.{number}"
        if key not in attributes:
            break
        parts = str(attributes[key]).split("|", 3)
        packed = _packed(parts[3]) if len(parts) == 4 else None
        if packed is None:
            continue
        holder = {"trace": parts[0].strip('"'), "span": parts[1].strip('"')}
        try:
            trace_id = fields.required_identifier(holder, "trace", 16)
            span_id = fields.required_identifier(holder, "span", 8)
        except FieldError:
            continue
        del attributes[key]
        links.append(link(trace_id, span_id, parts[2], *packed))
    return links
