"""Questions and answers between processes: nothing changes on the way."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import StorageError, UndecodableError
from lymer.model.columns import SpanColumns
from lymer.model.question import (
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    TraceQuestion,
    TraceSummary,
)
from lymer.storage.contract import SpanReader
from lymer.storage.remote.codec import (
    CHUNK_BYTES,
    METHODS,
    cut,
    decode_arguments,
    encode_arguments,
)

_TEXT = st.text(max_size=5)
_UINT64 = st.integers(0, 2**64 - 1)

_ROWS = {
    "get_operations": st.builds(Operation, _TEXT, _TEXT),
    "find_traces": st.builds(FoundTrace, _TEXT, _UINT64),
    "get_dependencies": st.builds(DependencyLink, _TEXT, _TEXT, _UINT64),
    "get_red": st.builds(OperationRed, _TEXT, _TEXT, _TEXT, *[_UINT64] * 6),
    "get_summaries": st.builds(
        TraceSummary, _TEXT, _TEXT, _TEXT, *[_UINT64] * 5,
        st.lists(st.tuples(_TEXT, _UINT64, _UINT64), max_size=3).map(tuple),
    ),
}  # fmt: skip


def test_every_method_of_the_contract_travels() -> None:
    """A method added to `SpanReader` needs a line here."""
    wanted = {name for name in vars(SpanReader) if not name.startswith("_")}

    assert wanted == set(METHODS)
    assert METHODS["get_otlp"].name == "GetOtlp"


@pytest.mark.parametrize("attribute", _ROWS)
@given(data=st.data())
def test_rows_come_back_as_they_were(attribute: str, data: st.DataObject) -> None:
    """Types too: what was a tuple is one, for rows are compared and hashed."""
    rows = data.draw(st.lists(_ROWS[attribute], max_size=4))
    method = METHODS[attribute]

    back = method.decode(method.encode(rows))

    assert rows == back
    assert len({*rows}) == len({*back})


def test_columns_come_back_as_they_were() -> None:
    """Links are tuples, big numbers are whole, texts that are no UTF-8 pass."""
    columns = SpanColumns(
        trace_id=["0" * 32], span_id=["1" * 16], parent_span_id=[""], service=["\udcff"],
        name=["é"], kind=[2], status_code=[0], start_unix_nano=[2**63], duration_nano=[1],
        host=[""], identity=[2**64 - 1], warnings=[["w"]], tags_json=["[]"],
        event_unix_nano=[[1, 2]], event_fields_json=[["[]", "[]"]],
        links=[[("2" * 32, "3" * 16, True)]], process=[0], process_json=["{}"],
    )  # fmt: skip
    method = METHODS["get_traces"]

    assert columns == method.decode(method.encode(columns))


def test_an_answer_with_more_than_we_know_is_read() -> None:
    """A newer store adds fields behind those we know; we leave them."""
    columns = {field.name: [] for field in dataclasses.fields(SpanColumns)}
    newer = msgpack.packb({**columns, "newer": [1]})

    assert SpanColumns() == METHODS["get_span"].decode(newer)
    operations = METHODS["get_operations"].decode(msgpack.packb([["a", "server", "newer"]]))
    assert operations == [Operation("a", "server")]


@pytest.mark.parametrize("body", [b"", b"\xc1", msgpack.packb({"trace_id": []}), b"\x93\x01"])
def test_an_answer_that_cannot_be_read_names_the_version(body: bytes) -> None:
    """An older store lacks columns."""
    with pytest.raises(StorageError, match="another version"):
        METHODS["get_traces"].decode(body)


@given(
    question=st.builds(
        TraceQuestion, _UINT64, _UINT64, _TEXT, _TEXT,
        st.lists(st.tuples(_TEXT, _TEXT), max_size=3).map(tuple),
        st.none() | _UINT64, st.none() | _UINT64, st.integers(1, 10_000),
        st.lists(_TEXT, max_size=3).map(tuple), st.booleans(), st.none() | _UINT64, _TEXT,
    )
)  # fmt: skip
def test_a_question_comes_through_as_it_was(question: TraceQuestion) -> None:
    """Every field of it."""
    arguments, keywords = decode_arguments(encode_arguments((question, ["a"]), {"raw": True}))

    assert [question, ["a"]] == arguments
    assert keywords == {"raw": True}


_NO_QUESTIONS: list[Any] = [1, [1], [1, 2], [[], 3], [[{"tags": 1}], {}], [[{"limit": 1}], {}]]


@pytest.mark.parametrize("body", [b"", b"\xc1", *map(msgpack.packb, _NO_QUESTIONS)])
def test_what_is_no_question_is_refused(body: bytes) -> None:
    """Whatever a stranger sends is one error."""
    with pytest.raises(UndecodableError, match="cannot decode the question"):
        decode_arguments(body)


def test_an_answer_is_cut_and_whole_again() -> None:
    """Chunks are full but the last; nothing is no chunk."""
    answer = bytes(range(256)) * (CHUNK_BYTES // 128) + b"x"

    chunks = list(cut(answer))

    assert [CHUNK_BYTES, CHUNK_BYTES, 1] == [len(chunk) for chunk in chunks]
    assert answer == b"".join(chunks)
    assert list(cut(b"")) == []
