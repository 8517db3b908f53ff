"""Random spans and random questions, and every door that answers them."""

from __future__ import annotations

import json
import random
from typing import Any, Final
from urllib.parse import urlencode

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.model.question import TraceQuestion
from lymer.wire.go_text import rfc3339_text
from lymer.wire.query_proto import SERVICE_V2, SERVICE_V3, V2, V3
from make import START, make_event, make_request, make_span

__all__ = ["DOORS", "Doors", "brute_force", "plain_spans", "random_question", "random_spans"]

MS: Final = 1_000_000
_SERVICES: Final = ("shop", "cart", "pay")
_NAMES: Final = ("get", "put", "주문")
_KEYS: Final = ("user", "http.status_code", "zone", "q")
_VALUES: Final[tuple[Any, ...]] = ("bob", "500", 500, 404, True, 1.5, 'a"b', "a=b", "")
_SPAN_MS_MAX: Final = 60_000


def random_spans(rng: random.Random, traces: int) -> ExportTraceServiceRequest:
    """Return traces of a few spans each, over a minute; starts and durations are whole ms."""
    request = ExportTraceServiceRequest()
    for trace in range(1, traces + 1):
        for number in range(1, rng.randrange(2, 5)):
            attrs = {key: rng.choice(_VALUES) for key in rng.sample(_KEYS, rng.randrange(3))}
            span = make_span(
                trace,
                number,
                number - 1,
                name=rng.choice(_NAMES),
                kind=rng.randrange(6),
                # No two matches start together: every door has the same order.
                offset_nano=(trace * 7919 % _SPAN_MS_MAX) * MS + number * MS,
                duration_nano=rng.randrange(1, 50) * MS,
                attrs=attrs,
                events=[make_event("boom", attrs={"q": "bob"})] if rng.random() < 0.2 else [],
                status=rng.choice([0, 0, 1, 2]),
            )
            resource = {"zone": rng.choice(["a", "b"])} if rng.random() < 0.5 else {}
            service = rng.choice(_SERVICES)
            request.MergeFrom(make_request(span, service=service, resource=resource))
    return request


def random_question(rng: random.Random) -> TraceQuestion:
    """Return a question that every door can ask: times and durations in whole milliseconds."""
    first, last = sorted(rng.randrange(_SPAN_MS_MAX) for _ in range(2))
    if rng.random() < 0.4:
        first, last = 0, _SPAN_MS_MAX
    texts = ("bob", "500", "404", "true", "1.5", 'a"b', "a=b", "a", "b", "x")
    tags = {rng.choice(_KEYS): rng.choice(texts) for _ in range(rng.choice((0, 0, 1, 1, 2)))}
    if rng.random() < 0.1:
        tags["error"] = "true"
    if rng.random() < 0.1:
        tags["span.kind"] = rng.choice(("server", "client", "internal"))
    shortest = rng.choice((None, None, 10, 30))
    longest = rng.choice((None, 40)) if shortest else None
    return TraceQuestion(
        start_unix_nano_min=START + first * MS,
        start_unix_nano_max=START + last * MS,
        service=rng.choice(_SERVICES),
        operation=rng.choice(("", "", *_NAMES)),
        tags=tuple(tags.items()),
        duration_nano_min=shortest and shortest * MS,
        duration_nano_max=longest and longest * MS,
        limit=rng.choice((1, 5, 20)),
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
                if span.status.code == 2:
                    tags["error"] = {"true"}
                pairs = [(one.key, _text(one.value)) for one in span.attributes]
                for event in span.events:
                    pairs += [(one.key, _text(one.value)) for one in event.attributes]
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
        return [one["traceID"] for one in answer["data"]]

    async def v3(self, question: TraceQuestion) -> list[str]:
        """GET /api/v3/trace-summaries."""
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
        if end == start:
            return await self.legacy(question)  # Zipkin knows no single instant
        return [one[0]["traceId"] for one in await self._get("/zipkin/api/v2/traces", asked)]

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
