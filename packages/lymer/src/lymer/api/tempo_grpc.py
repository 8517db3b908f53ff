"""Tempo's `StreamingQuerier`: the answers of its HTTP API as gRPC streams.

What is in its place already comes while the rest is looked for, newest first, and nothing comes
twice: Grafana appends traces, of which it keeps the first of an id, and adds up numbers of one
instant. Of an answer for an instant it keeps the last message, so there is one.

Source: Grafana Tempo, `pkg/tempopb/tempo.proto`, `modules/frontend/combiner`; Grafana,
`pkg/tsdb/tempo/search_stream.go`, `metrics_stream.go` and `grpc.go` (host and port are those of the
data source's URL), `public/app/plugins/datasource/tempo/streaming.ts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from google.protobuf import json_format

from lymer import clock
from lymer.api import tempo_json
from lymer.api.tempo import EXEMPLARS_MAX, tag_field, tags_by_scope
from lymer.api.tempo_parameters import legacy_question, step_of, time_range
from lymer.query.service import QueryService
from lymer.storage.caller import CALLER
from lymer.storage.search_contract import FoundSeries, FoundSpansets
from lymer.wire.tempo_proto import TEMPO

__all__ = ["STREAMS", "AnswerInParts"]

_Take = Callable[[dict[str, Any]], object]
AnswerInParts = Callable[[QueryService, Any, Callable[[bytes], object]], bytes]
"""Answers a question: some of it to who takes it, the rest at the end. Blocking."""


def _search(service: QueryService, question: Any, take: _Take) -> dict[str, Any]:
    sent: set[str] = set()

    def show(part: FoundSpansets) -> dict[str, Any]:
        new = tuple(one for one in part.traces if one.trace_id not in sent)
        sent.update(one.trace_id for one in new)
        shown = tempo_json.search(replace(part, traces=new))
        for trace in shown["traces"]:
            stats = trace["serviceStats"].items()
            trace["serviceStats"] = [{"key": name, "value": counts} for name, counts in stats]
        return shown

    tags = " ".join(f'{key}="{value}"' for key, value in question.Tags.items())
    asked = {"tags": tags}
    for name, limit in (("min", question.MinDurationMs), ("max", question.MaxDurationMs)):
        if limit:
            asked[f"{name}Duration"] = f"{limit}ms"
    limits = (question.Limit or 20, question.SpansPerSpanSet or 3)
    _listen(lambda part: take(show(replace(part, is_complete=False))))
    return show(
        service.language.find(question.Query or legacy_question(asked), _times(question), limits)
    )


def _listen(on_part: Callable[[Any], object]) -> None:
    caller = CALLER.get()
    if caller is not None:
        caller.on_part = on_part


def _tags(service: QueryService, question: Any, _take: _Take) -> dict[str, Any]:
    limit = question.maxTagsPerScope or 1_000
    names = service.language.names(_times(question), question.query, limit=limit)
    return {"scopes": tags_by_scope(names, question.scope)}


def _tag_names(service: QueryService, question: Any, take: _Take) -> dict[str, Any]:
    scopes = _tags(service, question, take)["scopes"]
    return {"tagNames": sorted({name for one in scopes for name in one["tags"]})}


def _values(service: QueryService, question: Any, _take: _Take) -> dict[str, Any]:
    field, limit = tag_field(question.tagName), question.maxTagValues or 1_000
    found = service.language.values(field, _times(question), question.query, limit=limit)
    return {"tagValues": [tempo_json.tag_value(one) for one in found]}


def _value_texts(service: QueryService, question: Any, take: _Take) -> dict[str, Any]:
    return {"tagValues": [one["value"] for one in _values(service, question, take)["tagValues"]]}


def _range(service: QueryService, question: Any, take: _Take) -> dict[str, Any]:
    times = _times(question)
    step = question.step or step_of({}, times)
    sent: set[tuple[Any, int]] = set()

    def show(part: FoundSeries) -> dict[str, Any]:
        series = []
        for one in part.series:
            samples = tuple(some for some in one.samples if (one.labels, some[0]) not in sent)
            sent.update((one.labels, at) for at, _ in samples)
            if samples or one.exemplars:
                series.append(replace(one, samples=samples))
        return _numbered(tempo_json.series_range(replace(part, series=tuple(series))))

    def on_part(part: FoundSeries) -> None:
        shown = show(part)
        shown["metrics"]["completedJobs"] = 0
        take(shown)

    _listen(on_part)
    exemplars = min(question.exemplars or 100, EXEMPLARS_MAX)
    return show(service.language.measure(question.query, times, step, exemplars_max=exemplars))


def _instant(service: QueryService, question: Any, _take: _Take) -> dict[str, Any]:
    return _numbered(
        tempo_json.instant(service.language.measure(question.query, _times(question), 0))
    )


def _numbered(shown: dict[str, Any]) -> dict[str, Any]:
    if "status" in shown:
        shown["status"] = 1
    return shown


def _times(question: Any) -> tuple[int, int]:
    named = {name: str(getattr(question, name)) for name in ("start", "end")}
    return time_range(
        {name: text for name, text in named.items() if text != "0"}, clock.unix_nano()
    )


def _streaming(
    make: Callable[[QueryService, Any, _Take], dict[str, Any]], answer_class: Any
) -> AnswerInParts:
    def to_bytes(shown: dict[str, Any]) -> bytes:
        message = answer_class()
        json_format.ParseDict(shown, message, ignore_unknown_fields=True)
        sent: bytes = message.SerializeToString()
        return sent

    def answer(service: QueryService, question: Any, send: Callable[[bytes], object]) -> bytes:
        return to_bytes(make(service, question, lambda shown: send(to_bytes(shown))))

    return answer


STREAMS: Final[Mapping[str, tuple[Any, AnswerInParts]]] = {
    name: (TEMPO[question], _streaming(make, TEMPO[answer]))
    for name, question, answer, make in (
        ("Search", "SearchRequest", "SearchResponse", _search),
        ("SearchTags", "SearchTagsRequest", "SearchTagsResponse", _tag_names),
        ("SearchTagsV2", "SearchTagsRequest", "SearchTagsV2Response", _tags),
        ("SearchTagValues", "SearchTagValuesRequest", "SearchTagValuesResponse", _value_texts),
        ("SearchTagValuesV2", "SearchTagValuesRequest", "SearchTagValuesV2Response", _values),
        ("MetricsQueryRange", "QueryRangeRequest", "QueryRangeResponse", _range),
        ("MetricsQueryInstant", "QueryInstantRequest", "QueryInstantResponse", _instant),
    )
}
"""Method → the class of its question, and who answers it."""
