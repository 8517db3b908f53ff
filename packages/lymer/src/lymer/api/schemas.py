"""Shapes of what the query API answers, as JSON Schema.

The web interface's types are made from these (`tools/gen_ui_api.py`), so they say what there is
exactly: a part that may be missing is `maybe`, a part that may be null says so.
Source: JSON Schema 2020-12, as OpenAPI 3.1 uses it.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "ANYTHING", "NUMBER", "SCHEMAS", "TEXT", "TRUTH", "WHOLE", "Schema", "envelope_of", "list_of",
    "object_of", "ref",
]  # fmt: skip

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
TRUTH: Final[Schema] = {"type": "boolean"}
ANYTHING: Final[Schema] = {"type": "object", "additionalProperties": {}}


def ref(name: str) -> Schema:
    """Return the schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(one: Schema) -> Schema:
    """Return a list of these."""
    return {"type": "array", "items": one}


def object_of(maybe: dict[str, Schema] | None = None, /, **parts: Schema) -> Schema:
    """Return an object that has these parts, `maybe` those, and maybe others."""
    return {"type": "object", "properties": {**parts, **(maybe or {})}, "required": list(parts)}


def envelope_of(data: Schema) -> Schema:
    """Return Jaeger's envelope around `data`."""
    return object_of(
        data=data, total=WHOLE, limit=WHOLE, offset=WHOLE, errors=_or_null(list_of(ANYTHING))
    )


def _or_null(one: Schema) -> Schema:
    return {"anyOf": [one, {"type": "null"}]}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _by_name(one: Schema) -> Schema:
    return {"type": "object", "additionalProperties": one}


_TEXTS: Final = list_of(TEXT)
_WHOLES: Final = list_of(WHOLE)
_FIGURES: Final = {
    "calls": WHOLE, "errors": WHOLE, "avgNano": _or_null(WHOLE), "p50Nano": _or_null(WHOLE),
    "p95Nano": _or_null(WHOLE), "p99Nano": _or_null(WHOLE), "spans": WHOLE,
}  # fmt: skip
_BEFORE: Final = {"before": _or_null(object_of(**_FIGURES))}
_FACT: Final = {"scope": TEXT, "key": TEXT, "value": TEXT}
_PLACE: Final = {"service": TEXT, "operation": TEXT}
_JUDGED: Final = {
    part: shape
    for verdict in ("pass", "failure", "exemption")
    for part, shape in {
        f"{verdict}Count": WHOLE, f"{verdict}Examples": list_of(ref("QualityExample")),
    }.items()
}  # fmt: skip

_TRACES: Final[dict[str, Schema]] = {
    "KeyValue": object_of(
        key=TEXT, type=TEXT, value={"type": ["string", "number", "boolean"]}
    ),
    "Reference": object_of(
        refType=_one_of("CHILD_OF", "FOLLOWS_FROM"), traceID=TEXT, spanID=TEXT
    ),
    "Log": object_of(timestamp=WHOLE, fields=list_of(ref("KeyValue"))),
    "Span": object_of(
        traceID=TEXT, spanID=TEXT, operationName=TEXT, references=list_of(ref("Reference")),
        startTime=WHOLE, duration=WHOLE, tags=list_of(ref("KeyValue")), logs=list_of(ref("Log")),
        processID=TEXT, warnings=_or_null(_TEXTS),
    ),
    "Process": object_of(serviceName=TEXT, tags=list_of(ref("KeyValue"))),
    "Trace": object_of(
        traceID=TEXT, spans=list_of(ref("Span")), processes=_by_name(ref("Process")),
        warnings=_or_null(_TEXTS),
    ),
    "Traces": envelope_of(_or_null(list_of(ref("Trace")))),
    "Names": envelope_of(_or_null(_TEXTS)),
    "Operations": envelope_of(_or_null(list_of(object_of(name=TEXT, spanKind=TEXT)))),
    "Dependencies": envelope_of(list_of(object_of(parent=TEXT, child=TEXT, callCount=WHOLE))),
    "V3Services": object_of(services=_TEXTS),
    "V3Operations": object_of(operations=list_of(object_of(name=TEXT, spanKind=TEXT))),
    "V3Summary": object_of(
        {
            "rootServiceName": TEXT, "rootOperationName": TEXT, "minStartTimeUnixNano": TEXT,
            "maxEndTimeUnixNano": TEXT, "spanCount": WHOLE, "errorSpanCount": WHOLE,
            "orphanSpanCount": WHOLE,
            "services": list_of(
                object_of({"name": TEXT, "spanCount": WHOLE, "errorSpanCount": WHOLE})
            ),
        },
        traceId=TEXT,
    ),
    "V3Summaries": object_of({"nextPageToken": TEXT}, summaries=list_of(ref("V3Summary"))),
    "V3Traces": object_of(result=object_of(resourceSpans=list_of(ANYTHING))),
    "Found": object_of(spanIds=_TEXTS, spanCount=WHOLE),
    "Statistics": object_of(
        by=_TEXTS, spanCount=WHOLE, durationNano=WHOLE,
        groups=list_of(list_of(_or_null(TEXT))), count=_WHOLES, totalNano=_WHOLES, minNano=_WHOLES,
        maxNano=_WHOLES, selfTotalNano=_WHOLES, selfMinNano=_WHOLES, selfMaxNano=_WHOLES,
    ),
}  # fmt: skip
"""Of spans and traces; protobuf's JSON leaves out what is zero or empty."""

