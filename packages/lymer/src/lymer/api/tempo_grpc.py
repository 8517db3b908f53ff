"""Tempo's `StreamingQuerier`: the answers of its HTTP API as gRPC streams of one message.

Source: Grafana Tempo, `pkg/tempopb/tempo.proto`; Grafana, `pkg/tsdb/tempo/search_stream.go`,
`metrics_stream.go` and `grpc.go` (host and port are those of the data source's URL).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from google.protobuf import json_format

from lymer import clock
from lymer.api import tempo_json
from lymer.api.tempo import EXEMPLARS_MAX, tag_field, tags_by_scope
from lymer.api.tempo_parameters import legacy_question, step_of, time_range
from lymer.query.service import QueryService
from lymer.wire.tempo_proto import TEMPO

__all__ = ["STREAMS"]

_Answer = Callable[[QueryService, Any], Iterator[bytes]]


def _search(service: QueryService, question: Any) -> dict[str, Any]:
    tags = " ".join(f'{key}="{value}"' for key, value in question.Tags.items())
    asked = {"tags": tags}
    for name, limit in (("min", question.MinDurationMs), ("max", question.MaxDurationMs)):
        if limit:
            asked[f"{name}Duration"] = f"{limit}ms"
    limits = (question.Limit or 20, question.SpansPerSpanSet or 3)
    found = service.language.find(
        question.Query or legacy_question(asked), _times(question), limits
    )
    shown = tempo_json.search(found)
    for trace in shown["traces"]:
        stats = trace["serviceStats"].items()
        trace["serviceStats"] = [{"key": name, "value": counts} for name, counts in stats]
    return shown


def _tags(service: QueryService, question: Any) -> dict[str, Any]:
    limit = question.maxTagsPerScope or 1_000
    names = service.language.names(_times(question), question.query, limit=limit)
    return {"scopes": tags_by_scope(names, question.scope)}


def _tag_names(service: QueryService, question: Any) -> dict[str, Any]:
    scopes = _tags(service, question)["scopes"]
    return {"tagNames": sorted({name for one in scopes for name in one["tags"]})}


def _values(service: QueryService, question: Any) -> dict[str, Any]:
    field, limit = tag_field(question.tagName), question.maxTagValues or 1_000
    found = service.language.values(field, _times(question), question.query, limit=limit)
    return {"tagValues": [tempo_json.tag_value(one) for one in found]}


def _value_texts(service: QueryService, question: Any) -> dict[str, Any]:
    return {"tagValues": [one["value"] for one in _values(service, question)["tagValues"]]}


def _range(service: QueryService, question: Any) -> dict[str, Any]:
    times = _times(question)
    step = question.step or step_of({}, times)
    found = service.language.measure(
        question.query, times, step, exemplars_max=min(question.exemplars or 100, EXEMPLARS_MAX)
    )
    return _numbered(tempo_json.series_range(found))


def _instant(service: QueryService, question: Any) -> dict[str, Any]:
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


def _streaming(make: Callable[[QueryService, Any], dict[str, Any]], answer_class: Any) -> _Answer:
    def answer(service: QueryService, question: Any) -> Iterator[bytes]:
        message = answer_class()
        json_format.ParseDict(make(service, question), message, ignore_unknown_fields=True)
        return iter((message.SerializeToString(),))

    return answer


STREAMS: Final[Mapping[str, tuple[Any, _Answer]]] = {
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
