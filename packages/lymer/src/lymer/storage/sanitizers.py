"""The sanitizers: every repair of a span on its way in, in the order they are applied.

A table of contents, once for both stores. A repair at the door has been made before a segment was
written. The others are made while one is loaded: the engine by the expressions here, from which its
load statement is put together, with no code for each span; the store in memory by the functions.
The storage kit (`tests/contract/storage/test_sanitizers.py`) holds them to the same result.

Source: Jaeger v2.20, `internal/jptrace/sanitizer` (rules, texts, order); reference jaeger.md 2.10.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from lymer.wire.go_text import instant_text

__all__ = [
    "NAME_CHARACTERS_MAX",
    "SANITIZERS",
    "SERVICE_CHARACTERS_MAX",
    "SPAN_ID_BYTES",
    "TRACE_ID_BYTES",
    "Draft",
    "Sanitizer",
    "stored_id",
    "stored_name",
    "stored_service",
]

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
SERVICE_CHARACTERS_MAX: Final = 1_024
"""Of a service's name. It stands once in a resource and in each row that is read of its spans, so a
name of 1 MB on a thousand spans would fill the memory of every question about them."""

NAME_CHARACTERS_MAX: Final = 1_024
"""Of a span's name. Names are held in memory, each once (completion, the list of operations), and
stand in every row of a question about spans."""

_WHOLE_NAME: Final = f"span name has more than {NAME_CHARACTERS_MAX} characters, whole it is: "


@dataclass(slots=True)
class Draft:
    """A span as it was sent, while it is repaired."""

    service_value: AnyValue | None
    """The first resource attribute `service.name`."""
    service: str
    """What the span's service is called, as far as is known."""
    name: str
    start: int
    end: int
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Sanitizer:
    """One repair."""

    name: str
    does: str
    """What is wrong, and what is stored instead."""
    repair: Callable[[Draft], None] | None
    """The repair, for one span; None if it was made at the door."""
    column: str = ""
    """The column that is repaired, one of those in braces in `load.sql`."""
    when: str = ""
    """When it is wrong: a condition on the names of `load.sql`."""
    becomes: str = ""
    """What is stored then."""
    warning: str = ""
    """The text that is left on the span then; none if empty."""
    warns_when: str = ""
    """When it is left, if not only then."""


def _service_missing(draft: Draft) -> None:
    if draft.service_value is None:
        draft.service = "missing-service-name"


def _service_wrong_type(draft: Draft) -> None:
    value = draft.service_value
    if value is not None and value.WhichOneof("value") != "string_value":
        draft.service = "service-name-wrong-type"


def _service_empty(draft: Draft) -> None:
    value = draft.service_value
    if value is not None and value.WhichOneof("value") == "string_value" and not draft.service:
        draft.service = "empty-service-name"


def stored_service(name: str) -> str:
    """Return the name a service has in the store: one that is too long ends with an ellipsis."""
    return _shortened(name, SERVICE_CHARACTERS_MAX)


def stored_name(name: str) -> str:
    """Return the name a span has in the store: one that is too long ends with an ellipsis."""
    return _shortened(name, NAME_CHARACTERS_MAX)


