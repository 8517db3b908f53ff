"""Completion: which attributes spans have, and which values."""

from __future__ import annotations

from typing import Final

from lymer.language import tree
from lymer.language.operands import PlaceError
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.spansets.asking import Asking, LateError
from lymer.storage.clickhouse.spansets.plan import Plan
from lymer.storage.clickhouse.spansets.search import typed_value
from lymer.storage.clickhouse.spansets.walk import value_of
from lymer.storage.clickhouse.statements import statement
from lymer.storage.search_contract import FieldName, FieldQuestion, FieldValue

__all__ = ["SPANS_LOOKED_AT", "find_names", "find_values"]

SPANS_LOOKED_AT: Final = 10_000
"""Newest matching spans that completion looks at: it must answer between two keys typed."""
_TAGS: Final[dict[bytes, tree.Type]] = {
    b"\x0a": "string",
    b"\x10": "bool",
    b"\x18": "int",
    b"\x21": "float",
}
_OF_ROOT: Final[dict[str, tree.Field]] = {
    "trace:rootName": tree.Intrinsic("span:name"),
    "trace:rootService": tree.Attribute("service.name", "resource"),
}
_ROOTS: Final = "parent_span_id = toFixedString('', 8)"


def find_names(asking: Asking, catalog: Catalog, question: FieldQuestion) -> list[FieldName]:
    """See `SpanReader.get_field_names`."""
    try:
        asking.check_patterns()
        plan = _plan(catalog, question)
        where = _where(plan, question)
        text = statement("spansets_names", spans_max=SPANS_LOOKED_AT, values_max=question.limit)
        text = text.replace("{with}", plan.names.clause(where)).replace("{where}", where)
        rows = zip(*asking.rows(plan, text, 3), strict=True)
        found = [FieldName("span", _text(key), _TAGS.get(tag, "any"), n) for key, tag, n in rows]
    except LateError:
        found = []
    for scope, keys in catalog.keys().items():
        known = sorted(_text(key) for key in keys)
        found += [FieldName(scope, key, "any", 0) for key in known[: question.limit]]
    return found


def find_values(asking: Asking, catalog: Catalog, question: FieldQuestion) -> list[FieldValue]:
    """See `SpanReader.get_field_values`."""
    field = question.field
    if field is None or (isinstance(field, tree.Attribute) and field.of_parent):
        return []
    asking.check_patterns()
    plan = _plan(catalog, question)
    where = _where(plan, question)
    if isinstance(field, tree.Intrinsic) and field.name in _OF_ROOT:
        field, where = _OF_ROOT[field.name], f"{where} AND {_ROOTS}"
    said = plan.said(field)
    if said is None:
        return []
    text = statement("spansets_values", spans_max=SPANS_LOOKED_AT, values_max=question.limit)
    text = text.replace("{with}", plan.names.clause(where, said))
    text = text.replace("{said}", said).replace("{where}", where)
    try:
        rows = list(zip(*asking.rows(plan, text, 2), strict=True))
    except LateError:
        return []
    return [FieldValue(typed_value(value_of(said)), count) for said, count in rows]


def _plan(catalog: Catalog, question: FieldQuestion) -> Plan:
    try:
        return Plan(tree.Filter(question.condition), catalog)
    except PlaceError:
        return Plan(tree.Filter(), catalog)


def _where(plan: Plan, question: FieldQuestion) -> str:
    low = plan.names.whole(max(question.start_unix_nano_min, 0))
    high = plan.names.whole(max(question.start_unix_nano_max, 0))
    span = "" if plan.needs.span == "1" else f" AND {plan.needs.span}"
    return f"start BETWEEN {low} AND {high}{span}"


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
