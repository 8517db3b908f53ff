"""Asking over HTTP, and refusing answers that are wrong."""

from __future__ import annotations

import http.client
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.numbers import Spread, spread_of
from bench.questions import Question
from bench.server import Server
from bench.workload import SentSpan, Workload
from lymer import clock

__all__ = ["ask_all", "check_truth", "get"]

_CHECKED_TRACES = 100


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, Any]:
    """GET `path`; return the status and the JSON of the body."""
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def ask_all(server: Server, questions: Sequence[Question]) -> dict[str, Spread]:
    """Ask every question that has a path, one after the other, over one connection.

    Returns:
        Milliseconds by group; one question of each group is asked once before, untimed.

    Raises:
        RuntimeError: An answer is wrong.
    """
    connection = http.client.HTTPConnection("localhost", server.ports["query"], timeout=120)
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if question.path:
            groups[question.group].append(question)
    spreads = {}
    for group, members in groups.items():
        get(connection, members[0].path)
        cpu, milliseconds = server.cpu(), []
        for question in members:
            started = clock.monotonic_seconds()
            connection.request("GET", question.path)
            response = connection.getresponse()
            body = response.read()
            milliseconds.append((clock.monotonic_seconds() - started) * 1000)
            _check(question, response.status, body)
        spreads[group] = spread_of(milliseconds, (server.cpu() - cpu) / len(members) * 1000)
    connection.close()
    return spreads


def _check(question: Question, status: int, body: bytes) -> None:
    if status not in {200, 404}:
        raise RuntimeError(f"refusing to report: {question.path} → {status} {body[:300]!r}")
    answer = json.loads(body)
    found = [] if status == 404 else _found(answer)
    if bool(found) != question.finds:
        raise RuntimeError(f"refusing to report: {question.path} found {len(found)} entries")
    if question.is_only and question.trace_id not in {_trace_id(entry) for entry in found}:
        raise RuntimeError(f"refusing to report: {question.path} did not find {question.trace_id}")
    if question.spans >= 0 and len(found[0]["spans"]) != question.spans:
        message = f"{question.path} has {len(found[0]['spans'])} spans, {question.spans} were sent"
        raise RuntimeError(f"refusing to report: {message}")


def _found(answer: Any) -> list[Any]:
    if isinstance(answer, list):
        return answer
    return list(answer.get("data") or answer.get("summaries") or [])


def _trace_id(entry: Any) -> str:
    return str(entry.get("traceID") or entry.get("traceId")) if isinstance(entry, dict) else ""


def check_truth(server: Server, workload: Workload) -> int:
    """Read traces back and compare every span with what was sent; return the number of spans.

    Raises:
        RuntimeError: A span is missing, too many, or different.
    """
    connection = http.client.HTTPConnection("localhost", server.ports["query"], timeout=120)
    traces = list(workload.truth.items())
    chosen = traces[:: max(1, len(traces) // _CHECKED_TRACES)]
    compared = 0
    for trace_id, sent in chosen:
        status, answer = get(connection, f"/api/traces/{trace_id}")
        if status != 200:
            raise RuntimeError(f"refusing to report: trace {trace_id} is missing")
        (trace,) = answer["data"]
        got = {span["spanID"]: span for span in trace["spans"]}
        if got.keys() != sent.keys():
            raise RuntimeError(f"refusing to report: trace {trace_id} has other spans than sent")
        for span_id, span in sent.items():
            difference = _difference(span, got[span_id], trace["processes"])
            if difference:
                message = f"span {span_id} of trace {trace_id} came back changed: {difference}"
                raise RuntimeError(f"refusing to report: {message}")
            compared += 1
    connection.close()
    return compared


def _difference(sent: SentSpan, got: Any, processes: Any) -> str:
    process = processes[got["processID"]]
    for what, was, now in (
        ("service", sent.service, process["serviceName"]),
        ("name", sent.name, got["operationName"]),
        ("start", sent.start_micros, got["startTime"]),
        ("duration", sent.duration_micros, got["duration"]),
    ):
        if was != now:
            return f"{what} {was!r} → {now!r}"
    tags = {tag["key"]: tag["value"] for tag in [*process.get("tags", []), *got["tags"]]}
    for key, value in sent.attributes:
        if key not in tags or not _same(value, tags[key]):
            return f"tag {key} {value!r} → {tags.get(key)!r}"
    return ""


def _same(sent: object, got: object) -> bool:
    if isinstance(sent, float) and isinstance(got, int | float):
        return math.isclose(sent, got)
    return sent == got or (isinstance(sent, int) and str(sent) == got)
