"""Rows of stored spans as `SpanColumns`.

Each distinct attribute is rendered once per answer, however many spans have it. The adjusters that
look into attributes are applied here (`raw=False`): sorting, addresses, library attributes.
Source of the mapping: reference jaeger.md 2.11, OTLP to Jaeger; 6.2, adjusters 2, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter, le
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2

from lymer.model.columns import SpanColumns
from lymer.model.question import SPAN_KINDS
from lymer.wire.jaeger_json import any_value_text, json_string, key_value_json

__all__ = [
    "ADDRESS_KEYS",
    "COLUMNS",
    "IDENTITY_COLUMNS",
    "RARE",
    "RARE_COLUMNS",
    "RENDERED",
    "RENDERED_MAX",
    "RESERVED_KEYS",
    "WARNINGS_KEY",
    "Origins",
    "Pair",
    "Scope",
    "SpanRows",
    "host_of",
    "in_order",
    "to_columns",
    "warnings_of",
    "with_address",
]

COLUMNS: Final = (
    "service", "resource", "scope", "trace_id", "span_id", "parent_span_id", "name", "kind",
    "status", "status_message", "start", "duration", "trace_state", "warnings", "links", "events",
    "flags", "dropped", "attrs",
)  # fmt: skip
"""What a row holds, in order; a skeleton's has one more: a hash of the attributes."""
IDENTITY_COLUMNS: Final = frozenset({"flags", "dropped"})
"""Those that only tell spans of one id apart."""
RARE_COLUMNS: Final[Mapping[str, object]] = {"links": (), "trace_state": b"", "warnings": ()}
"""Those that hardly any span has something in, and what is in them then."""
RARE: Final = "rare"
"""A number instead of `RARE_COLUMNS`; not 0 if one of them is not empty."""
WARNINGS_KEY: Final = "@jaeger@warnings"
"""Attribute in which Jaeger keeps warnings. Source: Jaeger, `internal/jptrace/attributes.go`."""
RESERVED_KEYS: Final = (
    "telemetry.sdk.language",
    "telemetry.sdk.name",
    "telemetry.sdk.version",
    "telemetry.distro.name",
    "telemetry.distro.version",
    WARNINGS_KEY,
)
"""Span attributes that do not stay with the span. Source: Jaeger v2.20, `libraryattributes.go`."""

Pair = tuple[bytes, bytes]
"""Key and AnyValue bytes of one attribute, as stored."""

Scope = tuple[bytes, bytes, tuple[Pair, ...]]
"""Name, version and attributes of a scope."""

ADDRESS_KEYS: Final = frozenset({"ip", "peer.ipv4"})
"""Attributes whose numbers are shown as IPv4 addresses."""
_TREATED_KEYS: Final = ADDRESS_KEYS | {*RESERVED_KEYS}
"""Attributes that are not always shown as they were sent."""
_HOST_KEYS: Final = ("host.id", "host.ip", "host.name")
_SERVICE_KEY: Final = "service.name"
_REFERENCE_KEY: Final = b"opentracing.ref_type"
_CHILD_OF: Final = b"\x0a\x08child_of"
_STATUS_CODES: Final = ("", "OK", "ERROR")
_ERROR: Final = 2
_NO_PARENT: Final = bytes(8)
_PROCESSES_BYTES_MAX: Final = 32 * 2**20
"""Processes that an answer has only because a span's own tags moved there; above it they stay."""
_LARGE_PROCESS: Final = "the answer would have too many copies of a large process"
_SCOPES_BYTES_MAX: Final = 32 * 2**20
"""Names and versions of scopes in the tags of one answer's spans; above it long ones are cut."""
_SCOPE_BYTES_SHOWN: Final = 1024
_by_key: Final = itemgetter(0)
RENDERED_MAX: Final = 20_000
"""Attributes remembered across answers; one more and all are forgotten."""
_RENDERED_BYTES_MAX: Final = 256
"""Key and value of one that is remembered: 20 MiB at most, all in all."""
_AnyValue: Any = common_pb2.AnyValue


