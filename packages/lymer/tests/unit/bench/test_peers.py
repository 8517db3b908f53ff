"""What other systems are asked, how their answers are judged, and what stands in the table."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.numbers import Spread
from bench.peer_measure import Answers, Column
from bench.peer_report import LYMER, OLDER, growth, holds, table
from bench.peer_systems import PEERS, Peer, is_wrong
from bench.questions import Question

_BY_NAME = {peer.name: peer for peer in PEERS}
_TRACE = "0000000000000000123456789abcdef0"
_NANO = 1_796_041_701_057_887_528
_TIMES = {"start_unix_nano": _NANO, "end_unix_nano": _NANO + 10**12}


def _search(service: str, *, tag: tuple[str, str] = ("a.b", 'say "hi" & = \\ é')) -> Question:
    arguments: dict[str, object] = {
        "start_unix_nano_min": _NANO,
        "start_unix_nano_max": _NANO + 10**12,
        "service": service,
        "operation": "GET /x" if service else "",
        "tags": [list(tag)],
        "duration_nano_min": 5_000_000,
        "limit": 20,
    }
    return Question("search", "/api/traces?x=1", "find_traces", arguments, _TRACE, is_only=True)


_BY_ID = Question(
    "by id", f"/api/traces/{_TRACE}", "get_traces", {"trace_ids": [_TRACE]}, _TRACE, spans=2
)
_SERVICES = Question("services", "/api/services", "get_services", {})
_OPERATIONS = Question(
    "operations", "/api/operations?service=a%2Fb", "get_operations", {"service": "a/b c"}
)
_RED = Question("RED, all", "", "get_red", {**_TIMES, "service": ""})
_EVERY = [_BY_ID, _SERVICES, _OPERATIONS, _RED, _search("a"), _search("")]


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
@pytest.mark.parametrize("question", _EVERY, ids=lambda one: one.group)
def test_a_question_is_a_path_without_raw_characters_or_is_not_asked(
    peer: Peer, question: Question
) -> None:
    """http.client sends a path as it is: a space in it would be a broken request."""
    path = peer.path(question)
    assert not path or (path.startswith("/") and path.isascii() and " " not in path)


def test_values_reach_the_query_languages_whole() -> None:
    """Quotes, backslashes and letters beyond ASCII are the value's, not the language's."""
    for name, parameter in (("VictoriaTraces", "query"), ("Tempo", "q")):
        query = parse_qs(urlsplit(_BY_NAME[name].path(_search(""))).query)[parameter][0]
        assert '= "say \\"hi\\" & = \\\\ é"'.replace("= ", "=", name == "VictoriaTraces") in query


def _jaeger(*traces: list[str]) -> bytes:
    return json.dumps(
        {
            "data": [
                {"traceID": one[0], "spans": [{"traceID": each} for each in one]} for one in traces
            ]
        }
    ).encode()


def test_answers_are_judged_by_what_was_sent() -> None:
    """A span missing, another trace, nothing, or something where nothing may be, is wrong."""
    jaeger = _BY_NAME["Jaeger, memory"].found
    assert not is_wrong(_BY_ID, jaeger(_BY_ID, _jaeger([_TRACE, _TRACE])))
    assert is_wrong(_BY_ID, jaeger(_BY_ID, _jaeger([_TRACE])))
    assert is_wrong(_BY_ID, [])
    search = _search("a")
    assert not is_wrong(search, jaeger(search, _jaeger(["f" * 32], [_TRACE])))
    assert is_wrong(search, jaeger(search, _jaeger(["f" * 32])))
    assert is_wrong(_SERVICES, jaeger(_SERVICES, b'{"data": null}'))
    absent = Question("absent", "", "find_traces", {}, finds=False)
    assert is_wrong(absent, [_TRACE])
    assert not is_wrong(absent, [])


def test_other_forms_of_answers_are_read() -> None:
    """Rows of LogsQL are lines; Tempo leaves the zeros before an id away."""
    victoria, tempo = _BY_NAME["VictoriaTraces"].found, _BY_NAME["Tempo"].found
    anywhere = _search("")
    assert victoria(anywhere, b'{"trace_id":"a","t":"1"}\n{"trace_id":"b"}\n') == ["a", "b"]
    assert victoria(_search("a"), _jaeger(["a"])) == ["a"]
    assert tempo(anywhere, b'{"traces":[{"traceID":"123456789abcdef0"}]}') == [_TRACE]
    spans = {"scopeSpans": [{"spans": [{"traceId": "a"}, {"traceId": "a"}]}]}
    assert len(tempo(_BY_ID, json.dumps({"batches": [spans]}).encode())) == 2
    assert tempo(_SERVICES, b'{"tagValues":[{"value":"a"}]}')


def _column(name: str, milliseconds: float, each_bytes: float, *, wrong: int = 0) -> Column:
    spread = Spread(milliseconds, milliseconds * 2, 10, milliseconds)
    figures = {"bytes a span, in use": each_bytes}
    answers = {"trace by id": Answers(spread, 4, wrong)}
    return Column(name, "1", "nothing", figures, answers)


def test_ratios_name_what_is_missed() -> None:
    """Lymer's goals are ratios in one run; without anything to compare with there is no table."""
    lymer, older = _column(LYMER, 4, 50), _column(OLDER, 10, 50)
    victoria = _column("VictoriaTraces", 1, 100)
    lines = holds([older, lymer, victoria]).splitlines()
    assert "| trace by id, p50 | 0.40 (≤ 0.5) | 0.40 | 4.00 (≤ 3, missed) | 4.00 |" in lines
    assert "| bytes a span, in use | 1.00 (≤ 1.15) |  | 0.50 (≤ 0.85) |  |" in lines
    assert holds([lymer]) == ""
    grown = growth([lymer, victoria], [_column(LYMER, 4, 55), victoria])
    assert "| bytes a span, in use | 1.10 (≤ 1.05, missed) | 1.00 |" in grown.splitlines()


def test_the_table_says_what_was_wrong_and_what_failed() -> None:
    """A fast answer without the trace is none, and a system that failed has a reason."""
    failed = Column("Tempo", "1", "all", failed="did not start")
    text = table([_column(LYMER, 4, 50, wrong=3), failed])
    assert (
        "| trace by id: p50 / p99 / CPU | 4.00 / 8.00 / 4.00 [4.00] **3 of 10 wrong** |  |" in text
    )
    assert "- Tempo: 1; changed: all; **failed**: did not start" in text
