"""Thrift is read as both protocols say, within limits; garbage is refused and nothing else."""

from __future__ import annotations

import contextlib
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes.thrift_writer import CALL, ONEWAY, Field, write_list, write_message, write_struct
from lymer.errors import UndecodableError
from lymer.wire.thrift import (
    BINARY,
    BOOL,
    BYTE,
    DOUBLE,
    I16,
    I32,
    I64,
    Protocol,
    list_of,
    read_list,
    read_message,
    read_struct,
    struct,
)

BOTH = pytest.mark.parametrize("protocol", Protocol)


def _as_it_came(**fields: Any) -> dict[str, Any]:
    return fields


def _point(*, x: int, y: int = -1) -> tuple[int, int]:
    return x, y


POINT = struct(_point, {1: ("x", I32), 2: ("y", I32)})
ALL = struct(
    _as_it_came,
    {
        1: ("flag", BOOL),
        2: ("byte", BYTE),
        3: ("short", I16),
        4: ("int", I32),
        5: ("long", I64),
        6: ("double", DOUBLE),
        7: ("text", BINARY),
        40: ("points", list_of(POINT)),
        41: ("flags", list_of(BOOL)),
        42: ("longs", list_of(I64)),
        43: ("texts", list_of(BINARY)),
    },
)
KINDS = {
    "flag": (1, "bool"),
    "byte": (2, "byte"),
    "short": (3, "i16"),
    "int": (4, "i32"),
    "long": (5, "i64"),
    "double": (6, "double"),
    "text": (7, "string"),
    "flags": (41, "bool"),
    "longs": (42, "i64"),
    "texts": (43, "string"),
}
PROTOCOLS = st.sampled_from(list(Protocol))
I64_VALUES = st.integers(-(2**63), 2**63 - 1)
STRUCTS = st.fixed_dictionaries(
    {},
    optional={
        "flag": st.booleans(),
        "byte": st.integers(-128, 127),
        "short": st.integers(-(2**15), 2**15 - 1),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": I64_VALUES,
        "double": st.floats(allow_nan=False),
        "text": st.binary(max_size=300),
        "flags": st.lists(st.booleans(), max_size=20),
        "longs": st.lists(I64_VALUES, max_size=20),
        "texts": st.lists(st.binary(max_size=20), max_size=20),
    },
)


def _fields(values: dict[str, Any]) -> list[Field]:
    fields = []
    for name, value in values.items():
        number, kind = KINDS[name]
        if number > 40:
            fields.append(Field(number, "list", (kind, value)))
        else:
            fields.append(Field(number, kind, value))
    return fields


@given(STRUCTS, PROTOCOLS)
def test_what_was_written_is_read(values: dict[str, Any], protocol: Protocol) -> None:
    """Every type, at its limits, in any order and number."""
    assert read_struct(write_struct(_fields(values), protocol), ALL, protocol) == values


@BOTH
def test_structs_become_what_their_builder_returns(protocol: Protocol) -> None:
    """A field that did not come is the parameter's default."""
    points = [[Field(1, "i32", 3)], [Field(1, "i32", 4), Field(2, "i32", 5)]] * 10
    body = write_struct([Field(40, "list", ("struct", points))], protocol)
    assert read_struct(body, ALL, protocol) == {"points": [(3, -1), (4, 5)] * 10}


@BOTH
def test_nan_and_infinity_are_doubles(protocol: Protocol) -> None:
    """They are sent, by samplers that divide by zero."""
    for value in (math.inf, -math.inf):
        body = write_struct([Field(6, "double", value)], protocol)
        assert read_struct(body, ALL, protocol)["double"] == value
    assert math.isnan(
        read_struct(write_struct([Field(6, "double", math.nan)], protocol), ALL, protocol)["double"]
    )


@BOTH
def test_a_required_field_has_to_be_there(protocol: Protocol) -> None:
    """As generated readers say."""
    body = write_struct([Field(2, "i32", 1)], protocol)
    with pytest.raises(UndecodableError, match=r"a required field is missing: 'x'$"):
        read_struct(body, POINT, protocol)


@BOTH
def test_unknown_fields_are_skipped(protocol: Protocol) -> None:
    """Whatever their type, between known ones."""
    inner = [Field(9, "double", 1.5), Field(10, "list", ("string", [b"a"] * 20))]
    unknown = [
        Field(20, "bool", 1),
        Field(21, "bool", 0),
        Field(22, "byte", 1),
        Field(23, "i16", 1),
        Field(24, "i64", 1),
        Field(25, "string", b"skip"),
        Field(26, "struct", inner),
        Field(27, "map", ("string", "i32", [(b"a", 1), (b"b", 2)])),
        Field(28, "map", ("string", "i32", [])),
        Field(29, "set", ("i32", [1, 2, 3])),
        Field(30, "list", ("bool", [True, False])),
        Field(31, "list", ("struct", [inner, inner])),
    ]
    body = write_struct([Field(1, "i32", 7), *unknown, Field(2, "i32", 8)], protocol)
    assert read_struct(body, POINT, protocol) == (7, 8)


@BOTH
def test_a_field_of_another_type_is_skipped(protocol: Protocol) -> None:
    """As generated readers do."""
    body = write_struct([Field(2, "string", b"no number"), Field(1, "i32", 7)], protocol)
    assert read_struct(body, POINT, protocol) == (7, -1)


@BOTH
def test_bytes_behind_a_struct_are_ignored(protocol: Protocol) -> None:
    """Go's readers do not look at them either."""
    body = write_struct([Field(1, "i32", 7)], protocol)
    assert read_struct(body + b"rest", POINT, protocol) == (7, -1)