class SpanRows:
    """Stored spans, one sequence for each of `COLUMNS`, or for those that are needed."""

    def __init__(self, columns: Sequence[list[Any]], names: Sequence[str] = COLUMNS) -> None:
        """Name the columns.

        Args:
            columns: A skeleton has one more, the hash of all attributes.
            names: Of the columns; of `RARE_COLUMNS` those left out are empty for every span.
        """
        self._columns = dict(zip(names, columns, strict=False))
        self._own_ids: bool | None = None
        self._hashes = columns[-1]
        for name, empty in RARE_COLUMNS.items():
            if name not in self._columns:
                self._columns[name] = [empty] * len(self)

    def __len__(self) -> int:
        """Return the number of spans."""
        return len(self._columns["span_id"])

    def __getitem__(self, name: str) -> list[Any]:
        """Return a column by its name."""
        return self._columns[name]

    def has_own_ids(self) -> bool:
        """Tell whether each span has an id of its own in its trace."""
        if self._own_ids is None:
            ids = self["span_id"]
            self._own_ids = len(set(zip(self["trace_id"], ids, strict=True))) == len(ids)
        return self._own_ids

    def is_enough(self) -> bool:
        """Tell whether what was left out is not needed."""
        is_identified = self._columns.keys() >= IDENTITY_COLUMNS or self.has_own_ids()
        return is_identified and not (RARE in self._columns and any(self[RARE]))

    def are_plain(self) -> bool:
        """Tell whether few columns are all that is to be known of these spans."""
        return self.has_own_ids() and not any(any(self[name]) for name in RARE_COLUMNS)

    def identities(self) -> list[int]:
        """Return a number per span: equal for spans that are equal in everything stored."""
        if self.has_own_ids():
            return list(range(len(self)))
        columns = [self._columns[name] for name in COLUMNS if name != "attrs"]
        mask = 2**64 - 1
        return [hash(row) & mask for row in zip(*columns, self._hashes, strict=True)]


RENDERED: Final[dict[Pair, tuple[str, str]]] = {}
"""What most answers show alike: attributes that are shown as they were sent, whoever asks."""


class _Pairs(dict[Pair, tuple[str, str]]):
    """Attribute to (key, Jaeger KeyValue), rendered when first met."""

    def __init__(self, *, raw: bool) -> None:
        super().__init__()
        self.raw = raw
        self.events: dict[bytes, str] = {}
        """Names of events as they are shown."""
        self.reserved: set[Pair] = set()
        """Attributes met that do not simply stay with their span."""

    def __missing__(self, pair: Pair) -> tuple[str, str]:
        entry = RENDERED.get(pair)
        if entry is not None:
            self[pair] = entry
            return entry
        key, value = _text(pair[0]), pair[1]
        is_plain = key not in _TREATED_KEYS
        if key == WARNINGS_KEY or (key in RESERVED_KEYS and not self.raw):
            self.reserved.add(pair)
        elif key in ADDRESS_KEYS and not self.raw:
            value = with_address(value)
        entry = self[pair] = (key, key_value_json(key, value))
        if is_plain and len(pair[0]) + len(value) <= _RENDERED_BYTES_MAX:
            if len(RENDERED) >= RENDERED_MAX:
                RENDERED.clear()
            RENDERED[pair] = entry
        return entry

    def render(self, pairs: Sequence[Pair]) -> list[tuple[str, str]]:
        """Return (key, KeyValue) of each pair; sorted by key unless raw."""
        entries = [self[pair] for pair in pairs]
        if not self.raw:
            entries.sort(key=_by_key)
        return entries


class Origins:
    """What is known of resources (attributes) and scopes (name, version, attributes)."""

    def __init__(
        self,
        resources: Mapping[Any, Sequence[Pair]],
        scopes: Mapping[Any, Scope],
        processes: dict[tuple[bytes, Any, bool], _Process] | None = None,
    ) -> None:
        """Remember them by what stands in a row: the hashes of their texts, or the texts.

        Args:
            resources: Attributes of each.
            scopes: Likewise.
            processes: What was made of resources so far, by service, resource and whether it is
                raw; whoever keeps them here has them forgotten with the resources.
        """
        self.resources = resources
        self.scopes = scopes
        self.processes = {} if processes is None else processes

    def process(self, service: bytes, resource: Any, known: _Pairs) -> _Process:
        """Return the process of spans, made when first met."""
        key = (service, resource, known.raw)
        found = self.processes.get(key)
        if found is None:
            pairs = self.resources[resource]
            found = self.processes[key] = _Process(_text(service), pairs, known)
        return found


