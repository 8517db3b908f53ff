"""What the engine is asked, in full: a change of it is a change of `golden/statements`.

`LYMER_APPROVE=1` writes the files anew; a review reads the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from lymer.model.find_terms import FindTerms
from lymer.model.question import TraceQuestion
from lymer.model.span_table import SpanSample
from lymer.model.tail_policy import (
    AlwaysSample,
    And,
    BooleanAttribute,
    Composite,
    CompositePart,
    Drop,
    Latency,
    NumericAttribute,
    Policy,
    Probabilistic,
    RateLimiting,
    SpanCount,
    StatusCode,
    StringAttribute,
    TraceState,
)
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import Parameter, Settings
from lymer.storage.clickhouse.nothing import NoEngine
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.rollup import (
    COUNT_DEPENDENCIES,
    COUNT_GRAPH,
    COUNT_RED,
    COUNT_ROOTS,
    STEP_SHARED,
    STEP_SPANS,
    Holds,
    count_graph,
)
from lymer.storage.clickhouse.statements import LOAD, LOAD_USUAL
from lymer.storage.clickhouse.tail_select import select_decisions
from make import span_hex, trace_hex

GOLDEN: Final = Path(__file__).parent / "golden" / "statements"
_RESOURCE: Final = ((b"zone", b"\n\x01a"),)
_SCOPE: Final = (b"lib", b"1.2", ())
_KNOWN: Final[dict[str, list[list[Any]]]] = {
    "FROM {db}.operations\n": [[b"shop"], [b"GET /cart"], [2], [0]],
    "FROM {db}.origins\nLIMIT": [[11], [22], [(b"exception.type",)], [0], [_RESOURCE], [_SCOPE]],
}
"""What the catalog's tables answer."""


