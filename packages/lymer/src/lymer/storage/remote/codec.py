"""Questions to a store and its answers as bytes, pure: one method of `SpanReader`, one call.

::

    request := msgpack [positional arguments, {keyword arguments}]
    answer  := msgpack of what the method returns, or the bytes themselves where it returns bytes
    stream  := answer cut into chunks of at most CHUNK_BYTES; an empty answer is no chunk

A dataclass in a list is a row: its fields in order. Columns are one map of whole lists, packed in
one call, so no Python code runs per attribute. A reader that is older than the store ignores what
it does not know; one that is newer says that the store is too old. Why it is our own contract and
not `jaeger.storage.v2`: docs/adr/013-storage-api.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import msgpack
import numpy as np

from lymer.errors import StorageError, UndecodableError
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import FindTerms
from lymer.model.graph import GraphEdge
from lymer.model.minute_counts import MinuteCounts
from lymer.model.question import (
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    RedSlot,
    TraceQuestion,
    TraceSummary,
)
from lymer.model.span_table import Attributes, SpanSample, SpanTable
from lymer.model.trace_arrays import FoundSpans, TraceArrays
from lymer.storage.remote.nodes import from_plain, to_plain

__all__ = [
    "CHUNK_BYTES",
    "METHODS",
    "REQUEST_BYTES_MAX",
    "SERVICE",
    "Method",
    "cut",
    "decode_arguments",
    "encode_arguments",
]

SERVICE: Final = "lymer.storage.v1.SpanReader"
"""Full name of the gRPC service; its methods are those of `SpanReader` in CamelCase."""

CHUNK_BYTES: Final = 1 << 20
"""Bytes of one message of an answer: below every default limit of gRPC on a message."""

REQUEST_BYTES_MAX: Final = 4 << 20
"""Bytes of one question: 10,000 trace ids are 340 kB."""

_COLUMNS: Final = tuple(field.name for field in dataclasses.fields(SpanColumns))
_ARRAYS: Final = tuple(
    field.name for field in dataclasses.fields(TraceArrays) if field.name != "place"
)
_QUESTION: Final = tuple(field.name for field in dataclasses.fields(TraceQuestion))
_SAMPLE: Final = tuple(field.name for field in dataclasses.fields(SpanSample))
_MINUTES: Final = tuple(field.name for field in dataclasses.fields(MinuteCounts))
_TABLE: Final = tuple(field.name for field in dataclasses.fields(SpanTable))


@dataclass(frozen=True, slots=True)
class Method:
    """How one method's answer travels."""

    attribute: str
    """Its name in `SpanReader`."""
    encode: Callable[[Any], bytes]
    """What it returned, as bytes."""
    decode: Callable[[bytes], Any]
    """The other way; raises `StorageError`."""

    @property
    def name(self) -> str:
        """Its name on the wire."""
        return "".join(word.capitalize() for word in self.attribute.split("_"))


def encode_arguments(arguments: tuple[object, ...], keywords: Mapping[str, object]) -> bytes:
    """Return a question as bytes."""
    plain = [_plain(argument) for argument in arguments]
    return _pack([plain, dict(keywords)])


