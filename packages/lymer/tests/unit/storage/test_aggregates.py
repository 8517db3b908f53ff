"""Whatever is counted is counted by sampling weights, or is known to be about stored spans.

A statement that aggregates, or a question to a store, that is new and on no list fails here: see
"What is counted of what was sampled" in docs/sampling.md for how to decide.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

from lymer.storage.remote.codec import METHODS

_AGGREGATE: Final = re.compile(
    r"\b(?:count|sum|avg|quantile\w*|sumMap|groupArray|uniq\w*)(?:If)?\("
)
_OF_SPANS: Final = re.compile(r"\{db\}\.(?:spans|step_spans|step_shared|deleted_spans)\b")
BY_WEIGHT: Final = frozenset({
    "count_dependencies", "count_graph", "count_red", "graph_links", "span_counts",
    "spansets_compare", "spansets_series",
})  # fmt: skip
"""Statements that read spans and count them: each has a place for their weight."""
STORED: Final = {
    "count_links_to_deleted": "takes back what `count_graph` counted",
    "count_roots": "adaptive sampling divides by probabilities itself (Jaeger's algorithm)",
    "deleted_spans": "what is deleted",
    "forget_operations": "whether any is left",
    "graph_clients": "whom clients speak to; figures carry the weight",
    "otlp": "spans themselves",
    "otlp_shared": "spans themselves",
    "span_table_attributes": "which values are read of a sample",
    "span_table_size": "how many spans a diagnosis would read",
    "span_table_values": "which values are read of a sample",
    "spansets_names": "completion: what the newest spans have",
    "spansets_values": "completion: what the newest spans have",
    "step_calls": "who calls whom; figures carry the weight",
    "step_calls_shared": "who calls whom; figures carry the weight",
    "step_holds": "whether there are any",
    "step_shared": "who calls whom; figures carry the weight",
    "summaries": "one line for a trace that is there",
    "tag_keys": "completion: what the newest spans have",
    "window": "how many spans a step may hold in memory",
    "window_shared": "how many spans a step may hold in memory",
}
"""Statements that count the spans that are there, and why."""
QUESTIONS_BY_WEIGHT: Final = frozenset({
    "get_dependencies", "get_graph", "get_minute_counts", "get_red", "get_red_slots", "get_series",
})  # fmt: skip
"""`contract/storage/test_weights.py` asks each of them."""
QUESTIONS_OF_STORED: Final = {
    "archive_trace": "one trace",
    "find_in_trace": "one trace",
    "find_spansets": "traces; numbers of a spanset (`count() > 2`) are of a trace as it is stored",
    "find_traces": "traces",
    "get_field_names": "completion: what the newest spans have",
    "get_field_values": "completion: what the newest spans have",
    "get_operations": "names",
    "get_otlp": "spans themselves",
    "get_sample_size": "how many spans a diagnosis would read",
    "get_services": "names",
    "get_span": "one span",
    "get_span_table": "a sample of spans; a diagnosis compares spans, it counts no traffic",
    "get_summaries": "traces",
    "get_tag_keys": "names",
    "get_tag_values": "names",
    "get_trace_arrays": "one trace, and statistics of it: other traces like it are not in it",
    "get_traces": "traces",
}


def _aggregating() -> dict[str, str]:
    """Return the statements that aggregate spans, by name."""
    found = {}
    for entry in files("lymer.storage.clickhouse").joinpath("sql").iterdir():
        text = entry.read_text(encoding="utf-8")
        plain = "\n".join(one for one in text.splitlines() if not one.lstrip().startswith("--"))
        if _AGGREGATE.search(plain) and (_OF_SPANS.search(plain) or "{calls}" in plain):
            found[entry.name.removesuffix(".sql")] = plain
    return found


def test_every_statement_that_counts_spans_is_on_a_list() -> None:
    """And nothing else is."""
    aggregating = _aggregating()
    assert set(aggregating) - BY_WEIGHT - set(STORED) == set()
    assert BY_WEIGHT - set(aggregating) == set()
    assert not BY_WEIGHT & set(STORED)


def test_statements_by_weight_have_a_place_for_it() -> None:
    """Each reads the weight of a span, or the figures in which a step keeps it."""
    for name in sorted(BY_WEIGHT):
        text = _aggregating()[name]
        assert "{weight}" in text or "figures.weight" in text, name


def test_every_question_to_a_store_is_on_a_list() -> None:
    """Whoever adds one decides."""
    assert frozenset(METHODS) == QUESTIONS_BY_WEIGHT | set(QUESTIONS_OF_STORED)
    assert not QUESTIONS_BY_WEIGHT & set(QUESTIONS_OF_STORED)