class _Recorder(NoEngine):
    """Notes what it is asked for; knows the catalog's tables and nothing else."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Note the statement."""
        for place, answer in _KNOWN.items():
            if place in statement + "\n":
                return answer
        values = [f"-- {name} = {value!r}" for name, value in (parameters or {}).items()]
        limits = [f"-- setting {name} = {value}" for name, value in (settings or {}).items()]
        shown = [one for one in limits if "format_schema" not in one]
        self.asked.append("\n".join([*values, *shown, statement.strip()]))
        if "uniq(trace_id)" in statement:
            return [[0]] * width
        one_row: list[list[Any]] = [[()]] * width
        return one_row if "groupUniqArray" in statement else [[] for _ in range(width)]

    def select_array(
        self,
        database: str,
        statement: str,
        row: Sequence[tuple[str, str]],
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> NDArray[np.void]:
        """Note the statement, and answer with two copies of a span, so that all is asked."""
        self.select(database, statement, 0, parameters, settings)
        rows = np.zeros(2, dtype=[*row])
        if "is_special" in (rows.dtype.names or ()):
            rows["is_special"] = 1
        return rows


def _question(**parts: Any) -> Callable[[TenantReader], object]:
    whole = {"start_unix_nano_min": 1_000, "start_unix_nano_max": 2_000, "limit": 20, **parts}
    return lambda reader: reader.find_traces(TraceQuestion(**whole))


QUESTIONS: Final[dict[str, Callable[[TenantReader], object]]] = {
    "services": lambda reader: reader.get_services(),
    "operations": lambda reader: reader.get_operations("shop", "server"),
    "find_service": _question(service="shop"),
    "find_service_operation_tag_duration": _question(
        service="shop",
        operation="GET /cart",
        tags=(("user", "500"),),
        duration_nano_min=5,
        duration_nano_max=9,
    ),
    "find_resource_tag": _question(tags=(("zone", "a"),)),
    "find_nested_tag": _question(tags=(("exception.type", "CardError"),)),
    "find_event": _question(tags=(("event", "exception"),)),
    "find_error": _question(tags=(("error", "true"),)),
    "find_kind_and_scope": _question(tags=(("span.kind", "server"), ("otel.scope.name", "lib"))),
    "find_structured_value": _question(tags=(("k", '{"a":1}'),)),
    "find_address": _question(tags=(("peer.ipv4", "1.2.3.4"),)),
    "find_present": _question(present=("error",)),
    "find_unknown_service": _question(service="nobody"),
    "find_hostile_text": _question(tags=(("a'b\\", "'; DROP TABLE spans; --{db}"),)),
    "trace": lambda reader: reader.get_traces([trace_hex(1)], raw=False, skeleton=False),
    "traces": lambda reader: reader.get_traces(
        [trace_hex(1), trace_hex(2)], raw=True, skeleton=False
    ),
    "skeleton": lambda reader: reader.get_traces([trace_hex(1)], raw=False, skeleton=True),
    "span": lambda reader: reader.get_span(trace_hex(1), span_hex(2)),
    "span_table": lambda reader: reader.get_span_table(
        SpanSample(
            start_unix_nano_min=0,
            start_unix_nano_max=10**18,
            one_in=4,
            trace_ids=(trace_hex(1),),
            service="shop",
            operation="GET /",
            has_attributes=True,
        )
    ),
    "sample_size": lambda reader: reader.get_sample_size(
        SpanSample(start_unix_nano_min=0, start_unix_nano_max=10**18)
    ),
    "trace_arrays": lambda reader: reader.get_trace_arrays(trace_hex(1)),
    "find_in_trace": lambda reader: reader.find_in_trace(
        trace_hex(1), FindTerms(("a'b", "5"), ("k",))
    ),
    "mark_in_trace": lambda reader: reader.get_trace_arrays(
        trace_hex(1), FindTerms(("a'b", "5"), ("k",))
    ),
    "summaries": lambda reader: reader.get_summaries([trace_hex(1)]),
    "otlp": lambda reader: reader.get_otlp([trace_hex(1)]),
    "tag_keys": lambda reader: reader.get_tag_keys(),
    "tag_values": lambda reader: reader.get_tag_values("zone", "shop"),
    "dependencies": lambda reader: reader.get_dependencies(0, 120_000_000_000),
    "graph": lambda reader: reader.get_graph(0, 10_000_000_000_000),
    "operation_minutes": lambda reader: reader.get_minute_counts((1, 9), ["shop"], of="operations"),
    "edge_minutes": lambda reader: reader.get_minute_counts((1, 9), ["shop"], of="edges"),
    "every_edge_minutes": lambda reader: reader.get_minute_counts((1, 9), [], of="edges"),
    "red": lambda reader: reader.get_red(0, 60_000_000_000, "shop"),
}
FIXED: Final = {
    "load": LOAD,
    "load_usual": LOAD_USUAL,
    "count_red": COUNT_RED,
    "step_spans": STEP_SPANS,
    "step_shared": STEP_SHARED,
    "count_dependencies": COUNT_DEPENDENCIES,
    "count_graph": COUNT_GRAPH,
    "count_graph_of_few": count_graph(Holds(shared=False, callers=False, links=False)),
    "count_roots": COUNT_ROOTS,
}
"""Statements that nobody asks."""
_NEVER: Final = (Policy("never", Drop((StringAttribute("health", ("yes",)),))),)
TAIL: Final[dict[str, tuple[Policy, ...]]] = {
    "tail_each_kind": (
        Policy("all", AlwaysSample()),
        Policy("slow", Latency(500, 9_000)),
        Policy("failed", StatusCode((2,))),
        Policy("paths", StringAttribute("path", ("^/a", "^/b"), are_expressions=True)),
        Policy("not this user", StringAttribute("user", ("x'--",), is_inverted=True)),
        Policy("size", NumericAttribute("bytes", 10, 20)),
        Policy("debug", BooleanAttribute("debug", value=True)),
        Policy("vendor", TraceState("vendor", ("a", "b"))),
        Policy("long", SpanCount(10, 100)),
        Policy("a tenth", Probabilistic(10.0, "salt")),
        Policy("budget", RateLimiting(100)),
    ),
    "tail_and_drop_composite": (
        *_NEVER,
        Policy("both", And((StatusCode((2,)), Probabilistic(50.0, "")))),
        Policy(
            "shared",
            Composite(
                (
                    CompositePart("errors", StatusCode((2,)), 500),
                    CompositePart("slow", And((Latency(100), RateLimiting(50))), 300),
                ),
                1000,
            ),
        ),
    ),
    "tail_drop_alone": _NEVER,
}
"""Policies of tail sampling."""


@pytest.mark.parametrize("name", list(QUESTIONS))
def test_a_question_is_these_statements(name: str) -> None:
    """With the values of their parameters, and their settings.

    One about traces by their ids says that granules are chosen before they are read.
    """
    engine = _Recorder()
    reader = TenantReader(
        engine,
        "lymer",
        Catalog(engine, "lymer", retention_seconds=60),
        None,
        lambda: 0,
        timeout_seconds=30,
        memory_bytes_max=2**20,
    )
    QUESTIONS[name](reader)

    by_id = [one for one in engine.asked if re.search(r"trace_id (= |IN \()unhex", one)]
    assert all("-- setting use_skip_indexes_on_data_read = 0\n" in one for one in by_id)
    _approve(name, ";\n\n".join(engine.asked))


@pytest.mark.parametrize("name", list(FIXED))
def test_what_is_stored_is_counted_by_these_statements(name: str) -> None:
    """The places in braces are numbers of segments, and what the engine fills in."""
    _approve(name, FIXED[name].strip())


@pytest.mark.parametrize("name", list(TAIL))
def test_policies_are_decided_by_this_statement(name: str) -> None:
    """One for all of them; its columns are called after them."""
    query = select_decisions(TAIL[name], after=10, upto=20, settled=30)
    values = [f"-- {name} = {value!r}" for name, value in query.parameters.items()]

    _approve(name, "\n".join([*values, query.statement]))
    assert not re.search(r"\bAS \w?[0-9]+\b", query.statement)


def test_every_approved_text_is_somebodys() -> None:
    """A question that is gone takes its file along."""
    assert {path.stem for path in GOLDEN.glob("*.sql")} == {*QUESTIONS, *FIXED, *TAIL}


def _approve(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.sql"
    if os.environ.get("LYMER_APPROVE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text + "\n"
