"""The throughput of a tenant's operations in SQL, and what adaptive sampling computed from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from lymer.errors import StorageError
from lymer.model.throughput import OperationRate, Throughput
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.sampling_contract import OPERATIONS_PER_SERVICE_MAX

__all__ = [
    "COUNT_ROOTS",
    "HISTORY_MICROSECONDS",
    "MARK_RATES",
    "put_rates",
    "select_rates",
    "select_throughput",
]

HISTORY_MICROSECONDS: Final = 3600 * 1_000_000
"""How far back counting begins when it is switched on, or was off for longer."""
PROBABILITIES_MAX: Final = 10
"""Of one operation in one answer. Source: reference jaeger.md 3.3."""
MARK_RATES: Final = ""
"""Service of the row that says that nothing was computed."""
_RATES_BYTES_MAX: Final = 64 << 20


def _text(word: str) -> str:
    """Return the AnyValue bytes of a short text as SQL."""
    return "'\\x0a\\x" + f"{len(word):02x}{word}'"


_NONE: Final = "''"
_TYPE: Final = (
    "if(mapContains(attrs, 'sampler.type'), attrs['sampler.type'], attrs['jaeger.sampler.type'])"
)
_PARAM: Final = (
    "if(mapContains(attrs, 'sampler.type'), attrs['sampler.param'], attrs['jaeger.sampler.param'])"
)
# An AnyValue's first byte says its type: a text, an integer (one that fits a byte: 0 or 1 is what a
# probability can be), a double. Anything else is no number. Source: OTLP common.proto.
_NUMBER: Final = (
    "multiIf(startsWith(param, '\\x0a'), toFloat64OrNull(substring(param, 3)), "
    "startsWith(param, '\\x18') AND length(param) = 2, "
    "CAST(reinterpretAsUInt8(substring(param, 2, 1)), 'Nullable(Float64)'), "
    "startsWith(param, '!') AND length(param) = 9, "
    "CAST(reinterpretAsFloat64(substring(param, 2)), 'Nullable(Float64)'), NULL)"
)
# Up to 14 hex digits, trailing zeros left out; the probability is 1 - threshold / 2^56. Source:
# OpenTelemetry specification, `trace/tracestate-handling.md`.
_THRESHOLD: Final = (
    "extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;, \\t]|$)')"
)
_OF_THRESHOLD: Final = (
    "1 - reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(threshold, 14, '0'))))) "
    "/ 72057594037927936"
)
_OTHER_SAMPLERS: Final = ", ".join(map(_text, ("lowerbound", "ratelimiting", "const")))

COUNT_ROOTS: Final = f"""
INSERT INTO {{db}}.throughput
SELECT second, service, name, origin, round(assumeNotNull(share), 6) AS probability,
    count() AS roots, {{upto}}
FROM
(
    SELECT toUInt32(intDiv(seg, 1000000)) AS second, service, name, {_TYPE} AS type,
        {_PARAM} AS param, {_THRESHOLD} AS threshold,
        multiIf(type = {_text("probabilistic")}, 1, type IN ({_OTHER_SAMPLERS}), 2,
            type != {_NONE}, 9, threshold != '', 3, 0) AS origin,
        multiIf(type != {_NONE}, {_NUMBER}, threshold != '', {_OF_THRESHOLD}, 0) AS share
    FROM {{db}}.spans
    WHERE seg > {{after}} AND seg <= {{upto}} AND parent_span_id = toFixedString('', 8)
)
WHERE origin != 9 AND share IS NOT NULL AND isFinite(assumeNotNull(share))
GROUP BY second, service, name, origin, probability
UNION ALL
SELECT 0, '', '', 0, 0, 0, {{upto}}
"""
"""Counts the roots of a step of segments, as `Rollups` fills it."""


def select_throughput(
    engine: Engine, database: str, after_unix_seconds: int, upto_unix_seconds: int
) -> list[Throughput]:
    """Return the throughput of one tenant; see `SamplingStore.get_throughput`."""
    columns = engine.select(
        database,
        "SELECT {mark}, service, name, sumIf(roots, origin != 2) AS traces, "
        f"groupUniqArrayIf({PROBABILITIES_MAX})(probability, origin IN (1, 2)), "
        f"groupUniqArrayIf({PROBABILITIES_MAX})(probability, origin = 3), "
        "max(origin = 0) FROM {db}.throughput "
        f"WHERE second > {after_unix_seconds} AND second <= {upto_unix_seconds} "
        "GROUP BY service, name ORDER BY service, traces DESC, name "
        f"LIMIT {OPERATIONS_PER_SERVICE_MAX} BY service",
        6,
    )
    found = [
        Throughput(
            _str(service), _str(name), count, frozenset(tags), frozenset(thresholds), bool(bare)
        )
        for service, name, count, tags, thresholds, bare in zip(*columns, strict=True)
    ]
    return sorted(found, key=lambda each: (each.service, each.operation))


def put_rates(
    engine: Engine, database: str, rates: Sequence[OperationRate], unix_nano: int
) -> None:
    """Keep `rates` as what was computed at an instant; see `SamplingStore.put_rates`."""
    rows = [
        [each.service, each.operation, each.probability, each.traces_per_second] for each in rates
    ]
    text = json.dumps([*rows, [MARK_RATES, "", 0.0, 0.0]])
    if len(text) > _RATES_BYTES_MAX:
        message = f"cannot keep sampling rates: {len(text)} bytes, the limit is {_RATES_BYTES_MAX}"
        raise StorageError(message)
    engine.command(
        database,
        "INSERT INTO {db}.sampling_rates "
        f"SELECT {unix_nano}, tupleElement(row, 1), tupleElement(row, 2), tupleElement(row, 3), "
        "tupleElement(row, 4) FROM (SELECT arrayJoin(JSONExtract({rates:String}, "
        "'Array(Tuple(String, String, Float64, Float64))')) AS row)",
        {"rates": text},
        {"max_insert_threads": 1, "max_threads": 1},
    )


def select_rates(engine: Engine, database: str) -> list[OperationRate]:
    """Return what was computed last; see `SamplingStore.get_rates`."""
    columns = engine.select(
        database,
        "SELECT {mark}, service, operation, probability, traces_per_second "
        "FROM {db}.sampling_rates "
        f"WHERE at = (SELECT max(at) FROM {{db}}.sampling_rates) AND service != '{MARK_RATES}' "
        "ORDER BY service, operation",
        4,
    )
    return [
        OperationRate(_str(service), _str(operation), probability, qps)
        for service, operation, probability, qps in zip(*columns, strict=True)
    ]


def _str(sent: bytes) -> str:
    return sent.decode("utf-8", "replace")