def decode_arguments(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return a question's arguments.

    Raises:
        UndecodableError: `body` is no question.
    """
    try:
        arguments, keywords = msgpack.unpackb(body, unicode_errors="surrogatepass")
        return [_argument(argument) for argument in arguments], dict(keywords)
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise UndecodableError(f"cannot decode the question: {error!r}") from error


def cut(answer: bytes) -> Iterator[bytes]:
    """Yield `answer` in chunks."""
    view = memoryview(answer)
    for start in range(0, len(answer), CHUNK_BYTES):
        yield bytes(view[start : start + CHUNK_BYTES])


def _plain(argument: object) -> object:
    if isinstance(argument, TraceQuestion):
        return {name: getattr(argument, name) for name in _QUESTION}
    if isinstance(argument, FindTerms):
        return {"include": argument.include, "exclude": argument.exclude}
    if isinstance(argument, SpanSample):
        return {name: getattr(argument, name) for name in _SAMPLE}
    return to_plain(argument)


def _argument(argument: Any) -> Any:
    if not isinstance(argument, dict):
        return argument
    if "include" in argument:
        return FindTerms(*(tuple(map(str, argument[one])) for one in ("include", "exclude")))
    if "one_in" in argument:
        return SpanSample(trace_ids=tuple(argument.pop("trace_ids")), **argument)
    if "$" in argument:
        return from_plain(argument)
    tags = tuple((str(key), str(value)) for key, value in argument.pop("tags"))
    present = tuple(map(str, argument.pop("present", ())))
    return TraceQuestion(tags=tags, present=present, **argument)


def _pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, unicode_errors="surrogatepass")
    return packed


def _unpack(answer: bytes) -> Any:
    # Texts are as the store holds them; what is no UTF-8 there must not fail here.
    return msgpack.unpackb(answer, unicode_errors="surrogatepass", strict_map_key=False)


def _decoding(decode: Callable[[Any], Any]) -> Callable[[bytes], Any]:
    def checked(answer: bytes) -> Any:
        try:
            return decode(_unpack(answer))
        except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
            message = f"cannot read the store's answer, is it of another version: {error!r}"
            raise StorageError(message) from error

    return checked


def _encode_columns(columns: SpanColumns) -> bytes:
    return _pack({name: getattr(columns, name) for name in _COLUMNS})


def _decode_columns(sent: dict[str, list[Any]]) -> SpanColumns:
    columns = SpanColumns(**{name: sent[name] for name in _COLUMNS})
    columns.links = [
        [(trace, span, child) for trace, span, child in links] if links else links
        for links in columns.links
    ]
    return columns


def _encode_arrays(trace: TraceArrays) -> bytes:
    return _pack({name: _array(getattr(trace, name)) for name in _ARRAYS})


def _array(value: Any) -> Any:
    return [value.dtype.str, value.tobytes()] if isinstance(value, np.ndarray) else value


def _encode_table(table: SpanTable) -> bytes:
    fields = {name: _array(getattr(table, name)) for name in _TABLE}
    own = table.attributes
    fields["attributes"] = [_array(own.row), _array(own.code), own.names]
    return _pack(fields)


def _decode_table(sent: dict[str, Any]) -> SpanTable:
    row, code, names = sent["attributes"]
    lists: dict[str, Any] = {
        "operations": [(service, name) for service, name in sent["operations"]],
        "attributes": Attributes(
            _from_array(row),
            _from_array(code),
            [(scope, key, value) for scope, key, value in names],
        ),
    }
    arrays = {name: _from_array(sent[name]) for name in _TABLE if name not in lists}
    return SpanTable(**arrays, **lists)


def _encode_minutes(counts: MinuteCounts) -> bytes:
    return _pack({name: _array(getattr(counts, name)) for name in _MINUTES})


def _decode_minutes(sent: dict[str, Any]) -> MinuteCounts:
    names = [(one, other) for one, other in sent["names"]]
    arrays = {name: _from_array(sent[name]) for name in _MINUTES if name != "names"}
    return MinuteCounts(names, **arrays)


def _from_array(sent: list[Any]) -> Any:
    kind, content = sent
    return np.frombuffer(content, dtype=kind)


def _decode_arrays(sent: dict[str, Any]) -> TraceArrays:
    trace = TraceArrays()
    for name in _ARRAYS:
        value = sent[name]
        if isinstance(getattr(trace, name), np.ndarray):
            value = _from_array(value)
        setattr(trace, name, value)
    return trace


def _encode_found(found: FoundSpans) -> bytes:
    return _pack([_array(found.span_id), found.count, found.shares_ids])


def _decode_found(sent: list[Any]) -> FoundSpans:
    span_id, count, shares_ids = sent
    return FoundSpans(_from_array(span_id), count, shares_ids)


def _rows(attribute: str, row: type) -> Method:
    names = [field.name for field in dataclasses.fields(row)]
    to_row = attrgetter(*names)

    def decode(sent: list[list[Any]]) -> list[Any]:
        return [row(*_hashable(one[: len(names)])) for one in sent]

    return Method(attribute, lambda answer: _pack(list(map(to_row, answer))), _decoding(decode))


def _hashable(fields: list[Any]) -> list[Any]:
    """Return the fields of a frozen row: lists in it are tuples of tuples."""
    return [
        tuple(tuple(each) if isinstance(each, list) else each for each in field)
        if isinstance(field, list)
        else field
        for field in fields
    ]


def _columns(attribute: str) -> Method:
    return Method(attribute, _encode_columns, _decoding(_decode_columns))


def _nodes(attribute: str) -> Method:
    return Method(attribute, lambda answer: _pack(to_plain(answer)), _decoding(from_plain))


METHODS: Final = {
    method.attribute: method
    for method in (
        Method("get_services", _pack, _decoding(list)),
        _rows("get_operations", Operation),
        _rows("find_traces", FoundTrace),
        _columns("get_traces"),
        Method("get_trace_arrays", _encode_arrays, _decoding(_decode_arrays)),
        Method("find_in_trace", _encode_found, _decoding(_decode_found)),
        _columns("get_span"),
        _rows("get_summaries", TraceSummary),
        _rows("get_dependencies", DependencyLink),
        _rows("get_graph", GraphEdge),
        _rows("get_red", OperationRed),
        _rows("get_red_slots", RedSlot),
        Method("get_minute_counts", _encode_minutes, _decoding(_decode_minutes)),
        Method("get_sample_size", _pack, _decoding(tuple)),
        Method("get_span_table", _encode_table, _decoding(_decode_table)),
        Method("get_otlp", bytes, bytes),
        Method("archive_trace", _pack, _decoding(bool)),
        Method("get_tag_keys", _pack, _decoding(list)),
        Method("get_tag_values", _pack, _decoding(list)),
        _nodes("find_spansets"),
        _nodes("get_series"),
        _nodes("get_field_names"),
        _nodes("get_field_values"),
    )
}
"""Every method of `SpanReader` by its name there."""
