"""Random spans and random questions, and every door that answers them."""

from __future__ import annotations

import json
import random
from typing import Any, Final
from urllib.parse import urlencode

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.model.question import TraceQuestion
from lymer.wire.go_text import rfc3339_text
from lymer.wire.query_proto import SERVICE_V2, SERVICE_V3, V2, V3
from make import START, make_event, make_link, make_request, make_span
from make import value as make_value

__all__ = ["DOORS", "Doors", "brute_force", "plain_spans", "random_question", "random_spans"]

MS: Final = 1_000_000
_SERVICES: Final = (
    "shop", "cart", "pay", "SHOP", "결제 서비스", "a/b?c=d&e#f", "it's \"q\"", "\u202e%00", "%2F",
)  # fmt: skip
_NAMES: Final = ("get", "put", "주문", "GET /a/{id}?x=1&y", "a = b", "\U0001f6d2", "x" * 300)
_KEYS: Final = ("user", "http.status_code", "zone", "q", "키", "a b", "k.k.k", "'")
_VALUES: Final[tuple[Any, ...]] = (
    "bob", "500", 500, 404, True, False, 1.5, -2.25, 0.1, 'a"b', "a=b", "", "a\\b", "한글", "a b",
    "x and y", "\0", "a\0b", "\U0001f6d2", "' OR 1=1 --", 2**53 + 1, -(2**63), "True", "%", "_",
)  # fmt: skip
_SPAN_MS_MAX: Final = 60_000
_DURATION_MS_MAX: Final = 50
_SHORT: Final = 0xD00D
"""Traces whose id has 64 bits begin here."""