def _shortened(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else f"{text[: characters_max - 1]}…"


def _service_long(draft: Draft) -> None:
    draft.service = stored_service(draft.service)


def _name_empty(draft: Draft) -> None:
    draft.name = draft.name or "empty-span-name"


def _name_long(draft: Draft) -> None:
    stored = stored_name(draft.name)
    if stored != draft.name:
        draft.warnings.append(f"{_WHOLE_NAME}{draft.name}")
        draft.name = stored


def _negative_duration(draft: Draft) -> None:
    if draft.end <= draft.start:
        draft.warnings.append(
            "Negative duration detected, sanitizing end timestamp. Original end timestamp: "
            f"{instant_text(draft.end)}, adjusted to: {instant_text(draft.start + 1)}"
        )
        draft.end = draft.start + 1


def stored_id(sent: bytes, size: int) -> bytes:
    """Return the id of `size` bytes: filled with zeros on the left, or the last ones of more."""
    return sent[-size:].rjust(size, b"\0")


def _warned_id(what: str, sent: bytes, size: int, draft: Draft) -> bytes:
    stored = stored_id(sent, size)
    if not any(stored):
        draft.warnings.append(f"{what} is empty")
    elif len(sent) != size:
        draft.warnings.append(f"{what} has {len(sent)} bytes, stored as {stored.hex()}")
    return stored


def _trace_id(draft: Draft) -> None:
    draft.trace_id = _warned_id("trace ID", draft.trace_id, TRACE_ID_BYTES, draft)


def _span_id(draft: Draft) -> None:
    draft.span_id = _warned_id("span ID", draft.span_id, SPAN_ID_BYTES, draft)


def _parent_span_id(draft: Draft) -> None:
    sent = draft.parent_span_id
    draft.parent_span_id = stored = stored_id(sent, SPAN_ID_BYTES)
    if len(sent) not in {0, SPAN_ID_BYTES}:
        draft.warnings.append(f"parent span ID has {len(sent)} bytes, stored as {stored.hex()}")


def _go_time(unix_nano: str) -> str:
    """Return the expression for Go's `time.Time.String()` in UTC of a UInt64 of nanoseconds."""
    instant = f"fromUnixTimestamp64Nano(reinterpretAsInt64({unix_nano}), 'UTC')"
    return f"concat(replaceRegexpOne(toString({instant}), '\\\\.?0+$', ''), ' +0000 UTC')"


def _first(sent: str, characters_max: int) -> str:
    return f"concat(substringUTF8({sent}, 1, {characters_max - 1}), '…')"


_LONG_NAME: Final = (
    # Of nearly all names the number of bytes, which costs nothing, says enough.
    f"length(sp.name) > {NAME_CHARACTERS_MAX} AND lengthUTF8(sp.name) > {NAME_CHARACTERS_MAX}"
)


def _padded(sent: str, size: int) -> str:
    zeros = r"\0" * size
    return f"right(concat('{zeros}', {sent}), {size})"


def _length_warning(what: str, sent: str, stored: str) -> str:
    return (
        f"concat('{what} has ', toString(length({sent})), ' bytes, stored as ', "
        f"lower(hex({stored})))"
    )


def _id_warning(what: str, sent: str, stored: str, size: int) -> str:
    return (
        f"if({stored} = toFixedString('', {size}), '{what} is empty', "
        f"{_length_warning(what, sent, stored)})"
    )


SANITIZERS: Final = (
    Sanitizer(
        name="missing service name",
        does="no resource attribute service.name: the service is missing-service-name",
        repair=_service_missing,
        column="service",
        when="NOT mapContains(rs.resource.attributes, 'service.name')",
        becomes="'missing-service-name'",
    ),
    Sanitizer(
        name="service name of the wrong type",
        does="service.name is no text: the service is service-name-wrong-type",
        repair=_service_wrong_type,
        column="service",
        when=r"substring(service_value, 1, 1) != '\n'",
        becomes="'service-name-wrong-type'",
    ),
    Sanitizer(
        name="empty service name",
        does="service.name is an empty text: the service is empty-service-name",
        repair=_service_empty,
        column="service",
        when="length(service_value) <= 2",
        becomes="'empty-service-name'",
    ),
    # Ours: Jaeger has no limit.
    Sanitizer(
        name="service name that is too long",
        does="its first 1,023 characters and an ellipsis; the resource keeps it whole",
        repair=_service_long,
        column="service",
        when=f"lengthUTF8(service_text) > {SERVICE_CHARACTERS_MAX}",
        becomes=_first("service_text", SERVICE_CHARACTERS_MAX),
    ),
    Sanitizer(
        name="empty span name",
        does="no name: it is empty-span-name",
        repair=_name_empty,
        column="name",
        when="sp.name = ''",
        becomes="'empty-span-name'",
    ),
    # Ours: Jaeger has no limit.
    Sanitizer(
        name="span name that is too long",
        does="its first 1,023 characters and an ellipsis; a warning has it whole",
        repair=_name_long,
        column="name",
        when=_LONG_NAME,
        becomes=_first("sp.name", NAME_CHARACTERS_MAX),
        warning=f"concat('{_WHOLE_NAME}', sp.name)",
    ),
    Sanitizer(
        name="invalid UTF-8",
        does=(
            "a text that is not UTF-8: a value is kept as bytes, a key becomes invalid-tag-key-N "
            "with the bytes key:value, a span's name invalid-span-name with its bytes in an "
            "attribute, likewise other texts (wire/otlp_text.py, at the door)"
        ),
        repair=None,
    ),
    Sanitizer(
        name="negative duration",
        does="an end at or before the start: it is one nanosecond after it, with a warning",
        repair=_negative_duration,
        column="duration",
        when="sp.end_time_unix_nano <= sp.start_time_unix_nano",
        becomes="1",
        warning=(
            "concat('Negative duration detected, sanitizing end timestamp. Original end "
            f"timestamp: ', {_go_time('sp.end_time_unix_nano')}, ', adjusted to: ', "
            f"{_go_time('sp.start_time_unix_nano + 1')})"
        ),
    ),
    # Ours, behind Jaeger's: the table has ids of one length.
    Sanitizer(
        name="trace id of another length",
        does="zeros on the left, or the last 16 bytes, with a warning; also if it is empty",
        repair=_trace_id,
        column="trace",
        when="length(sp.trace_id) != 16",
        becomes=_padded("sp.trace_id", TRACE_ID_BYTES),
        warning=_id_warning("trace ID", "sp.trace_id", "trace", TRACE_ID_BYTES),
        warns_when="length(sp.trace_id) != 16 OR trace = toFixedString('', 16)",
    ),
    Sanitizer(
        name="span id of another length",
        does="zeros on the left, or the last 8 bytes, with a warning; also if it is empty",
        repair=_span_id,
        column="span",
        when="length(sp.span_id) != 8",
        becomes=_padded("sp.span_id", SPAN_ID_BYTES),
        warning=_id_warning("span ID", "sp.span_id", "span", SPAN_ID_BYTES),
        warns_when="length(sp.span_id) != 8 OR span = toFixedString('', 8)",
    ),
    Sanitizer(
        name="parent span id of another length",
        does="zeros on the left, or the last 8 bytes, with a warning; none at all is a root's",
        repair=_parent_span_id,
        column="parent",
        when="length(sp.parent_span_id) NOT IN (0, 8)",
        becomes=_padded("sp.parent_span_id", SPAN_ID_BYTES),
        warning=_length_warning("parent span ID", "sp.parent_span_id", "parent"),
    ),
)
"""All of them, in order."""
