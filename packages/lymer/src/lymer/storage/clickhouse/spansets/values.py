"""Values of spans as SQL: where a value lies, which types it can have, how its bytes are read.

An attribute is stored as the bytes of its AnyValue, so its type is known only when it is read: an
expression is a set of alternatives, at most one of which is true of a row. Nothing here is NULL.

Source: OTLP `common.proto`, AnyValue: string 1, bool 2, int 3, double 4, array 5, pairs 6, bytes 7.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.common.v1 import common_pb2

from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.select import Query, is_any_of
from lymer.storage.clickhouse.span_columns import CAST_RESOURCE, CAST_SCOPE

__all__ = [
    "ARRAY",
    "NOTHING",
    "NUMBERS",
    "Names",
    "Typed",
    "compared_bytes",
    "elements",
    "encoded",
    "joined_all",
    "joined_any",
    "literal",
    "raw_typed",
    "shown",
]

NUMBERS: Final = ("int", "float", "duration", "time")
"""Types that compare by value; all but `float` are whole, and exact."""
ARRAY: Final = r"'\x2a'"
_STRING: Final = r"'\x0a'"
_BOOL: Final = r"'\x10'"
_INT: Final = r"'\x18'"
_DOUBLE: Final = r"'\x21'"
NOTHING: Final = "''"
"""What nobody says."""
_ORIGINS_WRITTEN_MAX: Final = 128
_ALIAS: Final = re.compile(r"\bv\d+\b")
_AnyValue: Any = common_pb2.AnyValue


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression: for each type it can have, when it has it (empty: always) and its value."""

    alternatives: dict[str, tuple[str, str]]
    raw: str = ""
    """Where it is an attribute: its AnyValue's bytes, empty if it is absent."""

    def guard(self, types: Iterable[str]) -> str:
        """Return the condition that it has one of these types."""
        return joined_any(self.alternatives[one][0] or "1" for one in types)


