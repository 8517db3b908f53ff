"""Which spans of a trace a text occurs in, as a condition. Values are parameters, always.

The engine compares texts. What is no text (numbers, lists) is written as text here, each distinct
value once, and only if it can hold what is looked for; the engine then looks for its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from lymer.model.find_terms import FindTerms
from lymer.model.question import SPAN_KINDS
from lymer.storage.clickhouse.select import Query, is_any_of
from lymer.wire.jaeger_json import any_value_text
from lymer.wire.span_rows import ADDRESS_KEYS, WARNINGS_KEY, Origins, with_address

__all__ = ["find_condition", "find_named"]

_STRING: Final = "startsWith(v, '\\n')"
_TEXT: Final = (
    "substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))"
)
"""The content of an AnyValue that is a string."""
_OTHERS: Final = """
SELECT {mark}, groupUniqArray(cityHash64(resource)), groupUniqArray(cityHash64(scope)),
    groupUniqArrayArray(arrayMap(p -> (cityHash64(p.1, p.2), p.1, p.2), arrayFilter(p ->
        NOT startsWith(p.2, '\\n') AND NOT has([{skipped}], substring(p.2, 1, 1)),
        arrayConcat(CAST(attrs, 'Array(Tuple(String, String))'),
            arrayFlatten(arrayMap(e -> CAST(e.attributes, 'Array(Tuple(String, String))'), events))
        ))))
FROM {db}.spans
WHERE {where}
"""
_BOOL, _INT, _DOUBLE = b"\x10", b"\x18", b"\x21"
_IN_NUMBERS: Final = frozenset("0123456789.e+-infa")

Ask = Callable[[str, int], list[list[Any]]]


def find_condition(
    query: Query,
    terms: FindTerms,
    ask: Ask,
    origins_of: Callable[[Iterable[int], Iterable[int]], Origins],
) -> str:
    """Return the condition on spans of which a tag, a log field or a process tag matches.

    Args:
        query: Gets the parameters.
        terms: What to look for.
        ask: Answers a statement about the trace, `{where}` in it, with columns.
        origins_of: Reads what resources and scopes say, by the hashes of their texts.
    """
    skipped = ", ".join(f"unhex('{one.hex()}')" for one in _hopeless(terms.include))
    answer = ask(_OTHERS.replace("{skipped}", skipped), 3)
    if not answer[0]:
        return "0"  # a tenant that has no store
    ((resources,), (scopes,), (others,)) = answer
    origins = origins_of(resources, scopes)
    hashes = [number for number, key, value in others if _meets(terms, key, value)]
    pair = _pair(query, terms, hashes)
    name = f"NOT mapContains(e.attributes, 'event') AND {_text(query, terms, 'event', 'e.name')}"
    in_event = f"arrayExists((k, v) -> {pair}, mapKeys(e.attributes), mapValues(e.attributes))"
    conditions = [
        f"arrayExists((k, v) -> {pair}, mapKeys(attrs), mapValues(attrs))",
        f"arrayExists(e -> ({name}) OR {in_event}, events)",
        _text(query, terms, "otel.status_description", "status_message"),
        _text(query, terms, "w3c.tracestate", "trace_state"),
        _numbers(query, "kind", (k for k in range(1, 6) if terms.meet("span.kind", SPAN_KINDS[k]))),
        _numbers(query, "status", _statuses(terms)),
        _numbers(
            query,
            "cityHash64(resource)",
            (
                number
                for number in resources
                if any(
                    _meets(terms, key, value)
                    for key, value in origins.resources[number]
                    if key != b"service.name"  # the name of the process, and shown as such
                )
            ),
        ),
        _numbers(
            query,
            "cityHash64(scope)",
            (one for one in scopes if _is_scope(terms, *origins.scopes[one][:2])),
        ),
    ]
    return " OR ".join(one for one in conditions if one != "0") or "0"


def find_named(query: Query, terms: FindTerms, condition: str) -> str:
    """Return the condition, or that the name of a service or an operation matches."""
    if not terms.include:
        return "0"
    named = " OR ".join(_occurs(query, terms.include, one) for one in ("service", "name"))
    return f"{named} OR {condition}"


def _hopeless(include: Sequence[str]) -> list[bytes]:
    """Return the kinds of values, by their first byte, in whose text no term can end."""
    tails = [term.rpartition("=")[2] for term in include]
    hopeless = []
    if not any(tail in "true" or tail in "false" for tail in tails):
        hopeless.append(_BOOL)
    if not any(_IN_NUMBERS.issuperset(tail) for tail in tails):
        hopeless += [_INT, _DOUBLE]
    return hopeless


def _meets(terms: FindTerms, key: bytes, value: bytes) -> bool:
    name = key.decode(errors="replace")
    shown = with_address(value) if name in ADDRESS_KEYS else value
    return terms.meet(name, any_value_text(shown))


def _pair(query: Query, terms: FindTerms, hashes: Sequence[int]) -> str:
    """Return the condition on key `k` and AnyValue `v`."""
    occurs = _occurs(query, terms.include, f"concat(k, '=', {_TEXT})")
    other = _occurs(query, terms.include, "k")
    if hashes:
        listed = query.text(",".join(map(str, hashes)))
        other += f" OR cityHash64(k, v) IN (SELECT toUInt64(arrayJoin(splitByChar(',', {listed}))))"
    condition = f"if({_STRING}, {occurs}, {other})"
    if terms.exclude:
        condition = f"NOT {_occurs(query, terms.exclude, 'k')} AND {condition}"
    return f"(k != '{WARNINGS_KEY}' AND {condition})"


def _text(query: Query, terms: FindTerms, key: str, column: str) -> str:
    """Return the condition on a text that is shown as a tag if it is not empty."""
    if any(term in key for term in terms.exclude):
        return "0"
    shown = f"concat({query.text(key + '=')}, toString({column}))"
    return f"({column} != '' AND {_occurs(query, terms.include, shown)})"


def _statuses(terms: FindTerms) -> list[int]:
    found = [
        code for code, text in ((1, "OK"), (2, "ERROR")) if terms.meet("otel.status_code", text)
    ]
    return [*found, 2] if terms.meet("error", "true") else found


def _is_scope(terms: FindTerms, name: bytes, version: bytes) -> bool:
    shown = (("otel.scope.name", name), ("otel.scope.version", version))
    return any(text and terms.meet(key, text.decode(errors="replace")) for key, text in shown)


def _occurs(query: Query, terms: Sequence[str], text: str) -> str:
    listed = ", ".join(query.text(term) for term in terms)
    return f"multiSearchAnyCaseInsensitiveUTF8({text}, [{listed}])"


def _numbers(query: Query, column: str, numbers: Iterable[int]) -> str:
    known = [*numbers]
    return is_any_of(query, column, known) if known else "0"