@BOTH
def test_a_body_may_be_a_list(protocol: Protocol) -> None:
    """As Zipkin's is."""
    elements = [[Field(1, "i32", each)] for each in range(20)]
    body = write_list("struct", elements, protocol)
    assert read_list(body, POINT, protocol) == [(each, -1) for each in range(20)]
    assert read_list(write_list("struct", [], protocol), POINT, protocol) == []
    with pytest.raises(UndecodableError):
        read_list(body[:-1], POINT, protocol)


@BOTH
@pytest.mark.parametrize("kind", [CALL, ONEWAY])
def test_a_message_is_its_name_and_arguments(protocol: Protocol, kind: int) -> None:
    """CALL and ONEWAY alike."""
    body = write_message("move", [Field(1, "i32", 7)], protocol, kind=kind)
    assert read_message(body, {"stay": ALL, "move": POINT}, protocol) == ("move", (7, -1))


def test_the_old_header_of_the_binary_protocol_is_read() -> None:
    """Without a version, as old clients write it."""
    body = write_message("move", [Field(1, "i32", 7)], Protocol.BINARY, old=True)
    assert read_message(body, {"move": POINT}, Protocol.BINARY) == ("move", (7, -1))


@BOTH
@pytest.mark.parametrize("kind", [0, 2, 3, 5])
def test_replies_and_exceptions_are_no_calls(protocol: Protocol, kind: int) -> None:
    """Nobody sends them to a server."""
    body = write_message("move", [Field(1, "i32", 7)], protocol, kind=kind)
    with pytest.raises(UndecodableError, match=f"of type {kind}"):
        read_message(body, {"move": POINT}, protocol)


@BOTH
def test_another_method_is_refused_by_name(protocol: Protocol) -> None:
    """The message says which, and no more of it than needed."""
    body = write_message("steal" * 20, [], protocol)
    with pytest.raises(UndecodableError, match=r"unknown method '(steal){12}stea'"):
        read_message(body, {"move": POINT}, protocol)


@BOTH
def test_the_other_protocol_is_refused(protocol: Protocol) -> None:
    """What is sent to the wrong port."""
    other = Protocol.COMPACT if protocol is Protocol.BINARY else Protocol.BINARY
    body = write_message("move", [Field(1, "i32", 7)], other)
    with pytest.raises(UndecodableError):
        read_message(body, {"move": POINT}, protocol)


@BOTH
def test_every_truncation_is_refused(protocol: Protocol) -> None:
    """At every byte, of everything there is."""
    values = {
        "flag": True,
        "long": 2**40,
        "double": 1.5,
        "text": b"text",
        "flags": [True] * 16,
        "texts": [b"a", b"b"],
    }
    body = write_message("all", _fields(values), protocol)
    assert read_message(body, {"all": ALL}, protocol) == ("all", values)
    for size in range(len(body)):
        with pytest.raises(UndecodableError):
            read_message(body[:size], {"all": ALL}, protocol)


@given(st.binary(max_size=200), PROTOCOLS)
@example(b"", Protocol.BINARY)
@example(b"\x80\x01\x00\x01\xff\xff\xff\xff", Protocol.BINARY)
@example(b"\xff\xff\xff\xff", Protocol.BINARY)
@example(b"\x82\x21\xff\xff\xff\xff\xff\xff", Protocol.COMPACT)
def test_garbage_is_refused_or_read(body: bytes, protocol: Protocol) -> None:
    """Nothing but `UndecodableError` is ever raised: all else ends this test."""
    for read in (
        lambda: read_struct(body, ALL, protocol),
        lambda: read_list(body, ALL, protocol),
        lambda: read_message(body, {"": ALL, "a": ALL}, protocol),
    ):
        with contextlib.suppress(UndecodableError):
            read()


@BOTH
def test_deep_nesting_is_refused(protocol: Protocol) -> None:
    """In fields that are skipped, where it would cost the stack."""
    level = b"\x0c\x00\x63" if protocol is Protocol.BINARY else b"\x0c\xc6\x01"
    with pytest.raises(UndecodableError):
        read_struct(level * 1_000_000, POINT, protocol)


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        (Protocol.BINARY, b"\x0f\x00\x28\x0c\x7f\xff\xff\xff"),  # a list of 2^31 structs
        (Protocol.BINARY, b"\x0f\x00\x2a\x0a\x7f\xff\xff\xff"),  # of numbers
        (Protocol.BINARY, b"\x0b\x00\x07\x7f\xff\xff\xff"),  # a text of 2 GiB
        (Protocol.BINARY, b"\x0b\x00\x07\xff\xff\xff\xff"),  # of -1 byte
        (Protocol.BINARY, b"\x0d\x00\x63\x0b\x0b\x7f\xff\xff\xff"),  # a map to be skipped
        (Protocol.COMPACT, b"\x09\x50\xfc\xff\xff\xff\xff\x07"),
        (Protocol.COMPACT, b"\x08\x0e\xff\xff\xff\xff\x07"),
        (Protocol.COMPACT, b"\x08\x0e\xff\xff\xff\xff\x0f"),
        (Protocol.COMPACT, b"\x0b\xc6\x01\xff\xff\xff\xff\x07\x88"),
    ],
)
def test_a_claimed_size_allocates_nothing(protocol: Protocol, body: bytes) -> None:
    """A few bytes that announce gigabytes are refused for less than a MiB."""
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableError):
            read_struct(body + b"\x00" * 100, ALL, protocol)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