@dataclass(slots=True)
class Names:
    """Names of expressions in one statement: each is written and computed once."""

    query: Query
    catalog: Catalog | None = None
    """Knows what resources and scopes say; None: the tables are asked."""
    array_free: frozenset[str] = frozenset()
    """Keys of attributes of spans under which there is no array."""
    flagged: set[str] = field(default_factory=set)
    """Keys under which there may be one, as far as they were asked about."""
    _keys: dict[str, tuple[str, bool]] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)
    _parameters: dict[tuple[str, object], str] = field(default_factory=dict)

    def name(self, text: str) -> str:
        """Give an expression of a row a name."""
        return self._texts.setdefault(text, f"v{len(self._texts)}")

    def clause(self, *parts: str) -> str:
        """Return the WITH clause for parts of a statement, with what they need."""
        texts = {name: text for text, name in self._texts.items()}
        needed: set[str] = set()
        waiting = [name for part in parts for name in _ALIAS.findall(part)]
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(_ALIAS.findall(texts[name]))
        if not needed:
            return ""
        defined = ",\n    ".join(
            f"{text} AS {name}" for name, text in texts.items() if name in needed
        )
        return f"WITH\n    {defined}\n"

    def text(self, value: str) -> str:
        """Return the place of a text parameter."""
        return self._once("text", value, lambda: self.query.text(value))

    def blob(self, value: bytes) -> str:
        """Return the place of a bytes parameter."""
        return self._once("blob", value, lambda: self.query.blob(value))

    def whole(self, value: int) -> str:
        """Return the place of an Int64 parameter."""
        place = self._once("int", value, lambda: self.query.number(value))
        return place.replace("UInt64", "Int64")

    def fraction(self, value: float) -> str:
        """Return the place of a Float64 parameter."""
        place = self._once("float", repr(value), lambda: self.query.text(repr(value)))
        return place.replace("String", "Float64")

    def _once(self, kind: str, value: object, make: Any) -> str:
        if (kind, value) not in self._parameters:
            self._parameters[kind, value] = make()
        return self._parameters[kind, value]

    # ------------------------------------------------------------------ where values lie

    def of_span(self, key: str) -> str:
        """Return the AnyValue of an attribute of the span."""
        raw = self.name(f"attrs[{self.text(key)}]")
        self._keys[raw] = (key, False)
        return raw

    def may_be_array(self, raw: str) -> bool:
        """Tell whether an AnyValue may be an array, and remember that it was asked."""
        key, is_sure = self._keys.get(raw, ("", True))
        if not is_sure and key in self.array_free:
            return False
        if not is_sure:
            self.flagged.add(key)
        return True

    def of_resource(self, key: str) -> str:
        """Return the AnyValue of an attribute of the resource."""
        if key == "service.name":
            # The column is what the store knows the service by, whatever was sent.
            size = "length(service)"
            head = f"if({size} < 128, char({size}), char(128 + {size} % 128, intDiv({size}, 128)))"
            return self.name(rf"concat('\x0a', {head}, toString(service))")
        return self._of_origin(
            "resource", f"tupleElement({CAST_RESOURCE}, 1)[{{key}}]", "attributes", key
        )

    def of_scope(self, key: str) -> str:
        """Return the AnyValue of an attribute of the instrumentation scope."""
        return self._of_origin(
            "scope", f"tupleElement({CAST_SCOPE}, 3)[{{key}}]", "attributes", key
        )

    def field_of_scope(self, name: str) -> str:
        """Return `name`, `version` or `schema_url` of the instrumentation scope."""
        return self._of_origin("scope", f"tupleElement({CAST_SCOPE}, '{name}')", name, "")

    def field_of_resource(self, name: str) -> str:
        """Return `schema_url` of the resource."""
        return self._of_origin("resource", f"tupleElement({CAST_RESOURCE}, '{name}')", name, "")

    def anywhere(self, key: str) -> str:
        """Return the AnyValue of an attribute of the span, else of its resource."""
        own, shared = self.of_span(key), self.of_resource(key)
        if shared == NOTHING:
            return own
        known = self._known("resource", "attributes", key)
        raw = self.name(f"if({own} != '', {own}, {shared})")
        may = known is None or any(value.startswith(b"\x2a") for value in known.values())
        self._keys[raw] = (key, may)
        return raw

    def origins_with(self, column: str, key: str, value: bytes) -> str:
        """Return the condition that the resource (or scope) has the attribute; empty: not known."""
        known = self._known(column, "attributes", key)
        if known is None:
            return ""
        numbers = [number for number, one in known.items() if one == value]
        return is_any_of(self.query, f"cityHash64({column})", numbers) if numbers else "0"

    def _of_origin(self, column: str, said: str, what: str, key: str) -> str:
        """Look up what resources (or scopes) say.

        They are few and have a number each. What the catalog knows is written into the statement;
        of many, the engine makes the same small table itself.
        """
        known = self._known(column, what, key)
        if known is not None and not known:
            return NOTHING
        if known is not None and len(known) <= _ORIGINS_WRITTEN_MAX:
            numbers = ", ".join(map(str, known))
            values = self._array(list(known.values()))
            return self.name(f"transform(cityHash64({column}), [{numbers}], {values}, '')")
        said = said.replace("{key}", self.text(key))
        table = self.name(
            f"(SELECT (groupArray(number), groupArray(said)) FROM (SELECT cityHash64({column}) "
            f"AS number, any({said}) AS said FROM {{db}}.origins GROUP BY number "
            "HAVING said != ''))"
        )
        return self.name(f"transform(cityHash64({column}), {table}.1, {table}.2, '')")

    def _array(self, values: Sequence[bytes]) -> str:
        """Return an array as one parameter; with one for each, planning takes three times as long.

        What stands between the values occurs in none of them, nor where two of them meet.
        """
        between = b"\xff\xfe"
        while between.join(values).split(between) != values:
            between += b"\xff\xfe"
        return f"splitByString({literal(between)}, {self.blob(between.join(values))})"

    def _known(self, column: str, what: str, key: str) -> Mapping[int, bytes] | None:
        if self.catalog is None or what == "schema_url":
            return None
        if column == "resource":
            return self.catalog.said_by_resources(key.encode())
        if what == "attributes":
            return self.catalog.said_by_scopes(key.encode())
        return (
            self.catalog.names_of_scopes() if what == "name" else self.catalog.versions_of_scopes()
        )


def literal(value: bytes) -> str:
    """Return bytes that no user wrote as a literal."""
    return "'\\x" + value.hex(":").replace(":", "\\x") + "'"


