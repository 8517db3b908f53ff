"""Query parameters, and the sentences that refuse them."""

# ruff: noqa: E501 - a row of a table of sentences is one line
from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from lymer.api import parameters
from lymer.errors import RejectedError
from lymer.model.question import TraceQuestion

NOW = 1_795_365_820_123_456_789
DAY = 86_400 * 10**9


def test_defaults_of_a_search() -> None:
    """The last two days, a hundred traces, adjusted."""
    search = parameters.to_search(QueryParams("service=shop"), NOW)

    assert parameters.Search((), TraceQuestion(NOW - 2 * DAY, NOW, "shop"), raw=False) == search


def test_every_parameter_of_a_search() -> None:
    """Microseconds, Go durations, tags of both forms; lookback is ignored."""
    search = parameters.to_search(
        QueryParams(
            "service=a+b&operation=GET+%2F&start=1000000&end=2000000&limit=20&minDuration=1.5ms"
            "&maxDuration=1h&tag=k:v:w&tag=x:&tags=%7B%22a%22%3A%22b%22%2C%22k%22%3A%22z%22%7D"
            "&raw=true&lookback=1h"
        ),
        NOW,
    )

    assert (
        TraceQuestion(
            start_unix_nano_min=10**9,
            start_unix_nano_max=2 * 10**9,
            service="a b",
            operation="GET /",
            tags=(("k", "z"), ("x", ""), ("a", "b")),
            duration_nano_min=1_500_000,
            duration_nano_max=3_600 * 10**9,
            limit=20,
        )
        == search.question
    )
    assert search.raw


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "parameter 'service' is required"),
        ("service=", "parameter 'service' is required"),
        ("service=a&start=x", "unable to parse param 'start': strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("service=a&end=1.5", "unable to parse param 'end': strconv.ParseInt: parsing \"1.5\": invalid syntax"),
        ("service=a&limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("service=a&limit=0", "invalid parameter: limit must be greater than 0"),
        ("service=a&limit=-1", "invalid parameter: limit must be greater than 0"),
        ("service=a&tag=x", "malformed 'tag' parameter, expecting key:value, received: x"),
        ("service=a&tags=x", "malformed 'tags' parameter, cannot unmarshal JSON: invalid character 'x' in JSON input"),
        ("service=a&tags=", "malformed 'tags' parameter, cannot unmarshal JSON: unexpected end of JSON input"),
        ('service=a&tags={"a":1}', "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal number into Go value of type string"),
        ('service=a&tags=["a"]', "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal array into Go value of type map[string]string"),
        ("service=a&minDuration=5", "unable to parse param 'minDuration': time: missing unit in duration \"5\""),
        ("service=a&maxDuration=x", "unable to parse param 'maxDuration': time: invalid duration \"x\""),
        ("service=a&minDuration=2s&maxDuration=1s", "'maxDuration' should be greater than 'minDuration'"),
        ("service=a&raw=maybe", "unable to parse param 'raw': strconv.ParseBool: parsing \"maybe\": invalid syntax"),
        ("traceID=xyz", 'cannot parse traceID param: strconv.ParseUint: parsing "xyz": invalid syntax'),
        ("traceID=", 'cannot parse traceID param: strconv.ParseUint: parsing "": invalid syntax'),
        ("&".join(["traceID=1"] * 1_001), "cannot read traces: 1001 traceID parameters sent, the limit is 1000"),
    ],
)  # fmt: skip
def test_bad_searches_are_refused_in_jaegers_words(query: str, sentence: str) -> None:
    """Clients match on the sentence."""
    with pytest.raises(RejectedError) as caught:
        parameters.to_search(QueryParams(query), NOW)

    assert sentence == str(caught.value)


def test_durations_of_zero_are_none() -> None:
    """As in Jaeger, where zero means unset."""
    search = parameters.to_search(QueryParams("service=a&minDuration=0s&maxDuration=0"), NOW)

    assert search.question.duration_nano_min is None
    assert search.question.duration_nano_max is None


