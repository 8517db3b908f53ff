"""Query parameters to questions, with the sentences Jaeger answers to bad ones. Pure.

Source: Jaeger v2.20, `jaegerquery/internal/query_parser.go`, `apiv3/query_parser.go`; trace ids as
in jaeger-idl `model/v1/ids.go`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request

from lymer.errors import QuestionError, TooLargeError
from lymer.language import tree
from lymer.language.jaeger_filter import filter_condition
from lymer.model.question import TraceQuestion
from lymer.query.pages import Page
from lymer.storage.search_contract import SpansetQuestion
from lymer.wire.go_text import (
    from_bool_text,
    from_duration_text,
    from_int_text,
    from_rfc3339_text,
)

__all__ = [
    "NO_PAGES_OF_TRACES",
    "Search",
    "check_time_hints",
    "first_of",
    "is_one_segment",
    "to_flag",
    "to_number",
    "to_page",
    "to_range",
    "to_raw",
    "to_search",
    "to_trace_id",
    "to_v3_page",
    "to_v3_question",
    "to_v3_raw",
    "with_filter",
]

TRACE_ID_PARAMETERS_MAX: Final = 1_000
"""Most `traceID` parameters in one request."""

DEFAULT_LIMIT: Final = 100
DEFAULT_LOOKBACK_NANO: Final = 2 * 24 * 3_600 * 1_000_000_000
DEFAULT_DEPENDENCIES_LOOKBACK_MS: Final = 24 * 3_600 * 1_000

_UNIX_NANO_MAX: Final = 2**63 - 1
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_BASE64: Final = re.compile(r"[0-9A-Za-z+/_-]{11}(=|[0-9A-Za-z+/_-]{11}(==)?)?")
_UINT: Final = re.compile(r"[0-9]{1,40}")
_BLANK_OFFSET: Final = re.compile(r" (?=\d{2}:\d{2}$)", re.ASCII)
_DEPTH_NAMES: Final = ("query.searchDepth", "query.search_depth", "query.num_traces")
NO_PAGES_OF_TRACES: Final = (
    "invalid pagination: whole traces have no pages, ask FindTraceSummaries for them"
)
_PAGE_SIZE_NAMES: Final = ("query.pagination.pageSize", "query.pagination.page_size")
_PAGE_TOKEN_NAMES: Final = ("query.pagination.pageToken", "query.pagination.page_token")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Search:
    """What `/api/traces` is asked: traces by id, or else by question."""

    trace_ids: tuple[str, ...]
    """32 hex digits each; if there are any, the question is ignored."""
    question: TraceQuestion
    raw: bool


def to_search(parameters: QueryParams, now_unix_nano: int) -> Search:
    """Read the parameters of `/api/traces`.

    Raises:
        QuestionError: With Jaeger's sentence.
    """
    start = _number(parameters, "start")
    end = _number(parameters, "end")
    start_nano = now_unix_nano - DEFAULT_LOOKBACK_NANO if start is None else start * 1_000
    end_nano = now_unix_nano if end is None else end * 1_000
    tags = _tags(parameters.getlist("tag"), parameters.getlist("tags"))
    limit_text = first_of(parameters, "limit")
    limit = _or_refuse(_from_int32_text, limit_text) if limit_text else DEFAULT_LIMIT
    shortest = _duration(parameters, "minDuration")
    longest = _duration(parameters, "maxDuration")
    trace_ids = _trace_ids(parameters.getlist("traceID"))
    raw = to_raw(parameters)
    service = first_of(parameters, "service")
    if not trace_ids and not service:
        raise QuestionError("parameter 'service' is required")
    if limit <= 0:
        raise QuestionError("invalid parameter: limit must be greater than 0")
    if shortest and longest and longest < shortest:
        raise QuestionError("'maxDuration' should be greater than 'minDuration'")
    question = TraceQuestion(
        start_unix_nano_min=_clamp(start_nano),
        start_unix_nano_max=_clamp(end_nano),
        service=service,
        operation=first_of(parameters, "operation"),
        tags=tags,
        duration_nano_min=shortest or None,
        duration_nano_max=longest or None,
        limit=limit,
        any_name=to_flag(parameters, "anyName"),
    )
    return Search(trace_ids, question, raw)


def to_raw(parameters: QueryParams) -> bool:
    """Read `raw`; absent is false."""
    return to_flag(parameters, "raw")


def to_flag(parameters: QueryParams, name: str) -> bool:
    """Read a truth value as Go does; absent is false."""
    text = first_of(parameters, name)
    return _named(name, from_bool_text, text) if text else False


def to_number(parameters: QueryParams, name: str, default: int) -> int:
    """Read an integer; absent is `default`."""
    value = _number(parameters, name)
    return default if value is None else value


def check_time_hints(parameters: QueryParams) -> None:
    """Read `start` and `end` of a trace by id: Jaeger refuses bad ones, Lymer needs none."""
    _number(parameters, "start")
    _number(parameters, "end")


def to_range(parameters: QueryParams, now_unix_nano: int) -> tuple[int, int]:
    """Read `endTs` and `lookback` (milliseconds) as [start, end) in nanoseconds."""
    end = _number(parameters, "endTs")
    lookback = _number(parameters, "lookback")
    end_nano = now_unix_nano if end is None else end * 1_000_000
    lookback_ms = DEFAULT_DEPENDENCIES_LOOKBACK_MS if lookback is None else lookback
    return _clamp(end_nano - lookback_ms * 1_000_000), _clamp(end_nano)


def to_trace_id(text: str) -> str:
    """Return the 32 hex digits of a trace id in any form Jaeger takes.

    Hex of 1 to 32 digits, leading zeros optional; or base64 of 8 or 16 bytes, standard or URL
    alphabet, padded or not, if it is not hex.

    Raises:
        QuestionError: With Go's sentence.
    """
    if _HEX.fullmatch(text) and len(text) <= 32:
        return text.lower().rjust(32, "0")
    if _BASE64.fullmatch(text):
        try:
            sent = base64.urlsafe_b64decode(_padded(text.replace("+", "-").replace("/", "_")))
        except binascii.Error:
            sent = b""
        if len(sent) in {8, 16}:
            return sent.hex().rjust(32, "0")
    if len(text) > 32:
        raise QuestionError(f"TraceID cannot be longer than 32 hex characters: {text[:256]}")
    high, low = (text[:-16], text[-16:]) if len(text) > 16 else ("", text)
    wrong = high if high and not _HEX.fullmatch(high) else low
    raise QuestionError(f"strconv.ParseUint: parsing {_quoted(wrong)}: invalid syntax")


def is_one_segment(request: Request) -> bool:
    """Tell whether the id in a path is one segment of it, as it was sent, and not empty.

    An id in base64 may hold a slash; it is sent as `%2F`.
    """
    path: bytes = request.scope.get("raw_path") or quote(request.scope["path"]).encode()
    sent = path.partition(b"?")[0].rpartition(b"/api/")[2]
    return sent.count(b"/") == 1 + sent.startswith(b"v3/") and not sent.endswith(b"/")


def to_v3_page(parameters: QueryParams) -> Page | None:
    """Read `query.pagination.*`; None if there is none of it.

    Raises:
        QuestionError: It stands beside a depth, or is out of range.
    """
    size = _v3(parameters, _from_uint_text, *_PAGE_SIZE_NAMES)
    token = first_of(parameters, *_PAGE_TOKEN_NAMES)
    if size is None and not token:
        return None
    return to_page(size or 0, token, has_depth=bool(first_of(parameters, *_DEPTH_NAMES)))


def to_page(size: int, token: str, *, has_depth: bool) -> Page:
    """Return the page that is asked for.

    Raises:
        QuestionError: It has no size, or stands beside a depth.
    """
    if has_depth:
        raise QuestionError("invalid pagination: it cannot be combined with search_depth")
    if size <= 0:
        raise QuestionError("invalid pagination: page_size must be greater than 0")
    return Page(size, token)


def to_v3_question(parameters: QueryParams) -> tuple[TraceQuestion | SpansetQuestion, bool]:
    """Read the `query.*` parameters of v3, camelCase or snake_case; also whether raw is wanted.

    Raises:
        QuestionError: With Jaeger's sentence.
    """
    attributes = first_of(parameters, "query.attributes")
    tags = _text_map(attributes, "malformed parameter query.attributes") if attributes else {}
    start = _v3(parameters, _instant, "query.startTimeMin", "query.start_time_min")
    end = _v3(parameters, _instant, "query.startTimeMax", "query.start_time_max")
    depth = _v3(parameters, _from_uint_text, *_DEPTH_NAMES)
    shortest = _v3(parameters, from_duration_text, "query.durationMin", "query.duration_min")
    longest = _v3(parameters, from_duration_text, "query.durationMax", "query.duration_max")
    raw = _v3(parameters, from_bool_text, "query.rawTraces", "query.raw_traces")
    if start is None or end is None:
        raise QuestionError("query.startTimeMin and query.startTimeMax are required")
    if start >= end:
        raise QuestionError("query.startTimeMin must be before query.startTimeMax")
    document = first_of(parameters, "query.filter")
    question = TraceQuestion(
        start_unix_nano_min=_clamp(start),
        start_unix_nano_max=_clamp(end),
        service=first_of(parameters, "query.serviceName", "query.service_name"),
        operation=first_of(parameters, "query.operationName", "query.operation_name"),
        tags=tuple(tags.items()),
        duration_nano_min=shortest or None,
        duration_nano_max=longest or None,
        limit=depth or DEFAULT_LIMIT,
        any_name=bool(_v3(parameters, from_bool_text, "query.anyName", "query.any_name")),
    )
    return with_filter(question, document) if document else question, bool(raw)


def with_filter(question: TraceQuestion, document: str) -> SpansetQuestion:
    """Return a structured filter, a JSON `Call` of RFC 0005, asked for when `question` says.

    Raises:
        QuestionError: It cannot be read, or the question says more than when and how many.
    """
    set_too = {
        "service_name": question.service,
        "operation_name": question.operation,
        "duration_min": question.duration_nano_min,
        "duration_max": question.duration_nano_max,
        "attributes": question.tags,
    }
    names = [name for name, value in set_too.items() if value]
    if names:
        raise QuestionError(
            f"invalid query filter: it cannot be combined with [{' '.join(names)}]; "
            "express those predicates in the filter instead"
        )
    condition = filter_condition(document)
    return SpansetQuestion(
        query=tree.Query(tree.Pipeline((tree.Filter(condition),))),
        start_unix_nano_min=question.start_unix_nano_min,
        start_unix_nano_max=question.start_unix_nano_max,
        traces_max=question.limit,
        spans_per_set_max=1,
    )


def to_v3_raw(parameters: QueryParams) -> bool:
    """Read `rawTraces` of a v3 trace by id, and the optional times, to refuse bad ones."""
    _v3(parameters, _instant, "startTime", "start_time")
    _v3(parameters, _instant, "endTime", "end_time")
    return bool(_v3(parameters, from_bool_text, "rawTraces", "raw_traces"))


def first_of(parameters: QueryParams, *names: str) -> str:
    """Return the first value, as Go does, of the first name that has one; else empty text."""
    for name in names:
        values = parameters.getlist(name)
        if values and values[0]:
            return values[0]
    return ""


def _instant(text: str) -> int:
    """Read an RFC 3339 instant whose offset may have come with a blank for its plus.

    Grafana writes instants of its own zone into the query as they are (`pkg/jaeger/grpc_client.go`
    of its Jaeger data source), where a plus means a blank.
    """
    return from_rfc3339_text(_BLANK_OFFSET.sub("+", text))


def _v3(parameters: QueryParams, read: Callable[[str], _T], *names: str) -> _T | None:
    """Read the first of `names` that has a value, and name it in the refusal."""
    for name in names:
        text = first_of(parameters, name)
        if text:
            return _or_refuse(read, text, f"malformed parameter {name}: ")
    return None


def _or_refuse(read: Callable[[str], _T], text: str, prefix: str = "") -> _T:
    try:
        return read(text)
    except ValueError as error:
        raise QuestionError(f"{prefix}{error}") from error


def _named(name: str, read: Callable[[str], _T], text: str) -> _T:
    return _or_refuse(read, text, f"unable to parse param '{name}': ")


def _number(parameters: QueryParams, name: str) -> int | None:
    text = first_of(parameters, name)
    return _named(name, from_int_text, text) if text else None


def _duration(parameters: QueryParams, name: str) -> int | None:
    text = first_of(parameters, name)
    return _named(name, from_duration_text, text) if text else None


def _from_int32_text(text: str) -> int:
    return from_int_text(text, bits=32)


def _from_uint_text(text: str) -> int:
    if not _UINT.fullmatch(text):
        raise ValueError(f"strconv.ParseUint: parsing {_quoted(text)}: invalid syntax")
    if int(text) >= 2**32:
        raise ValueError(f"strconv.ParseUint: parsing {_quoted(text)}: value out of range")
    return int(text)


def _tags(simple: Iterable[str], as_json: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Merge `tag` and `tags` parameters; of equal keys the last one counts, as in Jaeger."""
    merged: dict[str, str] = {}
    for tag in simple:
        key, colon, value = tag.partition(":")
        if not colon:
            raise QuestionError(f"malformed 'tag' parameter, expecting key:value, received: {tag}")
        merged[key] = value
    for text in as_json:
        merged.update(_text_map(text, "malformed 'tags' parameter, cannot unmarshal JSON"))
    return tuple(merged.items())