_MANY_TRACES: Final[dict[str, Schema]] = {
    "MetricFamily": object_of(
        name=TEXT, type=TEXT, help=TEXT,
        metrics=list_of(
            object_of(
                labels=list_of(object_of(name=TEXT, value=TEXT)),
                metricPoints=list_of(
                    object_of(
                        gaugeValue=object_of(doubleValue={"type": ["number", "string"]}),
                        timestamp=TEXT,
                    )
                ),
            )
        ),
    ),
    "ServiceGraph": object_of(
        startUnixNano=TEXT, endUnixNano=TEXT, estimated=TRUTH,
        nodes=list_of(
            object_of(
                _BEFORE, id=TEXT, name=TEXT,
                kind=_one_of("service", "database", "messaging", "external"), **_FIGURES,
            )
        ),
        edges=list_of(object_of(_BEFORE, **{"from": TEXT}, to=TEXT, type=TEXT, **_FIGURES)),
    ),
    "DeepPaths": object_of(
        {"sample": WHOLE},
        dependencies=list_of(
            object_of(
                path=list_of(object_of(**_PLACE)),
                attributes=list_of(object_of(key=TEXT, value=TEXT)), count=WHOLE,
            )
        ),
    ),
    "QualityExample": object_of(traceID=TEXT, spanIDs=_TEXTS),
    "Quality": object_of(
        {"bannerText": TEXT},
        traceQualityDocumentationLink=TEXT,
        scores=list_of(object_of(key=TEXT, label=TEXT, max=NUMBER, value=NUMBER)),
        metrics=list_of(
            object_of(
                name=TEXT, category=TEXT, description=TEXT, metricDocumentationLink=TEXT,
                metricWeight=NUMBER, **_JUDGED,
            )
        ),
    ),
}  # fmt: skip

_DIAGNOSIS: Final[dict[str, Schema]] = {
    "Sample": object_of(spans=WHOLE, traces=WHOLE, ofSpans=WHOLE, ofTraces=WHOLE),
    "Place": object_of(service=TEXT, operation=_or_null(TEXT)),
    "Fact": object_of(**_FACT),
    "Difference": object_of(
        {
            "exampleTraceId": TEXT, "effectError": NUMBER, "own": NUMBER,
            "values": list_of(object_of(value=TEXT, inSelection=NUMBER, inBaseline=NUMBER)),
        },
        **_FACT, effect=NUMBER, support=NUMBER, sample=WHOLE, inSelection=NUMBER,
        inBaseline=NUMBER, score=NUMBER, along=list_of(ref("Fact")),
    ),
    "Explanation": object_of(
        {"final": TRUTH},
        how=TEXT, selected=WHOLE, baseline=WHOLE, sample=ref("Sample"),
        findings=list_of(ref("Difference")),
    ),
    "RootCause": object_of(
        start_unix_nano=WHOLE, end_unix_nano=WHOLE, byRule=list_of(ref("Place")),
        sample=ref("Sample"),
        candidates=list_of(
            object_of(
                service=TEXT, operation=_or_null(TEXT), score=NUMBER,
                evidence=object_of(
                    what=_one_of("slow", "error", "calls", "network", "queue"),
                    key=_or_null(TEXT), value=_or_null(TEXT), calls=_or_null(TEXT),
                    likelihoodRatio=NUMBER, events=NUMBER, chances=NUMBER, usual=NUMBER,
                    attributes=list_of(ref("Difference")),
                    traceIds=_TEXTS, spreadThrough=list_of(ref("Place")),
                ),
            )
        ),
    ),
    "Profile": object_of(
        {"final": TRUTH},
        sample=ref("Sample"),
        operations=list_of(
            object_of(
                {"values": list_of(_or_null(TEXT))},
                **_PLACE, spans=WHOLE, traces=WHOLE, errors=WHOLE, totalNano=NUMBER,
                selfNano=NUMBER, criticalNano=NUMBER, p50Nano=NUMBER, p95Nano=NUMBER,
                p99Nano=NUMBER, perTrace=NUMBER, perSecond=NUMBER, selfErrorNano=NUMBER,
            )
        ),
        by=_TEXTS, rowsLeftOut=WHOLE, names=list_of(_TEXTS),
        tree=object_of(
            parent=_WHOLES, name=_WHOLES, spans=_WHOLES, traces=_WHOLES, errors=_WHOLES,
            totalNano=list_of(NUMBER), selfNano=list_of(NUMBER), criticalNano=list_of(NUMBER),
        ),
        pathsLeftOut=WHOLE,
    ),
    "Changes": object_of(
        changes=list_of(
            object_of(
                service=TEXT, operation=_or_null(TEXT), caller=_or_null(TEXT),
                what=_one_of("latency", "rate", "errors"), atUnixNano=WHOLE, before=NUMBER,
                after=NUMBER, strength=NUMBER,
            )
        )
    ),
    "Findings": object_of(
        findings=list_of(
            object_of(
                kind=TEXT, **_PLACE, nanoseconds=NUMBER, part=NUMBER, count=WHOLE, spanIds=_TEXTS
            )
        )
    ),
    "PathDifferences": object_of(
        sentence=TEXT, pathsLeftOut=WHOLE,
        paths=list_of(
            object_of(
                path=list_of(_TEXTS), calls=list_of(NUMBER), totalNano=list_of(NUMBER),
                selfNano=list_of(NUMBER),
            )
        ),
    ),
}  # fmt: skip

