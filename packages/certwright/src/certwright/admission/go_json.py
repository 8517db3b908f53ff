"""An object as Go's types hold it: read into them and written again.

The original's webhook does this with every object before anything looks at it. So a duration gets
its long form, what is empty goes, what Go always writes comes, and a value of a wrong type is
refused with the words of Go's decoder.

Source: Go encoding/json; cert-manager v1.12.2 pkg/webhook/admission/request_handler.go; answers of
its webhook in `tests/unit/admission/golden/reviews.jsonl`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.resources.crds import schema_of
from certwright.resources.durations import format_duration, parse_duration
from certwright.resources.go_types import GoField, fields_of
from certwright.resources.gotext import quote
from certwright.resources.kinds import Manifest
from certwright.resources.meta import kind_of
from certwright.resources.times import format_time, parse_time

__all__ = ["through_go"]

_NUMBERS: Final = {"int": 63, "int64": 63, "int32": 31, "PortNumber": 31}
"""Type → bits of its largest value."""
_RAW: Final = frozenset({"JSON", "FieldsV1"})
_BETA_TYPES: Final = frozenset(
    {"ParentReference", "Group", "Kind", "Namespace", "ObjectName", "SectionName", "PortNumber"}
)
_METADATA: Final = "ObjectMeta"
_FOREIGN: Final = {"UID": "types.UID"}


def through_go(obj: Manifest) -> Manifest:
    """Return the object as the original would write it after reading it.

    Fields that the CRD served here knows and 1.12 did not are kept as they are.

    Raises:
        InvalidError: A value has a type that its field cannot hold, or is no duration, no time.
    """
    kind = kind_of(obj)
    decoder = _Decoder()
    result = decoder.object(obj, kind.name, schema_of(kind), ())
    if decoder.first_error:
        raise InvalidError(decoder.first_error)
    return result


@dataclass(slots=True)
class _Decoder:
    """Go goes on after a wrong type, and says the first one at the end."""

    first_error: str = ""
    path: list[str] = field(default_factory=list)

    def object(
        self,
        value: Mapping[str, Any],
        type_name: str,
        schema: Mapping[str, Any],
        path: tuple[str, ...],
    ) -> Manifest:
        """Return a struct's fields as Go writes them."""
        fields = fields_of(type_name) or {}
        properties = schema.get("properties", {})
        result: Manifest = {}
        for name, entry in value.items():
            known = fields.get(name)
            inner = properties.get(name, {})
            if known is None:
                if name in properties and entry is not None:
                    result[name] = entry
                continue
            written = self._field(entry, known, inner, _Place(type_name, (*path, name)))
            if written is not None or known.is_always_written:
                result[name] = written
        for name, known in fields.items():
            if name not in result and (known.is_always_written or self._is_struct(known)):
                result[name] = self._zero(known, properties.get(name, {}), (*path, name))
        if type_name == _METADATA:
            result.setdefault("creationTimestamp", None)
        return result

    def _field(
        self, value: Any, known: GoField, schema: Mapping[str, Any], place: _Place
    ) -> Any | None:
        """Return the value to write, None to leave the field out."""
        if value is None:
            if known.is_pointer:
                return None
            empty = known.is_always_written or self._is_struct(known)
            return self._zero(known, schema, place.path) if empty else None
        written = self._value(value, known.type, schema, place)
        if written is None:  # of a wrong type
            return None
        is_struct = fields_of(known.type) is not None
        if known.is_pointer or known.is_always_written or is_struct or known.type in _RAW:
            return written
        return written or None

    def _value(self, value: Any, kind: str, schema: Mapping[str, Any], place: _Place) -> Any:
        match kind:
            case "JSON" | "FieldsV1":
                return value
            case "[]byte":
                return self._octets(value, place)
            case "Duration" | "Time":
                return self._own_form(value, kind, place)
            case _ if kind.startswith("[]"):
                return self._list(value, kind, schema, place)
            case _ if kind.startswith("map["):
                return self._map(value, kind, place)
            case _ if kind in _NUMBERS:
                return self._number(value, kind, place)
            case _ if fields_of(kind) is not None and isinstance(value, dict):
                return self.object(value, kind, schema, place.path)
            case _:
                is_struct = fields_of(kind) is not None
                held = () if is_struct else bool if kind == "bool" else str
                return value if isinstance(value, held) else self._wrong(value, kind, place)

    def _list(self, value: Any, kind: str, schema: Mapping[str, Any], place: _Place) -> Any:
        if not isinstance(value, list):
            return self._wrong(value, kind, place)
        entry = GoField(kind.removeprefix("[]"), is_always_written=True, is_pointer=False)
        inner = schema.get("items", {})
        return [self._field(item, entry, inner, place) for item in value]

    def _map(self, value: Any, kind: str, place: _Place) -> Any:
        if not isinstance(value, dict):
            return self._wrong(value, kind, place)
        entry = GoField(kind.split("]", 1)[1], is_always_written=True, is_pointer=False)
        return {name: self._field(item, entry, {}, place) for name, item in value.items()}

    def _octets(self, value: Any, place: _Place) -> Any:
        if not isinstance(value, str):
            return self._wrong(value, "[]uint8", place)
        text = value.replace("\n", "").replace("\r", "")
        try:
            return base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
        except (binascii.Error, ValueError):
            self._save(f"illegal base64 data at input byte {_base64_length(text)}")
            return None

    def _own_form(self, value: Any, kind: str, place: _Place) -> Any:
        """Return a duration or an instant; Go stops at the first that is none."""
        if not isinstance(value, str):
            self._wrong(value, "string", place)
            raise InvalidError(self.first_error)
        if kind == "Duration":
            return format_duration(parse_duration(value))
        try:
            return format_time(parse_time(value))
        except InvalidError:
            shown = quote(value)
            text = f'parsing time {shown} as "2006-01-02T15:04:05Z07:00": cannot parse {shown}'
            raise InvalidError(f'{text} as "2006"') from None

    def _number(self, value: Any, kind: str, place: _Place) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._wrong(value, kind, place)
        limit = 1 << _NUMBERS[kind]
        if isinstance(value, float) or not -limit <= value < limit:
            return self._wrong(value, kind, place, shown=f"number {value}")
        return value

    def _is_struct(self, known: GoField) -> bool:
        return not known.is_pointer and fields_of(known.type) is not None

    def _zero(self, known: GoField, schema: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        if fields_of(known.type) is not None:
            return self.object({}, known.type, schema, path)
        if known.type.startswith(("[]", "map[")) or known.type == "Time":
            return None
        return False if known.type == "bool" else 0 if known.type in _NUMBERS else ""

    def _wrong(self, value: Any, kind: str, place: _Place, *, shown: str = "") -> None:
        where = f"{place.struct}.{'.'.join(place.path)}"
        found = shown or _json_type(value)
        text = f"json: cannot unmarshal {found} into Go struct field {where}"
        self._save(f"{text} of type {_go_name(kind)}")

    def _save(self, text: str) -> None:
        self.first_error = self.first_error or text


@dataclass(frozen=True, slots=True)
class _Place:
    """Where Go says that it is: the innermost type, and the fields from the top; no positions."""

    struct: str
    path: tuple[str, ...]


def _go_name(kind: str) -> str:
    """Return what Go prints for a type: with its package, if it has one."""
    prefix = ""
    while kind.startswith(("[]", "map[string]")):
        cut = 2 if kind.startswith("[]") else len("map[string]")
        prefix, kind = prefix + kind[:cut], kind[cut:]
    if kind in _FOREIGN:
        return prefix + _FOREIGN[kind]
    if kind[0].islower():
        return prefix + kind
    return f"{prefix}{'v1beta1' if kind in _BETA_TYPES else 'v1'}.{kind}"


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _base64_length(text: str) -> int:
    """Return how many characters are read before the first that is wrong."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for position, character in enumerate(text):
        if character not in alphabet:
            return position
    return len(text) - len(text) % 4 if len(text) % 4 else len(text)