def _text_map(text: str, refusal: str) -> dict[str, str]:
    """Read a JSON object of strings; null stands for nothing, as in Go."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise QuestionError(f"{refusal}: {_go_json_error(text, error)}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        kind = _go_kind(document)
        raise QuestionError(
            f"{refusal}: json: cannot unmarshal {kind} into Go value of type map[string]string"
        )
    for value in document.values():
        if value is not None and not isinstance(value, str):
            raise QuestionError(
                f"{refusal}: json: cannot unmarshal {_go_kind(value)} into Go value of type string"
            )
    return {key: value or "" for key, value in document.items()}


def _go_kind(value: object) -> str:
    """Return what Go's JSON decoder calls a value."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


def _go_json_error(text: str, error: orjson.JSONDecodeError) -> str:
    if not text[error.pos :].strip():
        return "unexpected end of JSON input"
    return f"invalid character {text[error.pos]!r} in JSON input"


def _trace_ids(texts: list[str]) -> tuple[str, ...]:
    if len(texts) > TRACE_ID_PARAMETERS_MAX:
        raise TooLargeError(
            f"cannot read traces: {len(texts)} traceID parameters sent, "
            f"the limit is {TRACE_ID_PARAMETERS_MAX}"
        )
    try:
        return tuple(dict.fromkeys(to_trace_id(text) for text in texts))
    except QuestionError as error:
        raise QuestionError(f"cannot parse traceID param: {error}") from error


def _padded(text: str) -> str:
    return text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)


def _clamp(unix_nano: int) -> int:
    """Return the nearest instant the store knows: spans start from 1970 to 2262."""
    return min(max(unix_nano, 0), _UNIX_NANO_MAX)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