_OTHERS: Final[dict[str, Schema]] = {
    "Search": object_of(traces=list_of(object_of(traceID=TEXT, spanSets=list_of(ANYTHING)))),
    "Instant": object_of(series=list_of(object_of(labels=list_of(ANYTHING)))),
    "Series": object_of(
        {"complete": TRUTH, "reason": TEXT, "estimated": TRUTH},
        series=list_of(
            object_of(
                labels=list_of(ANYTHING), promLabels=TEXT,
                samples=list_of(
                    object_of({"value": {"type": ["number", "string"]}}, timestampMs=TEXT)
                ),
            )
        ),
    ),
    "QuestionPlace": object_of(cause=TEXT, at=WHOLE, line=WHOLE, column=WHOLE, hint=TEXT),
    "FormFields": object_of(
        service=TEXT, operation=TEXT, tags=_by_name(TEXT), minDuration=TEXT, maxDuration=TEXT
    ),
    "Checked": object_of(
        {
            "asks": _one_of("traces", "numbers"), "form": _or_null(ref("FormFields")),
            "place": ref("QuestionPlace"),
        },
        valid=TRUTH,
    ),
    "Practice": object_of(
        {
            "traffic": TRUTH, "kinds": _TEXTS,
            "incidents": list_of(
                object_of(
                    kind=TEXT, seed=WHOLE, state=_one_of("sending", "sent", "failed"),
                    truth=_or_null(ANYTHING),
                )
            ),
        },
        available=TRUTH,
    ),
    "Summaries": object_of(
        summaries=list_of(
            {
                "allOf": [ref("V3Summary"), object_of(matched=WHOLE, spanIds=_TEXTS)],
            }
        ),
        complete=TRUTH, reason=TEXT, hasMore=TRUTH,
    ),
    "Heatmap": object_of(
        startUnixNano=TEXT, stepNano=WHOLE, perOctave=WHOLE, column=_WHOLES, row=_WHOLES,
        spans=_WHOLES, errors=_WHOLES, complete=TRUTH, reason=TEXT, estimated=TRUTH,
    ),
    "Fields": object_of(fields=list_of(object_of(scope=TEXT, name=TEXT, type=TEXT, count=WHOLE))),
    "Values": object_of(values=list_of(object_of(type=TEXT, value=TEXT, count=WHOLE))),
    "Tags": object_of(tagNames=_TEXTS),
    "TagScopes": object_of(scopes=list_of(object_of(name=TEXT, tags=_TEXTS))),
    "TagTexts": object_of(tagValues=_TEXTS),
    "TagValues": object_of(tagValues=list_of(object_of(type=TEXT, value=TEXT))),
    "Texts": _TEXTS,
    "ZipkinTrace": list_of(object_of(traceId=TEXT, id=TEXT)),
    "ZipkinTraces": list_of(ref("ZipkinTrace")),
    "ZipkinLinks": list_of(object_of(parent=TEXT, child=TEXT, callCount=WHOLE)),
    "Deleted": object_of(
        traces=WHOLE, spans=WHOLE, archivedSpans=WHOLE, dryRun=TRUTH, complete=TRUTH, reason=TEXT
    ),
    "Deletions": object_of(
        deletions=list_of(
            object_of(
                id=TEXT, time=TEXT, who=TEXT, question=TEXT, traces=WHOLE, spans=WHOLE,
                archivedSpans=WHOLE,
            )
        )
    ),
    "Object": ANYTHING,
    "Envelope": envelope_of({}),
}  # fmt: skip
"""Of the search language, Tempo and Zipkin, whose own clients know more."""

SCHEMAS: Final[dict[str, Schema]] = {**_TRACES, **_MANY_TRACES, **_DIAGNOSIS, **_OTHERS}
"""All shapes, by name."""