class _Process:
    """The process that spans of one service and resource belong to; never changes."""

    def __init__(self, service: str, pairs: Sequence[Pair], known: _Pairs) -> None:
        self._service = service
        self._entries = [entry for entry in known.render(pairs) if entry[0] != _SERVICE_KEY]
        # The first of equal keys counts, as everywhere.
        self.values = {_text(key): value for key, value in reversed(pairs)}
        self.host = host_of(self.values)
        self.json = self._with(self._entries)

    def with_moved(self, moved: Sequence[tuple[str, str]]) -> str:
        """Return the process, with `moved` (key and KeyValue) added to its tags."""
        return self._with(sorted([*self._entries, *moved], key=_by_key))

    def _with(self, entries: Sequence[tuple[str, str]]) -> str:
        tags = ",".join(key_value for _, key_value in entries)
        return f'{{"serviceName":{json_string(self._service)},"tags":[{tags}]}}'


def host_of(values: Mapping[str, bytes]) -> str:
    """Return what tells two clocks apart, by the attributes of a resource.

    Source: Jaeger v2.20, `adjuster/clockskew.go`, host key.
    """
    for key in _HOST_KEYS:
        if key in values:
            try:
                value = _AnyValue.FromString(values[key])
            except DecodeError:  # stored as sent, with a field of another wire type
                return ""
            inner = value.array_value.values
            if inner:
                return any_value_text(inner[0].SerializeToString())
            return str(value.string_value)
    return ""


class _ReservedPairs:
    """Sorts one span's attributes into those that stay, move to the process, or are warnings."""

    def __init__(self, pairs: Sequence[Pair], known: _Pairs, process: _Process) -> None:
        self.kept: list[Pair] = []
        self.moved: dict[str, str] = {}
        self.warnings: list[str] = []
        self.conflicts: list[str] = []
        for pair in pairs:
            if pair not in known.reserved or not self._takes(pair, known, process):
                self.kept.append(pair)

    def _takes(self, pair: Pair, known: _Pairs, process: _Process) -> bool:
        key, value = _text(pair[0]), pair[1]
        if key == WARNINGS_KEY:
            try:
                decoded = _AnyValue.FromString(value)
            except DecodeError:
                return False
            if decoded.WhichOneof("value") != "array_value":
                return False
            texts = decoded.array_value.values
            self.warnings += [any_value_text(text.SerializeToString()) for text in texts]
            return True
        present = process.values.get(key)
        if present is None:
            self.moved[key] = known[pair][1]
            return True
        if present == value:
            return True  # the resource says the same
        self.conflicts.append(f"conflicting values between Span and Resource for attribute {key}")
        return False


def to_columns(
    rows: SpanRows, origins: Origins, trace_ids: Sequence[str], *, raw: bool, skeleton: bool
) -> SpanColumns:
    """Render rows as columns.

    Args:
        rows: The spans, in any order.
        origins: Knows every resource and scope of the rows.
        trace_ids: The order of the traces in the answer.
        raw: Attributes as they were sent.
        skeleton: Leave texts of attributes out.
    """
    known = _Pairs(raw=raw)
    columns = SpanColumns(
        trace_id=_each(rows["trace_id"], bytes.hex),
        span_id=[identifier.hex() for identifier in rows["span_id"]],
        parent_span_id=[
            "" if identifier == _NO_PARENT else identifier.hex()
            for identifier in rows["parent_span_id"]
        ],
        service=_each(rows["service"], _text),
        name=_each(rows["name"], _text),
        kind=[kind if 0 <= kind < len(SPAN_KINDS) else 0 for kind in rows["kind"]],
        status_code=[code if 0 <= code <= _ERROR else 0 for code in rows["status"]],
        start_unix_nano=rows["start"],
        duration_nano=rows["duration"],
        identity=rows.identities(),
        links=[_links(links, raw=raw) if links else [] for links in rows["links"]],
    )
    for events in rows["events"]:
        times, fields = _events(events, known, skeleton=skeleton) if events else ([], [])
        columns.event_unix_nano.append(times)
        columns.event_fields_json.append(fields)
    _fill_processes(columns, rows, origins, known)
    if skeleton:
        columns.tags_json = [""] * len(columns)
    return in_order(columns, trace_ids)