def test_times_outside_the_store_are_clamped() -> None:
    """Before 1970 is 1970; after 2262 is 2262."""
    search = parameters.to_search(QueryParams("service=a&start=-5&end=9223372036854775807"), NOW)

    assert search.question.start_unix_nano_min == 0
    assert search.question.start_unix_nano_max == 2**63 - 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1", "1".rjust(32, "0"), id="leading zeros left out"),
        pytest.param("ABCDEF", "abcdef".rjust(32, "0"), id="capitals"),
        pytest.param("f" * 16, "0" * 16 + "f" * 16, id="64 bits"),
        pytest.param("f" * 17, "0" * 15 + "f" * 17, id="17 digits"),
        pytest.param("0123456789abcdef" * 2, "0123456789abcdef" * 2, id="128 bits"),
        pytest.param("AAAAAAAAAAIAAAAAAAAAAQ==", f"{2:016x}{1:016x}", id="base64"),
        pytest.param("AAAAAAAAAAIAAAAAAAAAAQ", f"{2:016x}{1:016x}", id="base64, not padded"),
        pytest.param("__________8=", "0" * 16 + "f" * 16, id="base64 of 8 bytes, URL alphabet"),
        pytest.param("//////////8=", "0" * 16 + "f" * 16, id="base64 of 8 bytes, standard"),
    ],
)
def test_trace_ids(text: str, expected: str) -> None:
    """Hex of any length up to 32, or base64 of 8 or 16 bytes."""
    assert expected == parameters.to_trace_id(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'strconv.ParseUint: parsing "": invalid syntax'),
        ("xyz", 'strconv.ParseUint: parsing "xyz": invalid syntax'),
        ("0x1f", 'strconv.ParseUint: parsing "0x1f": invalid syntax'),
        ("g" * 16 + "f" * 16, f'strconv.ParseUint: parsing "{"g" * 16}": invalid syntax'),
        ("f" * 16 + "g" * 16, f'strconv.ParseUint: parsing "{"g" * 16}": invalid syntax'),
        ("f" * 33, f"TraceID cannot be longer than 32 hex characters: {'f' * 33}"),
    ],
)
def test_bad_trace_ids_are_refused_in_gos_words(text: str, sentence: str) -> None:
    """Which half was wrong is told."""
    with pytest.raises(RejectedError) as caught:
        parameters.to_trace_id(text)

    assert sentence == str(caught.value)


V3_RANGE = "query.startTimeMin=1970-01-01T00:00:01Z&query.startTimeMax=1970-01-01T00:00:02.5Z"


@pytest.mark.parametrize(
    "query",
    [
        V3_RANGE
        + "&query.serviceName=a&query.operationName=b&query.searchDepth=7&query.durationMin=1s"
        + "&query.durationMax=2s&query.rawTraces=true",
        "query.start_time_min=1970-01-01T00:00:01Z&query.start_time_max=1970-01-01T00:00:02.5Z&query.service_name=a&query.operation_name=b&query.search_depth=7&query.duration_min=1s&query.duration_max=2s&query.raw_traces=true",
        V3_RANGE
        + "&query.serviceName=a&query.operation_name=b&query.num_traces=7&query.durationMin=1s"
        + "&query.duration_max=2s&query.raw_traces=1",
    ],
    ids=["camelCase", "snake_case", "mixed"],
)
def test_v3_parameters_in_every_spelling(query: str) -> None:
    """Both names mean the same."""
    question, raw = parameters.to_v3_question(QueryParams(query))

    assert (
        TraceQuestion(
            start_unix_nano_min=10**9,
            start_unix_nano_max=2_500_000_000,
            service="a",
            operation="b",
            duration_nano_min=10**9,
            duration_nano_max=2 * 10**9,
            limit=7,
        )
        == question
    )
    assert raw