def random_spans(rng: random.Random, traces: int) -> ExportTraceServiceRequest:
    """Return traces of a few spans each, over a minute; starts and durations are whole ms.

    Some share their instant, some have an id of 64 bits; spans come twice, share the id of their
    client as Zipkin's do, and stand for many (`ot=th`).
    """
    request = ExportTraceServiceRequest()
    for trace in range(1, traces + 1):
        trace_id: int | bytes = (
            (_SHORT + trace).to_bytes(16, "big") if rng.random() < 0.2 else trace
        )
        at = rng.randrange(_SPAN_MS_MAX // 100) * 100
        for number in range(1, rng.randrange(2, 5)):
            attrs = {key: rng.choice(_VALUES) for key in rng.sample(_KEYS, rng.randrange(4))}
            span = make_span(
                trace_id,
                number,
                number - 1,
                name=rng.choice(_NAMES),
                kind=rng.randrange(6),
                offset_nano=(at + rng.choice((0, number, 1_000 * number))) * MS,
                duration_nano=rng.randrange(_DURATION_MS_MAX) * MS,
                attrs=attrs,
                events=[make_event("boom", attrs={"q": "bob"})] if rng.random() < 0.2 else [],
                links=[make_link(attrs={"키": "한글"})] if rng.random() < 0.1 else [],
                status=rng.choice([0, 0, 1, 2]),
                trace_state=rng.choice(["", "", "ot=th:c", "ot=th:ff8"]),
            )
            resource = {"zone": rng.choice(["a", "b"])} if rng.random() < 0.5 else {}
            sent = make_request(span, service=rng.choice(_SERVICES), resource=resource)
            if rng.random() < 0.2:
                scope = sent.resource_spans[0].scope_spans[0].scope
                scope.attributes.extend(make_span(attrs={"k.k.k": "scope"}).attributes)
            request.MergeFrom(sent)
            if rng.random() < 0.1:
                request.MergeFrom(sent)
            if rng.random() < 0.1:
                shared = Span.FromString(span.SerializeToString())
                shared.kind, shared.name = Span.SPAN_KIND_SERVER, rng.choice(_NAMES)
                request.MergeFrom(make_request(shared, service=rng.choice(_SERVICES)))
    return request


def random_question(rng: random.Random, spans: list[dict[str, Any]]) -> TraceQuestion:
    """Return a question that every door can ask: times and durations in whole milliseconds.

    Many are about a span that is there: its service, its name, the instant it starts, as long as it
    took, what it says; so edges are met and something is found.
    """
    span = rng.choice(spans)
    starts = [rng.choice(spans)["start"] for _ in range(2)]
    first, last = sorted(start + rng.choice((-MS, 0, 0, MS)) for start in starts)
    if rng.random() < 0.5:
        first, last = START - MS, START + 2 * _SPAN_MS_MAX * MS
    elif rng.random() < 0.3:
        first = last = span["start"]
    texts = [_text(make_value(value)) for value in _VALUES]
    tags: dict[str, str] = {}
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        key = rng.choice(sorted(span["tags"]))
        held = rng.choice(sorted(span["tags"][key]))
        tags[key] = held if rng.random() < 0.8 else rng.choice(texts)
    if rng.random() < 0.1:
        tags["error"] = rng.choice(("true", "false"))
    length = span["duration"]
    shortest = rng.choice((None, None, None, length, length + MS, 10 * MS)) or None
    longest = rng.choice((None, None, length, 40 * MS)) or None
    if shortest and longest and longest < shortest:
        shortest, longest = longest, shortest
    return TraceQuestion(
        start_unix_nano_min=first,
        start_unix_nano_max=last,
        service=span["service"] if rng.random() < 0.8 else rng.choice(_SERVICES),
        operation=rng.choice(("", "", span["name"], span["name"], *_NAMES[:2])),
        tags=tuple(tags.items()),
        duration_nano_min=shortest,
        duration_nano_max=longest,
        limit=rng.choice((1, 2, 5, 20, 1_000)),
    )


def brute_force(spans: list[dict[str, Any]], question: TraceQuestion) -> list[str]:
    """Return the ids of the newest matching traces, from plain spans, one by one."""
    newest: dict[str, int] = {}
    for span in spans:
        if (
            question.start_unix_nano_min <= span["start"] <= question.start_unix_nano_max
            and span["service"] == question.service
            and question.operation in {"", span["name"]}
            and (question.duration_nano_min or 0) <= span["duration"]
            and span["duration"] <= (question.duration_nano_max or 2**63)
            and all(value in span["tags"].get(key, ()) for key, value in question.tags)
        ):
            newest[span["trace"]] = max(newest.get(span["trace"], 0), span["start"])
    return sorted(newest, key=lambda one: (-newest[one], one))[: question.limit]


def plain_spans(request: ExportTraceServiceRequest) -> list[dict[str, Any]]:
    """Return spans as `brute_force` reads them: tags as sets of texts."""
    kinds = ("unspecified", "internal", "server", "client", "producer", "consumer")
    found = []
    for resource_spans in request.resource_spans:
        resource = [(one.key, _text(one.value)) for one in resource_spans.resource.attributes]
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                tags: dict[str, set[str]] = {"span.kind": {kinds[span.kind]}}
                tags["error"] = {"true" if span.status.code == 2 else "false"}
                pairs = [(one.key, _text(one.value)) for one in span.attributes]
                for event in span.events:
                    pairs += [(one.key, _text(one.value)) for one in event.attributes]
                for link in span.links:
                    pairs += [(one.key, _text(one.value)) for one in link.attributes]
                pairs += [(one.key, _text(one.value)) for one in scope_spans.scope.attributes]
                for key, text in pairs + resource:
                    tags.setdefault(key, set()).add(text)
                found.append(
                    {
                        "trace": span.trace_id.hex(),
                        "start": span.start_time_unix_nano,
                        "duration": span.end_time_unix_nano - span.start_time_unix_nano,
                        "service": dict(resource)["service.name"],
                        "name": span.name,
                        "tags": tags,
                    }
                )
    return found


def _text(value: Any) -> str:
    match value.WhichOneof("value"):
        case "bool_value":
            return str(value.bool_value).lower()
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return repr(value.double_value)
        case _:
            return str(value.string_value)


class Doors:
    """Asks each door in its own words; answers are trace ids in the order they came."""

    def __init__(self, http: httpx.AsyncClient, channel: grpc.aio.Channel) -> None:
        self._http = http
        self._channel = channel

    async def legacy(self, question: TraceQuestion) -> list[str]:
        """GET /api/traces."""
        asked = {
            "service": question.service,
            "operation": question.operation,
            "start": question.start_unix_nano_min // 1000,
            "end": question.start_unix_nano_max // 1000,
            "limit": question.limit,
            "tags": json.dumps(dict(question.tags)),
            **_durations(question, "minDuration", "maxDuration"),
        }
        answer = await self._get("/api/traces", asked)
        return [one["traceID"].rjust(32, "0") for one in answer["data"]]

    async def v3(self, question: TraceQuestion) -> list[str]:
        """GET /api/v3/trace-summaries."""
        if question.start_unix_nano_min == question.start_unix_nano_max:
            return await self.legacy(question)  # this door refuses a single instant, as Jaeger's
        answer = await self._get("/api/v3/trace-summaries", _v3(question))
        return [one["traceId"] for one in answer.get("summaries", ())]

    async def zipkin(self, question: TraceQuestion) -> list[str]:
        """GET /zipkin/api/v2/traces."""
        end, start = question.start_unix_nano_max // MS, question.start_unix_nano_min // MS
        shortest, longest = question.duration_nano_min, question.duration_nano_max
        asked = {
            "serviceName": question.service,
            "spanName": question.operation,
            "endTs": end,
            "lookback": end - start,
            "limit": question.limit,
            "annotationQuery": " and ".join(f"{key}={value}" for key, value in question.tags),
            **({"minDuration": shortest // 1000} if shortest else {}),
            **({"maxDuration": longest // 1000} if longest else {}),
        }
        if (
            end == start  # Zipkin knows no single instant
            or (longest and not shortest)
            or any(_is_too_odd_for_zipkin(*pair) for pair in question.tags)
        ):
            return await self.legacy(question)
        found = await self._get("/zipkin/api/v2/traces", asked)
        return [one[0]["traceId"].rjust(32, "0") for one in found]

    async def grpc_v2(self, question: TraceQuestion) -> list[str]:
        """`jaeger.api_v2.QueryService/FindTraces`."""
        found: dict[str, None] = {}
        message = V2["FindTracesRequest"](query=_query(question, "tags"))
        answers = self._stream(SERVICE_V2, message, V2["SpansResponseChunk"])
        async for chunk in answers:
            found.update(dict.fromkeys(span.trace_id.hex() for span in chunk.spans))
        return list(found)

    async def grpc_v3(self, question: TraceQuestion) -> list[str]:
        """`jaeger.api_v3.QueryService/FindTraces`."""
        message = V3["FindTracesRequest"](query=_query(question, "attributes"))
        return [
            part.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
            async for part in self._stream(SERVICE_V3, message, TracesData)
        ]

    async def _get(self, path: str, asked: dict[str, Any]) -> Any:
        shown = {key: value for key, value in asked.items() if value != ""}
        answer = await self._http.get(f"{path}?{urlencode(shown)}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _stream(self, service: str, message: Any, answer: Any) -> Any:
        method = self._channel.unary_stream(
            f"/{service}/FindTraces",
            request_serializer=type(message).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return method(message)


def _is_too_odd_for_zipkin(key: str, value: str) -> bool:
    """Is it a condition that `annotationQuery` has no words for."""
    return not value or " and " in value or value != value.strip() or "=" in key


DOORS: Final = ("legacy", "v3", "zipkin", "grpc_v2", "grpc_v3")


def _durations(question: TraceQuestion, shortest: str, longest: str) -> dict[str, str]:
    found = {}
    if question.duration_nano_min:
        found[shortest] = f"{question.duration_nano_min}ns"
    if question.duration_nano_max:
        found[longest] = f"{question.duration_nano_max}ns"
    return found


def _v3(question: TraceQuestion) -> dict[str, Any]:
    return {
        "query.serviceName": question.service,
        "query.operationName": question.operation,
        "query.startTimeMin": rfc3339_text(question.start_unix_nano_min),
        "query.startTimeMax": rfc3339_text(question.start_unix_nano_max),
        "query.searchDepth": question.limit,
        "query.attributes": json.dumps(dict(question.tags)),
        **_durations(question, "query.durationMin", "query.durationMax"),
    }


def _query(question: TraceQuestion, tags: str) -> dict[str, Any]:
    def split(nano: int) -> dict[str, int]:
        return {"seconds": nano // 10**9, "nanos": nano % 10**9}

    return {
        "service_name": question.service,
        "operation_name": question.operation,
        tags: dict(question.tags),
        "start_time_min": split(question.start_unix_nano_min),
        "start_time_max": split(question.start_unix_nano_max),
        "duration_min": split(question.duration_nano_min or 0),
        "duration_max": split(question.duration_nano_max or 0),
        "search_depth": question.limit,
    }