def warnings_of(rows: SpanRows, origins: Origins) -> list[list[str]]:
    """Return what there is to say of each row: what was stored, and what its attributes say."""
    columns = SpanColumns()
    _fill_processes(columns, rows, origins, _Pairs(raw=False))
    return columns.warnings


def _fill_processes(columns: SpanColumns, rows: SpanRows, origins: Origins, known: _Pairs) -> None:
    """Fill what needs a span's attributes and its resource: process, host, tags, warnings."""
    frames = _Frames(origins, rows["scope"])
    places: dict[str, int] = {}
    moved_bytes = 0
    variants: dict[tuple[_Process, tuple[tuple[str, str], ...]], str] = {}
    tails = zip(rows["kind"], rows["status"], rows["status_message"], rows["trace_state"],
                strict=True)  # fmt: skip
    for service, resource, scope, pairs, stored, tail in zip(
        rows["service"], rows["resource"], rows["scope"], rows["attrs"], rows["warnings"], tails,
        strict=True,
    ):  # fmt: skip
        process = origins.process(service, resource, known)
        json, warnings = process.json, _texts(stored) if stored else []
        entries = known.render(pairs)
        if known.reserved and not known.reserved.isdisjoint(pairs):
            reserved = _ReservedPairs(pairs, known, process)
            entries = known.render(reserved.kept)
            warnings = [*reserved.warnings, *warnings, *reserved.conflicts]
            if reserved.moved and moved_bytes <= _PROCESSES_BYTES_MAX:
                moved = tuple(reserved.moved.items())
                json = variants.get((process, moved), "") or process.with_moved(moved)
                variants[process, moved] = json
                moved_bytes += 0 if json in places else len(json)
            elif reserved.moved:
                entries = sorted([*entries, *reserved.moved.items()], key=_by_key)
                warnings = [*warnings, f"{', '.join(reserved.moved)} stay here: {_LARGE_PROCESS}"]
        if scope in frames.cut:
            warnings = [*warnings, frames.cut[scope]]
        columns.host.append(process.host)
        columns.process.append(places.setdefault(json, len(places)))
        columns.warnings.append(warnings)
        columns.tags_json.append(frames.tags_json(scope, entries, tail))
    columns.process_json = list(places)


class _Frames:
    """The tags before and after a span's attributes: scope, kind, status, trace state."""

    def __init__(self, origins: Origins, scopes: Sequence[Any]) -> None:
        self._origins = origins
        self.cut: dict[Any, str] = {}
        """A warning for each scope whose name or version is not shown whole."""
        shown = {one: sum(map(len, origins.scopes[one][:2])) for one in {*scopes}}
        if max(shown.values(), default=0) * len(scopes) > _SCOPES_BYTES_MAX and (
            sum(shown[one] for one in scopes) > _SCOPES_BYTES_MAX
        ):
            self.cut = {
                one: f"the scope's name and version have {size} bytes, shown are at most "
                f"{_SCOPE_BYTES_SHOWN} of each: read the trace as OTLP to have them whole"
                for one, size in shown.items()
                if size > _SCOPE_BYTES_SHOWN
            }
        self._heads: dict[Any, list[str]] = {}
        self._tails: dict[tuple[int, int, bytes, bytes], list[str]] = {}

    def tags_json(
        self,
        scope: Any,
        entries: list[tuple[str, str]],
        tail_key: tuple[int, int, bytes, bytes],
    ) -> str:
        """Return the tags of a span whose attributes are `entries`."""
        head = self._heads.get(scope)
        if head is None:
            name, version = self._origins.scopes[scope][:2]
            if scope in self.cut:
                name, version = name[:_SCOPE_BYTES_SHOWN], version[:_SCOPE_BYTES_SHOWN]
            head = self._heads[scope] = _head(name, version)
        tail = self._tails.get(tail_key)
        if tail is None:
            tail = self._tails[tail_key] = _tail(*tail_key)
        return f"[{','.join([*head, *[entry[1] for entry in entries], *tail])}]"