def raw_typed(names: Names | None, raw: str) -> Typed:
    """Return the alternatives of an AnyValue.

    Args:
        names: Where to name the parts; None inside of a lambda, where nothing has a name.
        raw: A short expression of its bytes.
    """

    def named(text: str) -> str:
        return names.name(text) if names is not None else text

    tag = named(f"substring({raw}, 1, 1)")
    return Typed(
        {
            "string": (f"{tag} = {_STRING}", named(_string(raw))),
            "bool": (f"{tag} = {_BOOL}", rf"({raw} = '\x10\x01')"),
            "int": (f"{tag} = {_INT}", named(_int(raw))),
            "float": (f"{tag} = {_DOUBLE}", named(f"reinterpretAsFloat64(substring({raw}, 2, 8))")),
        },
        raw,
    )


def _string(raw: str) -> str:
    size = f"length({raw})"
    return (
        f"substring({raw}, multiIf({size} <= 129, 3, {size} <= 16386, 4, {size} <= 2097155, 5, 6))"
    )


def _int(raw: str) -> str:
    """Read a varint of up to ten bytes: seven bits of each are moved together, pair by pair.

    A lambda gives the steps a name: the engine writes a name of a statement out wherever it stands,
    and what is written out takes it longer to plan than to compute.
    """
    text = f"reinterpretAsUInt64(substring({raw}, 2, 8))"
    for low, high, shift in (
        (0x007F007F007F007F, 0x7F007F007F007F00, 1),
        (0x00003FFF00003FFF, 0x3FFF00003FFF0000, 2),
        (0x000000000FFFFFFF, 0x0FFFFFFF00000000, 4),
    ):
        moved = f"bitOr(bitAnd(y, {low}), bitShiftRight(bitAnd(y, {high}), {shift}))"
        text = f"arrayMap(y -> {moved}, [{text}])[1]"
    last = (
        "arrayMap(z -> bitShiftLeft(toUInt64(bitAnd(z, 127)), 56) + "
        "bitShiftLeft(toUInt64(bitAnd(bitShiftRight(z, 8), 1)), 63), "
        f"[reinterpretAsUInt16(substring({raw}, 10, 2))])[1]"
    )
    return f"reinterpretAsInt64({text} + {last})"


def elements(raw: str) -> str:
    """Return the AnyValues in an array's bytes; of anything else, none."""
    long = "bitAnd(s, 128) != 0"
    longer = "bitAnd(s, 32896) = 32896"
    head = f"(2 + ({long}) + ({longer}))"
    size = (
        f"(bitAnd(s, 127) + ({long}) * bitAnd(bitShiftRight(s, 1), 16256) "
        f"+ ({longer}) * bitAnd(bitShiftRight(s, 2), 2080768))"
    )
    begin = f"multiIf(length({raw}) <= 129, 3, length({raw}) <= 16386, 4, 5)"
    one = f"(a + {head} + {size}, arrayPushBack(o, substring({raw}, a + {head}, {size})))"
    return (
        "tupleElement(arrayFold((acc, i) -> arrayMap((a, o, s) -> "
        f"if(a > length({raw}), (a, o), {one}), [acc.1], [acc.2], "
        f"[toUInt64(reinterpretAsUInt32(substring({raw}, acc.1 + 1, 3)))])[1], "
        f"range(if(startsWith({raw}, {ARRAY}), countSubstrings({raw}, {_STRING}), 0)), "
        f"(toUInt64({begin}), CAST([], 'Array(String)'))), 2)"
    )


def compared_bytes(raw: str, operator: str, value: bool | float | str, blob: Any) -> str:  # noqa: FBT001
    """Return the comparison of an AnyValue with a value, without decoding it where that can be.

    Args:
        raw: Its bytes; a short expression.
        operator: `= != < <= > >=`.
        value: Of any type; whole numbers of 64 bits.
        blob: Makes bytes a parameter.
    """
    match value:
        case bool():
            wanted = value if operator == "=" else not value
            return f"{raw} = {blob(encoded(wanted))}"
        case str() if operator == "=":
            return f"{raw} = {blob(encoded(value))}"
        case str() if operator == "!=":
            return f"(startsWith({raw}, {_STRING}) AND {raw} != {blob(encoded(value))})"
        case str():
            return (
                f"(startsWith({raw}, {_STRING}) AND {_string(raw)} {operator} {_text(value, blob)})"
            )
        case _:
            return _compared_number(raw, operator, value, blob)