def test_v3_attributes_and_default_depth() -> None:
    """A JSON object of strings; a depth of zero is the default."""
    question, raw = parameters.to_v3_question(
        QueryParams(V3_RANGE + '&query.attributes={"a":"b"}&query.searchDepth=0')
    )

    assert question.tags == (("a", "b"),)
    assert question.limit == 100
    assert not raw


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "query.startTimeMin and query.startTimeMax are required"),
        ("query.startTimeMin=1970-01-01T00:00:01Z", "query.startTimeMin and query.startTimeMax are required"),
        ("query.startTimeMin=1970-01-01T00:00:01Z&query.startTimeMax=1970-01-01T00:00:01Z", "query.startTimeMin must be before query.startTimeMax"),
        (V3_RANGE + "&query.searchDepth=x", 'malformed parameter query.searchDepth: strconv.ParseUint: parsing "x": invalid syntax'),
        (V3_RANGE + "&query.num_traces=-1", 'malformed parameter query.num_traces: strconv.ParseUint: parsing "-1": invalid syntax'),
        (V3_RANGE + "&query.durationMin=1", 'malformed parameter query.durationMin: time: missing unit in duration "1"'),
        (V3_RANGE + "&query.raw_traces=x", 'malformed parameter query.raw_traces: strconv.ParseBool: parsing "x": invalid syntax'),
        (V3_RANGE + "&query.attributes=[]", "malformed parameter query.attributes: json: cannot unmarshal array into Go value of type map[string]string"),
    ],
)  # fmt: skip
def test_bad_v3_parameters_are_refused_by_the_name_they_came_under(
    query: str, sentence: str
) -> None:
    """Clients match on the sentence."""
    with pytest.raises(RejectedError) as caught:
        parameters.to_v3_question(QueryParams(query))

    assert sentence == str(caught.value)


def test_a_bad_v3_time_is_named() -> None:
    """With its parameter and its text."""
    with pytest.raises(RejectedError, match=r"malformed parameter query\.startTimeMin: ") as caught:
        parameters.to_v3_question(QueryParams("query.startTimeMin=yesterday"))

    assert '"yesterday"' in str(caught.value)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", (NOW - DAY, NOW), id="the last day"),
        pytest.param("endTs=5000&lookback=1000", (4 * 10**9, 5 * 10**9), id="milliseconds"),
        pytest.param("endTs=5&lookback=10", (0, 5 * 10**6), id="not before 1970"),
    ],
)
def test_range_of_dependencies(query: str, expected: tuple[int, int]) -> None:
    """[start, end) in nanoseconds."""
    assert expected == parameters.to_range(QueryParams(query), NOW)


NAMES = [
    "service", "operation", "tag", "tags", "start", "end", "limit", "minDuration", "maxDuration",
    "traceID", "raw", "endTs", "lookback", "query.serviceName", "query.attributes",
    "query.startTimeMin", "query.startTimeMax", "query.searchDepth", "query.durationMin",
    "query.durationMax", "query.rawTraces", "startTime",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"-?[0-9]{1,45}(\.[0-9]*)?(ns|h|s|)", fullmatch=True),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00(Z|[+-][0-9]{2}:[0-9]{2})", fullmatch=True
    ),
    st.sampled_from(
        ["{}", "[]", "null", '{"a":null}', '{"a":{}}', "0001-01-01T00:00:00Z", "{" * 300, "١٢"]
    ),
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=8))
def test_whatever_is_sent_is_read_or_refused(pairs: list[tuple[str, str]]) -> None:
    """Nothing but a refusal leaves the parsers, and what they accept is within range."""
    sent = QueryParams(pairs)
    with contextlib.suppress(RejectedError):
        question = parameters.to_search(sent, NOW).question
        assert 0 <= question.start_unix_nano_min <= question.start_unix_nano_max < 2**63
        assert question.limit >= 1
    with contextlib.suppress(RejectedError):
        question, _ = parameters.to_v3_question(sent)
        assert 0 <= question.start_unix_nano_min <= question.start_unix_nano_max < 2**63
    with contextlib.suppress(RejectedError):
        start, end = parameters.to_range(sent, NOW)
        assert 0 <= start < 2**63
        assert 0 <= end < 2**63
    with contextlib.suppress(RejectedError):
        parameters.to_v3_raw(sent)
    for _, text in pairs:
        with contextlib.suppress(RejectedError):
            assert len(parameters.to_trace_id(text)) == 32