def _head(name: bytes, version: bytes) -> list[str]:
    tags = []
    if name:
        tags.append(_text_tag("otel.scope.name", _text(name)))
    if version:
        tags.append(_text_tag("otel.scope.version", _text(version)))
    return tags


def _tail(kind: int, status: int, message: bytes, trace_state: bytes) -> list[str]:
    tags = []
    if 0 < kind < len(SPAN_KINDS):
        tags.append(_text_tag("span.kind", SPAN_KINDS[kind]))
    if 0 < status <= _ERROR:
        tags.append(_text_tag("otel.status_code", _STATUS_CODES[status]))
    if status == _ERROR:
        tags.append('{"key":"error","type":"bool","value":true}')
    if message:
        tags.append(_text_tag("otel.status_description", _text(message)))
    if trace_state:
        tags.append(_text_tag("w3c.tracestate", _text(trace_state)))
    return tags


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _each(values: Sequence[bytes], made: Callable[[bytes], str]) -> list[str]:
    """Make a text of each value; equal ones are one text, in memory, too."""
    known = {value: made(value) for value in set(values)}
    return [known[value] for value in values]


def _texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode(errors="replace") for value in values]


def _text_tag(key: str, text: str) -> str:
    return f'{{"key":"{key}","type":"string","value":{json_string(text)}}}'


def _events(
    events: Sequence[tuple[int, bytes, Sequence[Pair], int]], known: _Pairs, *, skeleton: bool
) -> tuple[list[int], list[str]]:
    """Return times and fields of a span's events, by time and then name unless raw."""
    if not known.raw:
        events = sorted(events, key=itemgetter(0, 1))
    times = [event[0] for event in events]
    if skeleton:
        return times, []
    return times, [_fields_json(event[1], known.render(event[2]), known.events) for event in events]


def _fields_json(name: bytes, entries: list[tuple[str, str]], events: dict[bytes, str]) -> str:
    fields = [entry[1] for entry in entries]
    if name and "event" not in map(_by_key, entries):
        tag = events.get(name)
        if tag is None:
            tag = events[name] = _text_tag("event", _text(name))
        fields.insert(0, tag)
    return f"[{','.join(fields)}]"


def _links(links: Sequence[Any], *, raw: bool) -> list[tuple[str, str, bool]]:
    """Return (trace id, span id, is CHILD_OF) of each link, sorted unless raw."""
    shown = [
        (
            trace_id.hex().zfill(32)[-32:],
            span_id.hex().zfill(16)[-16:],
            (_REFERENCE_KEY, _CHILD_OF) in attributes,
        )
        for trace_id, span_id, _, attributes, _, _ in links
    ]
    return shown if raw else sorted(shown)


def with_address(value: bytes) -> bytes:
    """Write a numeric IPv4 address as text. Source: Jaeger v2.20, `ipattribute.go`."""
    try:
        decoded = _AnyValue.FromString(value)
    except DecodeError:  # a text that is not UTF-8, shown as bytes like any other
        return value
    kind = decoded.WhichOneof("value")
    if kind == "int_value":
        number = decoded.int_value
    elif kind == "double_value" and abs(decoded.double_value) < 2**63:
        number = int(decoded.double_value)
    elif kind == "double_value":
        number = 0
    else:
        return value
    address = ".".join(str(byte) for byte in (number % 2**32).to_bytes(4, "big"))
    return bytes(_AnyValue(string_value=address).SerializeToString())


def in_order(columns: SpanColumns, trace_ids: Sequence[str]) -> SpanColumns:
    """Sort by trace as asked for, then start, then span id."""
    rank = {trace_id: place for place, trace_id in enumerate(dict.fromkeys(trace_ids))}
    starts, spans, traces = columns.start_unix_nano, columns.span_id, columns.trace_id
    keys = [*zip([rank[trace] for trace in traces], starts, spans, strict=True)]
    if all(map(le, keys, keys[1:])):
        return columns
    chosen = itemgetter(*sorted(range(len(keys)), key=keys.__getitem__))
    ordered = SpanColumns(process_json=columns.process_json)
    for name in SpanColumns.__slots__:
        if name != "process_json":
            setattr(ordered, name, [*chosen(getattr(columns, name))])
    return ordered