def _text(value: str, blob: Any) -> str:
    return str(blob(value.encode()))


def _compared_number(raw: str, operator: str, value: float, blob: Any) -> str:
    """Whole numbers of one sign stand in the order of (number of bytes, bytes from behind)."""
    whole = _nearest_whole(operator, value)
    if operator in {"=", "!="}:
        same = [] if whole is None else [blob(encoded(whole))]
        same += [blob(encoded(float(one))) for one in _same_fractions(value)]
        one_of = f"{raw} IN ({', '.join(same)})" if same else "0"
        if operator == "=":
            return one_of
        return f"(substring({raw}, 1, 1) IN ({_INT}, {_DOUBLE}) AND NOT {one_of})"
    fraction = f"reinterpretAsFloat64(substring({raw}, 2, 8)) {operator} {_number(value)}"
    parts = [f"(startsWith({raw}, {_DOUBLE}) AND {fraction})"]
    if isinstance(whole, int):
        size = f"length({raw})"
        rank = f"concat(char(if({size} = 11, 0, {size})), reverse({raw}))"
        limit = encoded(whole)
        bound = bytes([0 if len(limit) == 11 else len(limit)]) + limit[::-1]
        parts.append(f"(startsWith({raw}, {_INT}) AND {rank} {operator} {blob(bound)})")
    elif (operator in {"<", "<="}) == (value > 0):
        parts.append(f"startsWith({raw}, {_INT})")
    return f"({' OR '.join(parts)})"


def _number(value: float) -> str:
    return f"toInt64({value})" if isinstance(value, int) else f"toFloat64('{value!r}')"


def _nearest_whole(operator: str, value: float) -> int | None:
    """Return the whole number that whole numbers compare with as they do with `value`."""
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if not math.isfinite(value) or not -(2**63) <= value < 2**63:
        return None
    if operator in {"=", "!="}:
        return int(value) if value == int(value) else None
    return math.floor(value) if operator in {">", "<="} else math.ceil(value)


def _same_fractions(value: float) -> list[float]:
    """Return the fractions that equal a number; both zeros do."""
    if value == 0:
        return [0.0, -0.0]
    try:
        same = float(value)
    except OverflowError:
        return []
    return [same] if same == value else []


def shown(value: Typed) -> str:
    """Return a text that says type and value, for `answers.value_of`; empty where it is absent."""
    if value.raw:
        return f"if({value.raw} = '', '', concat('a', {value.raw}))"
    cases = [
        f"{guard or '1'}, concat('{_LETTERS[kind]}', toString({text}))"
        for kind, (guard, text) in value.alternatives.items()
    ]
    return f"multiIf({', '.join(cases)}, '')" if cases else "''"


_LETTERS: Final = {
    "string": "s",
    "bool": "b",
    "int": "i",
    "float": "f",
    "duration": "d",
    "time": "t",
    "status": "S",
    "kind": "K",
}


def encoded(value: bool | float | str) -> bytes:  # noqa: FBT001 - a value of any type
    """Return the AnyValue of a value as every library encodes it."""
    match value:
        case bool():
            message = _AnyValue(bool_value=value)
        case int():
            message = _AnyValue(int_value=value)
        case float():
            message = _AnyValue(double_value=value)
        case _:
            message = _AnyValue(string_value=value)
    return bytes(message.SerializeToString())


def joined_all(conditions: Iterable[str]) -> str:
    """Join conditions by AND; of none, true."""
    return _joined([one for one in conditions if one != "1"], "AND", "0", "1")


def joined_any(conditions: Iterable[str]) -> str:
    """Join conditions by OR; of none, false."""
    return _joined([one for one in conditions if one != "0"], "OR", "1", "0")


def _joined(conditions: Sequence[str], word: str, decided: str, nothing: str) -> str:
    if decided in conditions:
        return decided
    if not conditions:
        return nothing
    once = list(dict.fromkeys(conditions))
    return once[0] if len(once) == 1 else f"({f' {word} '.join(once)})"
